"""Crontabs that are written by other files: Dockerfiles and shell entrypoints that echo, print or pipe lines into a crontab.

Read: `RUN echo "..." | crontab -`, `echo "..." >> /etc/crontabs/root`, `printf`, here-documents into `/etc/cron.d/x` or `crontab -`,
`(crontab -l; echo "...") | crontab -`, Dockerfile here-documents. `COPY crontab /etc/cron.d/x` and `crontab FILE` become the Setting
`cron.install` (value: the file, scope: where it goes). A line whose times come from a variable is a Schedule with `when` "<unknown>".
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from flowaudit.scanner.facts import (
    UNKNOWN_VALUE,
    Call,
    Const,
    Expr,
    Fact,
    FileFacts,
    Name,
    Op,
    Region,
    Schedule,
    Setting,
    Source,
    Text,
    Unit,
)
from flowaudit.scanner.located import file_facts
from flowaudit.scanner.shell.crontab import command_units, read_crontab
from flowaudit.scanner.shellwords import parse_units, word_of

NAME = "docker_cron"
FILES = ("Dockerfile", "Dockerfile.*", "*.dockerfile", "*.Dockerfile", "Containerfile", "*.sh", "*.bash", "entrypoint", "docker-entrypoint", "*-entrypoint")
SNIFF = re.compile(r"crontab|/cron\.d/|/spool/cron")
VERSION = 1

_TABLE = re.compile(r"^/(?:etc/(?:crontab$|crontabs/|cron\.d/)|var/spool/cron/)")
_SYSTEM = re.compile(r"^/etc/(?:crontab$|cron\.d/)")
_INSTRUCTION = re.compile(r"^\s*([A-Za-z]+)\s+(.*)$", re.DOTALL)
_HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")
_COPY_HEREDOC = re.compile(r"^<<-?\s*[\"']?(\w+)[\"']?\s+(\S+)\s*$")
_LITERAL = {"n": "\n", "t": "\t", "\\": "\\", "a": "", "r": "\r", '"': '"', "'": "'"}


class _Finder:
    def __init__(self, source: Source) -> None:
        self.path = source.path
        self.data = source.text.encode("utf-8", "surrogatepass")
        self.facts: list[Fact] = []
        self.units: list[Unit] = []

    def line(self, offset: int) -> int:
        return self.data.count(b"\n", 0, offset) + 1

    # -- shell text ---------------------------------------------------------------------------------------------------------
    def shell(self, text: str, at: Callable[[int], int]) -> None:
        """Find crontab lines in a piece of shell."""
        for unit in parse_units(text, 0, at):
            self.body(unit.body)

    def body(self, node: Any) -> None:
        """Walk statements and expressions of a Body."""
        if isinstance(node, tuple):
            for item in node:
                self.body(item)
            return
        if isinstance(node, Op) and node.op == "|" and _is_crontab_stdin(node.operands[-1]):
            for operand in node.operands[:-1]:
                self.written(operand, False)
            return
        if isinstance(node, Region) and _pipes_into_crontab(node.context):
            for stmt in node.body:
                self.written(stmt, False)
            return
        if isinstance(node, Call) and isinstance(node.callee, Name):
            name = node.callee.id
            if name == ">" and len(node.args) == 3:
                target = word_of(node.args[2].value)
                operator = word_of(node.args[1].value) or ""
                if target and operator in {">", ">>", "1>", "1>>"} and _TABLE.match(target):
                    self.written(node.args[0].value, bool(_SYSTEM.match(target)))
                    return
            if name == "crontab":
                self.installed(node)
        for field in getattr(node, "__struct_fields__", ()):
            value = getattr(node, field)
            if isinstance(value, tuple) or hasattr(value, "__struct_fields__"):
                self.body(value)

    def installed(self, call: Call) -> None:
        """`crontab FILE`: the file is a user's crontab."""
        words = [word_of(arg.value) for arg in call.args if arg.name is None]
        if isinstance(call.callee, Name) and call.callee.id == "crontab":
            files = [w for at, w in enumerate(words) if w and not w.startswith("-") and (at == 0 or words[at - 1] != "-u")]
            if len(files) == 1:
                self.facts.append(Setting(call.start, call.end, "cron.install", files[0], "crontab"))

    def written(self, node: Any, system: bool) -> None:
        """Read what an expression writes as crontab lines."""
        for text, start, end in _texts(node):
            raw = self.data[start:end]
            body = text if text.endswith("\n") else text + "\n"
            if text.strip().startswith(UNKNOWN_VALUE):
                self.unknown(text.strip(), start, end)
                continue
            begin = raw.find(text.encode("utf-8", "surrogatepass").rstrip(b"\n"))
            exact = begin >= 0 and bool(text.strip())
            read = read_crontab(body, self.path, system, first_line=self.line(start + max(begin, 0)), offset=start + begin, by=NAME,
                                at=None if exact else lambda _index, start=start: start,  # type: ignore[misc]
                                names=f"cron:{start}")
            self.facts.extend(read.schedules)
            self.units.extend(read.units)

    def unknown(self, text: str, start: int, end: int) -> None:
        """`$SCHEDULE command`: the times come from outside."""
        command = text[len(UNKNOWN_VALUE):].strip()
        if not command:
            return
        name = f"cron:{start}"
        self.units.extend(command_units(command, name, (start, end), lambda _index: start))
        self.facts.append(Schedule(start, end, command[:200], "crontab", "cron", UNKNOWN_VALUE, "", command, "command", name))

    # -- Dockerfiles --------------------------------------------------------------------------------------------------------
    def dockerfile(self, text: str) -> None:
        """Read RUN, COPY and ADD instructions."""
        for start, instruction in _instructions(text):
            match = _INSTRUCTION.match(instruction)
            if not match:
                continue
            word, rest = match[1].upper(), match[2]
            at = start + len(instruction[:match.start(2)].encode("utf-8", "surrogatepass"))
            if word in {"RUN", "CMD", "ENTRYPOINT"} and not rest.lstrip().startswith("["):
                shell = re.sub(r"^(?:--\S+\s+)+", lambda m: " " * len(m[0]), rest)
                self.shell(shell, lambda index, at=at: at + index)  # type: ignore[misc]
            elif word in {"COPY", "ADD"}:
                self.copied(rest, at)

    def copied(self, rest: str, at: int) -> None:
        """`COPY file /etc/cron.d/x`, also as a here-document."""
        first, _, body = rest.partition("\n")
        heredoc = _COPY_HEREDOC.match(first)
        if heredoc:
            if _TABLE.match(heredoc[2]):
                text = body.rpartition("\n" + heredoc[1])[0] + "\n"
                offset = at + len(first.encode("utf-8", "surrogatepass")) + 1
                read = read_crontab(text, self.path, bool(_SYSTEM.match(heredoc[2])), first_line=self.line(offset), offset=offset, by=NAME, names=f"cron:{offset}")
                self.facts.extend(read.schedules)
                self.units.extend(read.units)
            return
        words = [w for w in re.sub(r"[\[\]\",]", " ", rest).split() if not w.startswith("--") and w != "\\"]
        if len(words) >= 2 and _TABLE.match(words[-1]):
            for file in words[:-1]:
                self.facts.append(Setting(at, at + len(rest.encode("utf-8", "surrogatepass")), "cron.install", file, words[-1]))


