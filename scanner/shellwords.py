"""A lowered shell command -> the real program behind its wrappers, and what guards it: lock, deadline, output, pipes, `|| true`.

`commands(body)` lists every command of a job in the order it runs; `peel(call)` reads one; `parse_command(text)` lowers a command line that
stands in another file (a crontab, a unit file, a Dockerfile).
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from flowaudit.scanner.facts import (
    UNKNOWN_VALUE,
    Assign,
    Call,
    Const,
    Eval,
    Exit,
    Expr,
    If,
    Loop,
    Name,
    Op,
    Region,
    Source,
    Stmt,
    Switch,
    Text,
    Unit,
)
from flowaudit.scanner.shell.programs import Http, Started, started
from flowaudit.scanner.shell.wrappers import Word, Wrapper, peel_once, seconds

__all__ = ["Command", "Http", "Started", "Wrapper", "commands", "parse_command", "parse_units", "peel", "seconds", "word_of"]

MAIL = "mail"
"""Where output goes that nothing redirects: cron mails it, other schedulers keep it in their own log."""
DROPPED = "/dev/null"
MAX_WRAPPERS = 12
ASKS = frozenset({"flock", "test", "[", "[[", "pgrep", "pidof", "grep", "which", "command", "type", "mkdir", "lockfile", "ping", "nc", "id", "hash", "set"})
"""Programs that only ask whether to go on: `flock -n 9 || exit 0` hides nothing."""
LOGGERS = frozenset({"logger", "systemd-cat", "tee", "ts", "multilog", "svlogd", "rotatelogs", "cronolog"})
"""Programs at the end of a pipe that keep what they read."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a job. `words` are what follows `program`, None where a value is not known before it runs.

    `stdout`/`stderr` are "mail" (not redirected), "/dev/null", "pipe" or a file as written. `tolerated` is true after `|| true` or `|| :`.
    `piped_into` names the programs behind it in its pipeline. `folder` is the last `cd` before it. `environment` is what `A=1 cmd` and `env`
    set. `when` is "" for always, "and" after the command before it succeeded, "or" after it failed, "branch" in other control flow.
    """

    start: int
    end: int
    program: str
    words: tuple[Word, ...]
    what: Started
    wrappers: tuple[Wrapper, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    stdout: str = MAIL
    stderr: str = MAIL
    stdin: str = ""
    background: bool = False
    tolerated: bool = False
    piped_into: tuple[str, ...] = ()
    folder: str = ""
    when: str = ""
    loop: bool = False

    @property
    def deadline(self) -> float | None:
        """Seconds after which `timeout` ends it; None without one (also for `timeout 0`, which is none)."""
        limits = [limit for w in self.wrappers if w.name in {"timeout", "gtimeout"} and (limit := seconds(w.get("seconds")))]
        return min(limits) if limits else None

    @property
    def lock(self) -> Wrapper | None:
        """The `flock` (or like) that lets one run at a time, None without one."""
        return next((w for w in self.wrappers if w.name in {"flock", "setlock", "lckdo", "run-one", "solo", "sem"} and w.get("shared") is None), None)

    @property
    def silent(self) -> bool:
        """Whether nothing of its output, errors included, reaches anybody."""
        return self.stdout == DROPPED and self.stderr == DROPPED


@dataclass(frozen=True, slots=True)
class _Around:
    """What is known about the place of a command before it is read."""

    stdout: str = MAIL
    stderr: str = MAIL
    stdin: str = ""
    background: bool = False
    tolerated: bool = False
    piped_into: tuple[str, ...] = ()
    when: str = ""
    loop: bool = False
    wrappers: tuple[Wrapper, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    shared: dict[str, str] = field(default_factory=dict)
    """The folder of the last `cd` and the constant variables, which later commands of the same line see."""


def word_of(value: Expr, known: dict[str, str] | None = None) -> Word:
    """The word that an expression is, None where it is not known; `known` are constant variables. A word that is known in part has
    "<unknown>" in it (`$DIR/run.sh` is "<unknown>/run.sh")."""
    if isinstance(value, Const):
        return str(value.value)
    if isinstance(value, Name):
        return (known or {}).get("$" + value.id)
    if isinstance(value, Text):
        parts = [word_of(p, known) for p in value.parts]
        return None if all(p is None for p in parts) else "".join(UNKNOWN_VALUE if p is None else p for p in parts)
    if isinstance(value, Op) and value.op == "??":
        return word_of(value.operands[0], known) or word_of(value.operands[1], known)
    return None


def peel(call: Expr) -> Command | None:
    """The program that a call expression starts behind its wrappers and redirections; None where it is no command.

    For a wrapper around a command line with several commands (`sh -c 'cd x && y'`) the last one is answered: use `commands` for all.
    """
    found = list(_expr(call, _Around()))
    return found[-1] if found else None


def commands(body: tuple[Stmt, ...] | Expr) -> tuple[Command, ...]:
    """Every command that a Body or an expression runs, in written order, wrappers peeled."""
    around = _Around()
    return tuple(_body(body, around) if isinstance(body, tuple) else _expr(body, around))


def parse_command(text: str, offset: int = 0, at: Callable[[int], int] | None = None) -> tuple[Stmt, ...]:
    """Lower one command line. `offset` is the byte where it stands in its file; `at` maps byte indexes of `text` instead, if it was edited."""
    units = parse_units(text, offset, at)
    return units[-1].body if units else ()


def parse_units(text: str, offset: int = 0, at: Callable[[int], int] | None = None) -> tuple[Unit, ...]:
    """As `parse_command`, with the functions and closures inside; the line's own unit (name "") is the last."""
    from flowaudit.scanner.shell.statements import ShellLowerer
    from flowaudit.scanner.shell.words import shell_parser

    lowerer = ShellLowerer(Source("", "shell", text), shell_parser(), at or (lambda index: index + offset))
    lowerer.module()
    return tuple(sorted(lowerer.units, key=lambda unit: unit.name == ""))


