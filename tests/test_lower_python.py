"""Python is lowered to the closed vocabulary, construct by construct."""

from __future__ import annotations

import msgspec
import pytest
from bodies import calls_in, facts_of, golden, show, unit

from flowaudit.scanner.extractors.code.python import extract
from flowaudit.scanner.facts import FileFacts, Import


def lowered(text: str) -> FileFacts:
    return facts_of(extract, text, "shop/orders.py")


def check(text: str, expected: str, name: str | None = "") -> None:
    facts = lowered(text)
    assert show(facts, name) == golden(expected)
    assert not facts.skipped


# ---- expressions ----


@pytest.mark.parametrize(("written", "expected"), [
    # literals
    ("None, True, False, 1, 1_000, 0x1F, 0o17, 1.5e3", "[null, true, false, 1, 1000, 31, 15, 1500.0]"),
    ("-1, -1.5, - x, +x, ~x, not x", "[-1, -1.5, (- x), (+ x), (~ x), (not x)]"),
    ("3j, ..., 99999999999999999999999", "[?, ?, ?]"),
    (r"'a\n\x41\u00e9\N{BULLET}\\', r'\d', b'\x00'", r'["a\nA é•\\", "\\d", "\x00"]'.replace("A é", "Aé")),
    ("'''a \"b\"''', \"\", ''''''", r'["a \"b\"", "", ""]'),
    (r"'\ud83d'", '"\ufffd"'),
    ("'a' \"b\" 'c'", '"abc"'),
    # strings with values
    ("f'a{b}c{d.e()!r:>10}{{}}'", 't"a{b}c{d.e()}{{}}"'),
    ("f'{x:{width()}}{y=}'", 't"{?(x, width())}y={y}"'),
    ("f'plain'", '"plain"'),
    ("'a' f'{b}' 'c'", 't"a{b}c"'),
    ("'a' + b + 'c' + 'd'", 't"a{b}cd"'),
    ("'a' + 'b'", '"ab"'),
    ("x + y + 1", "((x + y) + 1)"),
    ("'%s-%s' % (a, b)", '("%s-%s" % [a, b])'),
    ("'{}'.format(a)", '"{}".format(a)'),
    # names, calls
    ("a.b.c[0]['k'].d()", 'a.b.c[0]["k"].d()'),
    ("f(1, *a, k=2, **b)", "f(1, *a, k=2, **b)"),
    ("f(x for x in y if z)", "f([x for x in y if z])"),
    ("super().save(1), super(A, self).save()", "[super.save(1), super.save()]"),
    ("super(A, self.clone()).save()", "super(A, self.clone()).save()"),
    # collections
    ("[1, *a], (1,), {1, 2}, ()", "[[1, *a], [1], [1, 2], []]"),
    ("{'a': 1, **b, c: d}", '{"a": 1, **b, c: d}'),
    ("a[1:2], a[b, c], a[::2]", "[a[?(1, 2)], a[[b, c]], a[?(2)]]"),
    ("[x for x in y if a if b]", "[x for x in y if a if b]"),
    ("{k: v for k, v in y}", "[{k: v} for [k, v] in y]"),
    ("[x for a in b if p for x in a if q]", "[[x for x in a if q] for a in b if p]"),
    # operators
    ("a or b or c and d", "(a or b or (c and d))"),
    ("a == b, a != b, a in b, a not in b, a is b, a is not b", "[(a == b), (a != b), (a in b), (a not in b), (a is b), (a is not b)]"),
    ("0 < a <= b", "((0 < a) and (a <= b))"),
    ("0 < f() <= 9", "((0 < f()) and (? <= 9))"),
    ("a - b - c * d ** e // f", "((a - b) - ((c * (d ** e)) // f))"),
    ("x if t else y", "(t ? x : y)"),
    ("(n := f())", "(n := f())"),
    ("await f()", "await f()"),
    ("((a))", "a"),
])
def test_expressions(written: str, expected: str) -> None:
    check(f"v = {written}", f"v = {expected}")


def test_a_chained_comparison_calls_its_middle_once() -> None:
    assert calls_in(lowered("ok = 0 < f() < g() < 9")) == 2


def test_spans_are_bytes_of_what_is_written() -> None:
    facts = lowered('é = "ü"\nx = pay(order)\n')
    statement = unit(facts, "").body[1]
    at = facts.locate(statement.start, statement.end)
    assert (at.start, at.end) == (10, 24)
    assert (at.line, at.column, at.end_line, at.end_column) == (2, 1, 2, 15)


# ---- statements ----


@pytest.mark.parametrize(("written", "expected"), [
    ("x: int = 1\ny: str\nx += f()", "x = 1\nx += f()"),
    ("a, (b, *c) = d\n[e, f] = g", "[a, [b, *c]] = d\n[e, f] = g"),
    ("a = b = f()", "a = f()\nb = a"),
    ("o.a = o.b = f()", "o.a = (o.b := f())"),
    ("o.a = x = f()", "x = f()\no.a = x"),
    ("del a, b[f()]", "?([a, b[f()]])"),
    ("assert paid, 'no'\nassert not paid", 'if (not paid):\n  raise AssertionError("no")\nif paid:\n  raise AssertionError'),
    ("raise\n", "raise"),
    ("raise E('x') from e", 'raise E("x")'),
    ("raise E from wrap(e)", "wrap(e)\nraise E"),
    ("pass\n'text'\n...\nglobal a\ntype A = int", "pass"),
    ("a(); b()", "a()\nb()"),
    ("f(),", "[f()]"),
])
def test_simple_statements(written: str, expected: str) -> None:
    check(written, expected)


