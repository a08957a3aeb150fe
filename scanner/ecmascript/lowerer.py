"""The file as a whole: the module's own Unit, and which of its declarations others can import."""

from __future__ import annotations

from msgspec.structs import replace
from tree_sitter import Parser

from flowaudit.scanner.ecmascript.modules import Modules
from flowaudit.scanner.facts import FileFacts, Skipped, Source, Unit


class EcmaLowerer(Modules):
    """Lowers one JavaScript or TypeScript file."""

    def __init__(self, source: Source, parser: Parser) -> None:
        super().__init__(source, parser)
        self.LANGUAGE = source.language  # type: ignore[misc]  # one class for two languages

    def module(self) -> None:
        """The file's own Unit "" is what it does when it is loaded."""
        root = self.tree.root_node
        body = self.block(root.named_children)
        self.units.append(Unit(0, len(self.data), "", "module", (), (), body))
        shared = {one.local for one in self.exports if one.module is None}
        self.units = [replace(one, exported=True) if one.kind == "function" and one.name in shared else one for one in self.units]
        self.classes = [replace(one, exported=True) if one.name in shared else one for one in self.classes]
        self.units.sort(key=lambda unit: (unit.start, -unit.end, unit.name))
        self.classes.sort(key=lambda one: one.start)


def lower(source: Source, parsers: tuple[Parser, ...]) -> FileFacts:
    """The facts of one file, by the first parser that understands all of it, else by the first one."""
    first: EcmaLowerer | None = None
    try:
        for parser in parsers:
            made = EcmaLowerer(source, parser)
            first = first or made
            if not made.tree.root_node.has_error:
                return made.run()
        assert first is not None
        return first.run()
    except RecursionError:
        reason = "nested too deeply to be read"
        return FileFacts(source.path, source.language, skipped=(Skipped(source.path, reason, source.language),), size=len(source.text))
