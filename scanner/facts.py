"""The closed vocabulary: what an extractor may say about one file. A fact says what is written, never what it means.

Everything here is a frozen msgspec Struct (compact to store, cheap to make, comparable). Positions inside a file are byte
offsets `start`/`end` into its UTF-8 text; `FileFacts.locate` turns them into a `Location` with 1-based lines and columns.

Conventions every language's lowering keeps, so that flow analysis needs to know no language:

* A name is spelt without the language's sigils: PHP `$order->id` is `Attr(Name("order"), "id")`; `Foo::bar()` is a call of
  `Attr(Name("Foo"), "bar")`; a PHP qualified name `\\GuzzleHttp\\Client` is `Name("GuzzleHttp\\\\Client")` without the leading backslash.
* The receiver is `Name("self")` in every language (`this`, `$this`, Python's first parameter of a method, JS arrow functions
  included); `static`/`self::`/`cls` is `Name("cls")`; `super()`/`parent` is `Name("super")`.
* `new X(a)` and Python's `X(a)` are both `Call`; `new=True` marks the keyword.
* A string with values in it (f-string, template, concatenation of strings, PHP's "a $b") is one `Text`.
* A binary or unary operation is an `Op` whose `op` is one of the words of OPERATORS, whatever the language spells.
* An assignment inside an expression is `Bind`. Increments are `Assign(op="+=")`.
* `match`/`switch`/`case` is a `Switch`, also where a language makes it an expression (`Switch` inside `Match`).
* A nested function, lambda, arrow function or inline callback is a `Unit` of its own (kind "closure"), and `Closure(unit)` stands
  where it was written; a nested named function is also an `Assign(Name(f), Closure(unit))` at its place.
* A `for each` is `Loop("for", target, source, body)`; `while`/`do`/C-style `for` is `Loop("while", None, test, body)`, the
  initialiser before it and the step at the end of its body.
* `with`/`using`/`synchronized` is `Region`. What a region means (a transaction, a lock) is decided by flow, not here.
* What cannot be read is `Unknown()`; a broken statement is dropped and the rest of the file is kept.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TypeAlias

import msgspec

from flowaudit.scanner.places import Location as Location
from flowaudit.scanner.places import Scalar as Scalar
from flowaudit.scanner.places import Skipped as Skipped
from flowaudit.scanner.places import Source as Source
from flowaudit.scanner.places import line_table as line_table

OPERATORS = frozenset({
    "and", "or", "not", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not", "instanceof", "??",
    "+", "-", "*", "/", "//", "%", "**", "&", "|", "^", "<<", ">>", "~", "@", "typeof", "cast", "isset", "empty", "...",
})  # fmt: skip
"""`??` is a null-coalescing operator, `@` PHP's error suppression (one operand), `isset`/`empty` PHP's (one operand each),
`cast` any type conversion written as an operator (its operand only), `is` identity (Python `is`, JS/PHP `===` is `==`)."""


# ---- expressions ---------------------------------------------------------------------------------------------------------
class _Node(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    start: int
    end: int


class Const(_Node, frozen=True, tag="c", array_like=True, gc=False):
    """A literal: null, boolean, number or string (quotes and escapes resolved as far as they can be)."""

    value: Scalar


class Name(_Node, frozen=True, tag="n", array_like=True, gc=False):
    """A plain name."""

    id: str


class Attr(_Node, frozen=True, tag="a", array_like=True, gc=False):
    """`base.name`, `$base->name`, `Base::name`, `base?.name`."""

    base: Expr
    name: str


class Index(_Node, frozen=True, tag="i", array_like=True, gc=False):
    """`base[key]`."""

    base: Expr
    key: Expr


class Arg(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One argument or list item: `name` for keyword arguments, `splat` 1 for `*x`/`...x`, 2 for `**x`."""

    value: Expr
    name: str | None = None
    splat: int = 0


class Call(_Node, frozen=True, tag="k", array_like=True, gc=False):
    """A call as written. In shell a command: callee `Name("curl")`, its words as arguments."""

    callee: Expr
    args: tuple[Arg, ...]
    new: bool = False