def _instructions(text: str) -> Iterator[tuple[int, str]]:
    """(byte offset, text) of each instruction, continued lines and here-documents included; comment lines inside are blanked, lengths kept."""
    lines = text.split("\n")
    at = number = 0
    while number < len(lines):
        start, parts = at, []
        closing = ""
        while number < len(lines):
            line = lines[number]
            number += 1
            at += len(line.encode("utf-8", "surrogatepass")) + 1
            if closing:
                parts.append(line)
                if line.strip() == closing:
                    break
                continue
            if line.lstrip().startswith("#"):
                parts.append(" " * (len(line.encode("utf-8", "surrogatepass"))))
                if len(parts) == 1:
                    break
                continue
            parts.append(line)
            heredoc = _HEREDOC.search(line)
            if heredoc:
                closing = heredoc[1]
                continue
            if not line.rstrip().endswith("\\"):
                break
        yield start, "\n".join(parts)


def _is_crontab_stdin(value: Expr) -> bool:
    """`crontab -`, `crontab -u x -`, `tee -a /etc/cron.d/x`."""
    while isinstance(value, Call) and isinstance(value.callee, Name) and value.callee.id == ">" and value.args:
        value = value.args[0].value
    if not isinstance(value, Call) or not isinstance(value.callee, Name):
        return False
    words = [word_of(arg.value) or "" for arg in value.args if arg.name is None]
    name = value.callee.id
    if name == "sudo" and words:
        name, words = words[0], words[1:]
    return (name == "crontab" and (not words or words[-1] == "-")) or (name == "tee" and any(_TABLE.match(word) for word in words))


