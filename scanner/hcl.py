"""HCL (Terraform) as blocks with attributes and places; broken blocks are read as far as they go. Source: HCL native syntax specification."""

from __future__ import annotations

from collections.abc import Iterator

import tree_sitter
import tree_sitter_hcl

from flowaudit.scanner.facts import Source
from flowaudit.scanner.located import LARGEST, LocatedError

_LANGUAGE = tree_sitter.Language(tree_sitter_hcl.language())


class Part:
    """A block of HCL: its labels, attributes (name -> expression node) and inner blocks. Spans are (start, end) bytes."""

    def __init__(self, node: tree_sitter.Node, data: bytes) -> None:
        self.node = node
        self.data = data
        heads = [c for c in node.children if c.type in {"identifier", "string_lit"}]
        self.kind = self.raw(heads[0]) if heads else ""
        self.labels = [self.raw(h).strip('"') for h in heads[1:]]
        self.attributes: dict[str, tree_sitter.Node] = {}
        self.blocks: list[Part] = []
        for body in (c for c in node.children if c.type == "body"):
            for child in body.children:
                if child.type == "attribute" and len(child.children) >= 3:
                    self.attributes[self.raw(child.children[0])] = child.children[-1]
                elif child.type == "block":
                    self.blocks.append(Part(child, data))

    def raw(self, node: tree_sitter.Node) -> str:
        """A node's text."""
        return self.data[node.start_byte:node.end_byte].decode("utf-8", "replace")

    def text(self, name: str) -> str:
        """An attribute's text as written, "" for none."""
        return self.raw(self.attributes[name]) if name in self.attributes else ""

    def span(self, name: str) -> tuple[int, int]:
        """An attribute's bytes."""
        node = self.attributes[name]
        return node.start_byte, node.end_byte

    def inner(self, *kinds: str) -> Part | None:
        """The block below a chain of kinds."""
        here: Part | None = self
        for kind in kinds:
            here = next((b for b in here.blocks if b.kind == kind), None) if here is not None else None
        return here

    @property
    def head(self) -> tuple[int, int]:
        """The line that opens the block."""
        return self.node.start_byte, next((c.end_byte for c in self.node.children if c.type == "block_start"), self.node.end_byte)

    @property
    def resource(self) -> str:
        """The address of a resource ("aws_sqs_queue.orders"), "" of any other block."""
        return ".".join(self.labels) if self.kind == "resource" and len(self.labels) == 2 else ""


def parts(source: Source) -> tuple[list[Part], bool]:
    """The outermost blocks, also those that stand beside a broken one, and whether all of it was valid. Raises LocatedError when the text is too long."""
    if len(source.text) > LARGEST:
        raise LocatedError(f"larger than {LARGEST // 1_000_000} MB")
    data = source.text.encode("utf-8", "surrogatepass")
    root = tree_sitter.Parser(_LANGUAGE).parse(data).root_node
    return [Part(block, data) for block in _blocks(root)], not root.has_error


def defaults(found: list[Part]) -> dict[str, str]:
    """The defaults of variables that stand in the same file, as written."""
    return {p.labels[0]: p.text("default") for p in found if p.kind == "variable" and p.labels and "default" in p.attributes}


def _blocks(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    todo = [root]
    while todo:
        node = todo.pop()
        if node.type == "block":
            yield node
        elif node.type in {"config_file", "body", "ERROR"}:
            todo.extend(reversed(node.children))