class Text(_Node, frozen=True, tag="t", array_like=True, gc=False):
    """A string built from parts: `Const` pieces and expressions."""

    parts: tuple[Expr, ...]


class Items(_Node, frozen=True, tag="l", array_like=True, gc=False):
    """A list, tuple, set or array literal without keys."""

    items: tuple[Arg, ...]


class Pair(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry of a table; `key` None is a splat of `value` (`**x`, `...x`)."""

    key: Expr | None
    value: Expr


class Table(_Node, frozen=True, tag="d", array_like=True, gc=False):
    """A dict, object or array literal with keys. A shorthand `{a}` is `Pair(Const("a"), Name("a"))`."""

    pairs: tuple[Pair, ...]


class Op(_Node, frozen=True, tag="o", array_like=True, gc=False):
    """An operation of OPERATORS on its operands."""

    op: str
    operands: tuple[Expr, ...]


class Choice(_Node, frozen=True, tag="?", array_like=True, gc=False):
    """A conditional expression; `a ?: b` has the test as `then`."""

    test: Expr
    then: Expr
    orelse: Expr


class Await(_Node, frozen=True, tag="w", array_like=True, gc=False):
    """`await value`."""

    value: Expr


class Yield(_Node, frozen=True, tag="y", array_like=True, gc=False):
    """`yield value`."""

    value: Expr | None


class Bind(_Node, frozen=True, tag="b", array_like=True, gc=False):
    """An assignment used as an expression (`:=`, `$x = f()` in a test)."""

    target: Expr
    value: Expr


class Closure(_Node, frozen=True, tag="f", array_like=True, gc=False):
    """An inline function; `unit` is the name of its Unit in the same file."""

    unit: str


class Match(_Node, frozen=True, tag="m", array_like=True, gc=False):
    """A switch that is an expression (PHP `match`); each case's body is one `Eval` of the value."""

    switch: Switch


class Comprehension(_Node, frozen=True, tag="g", array_like=True, gc=False):
    """`[value for target in source if tests]`; nested loops have further `Comprehension` values."""

    value: Expr
    target: Expr
    source: Expr
    tests: tuple[Expr, ...]


class Unknown(_Node, frozen=True, tag="u", array_like=True, gc=False):
    """Something that the lowering has no word for; `parts` are the expressions inside it, so that no call is lost."""

    parts: tuple[Expr, ...] = ()


Expr: TypeAlias = (
    Const
    | Name
    | Attr
    | Index
    | Call
    | Text
    | Items
    | Table
    | Op
    | Choice
    | Await
    | Yield
    | Bind
    | Closure
    | Match
    | Comprehension
    | Unknown
)


# ---- statements ----------------------------------------------------------------------------------------------------------
class Eval(_Node, frozen=True, tag="E", array_like=True, gc=False):
    """An expression as a statement: its value is dropped."""

    value: Expr


class Assign(_Node, frozen=True, tag="A", array_like=True, gc=False):
    """`target op value`; `op` is "=" or an augmented operator ("+="). A destructuring target is `Items` or `Table`."""

    target: Expr
    value: Expr
    op: str = "="


class Return(_Node, frozen=True, tag="R", array_like=True, gc=False):
    """`return value`."""

    value: Expr | None


class Raise(_Node, frozen=True, tag="X", array_like=True, gc=False):
    """`raise`/`throw`; `value` None re-raises."""

    value: Expr | None


class Exit(_Node, frozen=True, tag="J", array_like=True, gc=False):
    """`break`, `continue` (loops), `exit` (the process ends: `exit`, `die`, `process.exit`, `sys.exit` stays a Call); `code` for exit."""

    kind: str
    code: Expr | None = None


class If(_Node, frozen=True, tag="I", array_like=True, gc=False):
    """`if test: then else: orelse`."""

    test: Expr
    then: Body
    orelse: Body


class Case(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One arm: its values (none = default), an extra guard, its body. A fall-through arm's values are merged into the next one."""

    values: tuple[Expr, ...]
    body: Body
    guard: Expr | None = None


class Switch(_Node, frozen=True, tag="S", array_like=True, gc=False):
    """The arms of a switch over `subject`, in order."""

    subject: Expr
    cases: tuple[Case, ...]


class Loop(_Node, frozen=True, tag="L", array_like=True, gc=False):
    """`kind` "for" (target in source), "while" (source is the test) or "do" (body runs at least once). `orelse` is Python's."""

    kind: str
    target: Expr | None
    source: Expr
    body: Body
    orelse: Body = ()
    is_async: bool = False


class Handler(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`except`/`catch`: `types` empty = everything. `comment` is the text of the comments inside it."""

    start: int
    end: int
    types: tuple[Expr, ...]
    name: str | None
    body: Body
    comment: str = ""


class Try(_Node, frozen=True, tag="T", array_like=True, gc=False):
    """`try` with its handlers; `orelse` runs when nothing was raised, `final` always."""

    body: Body
    handlers: tuple[Handler, ...]
    orelse: Body
    final: Body


class Region(_Node, frozen=True, tag="W", array_like=True, gc=False):
    """`with context as target: body`; several contexts nest."""

    context: Expr
    target: Expr | None
    body: Body
    is_async: bool = False


Stmt: TypeAlias = Eval | Assign | Return | Raise | Exit | If | Switch | Loop | Try | Region
Body: TypeAlias = tuple[Stmt, ...]


# ---- declarations --------------------------------------------------------------------------------------------------------
class Param(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`kind` is "" | "*" (rest) | "**" (keyword rest) | "key" (keyword only) | "destructured" (JS object pattern: one Param a key)."""

    name: str
    default: Expr | None = None
    annotation: Expr | None = None
    kind: str = ""


class Unit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A function, method, task, script or inline callback with its Body.

    `name` is unique in the file: "" for the module itself, "f", "Class.method", "f.<locals>.g" -> "f.g", a closure
    "f.<120>" with the byte offset of its start. `kind`: module | function | method | closure. `parent` is the name of the class (methods)
    or of the enclosing unit (closures), "" at module level. A method's receiver is not among `params`.
    `start`/`end` include decorators (attributes in PHP, decorators in TS).
    `exported` is true where the language says so (JS export, PHP public), and for all module-level Python names without a leading `_`.
    `traits` are words of the language that change a unit: "async", "generator", "static", "abstract", "property", "private".
    `types` are the annotations of its local variables (`let bus: EventBus;`), as far as the language has them.
    """

    start: int
    end: int
    name: str
    kind: str
    params: tuple[Param, ...]
    decorators: tuple[Expr, ...]
    body: Body
    parent: str = ""
    returns: Expr | None = None
    exported: bool = True
    traits: tuple[str, ...] = ()
    comment: str = ""
    types: tuple[tuple[str, Expr], ...] = ()


class Class(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A class, interface, trait, enum. `bases` also holds interfaces and PHP traits used. `fields`: assignments in its body,
    constants, typed properties (value `Unknown` when only a type stands there); `types` maps a field to its annotation."""

    start: int
    end: int
    name: str
    bases: tuple[Expr, ...]
    fields: tuple[Assign, ...]
    decorators: tuple[Expr, ...]
    kind: str = "class"
    types: tuple[tuple[str, Expr], ...] = ()
    exported: bool = True


class Import(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`alias` is the local name; `module` as written ("a.b", "./x", "Vendor\\\\Pkg\\\\Class" for PHP `use`); `name` the member, or None for the
    module itself; "default" for a JS default import; alias "*" imports all. `level` counts Python's leading dots."""

    start: int
    end: int
    alias: str
    module: str
    name: str | None = None
    level: int = 0


class Export(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """JS: `name` is what others import ("default", "*"); `local` the name here; `module` for a re-export."""

    name: str
    local: str | None = None
    module: str | None = None


# ---- facts of configuration ----------------------------------------------------------------------------------------------
class Schedule(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """One recurring task as written.

    `platform` is the id of a scheduler in the catalogue ("crontab", "celery-beat", "kubernetes-cronjob", ...); `dialect` names how `when` is read
    (see scanner/firing): "cron", "quartz", "interval" (`when` in seconds), ...; `zone` an IANA name or "" for the platform's own.
    `target` is what runs, as written; `target_kind`: command | task | callable | class | url | unknown. `unit` names the Unit made of the
    command in this file ("" if none). `options` holds the platform's settings as written (concurrencyPolicy, MAILTO, expires, user, ...);
    a value that stands outside the repository or in a template is the string "<unknown>".
    """

    start: int
    end: int
    name: str
    platform: str
    dialect: str
    when: str
    zone: str
    target: str
    target_kind: str
    unit: str = ""
    options: tuple[tuple[str, Scalar], ...] = ()


class Binding(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A handler tied to a source of work. `kind`: route | webhook | queue | topic | event | signal | hook | task | command | callback.
    `address` is the route, queue, topic, event name as written; `handler` the qualified or dotted name as written ("" if `unit` says it)."""

    start: int
    end: int
    kind: str
    address: str
    handler: str
    platform: str
    unit: str = ""
    options: tuple[tuple[str, Scalar], ...] = ()


class Setting(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """One configuration value: dotted `key` path, `value` ("<unknown>" when templated or from the environment), `scope` names the
    kind of file or block ("celery", "docker-compose", "terraform:aws_sqs_queue.orders", ...)."""

    start: int
    end: int
    key: str
    value: Scalar
    scope: str


class Mapping(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """A table of values to values in a data file; `default` is the value for unknown ones, if there is one."""

    start: int
    end: int
    name: str
    pairs: tuple[tuple[Scalar, Scalar], ...]
    default: Scalar = None


class Alert(msgspec.Struct, frozen=True, tag=True, array_like=True, gc=False):
    """An alert rule, alarm or heartbeat: what it watches (metric or expression), whom it tells ("" = nobody)."""

    start: int
    end: int
    on: str
    channel: str
    platform: str
    options: tuple[tuple[str, Scalar], ...] = ()


Fact: TypeAlias = Schedule | Binding | Setting | Mapping | Alert

UNKNOWN_VALUE = "<unknown>"
"""The string that stands for a value which is templated or comes from outside the repository."""


class FileFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All that was read in one file. `module` is the importable name as far as the file alone tells (PHP namespace; "" otherwise).

    `newlines` are the byte offsets of each newline, `wide` those of UTF-8 continuation bytes (so that columns count code points).
    `suppressions` are comments that carry the tool's own directives: (start, end, text).
    """

    path: str
    language: str
    module: str = ""
    units: tuple[Unit, ...] = ()
    classes: tuple[Class, ...] = ()
    imports: tuple[Import, ...] = ()
    exports: tuple[Export, ...] = ()
    facts: tuple[Fact, ...] = ()
    newlines: tuple[int, ...] = ()
    wide: tuple[int, ...] = ()
    suppressions: tuple[tuple[int, int, str], ...] = ()
    skipped: tuple[Skipped, ...] = ()
    size: int = 0
    hosts: tuple[tuple[int, str], ...] = ()
    """Hosts of the URLs written in the file outside comments, with their byte offsets, each host once."""

    def line(self, offset: int) -> int:
        """The 1-based line of a byte offset."""
        return bisect_left(self.newlines, offset) + 1

    def _column(self, offset: int, line: int) -> int:
        begin = self.newlines[line - 2] + 1 if line > 1 else 0
        extra = bisect_left(self.wide, offset) - bisect_left(self.wide, begin) if self.wide else 0
        return offset - begin - extra + 1

    def locate(self, start: int, end: int) -> Location:
        """The Location of a byte span (end exclusive, never before start)."""
        end = max(start, end)
        line, last = self.line(start), self.line(end)
        return Location(self.path, start, end, line, self._column(start, line), last, self._column(end, last))