# -- walking ----------------------------------------------------------------------------------------------------------------
def _body(body: tuple[Stmt, ...], around: _Around) -> Iterator[Command]:
    for stmt in body:
        yield from _stmt(stmt, around)


def _stmt(stmt: Stmt, around: _Around) -> Iterator[Command]:
    if isinstance(stmt, Eval):
        yield from _expr(stmt.value, around)
    elif isinstance(stmt, Assign):
        if isinstance(stmt.target, Name):
            value = word_of(stmt.value, around.shared)
            if value is not None:
                around.shared["$" + stmt.target.id] = value
            else:
                around.shared.pop("$" + stmt.target.id, None)
        yield from _expr(stmt.value, replace(around, stdout="pipe"))
    elif isinstance(stmt, If):
        asked = list(_expr(stmt.test, around))
        if asked and _gives_up_well(stmt) and asked[-1].program.rpartition("/")[2] not in ASKS:
            asked[-1] = replace(asked[-1], tolerated=True)
        yield from asked
        yield from _body(stmt.then, replace(around, when="branch"))
        yield from _body(stmt.orelse, replace(around, when="branch"))
    elif isinstance(stmt, Loop):
        yield from _expr(stmt.source, replace(around, stdout="pipe"))
        yield from _body(stmt.body, replace(around, loop=True))
    elif isinstance(stmt, Switch):
        for case in stmt.cases:
            yield from _body(case.body, replace(around, when="branch"))
    elif isinstance(stmt, Region):
        yield from _body(stmt.body, _redirected(stmt.context, around))


def _gives_up_well(stmt: If) -> bool:
    """`work || exit 0`: any failure of the test ends the script as a success."""
    if not (isinstance(stmt.test, Op) and stmt.test.op == "not" and len(stmt.then) == 1 and not stmt.orelse):
        return False
    end = stmt.then[0]
    return isinstance(end, Exit) and end.kind == "exit" and isinstance(end.code, Const) and str(end.code.value) == "0"


def _redirected(context: Expr, around: _Around) -> _Around:
    """The surroundings inside a redirected or piped group."""
    if isinstance(context, Call) and isinstance(context.callee, Name):
        if context.callee.id == ">" and len(context.args) == 2:
            return _redirect(around, word_of(context.args[0].value) or "", word_of(context.args[1].value, around.shared))
        if context.callee.id == "&":
            return replace(around, background=True)
        if context.callee.id == "|" and context.args:
            after = tuple(c.program for c in _expr(context.args[0].value, around))
            return replace(around, stdout="pipe", piped_into=after + around.piped_into)
    return around


def _redirect(around: _Around, operator: str, target: Word) -> _Around:
    """Apply one redirection; they are applied from the first written to the last, which decides `2>&1 >/dev/null`."""
    where = target if target is not None else UNKNOWN_VALUE
    fd, sign = operator[:len(operator) - len(operator.lstrip("0123456789"))], operator.lstrip("0123456789")
    if sign == ">&-":
        sign, where = ">&", "-"
    if sign in {"&>", "&>>"} or (sign == ">&" and not fd and where not in {"1", "2", "-"}):
        return replace(around, stdout=where, stderr=where)
    if sign in {"<", "<<", "<<<"}:
        return replace(around, stdin=where)
    if sign == ">&":
        source = around.stdout if where == "1" else around.stderr if where == "2" else DROPPED if where == "-" else where
        return replace(around, stderr=source) if fd == "2" else replace(around, stdout=source) if fd in {"", "1"} else around
    if sign in {">", ">>", ">|"}:
        return replace(around, stderr=where) if fd == "2" else replace(around, stdout=where) if fd in {"", "1"} else around
    return around


