"""A container's service definitions as code: each service is a unit `service:ID` that answers `new Class(arguments)`, as the container runs it.

So a client that only a service file builds is followed like one built in code: `Name("service:ID")` stands for another service, `Unknown` for a parameter
of the container. Source: Symfony documentation, "Service Container"; Adobe Commerce developer documentation, "The di.xml file".
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from flowaudit.scanner.facts import Arg, Attr, Call, Const, Expr, Items, Name, Pair, Return, Table, Unit, Unknown
from flowaudit.scanner.located import Element, Node
from flowaudit.scanner.program import SERVICE

_NUMBER = re.compile(r"^-?\d{1,15}(?:\.\d{1,9})?$")
_WORDS = {"true": True, "false": False, "null": None, "~": None}
MAX_DEPTH = 8
"""Collections in each other."""


def unit(start: int, end: int, name: str, value: Expr) -> Unit:
    """The unit of one service."""
    return Unit(start, end, SERVICE + name, "function", (), (), (Return(start, end, value),), exported=False)


def reference(start: int, end: int, name: str) -> Name:
    """Another service."""
    return Name(start, end, SERVICE + name.lstrip("\\"))


def built(start: int, end: int, cls: str, args: Iterable[Arg], method: str = "") -> Call:
    """`new cls(args)`, or `cls::method(args)` for a factory."""
    name = Name(start, end, cls.lstrip("\\"))
    return Call(start, end, Attr(start, end, name, method) if method else name, tuple(args), new=not method)


def scalar(start: int, end: int, text: str, typed: bool = True) -> Expr:
    """A plain value; one that holds a parameter (`%x%`) or an expression is not known."""
    text = text.strip()
    if re.search(r"%[^%\s]+%", text) or text.startswith("@="):
        return Unknown(start, end)
    if typed and text.lower() in _WORDS:
        return Const(start, end, _WORDS[text.lower()])
    if typed and _NUMBER.match(text):
        return Const(start, end, float(text) if "." in text else int(text))
    return Const(start, end, text)


# ---- Symfony's XML -----------------------------------------------------------------------------------------------------------------
def from_xml(service: Element) -> Unit | None:
    """The unit of a `<service>` element; None when it says nothing of how it is built."""
    name = service.attributes.get("id", "").lstrip("\\")
    alias = service.attributes.get("alias", "")
    if alias:
        return unit(service.start, service.end, name, reference(service.start, service.end, alias))
    value = _xml_service(service, 0)
    return unit(service.start, service.end, name, value) if value is not None and name else None


def _xml_service(service: Element, depth: int) -> Expr | None:
    start, head = service.start, min(service.end, service.start + 1)
    cls = service.attributes.get("class") or service.attributes.get("id", "")
    args = [_xml_argument(child, depth) for child in service.children if child.tag == "argument"]
    factory = service.child("factory")
    if factory is not None:
        owner, method = factory.attributes.get("class", ""), factory.attributes.get("method", "")
        return built(start, head, owner, args, method) if owner and method else None
    return built(start, head, cls, args) if "\\" in cls or cls == service.attributes.get("class") else None


def _xml_argument(argument: Element, depth: int) -> Arg:
    key = argument.attributes.get("key", "")
    return Arg(_xml_value(argument, depth + 1), key[1:] if key.startswith("$") else None)


def _xml_value(argument: Element, depth: int) -> Expr:
    start, end = argument.start, argument.end
    kind = argument.attributes.get("type", "")
    if depth > MAX_DEPTH:
        return Unknown(start, end)
    if kind == "service":
        inner = argument.child("service")
        if inner is not None:
            return _xml_service(inner, depth) or Unknown(start, end)
        return reference(start, end, argument.attributes.get("id", ""))
    children = [child for child in argument.children if child.tag == "argument"]
    if kind == "collection":
        if any("key" in child.attributes for child in children):
            pairs = [Pair(Const(c.start, c.start, c.attributes.get("key", "")), _xml_value(c, depth + 1)) for c in children]
            return Table(start, end, tuple(pairs))
        return Items(start, end, tuple(Arg(_xml_value(child, depth + 1)) for child in children))
    return scalar(start, end, argument.text, kind != "string") if kind in {"", "string"} and not children else Unknown(start, end)


# ---- Symfony's YAML ----------------------------------------------------------------------------------------------------------------
def from_yaml(key: Node, value: Node) -> Unit | None:
    """The unit of one entry of `services`."""
    start, end, name = key.start, key.end, key.text.lstrip("\\")
    if value.kind == "scalar" and value.text.startswith("@"):
        return unit(start, end, name, reference(start, end, value.text[1:]))
    if value.kind != "map":
        return unit(start, end, name, built(start, end, name, ())) if "\\" in name else None
    alias = value.string("alias")
    if alias:
        return unit(start, end, name, reference(start, end, alias.removeprefix("@")))
    cls = value.string("class") or name
    if "\\" not in cls and not value.string("class"):
        return None
    given = value.get("arguments")
    args: list[Arg] = []
    if given is not None and given.kind == "list":
        args = [Arg(_yaml_value(item, 0)) for item in given.items]
    elif given is not None and given.kind == "map":
        args = [Arg(_yaml_value(item, 0), word.text[1:] if word.text.startswith("$") else None) for word, item in given.pairs]
    factory = value.get("factory")
    if factory is not None:
        words = [item.text for item in factory.items] if factory.kind == "list" else factory.text.split("::")
        return unit(start, end, name, built(start, end, words[0], args, words[1])) if len(words) == 2 and not words[0].startswith("@") else None
    return unit(start, end, name, built(start, end, cls, args))


def _yaml_value(node: Node, depth: int) -> Expr:
    if depth > MAX_DEPTH:
        return Unknown(node.start, node.end)
    if node.kind == "list":
        return Items(node.start, node.end, tuple(Arg(_yaml_value(item, depth + 1)) for item in node.items))
    if node.kind == "map":
        pairs = [Pair(Const(key.start, key.end, key.text), _yaml_value(value, depth + 1)) for key, value in node.pairs]
        return Table(node.start, node.end, tuple(pairs))
    text = node.text
    if text.startswith("@") and not text.startswith(("@@", "@=")):
        return reference(node.start, node.end, text[1:].lstrip("?"))
    return scalar(node.start, node.end, text)


# ---- Magento's di.xml ----------------------------------------------------------------------------------------------------------------
def from_magento(element: Element) -> Unit | None:
    """The unit of a `<type>` with arguments, a `<virtualType>` or a `<preference>`."""
    start, end = element.start, element.end
    if element.tag == "preference":
        interface, cls = element.attributes.get("for", "").lstrip("\\"), element.attributes.get("type", "").lstrip("\\")
        return unit(start, end, interface, reference(start, end, cls)) if interface and cls and interface != cls else None
    name = element.attributes.get("name", "").lstrip("\\")
    given = element.child("arguments")
    if not name or (element.tag == "type" and given is None):
        return None
    args = [Arg(_magento_value(item, 0), item.attributes.get("name")) for item in (given.children if given is not None else ()) if item.tag == "argument"]
    cls = (element.attributes.get("type", "") if element.tag == "virtualType" else "").lstrip("\\") or name
    return unit(start, end, name, built(start, min(end, start + 1), cls, args))


def _magento_value(item: Element, depth: int) -> Expr:
    start, end, kind = item.start, item.end, item.attributes.get("type", "")
    if depth > MAX_DEPTH:
        return Unknown(start, end)
    if kind == "object":
        return reference(start, end, item.text.strip())
    if kind == "array":
        pairs = [Pair(Const(c.start, c.start, c.attributes.get("name", "")), _magento_value(c, depth + 1)) for c in item.children if c.tag == "item"]
        return Table(start, end, tuple(pairs))
    if kind in {"string", "number", "boolean"}:
        return scalar(start, end, item.text, kind != "string")
    return Const(start, end, None) if kind == "null" else Unknown(start, end)
