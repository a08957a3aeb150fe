"""FileFacts as short text, one unit, fact or statement a line: what `flowaudit facts` prints and what golden tests compare.

The text is deterministic and safe to print: whatever is not printable in a name or string of the client's is escaped.
Expressions read like code of no language: `"t{x}"` with a leading `t` is a Text, `&f.<12>` a Closure, `?(a, b)` an Unknown with its
inner expressions, `(t ? a : b)` a Choice, `(a := b)` a Bind, `new X()` a Call with the keyword.
"""
from __future__ import annotations

from collections.abc import Iterator

from flowaudit.scanner.facts import (
    Alert,
    Arg,
    Assign,
    Attr,
    Await,
    Bind,
    Binding,
    Body,
    Call,
    Choice,
    Class,
    Closure,
    Comprehension,
    Const,
    Eval,
    Exit,
    Expr,
    Fact,
    FileFacts,
    If,
    Index,
    Items,
    Loop,
    Mapping,
    Match,
    Name,
    Op,
    Pair,
    Param,
    Raise,
    Region,
    Return,
    Scalar,
    Schedule,
    Setting,
    Stmt,
    Switch,
    Table,
    Text,
    Try,
    Unit,
    Yield,
)

_PAD = "  "


def escape(text: str) -> str:
    """`text` with everything that is not printable (control, format and bidirectional characters) written as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] if c != "\x7f" else "\\x7f" for c in text)


def scalar(value: Scalar) -> str:
    """A literal: null, true, 1, 1.5, "text"."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    return '"' + escape(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _arg(arg: Arg) -> str:
    name = f"{escape(arg.name)}=" if arg.name is not None else ""
    return "*" * arg.splat + name + expr(arg.value)


def _pair(pair: Pair) -> str:
    return f"**{expr(pair.value)}" if pair.key is None else f"{expr(pair.key)}: {expr(pair.value)}"


def _listed(values: tuple[Expr, ...]) -> str:
    return ", ".join(map(expr, values))


def _text(part: Expr) -> str:
    if isinstance(part, Const) and isinstance(part.value, str):
        return _quoted(part.value)[1:-1].replace("{", "{{").replace("}", "}}")
    return "{" + expr(part) + "}"


def _op(value: Op) -> str:
    if len(value.operands) == 1:
        return f"({value.op} {expr(value.operands[0])})"
    return "(" + f" {value.op} ".join(map(expr, value.operands)) + ")"


def expr(value: Expr) -> str:
    """One expression on one line."""
    match value:
        case Const():
            return scalar(value.value)
        case Name():
            return escape(value.id)
        case Attr():
            return f"{expr(value.base)}.{escape(value.name)}"
        case Index():
            return f"{expr(value.base)}[{expr(value.key)}]"
        case Call():
            return f"{'new ' if value.new else ''}{expr(value.callee)}({', '.join(map(_arg, value.args))})"
        case Text():
            return 't"' + "".join(map(_text, value.parts)) + '"'
        case Items():
            return f"[{', '.join(map(_arg, value.items))}]"
        case Table():
            return "{" + ", ".join(map(_pair, value.pairs)) + "}"
        case Op():
            return _op(value)
        case Choice():
            return f"({expr(value.test)} ? {expr(value.then)} : {expr(value.orelse)})"
        case Await():
            return f"await {expr(value.value)}"
        case Yield():
            return "yield" if value.value is None else f"yield {expr(value.value)}"
        case Bind():
            return f"({expr(value.target)} := {expr(value.value)})"
        case Closure():
            return f"&{escape(value.unit)}"
        case Match():
            return "match " + " ".join(line.strip() for _, line in _switch(value.switch, ""))
        case Comprehension():
            tests = "".join(f" if {expr(test)}" for test in value.tests)
            return f"[{expr(value.value)} for {expr(value.target)} in {expr(value.source)}{tests}]"
    return f"?({_listed(value.parts)})" if value.parts else "?"


def body_lines(body: Body, pad: str = "") -> Iterator[tuple[int, str]]:
    """(byte offset, text) of each statement of a Body, indented by two blanks a level."""
    if not body:
        yield -1, f"{pad}pass"
    for stmt in body:
        yield from _stmt(stmt, pad)


def _stmt(stmt: Stmt, pad: str) -> Iterator[tuple[int, str]]:
    at, deeper = stmt.start, pad + _PAD
    match stmt:
        case Eval():
            yield at, pad + expr(stmt.value)
        case Assign():
            yield at, f"{pad}{expr(stmt.target)} {stmt.op} {expr(stmt.value)}"
        case Return():
            yield at, f"{pad}return" + ("" if stmt.value is None else f" {expr(stmt.value)}")
        case Raise():
            yield at, f"{pad}raise" + ("" if stmt.value is None else f" {expr(stmt.value)}")
        case Exit():
            yield at, f"{pad}{stmt.kind}" + ("" if stmt.code is None else f" {expr(stmt.code)}")
        case If():
            yield at, f"{pad}if {expr(stmt.test)}:"
            yield from body_lines(stmt.then, deeper)
            if stmt.orelse:
                yield at, f"{pad}else:"
                yield from body_lines(stmt.orelse, deeper)
        case Switch():
            yield from _switch(stmt, pad)
        case Loop():
            target = f"{expr(stmt.target)} in " if stmt.target is not None else ""
            yield at, f"{pad}{'async ' if stmt.is_async else ''}{stmt.kind} {target}{expr(stmt.source)}:"
            yield from body_lines(stmt.body, deeper)
            if stmt.orelse:
                yield at, f"{pad}else:"
                yield from body_lines(stmt.orelse, deeper)
        case Try():
            yield from _try(stmt, pad)
        case Region():
            target = f" as {expr(stmt.target)}" if stmt.target is not None else ""
            yield at, f"{pad}{'async ' if stmt.is_async else ''}with {expr(stmt.context)}{target}:"
            yield from body_lines(stmt.body, deeper)


