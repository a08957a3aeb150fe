"""Prometheus alerts written in jsonnet: literal `alert:` and `expr:` of one object. What is computed (`%` formats, `+`, variables) is "<unknown>".

Only literal text is read: no jsonnet is evaluated. Source: jsonnet.org/ref/language (strings, text blocks), Prometheus "Alerting rules".
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Alert, Fact, FileFacts, Scalar, Setting, Source
from flowaudit.scanner.located import file_facts

NAME = "jsonnet_alerts"
FILES = ("*.libsonnet", "*.jsonnet")
SNIFF = re.compile(r"\b(?:alert|record)['\"]?\s*::?:?\s*['\"]")
VERSION = 1
MOST = 1_000
FAR = 4_000
"""Characters of an object after its `alert:` in which its other fields are looked for."""

_HEAD = re.compile(r"\b(alert|record)['\"]?\s*:{1,3}\s*(['\"])([\w:-]{1,200})\2")
_FIELD = re.compile(r"(?<!\w)['\"]?(expr|for|severity)['\"]?\s*:{1,3}\s*(\|\|\|-?|['\"])")
_NEXT = re.compile(r"\}\s*,?\s*\{|\[\s*\{|\(\s*\{")
"""Where an object of a list begins."""


def extract(source: Source) -> FileFacts:
    """Read the alerts whose name is a literal."""
    text = source.text
    offsets = _Offsets(text)
    heads = list(_HEAD.finditer(text))[:MOST]
    facts: list[Fact] = []
    for number, head in enumerate(heads):
        end = min(heads[number + 1].start() if number + 1 < len(heads) else len(text), head.end() + FAR)
        after = max(heads[number - 1].end() if number else 0, head.start() - FAR)
        begin = max((found.end() for found in _NEXT.finditer(text, after, head.start())), default=head.start())
        fields = {**_fields(text, head.end(), end), **_fields(text, begin, head.start())}
        expression, start, stop = fields.get("expr", (UNKNOWN_VALUE, head.start(), head.end()))
        span = offsets.bytes(start), offsets.bytes(stop)
        if head[1] == "record":
            facts.append(Setting(*span, f"record.{head[3]}", expression, "prometheus"))
            continue
        options: list[tuple[str, Scalar]] = [("name", head[3])]
        options += [("for", fields["for"][0])] if "for" in fields else []
        told = fields["severity"][0] if "severity" in fields else ""
        facts.append(Alert(*span, expression, told, "prometheus", tuple(sorted(options))))
    return file_facts(source, facts)


def _fields(text: str, start: int, end: int) -> dict[str, tuple[str, int, int]]:
    """Field -> (text, start, end) of the first of each name; a string with an operator behind it is marked as unknown."""
    out: dict[str, tuple[str, int, int]] = {}
    at = start
    while (found := _FIELD.search(text, at, end)) is not None:
        name, quote, begin = found[1], found[2], found.end()
        if quote.startswith("|||"):
            stop = text.find("|||", begin)
            begin += len(text[begin:stop]) - len(text[begin:stop].lstrip()) if stop > 0 else 0
            after = stop + 3
        else:
            stop = begin
            while stop < len(text) and text[stop] != quote:
                stop += 2 if text[stop] == "\\" else 1
            after = stop + 1
        if stop < 0 or stop > begin + FAR:
            break
        value = " ".join(text[begin:stop].split())
        computed = re.match(r"\s*[%+]", text[after:after + 40]) is not None
        out.setdefault(name, (f"{value} {UNKNOWN_VALUE}" if computed else value, begin, stop))
        at = after
    return out


class _Offsets:
    """Characters to bytes of the text's UTF-8."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._plain = text.isascii()

    def bytes(self, at: int) -> int:
        """The byte offset of a character."""
        return at if self._plain else len(self._text[:at].encode("utf-8", "surrogatepass"))