def _pipes_into_crontab(context: Expr) -> bool:
    return (isinstance(context, Call) and isinstance(context.callee, Name) and context.callee.id == "|" and bool(context.args)
            and _is_crontab_stdin(context.args[0].value))


def _texts(node: Any) -> Iterator[tuple[str, int, int]]:
    """What `echo`, `printf` and here-documents inside an expression or statement write: (text, start, end)."""
    if isinstance(node, Call) and isinstance(node.callee, Name):
        name = node.callee.id
        if name == ">" and len(node.args) == 3 and (word_of(node.args[1].value) or "") in {"<<", "<<<"}:
            value = node.args[2].value
            yield _shown(value), value.start, value.end
            return
        if name in {"echo", "printf"} and node.args:
            yield _printed(node)
            return
    values = [getattr(node, field) for field in getattr(node, "__struct_fields__", ())]
    for value in values:
        for item in value if isinstance(value, tuple) else (value,):
            if hasattr(item, "__struct_fields__"):
                yield from _texts(item)


def _printed(call: Call) -> tuple[str, int, int]:
    name = call.callee.id if isinstance(call.callee, Name) else ""
    values = [arg.value for arg in call.args if arg.name is None]
    words = [_shown(value) for value in values]
    escapes = name == "printf"
    while words and re.fullmatch(r"-[neE]+", words[0]) and name == "echo":
        escapes = escapes or "e" in words[0]
        words, values = words[1:], values[1:]
    if name == "printf" and words:
        pattern, rest = words[0], words[1:]
        text = pattern
        for word in rest:
            text = text.replace("%s", word, 1) if "%s" in text else text + word
    else:
        text = " ".join(words)
    if escapes:
        text = re.sub(r"\\(.)", lambda m: _LITERAL.get(m[1], m[0]), text).replace("%%", "%")
    start, end = (values[0].start, values[-1].end) if values else (call.start, call.end)
    return text, start, end


def _shown(value: Expr) -> str:
    """The text of a word, with "<unknown>" for what a variable or command puts into it."""
    if isinstance(value, Const):
        return str(value.value)
    if isinstance(value, Text):
        return "".join(_shown(part) for part in value.parts)
    return UNKNOWN_VALUE


def extract(source: Source) -> FileFacts:
    """Find the crontab lines that a Dockerfile or script writes; the rest of the file is left to others."""
    finder = _Finder(source)
    base = source.path.rpartition("/")[2].lower()
    if "dockerfile" in base or base == "containerfile":
        finder.dockerfile(source.text)
    else:
        finder.shell(source.text, lambda index: index)
    return file_facts(source, finder.facts, finder.units)

