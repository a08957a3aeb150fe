"""Any YAML, JSON, TOML, INI, XML or HCL as located values: (key path, value, byte span). Hostile input is bounded: size, depth, aliases, entities.

A value is a `Located`: `value` is the scalar as the format reads it, `path` the keys and list indexes that lead to it, `start`/`end` its bytes in
the text's UTF-8. Mappings and lists stand as entries too, so that a format can walk a tree (`Tree`) or the flat list.
"""
from __future__ import annotations

from collections.abc import Iterable

from flowaudit.scanner.facts import Class, Fact, FileFacts, Skipped, Source, Unit, line_table
from flowaudit.scanner.lower import DIRECTIVE


def file_facts(source: Source, facts: Iterable[Fact] = (), units: Iterable[Unit] = (), skipped: Iterable[Skipped] = (),
               classes: Iterable[Class] = ()) -> FileFacts:
    """The FileFacts of a configuration file: line table and the tool's own comments are read here."""
    data = source.text.encode("utf-8", "surrogatepass")
    newlines, wide = line_table(data)
    suppressions = []
    for match in DIRECTIVE.finditer(data):
        end = data.find(b"\n", match.start())
        end = len(data) if end < 0 else end
        suppressions.append((match.start(), end, data[match.start():end].decode("utf-8", "replace")))
    return FileFacts(source.path, source.language, units=tuple(units), classes=tuple(classes), facts=tuple(facts), newlines=newlines, wide=wide,
                     suppressions=tuple(suppressions), skipped=tuple(skipped), size=len(data))