def test_branches_and_loops() -> None:
    check("""
        if a:  # first
            f()
        # between
        elif b: g()
        else:
            h()
        for i, o in orders:
            if o: continue
            break
        else:
            none()
        while wait(): pass
        else: late()
        """, """
        if a:
          f()
        else:
          if b:
            g()
          else:
            h()
        for [i, o] in orders:
          if o:
            continue
          break
        else:
          none()
        while wait():
          pass
        else:
          late()
        """)


def test_a_long_elif_chain_stays_flat() -> None:
    text = "if a: f()\n" + "".join(f"elif b == {n}: g({n})\n" for n in range(300)) + "else: h()\n"
    lines = show(lowered(text), "").splitlines()
    assert lines[0] == "switch true:"
    assert lines[1:3] == ["  case a:", "    f()"]
    assert lines[-4:] == ["  case (b == 299):", "    g(299)", "  case _:", "    h()"]


def test_try() -> None:
    check("""
        try:
            f()
        except (A, b.C) as e:  # lost
            # on purpose
            pass  # quiet
        except D:
            raise
        except:
            g()
        else:
            h()
        finally:
            i()
        try: f()
        except* Group: g()
        """, r"""
        try:
          f()
        except A, b.C as e:  # # lost\n# on purpose\n# quiet
          pass
        except D:
          raise
        except *:
          g()
        else:
          h()
        finally:
          i()
        try:
          f()
        except Group:
          g()
        """)


def test_with() -> None:
    check("""
        with atomic(), lock(x) as (a, b):
            f()
        with (open(p) as q, r): pass
        with transaction.atomic: f()
        """, """
        with atomic():
          with lock(x) as [a, b]:
            f()
        with open(p) as q:
          with r:
            pass
        with transaction.atomic:
          f()
        """)


def test_async() -> None:
    check("""
        async def f():
            async with session.get(u) as r:
                async for x in r:
                    yield await x
        """, """
        async with session.get(u) as r:
          async for x in r:
            yield await x
        """, "f")
    assert unit(lowered("async def f(): yield 1"), "f").traits == ("async", "generator")
    assert unit(lowered("def f():\n    def g(): yield 1\n    return g"), "f").traits == ()


def test_match() -> None:
    check("""
        match event.type:
            case "paid" | "settled": pay()
            case Status.OPEN if fresh: f()
            case -1 | None: g()
            case "x" as kind: f(kind)
            case Refund(amount=0): h()
            case Refund() | Void(): h()
            case {"id": id, **rest}: i()
            case [1, *_]: j()
            case 1, other: j()
            case other: k(other)
        match f():
            case x: pass
            case _: g()
        """, """
        switch event.type:
          case "paid", "settled":
            pay()
          case Status.OPEN if fresh:
            f()
          case -1, null:
            g()
          case "x":
            kind = event.type
            f(kind)
          case _ if ((event.type instanceof Refund) and (? == 0)):
            h()
          case _ if ((event.type instanceof Refund) or (event.type instanceof Void)):
            h()
          case _ if ?((? == "id")):
            id = ?
            rest = ?
            i()
          case _ if ?((? == 1)):
            j()
          case _ if ?((? == 1)):
            other = ?
            j()
          case _:
            other = event.type
            k(other)
        switch f():
          case _:
            x = ?
          case _:
            g()
        """)


# ---- declarations ----


def test_units_of_every_kind() -> None:
    check('''
        """Orders."""
        @task(bind=True, max_retries=3)
        def push(self, order, *ids, force: bool = False, **kw) -> Result:
            """Sends one order."""
            def inner(x, /, y): return x
            @wraps(f)
            def _quiet(): return 1
            return map(lambda o: send(o), ids)
        def _hidden(): pass
        sort(key=lambda o: o.id)
        ''', """
        module
          sort(key=&<281>)
        @task(bind=true, max_retries=3)
        function push(self, order, *ids, key force: bool = false, **kw) -> Result
          inner = &push.inner
          _quiet = &push._quiet
          return map(&push.<228>, ids)
        closure push.inner(x, y) in push hidden
          return x
        @wraps(f)
        closure push._quiet() in push [private] hidden
          return 1
        closure push.<228>(o) in push hidden
          return send(o)
        function _hidden() [private] hidden
          pass
        closure <281>(o) hidden
          return o.id
        """, None)


def test_docstrings_are_comments_not_statements() -> None:
    facts = lowered('"""Shop."""\ndef f():\n    """Sends."""\n    g()\ndef h():\n    f"{x()}"\n')
    assert [(u.name, u.comment) for u in facts.units] == [("", "Shop."), ("f", "Sends."), ("h", "")]
    assert show(facts, "f") == "g()"
    assert show(facts, "h") == 't"{x()}"'


