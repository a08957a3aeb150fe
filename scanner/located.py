"""Any YAML, JSON, INI, properties or XML as located values: (key path, value, byte span). Hostile input is bounded: size, depth, aliases, entities.

A loader answers trees of `Node`; `flat` lists a tree's scalars as `Located`. Offsets are bytes of the text's UTF-8. What cannot be read raises
`LocatedError` with one sentence and, where known, the line.
"""
from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers.expat import ExpatError
from xml.sax import SAXException
from xml.sax.handler import ContentHandler

import yaml
from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from flowaudit.scanner.facts import UNKNOWN_VALUE, Class, Fact, FileFacts, Scalar, Skipped, Source, Unit, line_table
from flowaudit.scanner.lower import DIRECTIVE

LARGEST = 10_000_000
"""Characters of a text that is still read."""
MOST_NODES = 300_000
"""Values of a text after its aliases are followed; more is taken for an alias bomb."""
DEEPEST = 100


class LocatedError(ValueError):
    """The text cannot be read; `line` is 0 where unknown."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


class Located(NamedTuple):
    """One scalar: the keys and indexes that lead to it, its value, its bytes."""

    path: tuple[str | int, ...]
    value: Scalar
    start: int
    end: int


@dataclass(slots=True)
class Node:
    """A value with its place. `kind` is "map" (`pairs`), "list" (`items`), "scalar" (`value`; `text` as written)."""

    kind: str
    start: int
    end: int
    value: Scalar = None
    text: str = ""
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)

    def get(self, *keys: str) -> Node | None:
        """The value below a chain of keys; the last of duplicate keys; YAML's merge key is followed."""
        here: Node | None = self
        for key in keys:
            here = here.one(key) if here is not None else None
        return here

    def one(self, key: str) -> Node | None:
        """The value of one key."""
        if self.kind != "map":
            return None
        found = next((v for k, v in reversed(self.pairs) if k.text == key), None)
        if found is not None:
            return found
        for k, v in self.pairs:
            if k.text == "<<":
                for source in v.items if v.kind == "list" else (v,):
                    inherited = source.one(key)
                    if inherited is not None:
                        return inherited
        return None

    def scalar(self, *keys: str) -> Scalar:
        """The scalar below a chain of keys; None where there is none."""
        found = self.get(*keys)
        return found.value if found is not None and found.kind == "scalar" else None

    def string(self, *keys: str) -> str:
        """As `scalar`, as text ("" where there is none)."""
        found = self.get(*keys)
        return found.text if found is not None and found.kind == "scalar" and found.value is not None else ""

    @property
    def duplicates(self) -> list[Node]:
        """Keys of this mapping that stand here twice (the later ones)."""
        names = [key.text for key, _ in self.pairs]
        return [key for at, (key, _) in enumerate(self.pairs) if key.text != "<<" and key.text in names[:at]] if len(set(names)) < len(names) else []

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        todo = [self]
        while todo:
            node = todo.pop()
            yield node
            todo.extend(reversed([v for _, v in node.pairs] if node.kind == "map" else node.items))


def flat(node: Node, path: tuple[str | int, ...] = ()) -> Iterator[Located]:
    """All scalars below a node."""
    if node.kind == "map":
        for key, value in node.pairs:
            yield from flat(value, (*path, key.text))
    elif node.kind == "list":
        for at, item in enumerate(node.items):
            yield from flat(item, (*path, at))
    else:
        yield Located(path, node.value, node.start, node.end)


class _Bytes:
    """Maps character indexes to byte offsets."""

    def __init__(self, text: str) -> None:
        self._at: list[int] = []
        self._extra: list[int] = []
        if not text.isascii():
            total = 0
            for index, char in enumerate(text):
                if char > "\x7f":
                    total += len(char.encode("utf-8", "surrogatepass")) - 1
                    self._at.append(index)
                    self._extra.append(total)

    def __call__(self, index: int) -> int:
        if not self._at:
            return index
        before = bisect_left(self._at, index)
        return index + (self._extra[before - 1] if before else 0)


