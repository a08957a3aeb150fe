"""Python 2, broken files, hostile nesting, and real code of which no call may be lost."""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path

import msgspec
import pytest
from bodies import calls_in, facts_of, golden, show
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.scanner.extractors.code.python import extract
from flowaudit.scanner.facts import FileFacts, Source

ROOT = Path(__file__).resolve().parent.parent
OWN = sorted(path for room in ("scanner", "rules", "reporters", "tests") for path in (ROOT / room).rglob("*.py"))


def lowered(text: str) -> FileFacts:
    return facts_of(extract, text, "shop/orders.py")


def check(text: str, expected: str, name: str | None = "") -> None:
    facts = lowered(text)
    assert show(facts, name) == golden(expected)
    assert not facts.skipped


# ---- old and broken code ----


def test_python_2() -> None:
    check("""
        class Gate:
            def pay(self, (a, b)):
                try:
                    print "paid", a
                    print >>log, b
                    exec "x" in scope
                except (IOError, OSError), e:
                    raise Error, "no"
                except ValueError, e:
                    return 010L, u"a", ur"\\d", a <> b
        """, r"""
        try:
          print("paid", a)
          print(file=log, b)
          exec("x", scope)
        except IOError, OSError as e:
          raise Error("no")
        except ValueError as e:
          return [8, "a", "\\d", (a != b)]
        """, "Gate.pay")


def test_except_without_brackets_names_types() -> None:
    check("try: f()\nexcept TimeoutError, ConnectionError: g()\n", "try:\n  f()\nexcept TimeoutError, ConnectionError:\n  g()")


def test_broken_code_keeps_the_rest_and_says_so() -> None:
    facts = lowered("def a():\n    pay(1)\n\ndef b(:\n    )) x y\n\ndef c():\n    pay(2)\n")
    assert show(facts, "a") == "pay(1)"
    assert show(facts, "c") == "pay(2)"
    assert [(s.by, s.line) for s in facts.skipped] == [("python", 4)]


@pytest.mark.parametrize("text", [
    "", "\n", "\0", "\ufeffimport a\n", "x = '\udc80'\n", "\x0c\nx = 1\n", "x = \\", "'''", "f'{", "f'{}'",
    "def f(", "@", "class",
])
def test_odd_files_are_read(text: str) -> None:
    facts = extract(Source("a.py", "python", text))
    assert facts.units[0].name == ""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=FileFacts) == facts


def _stairs(line: str, deep: int = 300) -> str:
    return "".join(" " * n + line.format(n) + "\n" for n in range(deep)) + " " * deep + "f()\n"


@pytest.mark.parametrize("text", [
    "x = " + "(" * 3000 + "f()" + ")" * 3000,
    "x = " + "{1: " * 900 + "f()" + "}" * 900,
    "x = " + "f(" * 2000 + ")" * 2000,
    "x = a" + ".b()" * 3000,
    "x = " + "not " * 3000 + "a",
    "x = " + "lambda: " * 1500 + "a",
    "x = " + "(" * 200 + "a" + ("+ b" * 19 + ")") * 200,
    "x = " + "a if b else " * 1500 + "c",
    "x = [a " + "for b in c " * 1500 + "]",
    "with " + ", ".join(["a"] * 1500) + ": f()",
    "match x:\n case " + "[" * 900 + "a" + "]" * 900 + ": pass",
    _stairs("if a:"), _stairs("for a in b:"), _stairs("try:"), _stairs("with a, b, c:"), _stairs("class A:"), _stairs("def f{}():"),
    "".join(" " * n + "if a: f()\n" + (" " * n + "elif b: f()\n") * 12 + " " * n + "else:\n" for n in range(200)) + " " * 200 + "f()\n",
])
def test_hostile_nesting_is_read_as_far_as_it_goes(text: str) -> None:
    facts = extract(Source("a.py", "python", text))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=FileFacts) == facts
    assert show(facts)
    assert "f()" not in text or facts.skipped or calls_in(facts) >= 1


def test_a_caller_with_little_stack_left_gets_a_skipped_file() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 150)
    try:
        facts = extract(Source("a.py", "python", "x = " + "f(" * 120 + ")" * 120))
    finally:
        sys.setrecursionlimit(limit)
    assert [s.reason for s in facts.skipped] == ["nested too deep to be read"]
    assert facts.size == 364


@pytest.mark.parametrize(("text", "calls"), [
    ("x = " + " + ".join(["f()"] * 2000), 2000),
    ("x = 'a' + " + " + 'b' + ".join(["f()"] * 2000), 2000),
    ("x = " + " or ".join(["f()"] * 2000), 2000),
    ("x = " + " < ".join(["f()"] * 2000), 2000),
    ("if a: f()\n" + "elif b: f()\n" * 2000, 2001),
])
def test_long_chains_lose_nothing(text: str, calls: int) -> None:
    facts = extract(Source("a.py", "python", text))
    assert calls_in(facts) == calls
    assert not facts.skipped
    assert msgspec.msgpack.encode(facts)


@given(st.integers(0, 6000), st.integers(0, 200), st.text("()[]{}:'\"\\\n \t#@=f", max_size=8))
def test_any_cut_of_real_code_is_read(start: int, length: int, noise: str) -> None:
    text = (ROOT / "scanner" / "python" / "statements.py").read_text()
    facts = extract(Source("a.py", "python", text[:start] + noise + text[start + length:]))
    names = [u.name for u in facts.units]
    assert len(set(names)) == len(names)
    assert msgspec.msgpack.encode(facts)


# ---- nothing is lost ----


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_call_of_our_own_code_is_in_some_body(path: Path) -> None:
    text = path.read_text()
    facts = extract(Source(path.name, "python", text))
    assert not facts.skipped
    nodes = list(ast.walk(ast.parse(text)))
    # `with suppress(E):` is lowered as a try whose handler is empty: its call becomes the handler
    items = [ast.unparse(item.context_expr) for node in nodes if isinstance(node, ast.With) for item in node.items]
    handlers = [item for item in items if item.startswith(("contextlib.suppress(", "suppress("))]
    assert calls_in((facts.units, facts.classes)) == sum(isinstance(node, ast.Call) for node in nodes) - len(handlers)


def test_two_runs_say_the_same() -> None:
    text = (ROOT / "scanner" / "python" / "expressions.py").read_text()
    assert extract(Source("a.py", "python", text)) == extract(Source("a.py", "python", text))
