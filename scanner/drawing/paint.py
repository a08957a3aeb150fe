"""A Drawing as SVG, through a template with automatic escaping: the same picture stands in the HTML report and in a file of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from flowaudit.scanner.drawing.legend import legend
from flowaudit.scanner.drawing.model import Box, Cell, Drawing, Line
from flowaudit.scanner.drawing.words import EDGES, GUARDS, KINDS, LETTERS, STATES, VECTORS
from flowaudit.scanner.mask import visible
from flowaudit.scanner.report import Ranked


def asset(name: str) -> str:
    """The text of a template, style sheet or script of the reporters."""
    return files("flowaudit.reporters").joinpath("assets", name).read_text("utf-8")


@lru_cache(maxsize=2)
def colours(sheet: str = "light.css") -> dict[str, str]:
    """Name -> colour of a style sheet, for what knows no style sheets."""
    return {name: value if len(value) > 4 else "#" + "".join(2 * char for char in value[1:]) for name, value in re.findall(r"--(\w+):(#\w+);", asset(sheet))}


def _shown(value: object) -> object:
    """What a template prints: control characters of a client's text as visible escapes, lone surrogates replaced."""
    if isinstance(value, str) and not isinstance(value, Markup) and not (value.isascii() and value.isprintable()):
        return visible(value.encode("utf-8", "replace").decode())
    return value


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates with automatic escaping; an unknown name is an error."""
    return Environment(
        loader=FunctionLoader(asset), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown, auto_reload=False
    )


class Words:
    """What the picture says of each of its parts."""

    def __init__(self, drawing: Drawing, findings: Iterable[Ranked]) -> None:
        self.labels = {box.id: box.label for box in drawing.boxes}
        self.known = {item.fingerprint: item for item in findings}

    def box(self, box: Box) -> str:
        """A box in one sentence."""
        found = f", {count(len(box.findings), 'finding')}" if box.findings else ""
        kind = f"{len(box.members)} together" if box.members else KINDS.get(box.kind, box.kind)
        where = f", {box.at.path}:{box.at.line}" if box.at is not None and not box.members else ""
        return f"{box.label} ({kind}{where}){found}"

    def line(self, line: Line) -> str:
        """A connection in one sentence: from where to where, its guards, what can go wrong."""
        guards = "; ".join(f"{GUARDS.get(name, name)} {STATES.get(state, state)}" for name, state in line.guards)
        risks = ", ".join(VECTORS[name][0].lower() for name in line.vectors if name in VECTORS)
        wrong = f". {count(len(line.findings), 'finding')}: {risks}" if line.findings else ""
        several = f" ({line.count} connections)" if line.count > 1 else ""
        return f"{self.labels[line.tail]} {EDGES.get(line.kind, line.kind)} {self.labels[line.head]}{several}{'. ' + guards if guards else ''}{wrong}"

    def kind(self, line: Line) -> str:
        """What a connection does, how often and how sure that is, as a sentence."""
        several = f" These are {line.count} connections of one kind." if line.count > 1 else ""
        sure = "" if line.certainty == "sure" else " This is likely, but not proven."
        return f"{self.labels[line.tail]} {EDGES.get(line.kind, line.kind)} {self.labels[line.head]}.{several}{sure}"

    def letter(self, cell: Cell) -> str:
        """What stands in a guard's cell."""
        return LETTERS[cell.name]


def count(number: int, word: str) -> str:
    """A number with its noun."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def paint(drawing: Drawing, findings: Iterable[Ranked], title: str = "", standalone: bool = False, prefix: str = "", still: str = "") -> Markup:
    """The picture as SVG text, safe to stand in HTML. `standalone` adds size, title, style sheet, background and legend, for a file of its own;
    the ids of several pictures in one page begin with a `prefix` each; `still` is the name of a picture in which nothing can be chosen."""
    template = environment().get_template("map.svg")
    # office programs and many viewers know style sheets, but no variables in them
    css = Markup(re.sub(r"var\(--(\w+)\)", lambda found: colours()[found[1]], asset("map.css"))) if standalone else ""  # noqa: S704 - our own file
    words = Words(drawing, findings)
    text = template.render(d=drawing, words=words, standalone=standalone, title=title, css=css, prefix=prefix, still=still, legend=legend(drawing))
    return Markup(text)  # noqa: S704 - the template escaped every value
