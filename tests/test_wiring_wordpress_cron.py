"""The handlers of WordPress's recurring events, and what keeps two of their runs apart."""

from __future__ import annotations

import pytest
from audit import audit, graph_of

CODE = r"""<?php
add_filter('cron_schedules', 'shop_recurrences');
function shop_recurrences($schedules) { $schedules['five_minutes'] = array('interval' => 5 * MINUTE_IN_SECONDS, 'display' => 'x'); return $schedules; }
function shop_install() {
    wp_schedule_event(time(), 'five_minutes', 'shop_pull_stock');
    wp_schedule_event(time(), 'hourly', 'shop_hourly');
    wp_schedule_event(time(), 'somebody_elses', 'shop_other');
    wp_schedule_event(time(), 'hourly', $unknown);
    as_schedule_recurring_action(time(), 2 * HOUR_IN_SECONDS, 'shop_settle', array(), 'shop');
    as_schedule_cron_action(time(), '0 3 * * *', 'shop_nightly');
}
add_action('shop_pull_stock', 'shop_pull_stock');
function shop_pull_stock() {
    GUARD
    foreach (wc_get_products(array('limit' => -1)) as $product) { wp_remote_get('https://wms.example/' . $product->get_sku()); }
}
"""


def test_the_handler_of_a_recurring_event_is_started_by_its_schedule() -> None:
    graph = graph_of({"shop.php": CODE.replace("GUARD", "")})
    found = {(e.kind, e.name, e.unit.unit.name, e.background) for e in graph.entries if e.unit.name.startswith("shop_pull")}
    assert found == {("schedule", "shop_pull_stock", "shop_pull_stock", True), ("hook", "shop_pull_stock", "shop_pull_stock", True)}
    assert not [e for e in graph.entries if e.name == "shop_hourly"]  # nobody registered for it


@pytest.mark.parametrize(
    ("guard", "fires"),
    [
        ("", True),
        ("if (get_transient('shop_lock')) { return; } set_transient('shop_lock', 1, 600);", False),
        ("if (get_option('shop_sync_running')) { return; } update_option('shop_sync_running', 1);", False),
        ("if (get_transient('shop_lock')) { return; } set_transient('another_lock', 1, 600);", True),
        ("if (get_transient('shop_lock')) { return; }", True),
        ("if (get_option('shop_disabled')) { return; } update_option('shop_disabled', 0);", True),
        ("if (get_transient('shop_lock')) { error_log('x'); } set_transient('shop_lock', 1, 600);", True),
    ],
)
def test_a_transient_is_a_lock_when_it_is_tested_and_set(guard: str, fires: bool) -> None:
    found = audit("overlapping-schedule", {"shop.php": CODE.replace("GUARD", guard)})
    assert bool(found) is fires