# -- templates --------------------------------------------------------------------------------------------------------------
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|<%.*?%>", re.DOTALL)
_CONTROL = re.compile(r"(?:\{\{|\{%|<%)-?\s*(?:if|else|elif|end\w*|with|range|for|define|block)\b")
_MARK = "\u00a4"
_MARKS = re.compile(f"{_MARK}+_?")


def neutralise(text: str) -> str:
    """Template expressions (Helm, Jinja, ERB) as marks that read as "<unknown>", with the same number of bytes; lines of nothing else are blanked."""
    if "{{" not in text and "{%" not in text and "<%" not in text:
        return text
    spans = [match.span() for match in _TEMPLATE.finditer(text)]
    out: list[str] = []
    at = 0
    for start, end in spans:
        if start < at:
            continue
        out.append(text[at:start])
        begin, finish = text.rfind("\n", 0, start) + 1, text.find("\n", end)
        line = text[begin:finish if finish >= 0 else len(text)]
        if _CONTROL.match(text, start) and not text[begin:start].strip() and "\n" not in text[start:end]:
            # `{{ if x }}key: y{{ end }}`: without its condition the key would stand too deep, so the line is left out
            at = finish if finish >= 0 else len(text)
            out.append(" " * len(text[start:at].encode("utf-8", "surrogatepass")))
            continue
        alone = not _TEMPLATE.sub("", line).strip() or text.startswith(("{%", "{{/*", "{{- /*"), start)
        for piece in re.split(r"(\n)", text[start:end]):
            size = len(piece.encode("utf-8", "surrogatepass"))
            out.append(piece if piece == "\n" else " " * size if alone else _MARK * (size // 2) + "_" * (size % 2))
        at = end
    out.append(text[at:])
    return "".join(out)


def _known(text: str) -> str:
    return _MARKS.sub(UNKNOWN_VALUE, text) if _MARK in text else text


# -- YAML -------------------------------------------------------------------------------------------------------------------
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _LaterAnchors(yaml.SafeLoader):
    """YAML lets a later anchor take an earlier one's name; PyYAML's composers refuse that."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Forget an anchor that is defined anew."""
        if not self.check_event(yaml.AliasEvent):
            self.anchors.pop(self.peek_event().anchor, None)  # type: ignore[no-untyped-call]
        return super().compose_node(parent, index)


_CONSTRUCT = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:null"}
_TRUE = frozenset({"yes", "true", "on"})


def load_yaml(text: str, template: bool = True) -> list[Node]:
    """The documents of a YAML text (JSON included). With `template`, template expressions are tolerated. Raises LocatedError."""
    if len(text) > LARGEST:
        raise LocatedError(f"larger than {LARGEST // 1_000_000} MB")
    if template:
        text = neutralise(text)
    to_byte = _Bytes(text)
    out: list[Node] = []
    budget = [MOST_NODES]
    try:
        composed = [document for document in _compose(text) if document is not None]
        if "&" in text and "*" in text:
            for document in composed:
                _weigh(document, {}, 0)
        out.extend(_node(document, to_byte, budget, 0) for document in composed)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join((error.problem or error.context or "cannot be read").split())
        raise LocatedError(f"no valid YAML: {problem}", mark.line + 1 if mark else 0) from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, LocatedError):
            raise
        raise LocatedError("no valid YAML: " + " ".join(str(error).split())[:120]) from None
    except RecursionError:
        raise LocatedError("nested too deep") from None
    return out


def _compose(text: str) -> list[yaml.Node]:
    try:
        return list(yaml.compose_all(text, Loader=_LOADER))
    except yaml.composer.ComposerError as error:
        if "second occurrence" not in str(error):
            raise
        return list(yaml.compose_all(text, Loader=_LaterAnchors))


def load_yaml_parts(text: str) -> tuple[list[Node], list[LocatedError]]:
    """As `load_yaml`, document by document where the whole cannot be read, so that one broken document does not hide the others."""
    try:
        return load_yaml(text), []
    except LocatedError as error:
        if "\n---" not in text:
            return [], [error]
    nodes: list[Node] = []
    errors: list[LocatedError] = []
    plain = neutralise(text)
    starts = [0, *(m.start() + 1 for m in re.finditer(r"\n(?=---)", plain))]
    for begin, finish in zip(starts, [*starts[1:], len(plain)], strict=True):
        line = plain.count("\n", 0, begin)
        try:
            found = load_yaml(plain[begin:finish], template=False)
        except LocatedError as error:
            errors.append(LocatedError(error.reason, error.line + line if error.line else 0))
            continue
        base = len(plain[:begin].encode("utf-8", "surrogatepass"))
        for tree in found:
            seen: set[int] = set()
            for node in (n for top in tree.walk() for n in (top, *(k for k, _ in top.pairs))):
                if id(node) not in seen:
                    seen.add(id(node))
                    node.start += base
                    node.end += base
        nodes.extend(found)
    return nodes, errors


def _weigh(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """The values that a node has once its aliases are followed, reckoned without following them twice; too many end here, before they are made."""
    if depth > DEEPEST:
        raise LocatedError("nested too deep")
    total = known.get(id(node))
    if total is None:
        inner = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value if isinstance(node, yaml.SequenceNode) else []
        total = known[id(node)] = 1 + sum(_weigh(part, known, depth + 1) for part in inner)
    if total > MOST_NODES:
        raise LocatedError("more values than a configuration has; its aliases multiply")
    return total


def _node(node: yaml.Node, to_byte: _Bytes, budget: list[int], depth: int) -> Node:
    budget[0] -= 1
    if budget[0] < 0:
        raise LocatedError("more values than a configuration has; its aliases multiply")
    if depth > DEEPEST:
        raise LocatedError("nested too deep")
    start, end = to_byte(node.start_mark.index), to_byte(node.end_mark.index)
    if isinstance(node, yaml.MappingNode):
        return Node("map", start, end, pairs=[
            (_node(k, to_byte, budget, depth + 1), _node(v, to_byte, budget, depth + 1)) for k, v in node.value])
    if isinstance(node, yaml.SequenceNode):
        return Node("list", start, end, items=[_node(v, to_byte, budget, depth + 1) for v in node.value])
    raw = _known(str(node.value)).strip() if _MARK in str(node.value) else str(node.value)
    return Node("scalar", start, end, _scalar(node.tag, raw), raw)


def _scalar(tag: str, raw: str) -> Scalar:
    if tag not in _CONSTRUCT:
        return raw
    kind = tag.rpartition(":")[2]
    try:
        if kind == "null":
            return None
        if kind == "bool":
            return raw.lower() in _TRUE
        if kind == "int":
            return int(raw.replace("_", ""), 0) if len(raw) < 19 else raw
        return float(raw.replace("_", ""))
    except ValueError:
        return raw


# -- INI and properties -----------------------------------------------------------------------------------------------------
class Section(NamedTuple):
    """A section of an INI or unit file: its name ("" before the first) and its settings as (key, value, start, end) in written order."""

    name: str
    settings: list[tuple[str, str, int, int]]

    def last(self, key: str) -> str:
        """The last value of a key, "" where there is none."""
        return next((value for k, value, _, _ in reversed(self.settings) if k == key), "")


def load_ini(text: str, separators: str = "=", comments: str = "#;", continued: str = "\\") -> list[Section]:
    """Sections of an INI file, systemd unit or Java properties file (one section ""); continued lines are joined, duplicates kept."""
    if len(text) > LARGEST:
        raise LocatedError(f"larger than {LARGEST // 1_000_000} MB")
    out = [Section("", [])]
    at = 0
    pending: tuple[str, str, int] | None = None
    pattern = re.compile(rf"^\s*([^{re.escape(separators)}\s][^{re.escape(separators)}]*?)\s*[{re.escape(separators)}]\s*(.*)$")
    for line in text.split("\n"):
        size = len(line.encode("utf-8", "surrogatepass"))
        start, at = at, at + size + 1
        bare = line.rstrip("\r")
        if pending is not None:
            key, value, begin = pending
            more = bare.strip()
            joined = f"{value} {more.rstrip(continued).strip()}" if more.endswith(continued) else f"{value} {more}"
            pending = (key, joined, begin) if more.endswith(continued) else None
            if pending is None:
                out[-1].settings.append((key, joined.strip(), begin, start + size))
            continue
        stripped = bare.strip()
        if not stripped or stripped[0] in comments or stripped[0] == "!":
            continue
        if stripped.startswith("[") and stripped.endswith("]"):
            out.append(Section(stripped[1:-1].strip(), []))
            continue
        match = pattern.match(bare)
        if not match:
            continue
        if match[2].endswith(continued):
            pending = (match[1], match[2][:-1].strip(), start)
        else:
            out[-1].settings.append((match[1], match[2].strip(), start, start + size))
    if pending is not None:
        out[-1].settings.append((*pending[:2], pending[2], at - 1))
    return out


# -- XML --------------------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class Element:
    """An XML element: its name without prefix, attributes (names without prefix), own text, children, bytes."""

    tag: str
    attributes: dict[str, str]
    start: int
    end: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        """This element and all below it."""
        todo = [self]
        while todo:
            element = todo.pop()
            yield element
            todo.extend(reversed(element.children))

    def child(self, tag: str) -> Element | None:
        """The first child of that name."""
        return next((c for c in self.children if c.tag == tag), None)


def load_xml(text: str) -> Element:
    """The root of an XML document. Document types with entities are refused, as defusedxml does. Raises LocatedError."""
    if len(text) > LARGEST:
        raise LocatedError(f"larger than {LARGEST // 1_000_000} MB")
    builder = _Builder()
    reader = DefusedExpatParser(forbid_dtd=False, forbid_entities=True, forbid_external=True)
    reader.setContentHandler(builder)
    builder.reader = reader
    data = re.sub(r"^\s*<\?xml[^>]*\?>", lambda m: " " * len(m[0]), text, count=1)
    try:
        reader.feed(data)
        reader.close()
    except DefusedXmlException:
        raise LocatedError("declares entities, which are not expanded") from None
    except (SAXException, ExpatError, ValueError) as error:
        line = error.getLineNumber() if hasattr(error, "getLineNumber") else 0
        message = error.getMessage() if isinstance(error, SAXException) else str(error)
        raise LocatedError(f"no valid XML: {message}", line or 0) from None
    if builder.root is None:
        raise LocatedError("no valid XML: no element")
    return builder.root


class _Builder(ContentHandler):
    def __init__(self) -> None:
        super().__init__()
        self.root: Element | None = None
        self.stack: list[Element] = []
        self.reader: object = None
        self.count = 0

    def _byte(self) -> int:
        parser = getattr(self.reader, "_parser", None)
        return int(parser.CurrentByteIndex) if parser is not None else 0

    def startElement(self, name: str, attrs: object) -> None:  # noqa: N802 - the handler's interface
        """Open an element."""
        self.count += 1
        if self.count > MOST_NODES or len(self.stack) > DEEPEST:
            raise ValueError("too many or too deep elements")
        found = {str(k).rpartition(":")[2]: str(v) for k, v in attrs.items()}  # type: ignore[attr-defined]
        start = self._byte()
        element = Element(name.rpartition(":")[2], found, start, start)
        if self.stack:
            self.stack[-1].children.append(element)
        else:
            self.root = element
        self.stack.append(element)

    def endElement(self, name: str) -> None:  # noqa: N802 - the handler's interface
        """Close it."""
        element = self.stack.pop()
        element.end = self._byte() + len(name.encode()) + 3
        element.text = element.text.strip()

    def characters(self, content: str) -> None:
        """Text inside the open element."""
        if self.stack:
            self.stack[-1].text += content


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