def _expr(value: Expr, around: _Around) -> Iterator[Command]:
    if isinstance(value, Op):
        yield from _op(value, around)
    elif isinstance(value, Call):
        name = value.callee.id if isinstance(value.callee, Name) else ""
        if name == ">" and len(value.args) == 3:
            chain: list[tuple[str, Word]] = []
            inner: Expr = value
            while isinstance(inner, Call) and isinstance(inner.callee, Name) and inner.callee.id == ">" and len(inner.args) == 3:
                target = inner.args[2].value
                chain.append((word_of(inner.args[1].value) or "", word_of(target, around.shared)))
                if isinstance(target, Call | Text):
                    yield from _expr(target, replace(around, stdout="pipe"))
                inner = inner.args[0].value
            for operator, where in reversed(chain):
                around = _redirect(around, operator, where)
            yield from _expr(inner, around)
        elif name == "&" and value.args:
            yield from _expr(value.args[0].value, replace(around, background=True))
        elif name in {";", "|"}:
            for arg in value.args:
                yield from _expr(arg.value, around)
        else:
            yield from _command(value, around)
    elif isinstance(value, Text):
        for part in value.parts:
            yield from _expr(part, replace(around, stdout="pipe"))


def _op(value: Op, around: _Around) -> Iterator[Command]:
    if value.op == "|":
        later: tuple[str, ...] = around.piped_into
        groups: list[list[Command]] = []
        last = len(value.operands) - 1
        for at in range(last, -1, -1):
            place = around if at == last else replace(around, stdout="pipe", piped_into=later)
            found = list(_expr(value.operands[at], place))
            groups.append(found)
            later = tuple(c.program for c in found) + later
        for group in reversed(groups):
            yield from group
    elif value.op in {"and", "or"} and len(value.operands) == 2:
        left, right = value.operands
        quiet = value.op == "or" and isinstance(right, Call) and isinstance(right.callee, Name) and right.callee.id in {"true", ":"}
        yield from _expr(left, replace(around, tolerated=True) if quiet else around)
        if not quiet:
            yield from _expr(right, replace(around, when=value.op))
    else:
        for operand in value.operands:
            yield from _expr(operand, around)


def _command(call: Call, around: _Around) -> Iterator[Command]:
    for arg in call.args:
        if isinstance(arg.value, Call | Op | Text):
            yield from _expr(arg.value, replace(around, stdout="pipe", piped_into=(), tolerated=False))
    environment = list(around.environment)
    head: Word = call.callee.id if isinstance(call.callee, Name) else word_of(call.callee, around.shared)
    words: list[Word] = [head]
    places: list[Expr] = [call.callee]
    for arg in call.args:
        if arg.name is not None:
            environment.append((arg.name, word_of(arg.value, around.shared) or UNKNOWN_VALUE))
        else:
            words.append(word_of(arg.value, around.shared))
            places.append(arg.value)
    if head is not None and " " in head.strip() and not isinstance(call.callee, Name):
        # a variable that holds a program with its words: `PHP="php -d x=y"; $PHP bin/console`
        pieces: list[Word] = list(head.split())
        words[:1] = pieces
        places[:1] = [call.callee] * len(pieces)
    if words[0] == "cd":
        around.shared["cd"] = (words[1] if len(words) > 1 else "~") or UNKNOWN_VALUE
        return
    wrappers = list(around.wrappers)
    for _ in range(MAX_WRAPPERS):
        peeled = peel_once([_base(words[0]), *words[1:]])
        if peeled is None:
            break
        wrappers.append(peeled.wrapper)
        if peeled.wrapper.name in {"env", "sudo"}:
            environment.extend((k, v) for k, v in peeled.wrapper.options if k.isupper())
        folder = peeled.wrapper.get("folder")
        if folder:
            around.shared["cd"] = folder
        if peeled.text_at >= 0:
            text, place = words[peeled.text_at], places[peeled.text_at]
            inside = replace(around, wrappers=tuple(wrappers), environment=tuple(environment))
            if text is None or len(wrappers) >= MAX_WRAPPERS:
                yield _made(call, [None], inside)
                return
            # a part that is not known must not read as a redirection
            yield from _body(parse_command(text.replace(UNKNOWN_VALUE, "${unread}"), 0, lambda _index, place=place: place.start), inside)  # type: ignore[misc]
            return
        if peeled.inner < 0:
            words = [_base(words[0]), *words[1:]]
            wrappers.pop()
            break
        words, places = words[peeled.inner:], places[peeled.inner:]
    yield _made(call, words, replace(around, wrappers=tuple(wrappers), environment=tuple(environment)))


def _base(word: Word) -> Word:
    """A wrapper's name without its folder."""
    return word.rpartition("/")[2] if word and word.startswith("/") else word


def _made(call: Call, words: list[Word], around: _Around) -> Command:
    program = words[0] or UNKNOWN_VALUE
    return Command(call.start, call.end, program, tuple(words[1:]), started(words), around.wrappers, around.environment, around.stdout, around.stderr,
                   around.stdin, around.background, around.tolerated, around.piped_into, around.shared.get("cd", ""), around.when, around.loop)