def _switch(stmt: Switch, pad: str) -> Iterator[tuple[int, str]]:
    yield stmt.start, f"{pad}switch {expr(stmt.subject)}:"
    for case in stmt.cases:
        guard = f" if {expr(case.guard)}" if case.guard is not None else ""
        yield stmt.start, f"{pad}{_PAD}case {_listed(case.values) or '_'}{guard}:"
        yield from body_lines(case.body, pad + _PAD * 2)


def _try(stmt: Try, pad: str) -> Iterator[tuple[int, str]]:
    deeper = pad + _PAD
    yield stmt.start, f"{pad}try:"
    yield from body_lines(stmt.body, deeper)
    for handler in stmt.handlers:
        name = f" as {escape(handler.name)}" if handler.name else ""
        comment = f"  # {escape(handler.comment)}" if handler.comment else ""
        yield handler.start, f"{pad}except {_listed(handler.types) or '*'}{name}:{comment}"
        yield from body_lines(handler.body, deeper)
    for word, part in (("else", stmt.orelse), ("finally", stmt.final)):
        if part:
            yield stmt.start, f"{pad}{word}:"
            yield from body_lines(part, deeper)


def _param(param: Param) -> str:
    stars = param.kind if param.kind in {"*", "**"} else {"key": "key ", "destructured": "destructured "}.get(param.kind, "")
    annotation = f": {expr(param.annotation)}" if param.annotation is not None else ""
    default = f" = {expr(param.default)}" if param.default is not None else ""
    return f"{stars}{escape(param.name)}{annotation}{default}"


def _unit(unit: Unit) -> str:
    returns = f" -> {expr(unit.returns)}" if unit.returns is not None else ""
    traits = f" [{' '.join(unit.traits)}]" if unit.traits else ""
    parent = f" in {escape(unit.parent)}" if unit.parent else ""
    hidden = "" if unit.exported else " hidden"
    name = f" {escape(unit.name)}({', '.join(map(_param, unit.params))})" if unit.kind != "module" else ""
    return f"{unit.kind}{name}{returns}{parent}{traits}{hidden}"


def _class(cls: Class) -> Iterator[str]:
    yield from (f"@{expr(decorator)}" for decorator in cls.decorators)
    yield f"{escape(cls.kind)} {escape(cls.name)}({_listed(cls.bases)}){'' if cls.exported else ' hidden'}"
    types = dict(cls.types)
    for field in cls.fields:
        annotation = types.get(field.target.id) if isinstance(field.target, Name) else None
        yield f"{_PAD}{expr(field.target)}{f': {expr(annotation)}' if annotation is not None else ''} {field.op} {expr(field.value)}"


def _options(options: tuple[tuple[str, Scalar], ...]) -> str:
    return "".join(f" {escape(key)}={scalar(value)}" for key, value in options)


def fact(value: Fact) -> str:
    """One fact of configuration on one line."""
    match value:
        case Schedule():
            zone, unit = f" zone={_quoted(value.zone)}" if value.zone else "", f" unit={escape(value.unit)}" if value.unit else ""
            return (f"schedule {_quoted(value.name)} {escape(value.platform)} {escape(value.dialect)} {_quoted(value.when)}{zone} -> "
                    f"{escape(value.target_kind)} {_quoted(value.target)}{unit}{_options(value.options)}")
        case Binding():
            unit = f" unit={escape(value.unit)}" if value.unit else ""
            return (f"binding {escape(value.kind)} {escape(value.platform)} {_quoted(value.address)} -> "
                    f"{_quoted(value.handler)}{unit}{_options(value.options)}")
        case Alert():
            return f"alert {escape(value.platform)} {_quoted(value.on)} -> {_quoted(value.channel)}{_options(value.options)}"
        case Setting() | Mapping():
            inner = ", ".join(f"{key}={_field(getattr(value, key))}" for key in value.__struct_fields__ if key not in {"start", "end"})
            return f"{type(value).__name__.lower()} {inner}"


def _field(value: object) -> str:
    if value is None or isinstance(value, (bool, int, float, str)):
        return scalar(value)
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_field, value)) + ")"
    return expr(value)  # type: ignore[arg-type]  # the only other thing a Setting or Mapping holds


def lines(facts: FileFacts, numbers: bool = False) -> Iterator[str]:
    """All of a file's facts as text lines, units in order of place; with `numbers` each statement begins with its line number."""
    module = f" module={escape(facts.module)}" if facts.module else ""
    yield f"file {escape(facts.path)} {escape(facts.language)}{module}"
    for skip in facts.skipped:
        yield f"skipped {escape(skip.by)} line {skip.line}: {escape(skip.reason)}"
    for item in facts.imports:
        member = f" {escape(item.name)}" if item.name is not None else ""
        yield f"import {escape(item.alias)} = {'.' * item.level}{escape(item.module)}{member}"
    for export in facts.exports:
        source = f" from {_quoted(export.module)}" if export.module is not None else ""
        yield f"export {escape(export.name)} = {escape(export.local or '')}{source}"
    for value in facts.facts:
        yield f"{facts.line(value.start)}: {fact(value)}" if numbers else fact(value)
    for cls in facts.classes:
        yield from _class(cls)
    for unit in facts.units:
        yield from (f"@{expr(decorator)}" for decorator in unit.decorators)
        yield _unit(unit)
        for at, line in body_lines(unit.body, _PAD):
            yield f"{facts.line(at) if at >= 0 else '':>5} {line}" if numbers else line
    for start, _, text in facts.suppressions:
        yield f"directive line {facts.line(start)}: {escape(text)}"