def test_classes() -> None:
    check("""
        @register
        class Order(models.Model, Generic[T], metaclass=Meta):
            '''An order.'''
            id: int = Field(1)
            note: Optional["Text"]
            a = b = 2
            if DEBUG:
                extra = 3
            else:
                extra = make()
            signal.connect(handle)
            key = property(lambda this: this.id)
            class Meta:
                unique_together = [("a", "b")]
                class Deep: x = 1
            def save(self): pass
        """, """
        class Order.Meta.Deep()
          x = 1
        class Order.Meta()
          unique_together = [["a", "b"]]
        @register
        class Order(models.Model, Generic[T])
          id: int = Field(1)
          note: Optional["Text"] = ?
          a = 2
          b = a
          extra = 3
          extra = make()
          key = property(&Order.<260>)
        module
          signal.connect(handle)
        closure Order.<260>(this) hidden
          return this.id
        method Order.save() in Order
          pass
        """, None)


def test_the_receiver_is_self_however_it_is_spelt() -> None:
    facts = lowered("""
        class Order:
            def pay(this, amount):
                def later(): return this.id
                def other(this): return this
                class Inner:
                    def m(me): return me, this
                return [this.x for y in this.z], lambda: this
            @classmethod
            def make(klass): return klass()
            def __new__(mcs): return mcs
            @validator("x")
            def check(cls, v): return cls, v
            @staticmethod
            def rate(this): return this
        def free(this): return this
        """)
    assert {u.name: show(facts, u.name).splitlines()[-1] for u in facts.units if u.name and "<" not in u.name} == {
        "Order.pay": "return [[self.x for y in self.z], &Order.pay.<214>]",
        "Order.pay.later": "return self.id",
        "Order.pay.other": "return this",
        "Order.pay.Inner.m": "return [self, this]",
        "Order.make": "return cls()",
        "Order.__new__": "return cls",
        "Order.check": "return [cls, v]",
        "Order.rate": "return this",
        "free": "return this",
    }
    assert show(facts, "Order.pay.<214>") == "return self"
    assert [p.name for p in unit(facts, "Order.pay").params] == ["amount"]
    assert [p.name for p in unit(facts, "Order.rate").params] == ["this"]


def test_traits() -> None:
    facts = lowered("""
        class A:
            @property
            def p(self): ...
            @p.setter
            def p(self, v): self.v = v
            @cached_property
            def q(self): ...
            @abstractmethod
            async def r(self): ...
            @staticmethod
            def s(): ...
            def __len__(self): ...
            def _t(self): ...
        """)
    assert {u.name: u.traits for u in facts.units if u.name} == {
        "A.p": ("property",), "A.p.<48>": ("property",), "A.q": ("property",), "A.r": ("async", "abstract"), "A.s": ("static",),
        "A.__len__": (), "A._t": ("private",)}
    assert {u.name for u in facts.units if not u.exported} == {"A._t"}


def test_unit_names_are_unique_and_the_definition_that_counts_keeps_the_plain_one() -> None:
    facts = lowered("""
        try:
            import fast
            def f(): return 1
        except ImportError:
            def f(): return 2
        @overload
        def g(a: int): ...
        def g(a): return 3
        """)
    names = [u.name for u in facts.units]
    assert len(set(names)) == len(names) == 5
    assert show(facts, "f") == "return 1"
    assert show(facts, "g") == "return 3"


def test_a_redefined_nested_function_is_assigned_its_own_closure() -> None:
    facts = lowered("def f():\n    def g(): return 1\n    def g(): return 2\n    return g\n")
    assert show(facts, "f") == "g = &f.g\ng = &f.g.<35>\nreturn g"


def test_imports() -> None:
    facts = lowered("""
        from __future__ import annotations
        import os, requests as http, google.cloud.pubsub
        from . import models
        from ..core.tasks import (push as send, pull)
        from m import *
        try:
            import simplejson as json
        except ImportError:
            import json
        def f():
            if x:
                from late import thing
        """)
    assert [msgspec.structs.astuple(i)[2:] for i in facts.imports] == [
        ("os", "os", None, 0), ("http", "requests", None, 0), ("google", "google", None, 0),
        ("google.cloud.pubsub", "google.cloud.pubsub", None, 0), ("models", "", "models", 1), ("send", "core.tasks", "push", 2),
        ("pull", "core.tasks", "pull", 2), ("*", "m", "*", 0), ("json", "simplejson", None, 0), ("json", "json", None, 0),
        ("thing", "late", "thing", 0)]
    assert isinstance(facts.imports[0], Import)


def test_directives_are_kept() -> None:
    facts = lowered("pay()  # flowaudit: ignore missing-timeout -- sandbox only\n")
    assert [text for _, _, text in facts.suppressions] == ["flowaudit: ignore missing-timeout -- sandbox only"]


def test_what_is_printed_cannot_move_the_cursor() -> None:
    facts = lowered("x = 'a\x1b[31m\u202e\x7f\x85'\n")
    assert show(facts, "") == r'x = "a\x1b[31m\u202e\x7f\x85"'
