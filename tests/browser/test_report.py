"""The HTML report in Chromium: filters, keyboard, evidence, zoom, print, width, contrast, and that nothing leaves the page."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import conftest
import pytest

pytestmark = pytest.mark.browser
NAMES = [*conftest.reports(), *conftest.PAGES]
AXE = Path(os.environ.get("FLOWAUDIT_AXE", conftest.ROOT / "build" / "browser" / "node_modules" / "axe-core" / "axe.min.js"))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_no_error_and_no_request(name: str, dark: bool, visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    found = visit(site(name), dark=dark)
    page = found.page
    for selector in ("#nearer", "#fit", "#full", "#theme"):
        if page.query_selector(selector) is not None:  # a page without a map has no zoom
            page.click(selector)
    page.fill("#search", "order")
    page.fill("#search", "")
    for line in page.locator("#drawing .wire").all()[:3]:
        line.dispatch_event("click")
    assert found.said == []
    assert [url for url in found.asked if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in found.asked if url.startswith("file:")]) == 1


def test_the_policy_stops_a_script_that_is_not_the_reports_own(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    found = visit(site("django_shop"))
    found.page.evaluate("() => { const s = document.createElement('script'); s.textContent = 'window.got = 1'; document.body.append(s); }")
    assert found.page.evaluate("() => window.got") is None
    assert any("Content Security Policy" in text for text in found.said)


@pytest.mark.parametrize("name", NAMES)
def test_accessibility(name: str, visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    if not AXE.exists():
        pytest.fail("axe-core is missing; make test-browser installs it")
    for dark in (False, True):
        page = visit(site(name), dark=dark, free=True).page
        page.evaluate(AXE.read_text("utf-8"))
        page.evaluate("() => document.querySelectorAll('details').forEach((item, i) => { if (i < 60) item.open = true; })")
        if page.locator(".box").count():
            page.locator(".box").first.dispatch_event("click")
        broken = page.evaluate("async () => (await axe.run()).violations")
        grave = [f"{item['id']}: {item['nodes'][0]['html'][:200]}" for item in broken if item["impact"] in {"serious", "critical"}]
        assert grave == []


# ---- filters ----
def visible(page: Any, selector: str) -> int:
    return int(page.evaluate("(s) => [...document.querySelectorAll(s)].filter((e) => !e.hidden).length", selector))


def lit(page: Any, selector: str) -> int:
    return int(page.evaluate("(s) => [...document.querySelectorAll(s)].filter((e) => !e.classList.contains('dim')).length", selector))


def test_a_filter_hides_findings_and_dims_the_map(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site("django_shop")).page
    every, lines = visible(page, "main .finding[id]"), lit(page, "#drawing .wire")
    page.select_option("#by-level", "warning")
    left = visible(page, "main .finding[id]")
    assert 0 < left < every
    assert left == page.locator("main .finding.warning[id]").count()
    assert 0 < lit(page, "#drawing .wire") < lines
    assert page.inner_text("#hits").startswith(f"{left} of {every} findings, {lit(page, '#drawing .wire')} of {lines} connections")
    page.click("#clear")
    assert (visible(page, "main .finding[id]"), lit(page, "#drawing .wire")) == (every, lines)


def test_vector_stage_system_and_search_narrow_down(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site("django_shop")).page
    every = visible(page, "main .finding[id]")
    for field in ("#by-vector", "#by-stage", "#by-system"):
        values = [option.get_attribute("value") for option in page.locator(f"{field} option").all()][1:]
        assert values, field
        counts = []
        for value in values:
            page.select_option(field, value)
            counts.append(visible(page, "main .finding[id]"))
        assert max(counts) < every or len(values) == 1
        assert sum(counts) <= every
        page.click("#clear")
    page.fill("#search", "warehouse")
    assert 0 < visible(page, "main .finding[id]") < every
    assert 0 < lit(page, ".box") < page.locator(".box").count()
    page.fill("#search", "no such thing anywhere")
    assert visible(page, "main .finding[id]") == 0
    assert page.locator(".fixes .none:not([hidden])").count() == page.locator(".fixes").count()


def test_a_card_of_the_summary_filters_by_its_vector(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site("django_shop")).page
    card = page.locator("[data-vector-card]").first
    count = int(card.locator("b").inner_text())
    card.click()
    assert visible(page, "main .finding[id]") == count


# ---- evidence ----
def test_a_click_on_a_connection_shows_guards_and_findings(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site("django_shop")).page
    page.locator("#drawing .wire.error, #drawing .wire.warning").first.dispatch_event("click")
    panel = page.locator("#panel")
    assert panel.is_visible()
    text = panel.inner_text()
    assert "→" in text
    assert "Guards" in text
    assert "What can go wrong here" in text
    assert "an attempt that fails is not repeated" in text or "the order waits for ever" in text or "a failure leaves no trace" in text
    assert "How an order gets here" in text or "Looked for" in text
    assert page.locator("#panel [id]").count() == 0
    panel.locator("a", has_text="Open in the list").first.click()
    assert page.locator("main .finding[id]:target").get_attribute("open") is not None


def test_map_finding_and_work_item_lead_to_each_other(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site("django_shop")).page
    page.locator("#drawing .wire.error, #drawing .wire.warning").first.dispatch_event("click")
    page.locator("#panel a", has_text="Work item").first.click()
    assert page.locator("main .work:target").is_visible()
    work = page.locator("main .work:target")
    number = work.get_attribute("id")
    work.locator("button[data-work]").click()
    assert 0 < lit(page, "#drawing .wire, #drawing .box") < page.locator("#drawing .wire, #drawing .box").count()
    assert {item.get_attribute("data-item") for item in page.locator("main .finding[id]:not([hidden])").all()} == {number}
    assert page.evaluate("() => document.activeElement.matches('.box, .wire')")
    finding = work.locator(".finding").first
    finding.locator("summary").click()
    spot = finding.locator(".spots a").first
    spot.click()
    assert page.evaluate("() => document.activeElement.id") == spot.get_attribute("data-show")
    assert page.locator("#panel").is_visible()
    page.click("#clear")
    assert page.locator("main .work[hidden]").count() == 0


def test_the_words_beside_the_map_lead_to_it(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site("django_shop")).page
    link = page.locator(".losses a[data-show]").first
    link.click()
    assert page.evaluate("() => document.activeElement.id") == link.get_attribute("data-show")
    assert "What can go wrong here" in page.locator("#panel").inner_text()


def test_a_group_unfolds_and_folds_again(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    found = visit(site("synthetic"))
    page = found.page
    whole = page.locator("#drawing .box").count()
    sign = page.locator("#drawing .box.opens .fold").first
    group = sign.evaluate("(e) => e.closest('.box').id")
    sign.dispatch_event("click")
    assert page.locator("#view svg").count() == 1
    members = page.evaluate("(id) => JSON.parse(document.getElementById('data').textContent).boxes[id].members.length", group)
    assert page.locator("#view .box").count() >= members > 1
    page.locator("#view .wire, #view .box").first.dispatch_event("click")
    assert page.locator("#panel").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert page.locator("#drawing .box").count() == whole
    assert page.evaluate("() => document.activeElement.id") == group
    page.keyboard.press("u")
    assert page.locator("#part").is_visible()
    page.click("#back")
    assert page.locator("#drawing").is_visible()
    assert found.said == []


def test_a_filter_holds_in_an_unfolded_group(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site("synthetic")).page
    page.select_option("#by-vector", page.locator("#by-vector option").nth(1).get_attribute("value"))
    page.locator("#drawing .box.opens .fold").first.dispatch_event("click")
    assert lit(page, "#view .wire") < page.locator("#view .wire").count()


def test_the_table_of_connections_leads_to_the_map(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site("django_shop")).page
    page.click("#connections summary")
    button = page.locator("#connections button[data-show]").first
    button.click()
    assert page.evaluate("() => document.activeElement.id") == button.get_attribute("data-show")
    assert page.locator("#panel").is_visible()


def test_a_link_to_a_finding_opens_it(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site("django_shop") + "#f2").page
    assert page.locator("#f2").get_attribute("open") is not None


# ---- keyboard ----
def test_the_map_is_walked_by_keyboard_alone(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site("django_shop")).page
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.matches('.box, .wire')"):
            break
    focus = "() => document.activeElement.id"
    assert page.evaluate("() => document.activeElement.matches('.box')"), "the map is one stop on the way of the Tab key"
    page.keyboard.press("Home")
    first = page.evaluate(focus)
    page.keyboard.press("ArrowRight")
    line = page.evaluate(focus)
    assert line.startswith("w")
    page.keyboard.press("ArrowRight")
    head = page.evaluate(focus)
    assert head.startswith("b")
    assert head != first
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focus).startswith("b")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#panel").is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.closest('#panel') !== null"), "the evidence is the next stop"
    page.keyboard.press("Escape")
    assert not page.locator("#panel").is_visible()
    assert page.evaluate("() => document.activeElement.matches('.box, .wire')")


def test_focus_is_seen(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site("django_shop")).page
    box = page.locator(".box").first
    before = box.locator("rect.body").evaluate("(e) => getComputedStyle(e).strokeWidth")
    box.evaluate("(e) => { e.setAttribute('tabindex', '0'); e.focus(); }")
    assert box.locator("rect.body").evaluate("(e) => getComputedStyle(e).strokeWidth") != before


# ---- zoom, width, print ----
def test_zoom_changes_the_picture_and_says_so(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site("synthetic")).page
    page.click("#full")
    wide = page.locator("#drawing").bounding_box()["width"]
    page.click("#nearer")
    assert page.locator("#drawing").bounding_box()["width"] == pytest.approx(wide * 1.25, rel=0.01)
    assert page.inner_text("#scale") == "125 %"
    page.click("#fit")
    assert page.locator("#drawing").bounding_box()["width"] <= page.locator("#view").bounding_box()["width"] + 1


def test_labels_are_legible_at_full_size(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site("synthetic")).page
    page.click("#full")
    sizes = page.evaluate("() => [...document.querySelectorAll('.box text:not(.small)')].map((e) => parseFloat(getComputedStyle(e).fontSize))")
    assert min(sizes) >= 12
    beyond = page.evaluate(
        "() => [...document.querySelectorAll('.box')].filter((b) => { const r = b.querySelector('rect.body').getBoundingClientRect();"
        " return [...b.querySelectorAll('text')].some((t) => t.getBoundingClientRect().right > r.right + 1); }).length"
    )
    assert beyond == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_screen_needs_no_sideways_scrolling(name: str, visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site(name), width=400).page
    page.evaluate("() => document.querySelectorAll('details').forEach((item, i) => { if (i < 60) item.open = true; })")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 400


def test_print_shows_the_whole_map_and_the_evidence(visit: Callable[..., Any], site: Callable[[str], str], tmp_path: Path) -> None:
    page = visit(site("django_shop"), dark=True).page
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("main .finding:not([open])").count() == 0
    assert not page.locator(".filters").is_visible()
    assert not page.locator(".top").is_visible()
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("#drawing").bounding_box()["width"] <= page.locator("#view").bounding_box()["width"] + 1
    page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    assert page.locator("main .finding[open]").count() == 0
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_the_theme_button_turns_the_colours(visit: Callable[..., Any], site: Callable[[str], str]) -> None:
    page = visit(site("django_shop")).page
    colour = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.click("#theme")
    assert page.evaluate(colour) != light
    page.click("#theme")
    assert page.evaluate(colour) == light


def test_without_script_everything_is_still_there(chromium: Any, site: Callable[[str], str]) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site("django_shop"))
    assert page.locator("#drawing").is_visible()
    assert not page.locator(".filters").is_visible()
    page.locator("#f1 summary").click()
    assert page.locator("#f1 .factors").is_visible()
    context.close()
