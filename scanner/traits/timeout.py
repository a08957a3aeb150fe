"""TIMEOUT: how long may an integration call wait? Looked for in the call, its client, adapter, wrapper, region, decorator, process default, library default."""

from __future__ import annotations

from flowaudit.scanner.catalog import Known, Timeouts
from flowaudit.scanner.entries import decorator_symbol
from flowaudit.scanner.facts import Assign, Attr, Call, Choice, Const, Expr, Items, Loop, Name, Op, Region
from flowaudit.scanner.flow.events import Event
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.program import ClassRef, UnitRef, dotted, last_name
from flowaudit.scanner.traits.races import timed
from flowaudit.scanner.traits.timeout_process import process_wide
from flowaudit.scanner.traits.trait import Trait
from flowaudit.scanner.traits.values import Options, constants, passed
from flowaudit.scanner.value import Value


def timeout_of(graph: FlowGraph, site: Site) -> Trait:
    """The TIMEOUT trait of an integration call; memoised."""
    key = ("timeout", id(site))
    if key not in graph.cache:
        graph.cache[key] = _find(graph, site)
    found = graph.cache[key]
    assert isinstance(found, Trait)
    return found


def defaults(graph: FlowGraph, known: Known, language: str) -> Timeouts | None:
    """The library's limits in the version that the client's lock file names, else the entry's."""
    entry = known.entry
    for package in entry.packages:
        version = graph.versions.get((language, package))
        if version:
            for older in entry.versions:
                if older.timeout is not None and below(version, older.below):
                    return older.timeout
    return entry.timeout


def below(version: str, bound: str) -> bool:
    """Whether a version is older than a bound (numbers compared part by part)."""
    def numbers(text: str) -> list[int]:
        return [int("".join(c for c in part if c.isdigit()) or 0) for part in text.split(".")[:3]]

    return numbers(version) < numbers(bound)


def _find(graph: FlowGraph, site: Site) -> Trait:
    looked: list[str] = []
    unknown = False
    for step in (_in_call, _by_argument, _on_client, _in_region, process_wide):
        found = step(graph, site, looked)
        if found is None:
            continue
        if found.state == "absent" and (around := _in_region(graph, site, looked)) is not None:
            found = around  # whatever the client says, a total deadline ends the call
        if found.state != "unknown":
            found.looked = looked
            return found
        unknown = True
        if found.why:
            looked.append(found.why)
    limits = defaults(graph, site.known, site.unit.language)
    limit = site.known.symbol.limit if site.known.symbol.limit is not None else limits.default if limits else "unknown"
    client = construction(graph, site)
    if unknown or limit == "unknown":
        return Trait("unknown", looked=looked, client=client)
    if isinstance(limit, int | float):
        return Trait("present", float(limit), looked=looked, default=True, client=client)
    sure = limits is None or limits.checked != "unsure"
    return Trait("absent", looked=[*looked, f"default of {site.known.entry.name}: none"], default=True, sure=sure, client=client)


# ---- the call ----------------------------------------------------------------------------------------------------------------
def _in_call(graph: FlowGraph, site: Site, looked: list[str]) -> Trait | None:
    places = site.known.symbol.timeout
    if not places:
        return None
    looked.append(f"arguments of {site.name}")
    options = Options(graph, site.unit, site.call)
    found = [pair for p in places for pair in options.get(p)]
    judged = judge(graph, site.known, found)
    if judged is not None:
        return judged
    return Trait("unknown", why="options that could not be followed") if options.open else None


def _by_argument(graph: FlowGraph, site: Site, looked: list[str]) -> Trait | None:
    """A call that is handed its client (`send_mail(connection=backend)`): the limit given where that was built."""
    if not site.known.symbol.handler:
        return None
    options = Options(graph, site.unit, site.call)
    for place in site.known.symbol.handler:
        for unit, expr in options.get(place):
            values = graph.resolver.values(expr, unit)
            for value in values:
                found = _built(graph, site, value, looked)
                if found is not None:
                    return found
            if not values:
                return Trait("unknown", why="a client handed in that could not be followed")
    return None


def judge(graph: FlowGraph, known: Known, found: list[tuple[UnitRef, Expr]]) -> Trait | None:
    """Judge the expressions given for a limit: one that limits wins; "no limit" said outright is an explicit absence; None = nothing given."""
    traits = [t for unit, expr in found if (t := _one(graph, known, unit, expr, 0)) is not None]
    for state in ("present", "unknown"):
        for trait in traits:
            if trait.state == state:
                return trait
    return traits[0] if traits else None


def _one(graph: FlowGraph, known: Known, unit: UnitRef, expr: Expr, depth: int) -> Trait | None:
    """One expression given as a limit; None when it turns out that no caller gives one."""
    unlimited = known.entry.timeout.unlimited if known.entry.timeout else ()
    at = unit.at(expr)
    if isinstance(expr, Items):
        inner = [t for i in expr.items if (t := _one(graph, known, unit, i.value, depth + 1)) is not None]
        return next((t for t in inner if t.state == "absent"), inner[0] if inner else Trait("present", at=at))
    if isinstance(expr, Name) and any(p.name == expr.id for p in unit.unit.params) and expr.id not in unit.flow.assigns:
        return _parameter(graph, known, unit, expr.id, depth)
    if isinstance(expr, Choice | Op) and depth < 4:
        operands = expr.operands if isinstance(expr, Op) else (expr.then, expr.orelse)
        inner = [t for o in operands if (t := _one(graph, known, unit, o, depth + 1)) is not None]
        if isinstance(expr, Choice) or expr.op in {"or", "??", "and"}:
            return next((t for t in inner if t.state != "absent"), inner[0] if inner else None)
    found = constants(graph, expr, unit)
    if found is None:
        if isinstance(expr, Call) and expr.args and last_name(expr.callee) in {"Timeout", "ClientTimeout", "float", "int", "Duration"}:
            inner = [t for a in expr.args if (t := _one(graph, known, unit, a.value, depth + 1)) is not None]
            return next((t for t in inner if t.state != "absent"), inner[0] if inner else Trait("present", at=at))
        return Trait("present", at=at)
    if isinstance(expr, Attr) and isinstance(expr.base, Name) and expr.base.id in {"self", "cls"} and _overridden(graph, unit, expr.name):
        return Trait("unknown", why=f"{expr.name} is set by derived classes")
    for const in found:
        if _text(const) not in unlimited and not (const.value is None and "None" in unlimited):
            return Trait("present", float(const.value) if isinstance(const.value, int | float) else None, at=at)
    return Trait("absent", at=at, explicit=True)


def _overridden(graph: FlowGraph, unit: UnitRef, name: str) -> bool:
    """Whether a derived class gives an attribute of the unit's class a value of its own."""
    if unit.owner is None:
        return False
    key = ("timeout-field", unit.owner.name, name)
    if key not in graph.cache:
        graph.cache[key] = any(
            last_name(field.target) == name and not (isinstance(field.value, Const) and field.value.value is None)
            for cls in graph.program.derived(unit.owner.name)
            for field in cls.cls.fields
        )
    return bool(graph.cache[key])


def _text(const: Const) -> str:
    """A constant as the catalogue writes it: "None", "true", "false", else the number or string."""
    if const.value is None:
        return "None"
    if isinstance(const.value, bool):
        return "true" if const.value else "false"
    return str(const.value)


def _parameter(graph: FlowGraph, known: Known, unit: UnitRef, name: str, depth: int) -> Trait | None:
    """A limit handed in as a parameter: its default and what callers pass."""
    param = next(p for p in unit.unit.params if p.name == name)
    if param.kind == "**":
        return Trait("unknown")
    given, omitted, callers = passed(graph, unit, name)
    traits: list[Trait] = []
    if param.default is not None and (omitted or not callers):
        default = _one(graph, known, unit, param.default, depth + 1)
        if default is not None:
            traits.append(default)
    if depth < 3:
        traits.extend(t for where, expr in given if (t := _one(graph, known, where, expr, depth + 1)) is not None)
    elif given:
        return Trait("unknown")
    if not traits:
        return None if omitted else Trait("unknown")
    if not callers and param.default is not None and traits[0].state == "absent" and unit.unit.exported and graph.reached(unit) is None:
        return Trait("unknown", why=f"parameter {name} of {unit.unit.name}, which nobody here calls")
    return next((t for t in traits if t.state == "absent"), traits[0])


# ---- the client ----------------------------------------------------------------------------------------------------------------
def construction(graph: FlowGraph, site: Site) -> tuple[UnitRef, Call] | None:
    """Where the client of a call is built, when that is in view."""
    callee = site.call.callee
    if not isinstance(callee, Attr):
        return None
    for value in graph.resolver.values(callee.base, site.unit, site.event.path):
        if value.kind == "inst" and isinstance(value.ref, tuple):
            known = graph.catalog.symbol(site.unit.language, _name_of(graph, value.ref))
            if known is not None and known.symbol.role == "client":
                unit, call = value.ref
                return unit, call
    return None


def _name_of(graph: FlowGraph, ref: tuple[UnitRef, Call]) -> str:
    unit, call = ref
    return next((v.name for v in graph.resolver.values(call.callee, unit) if v.kind in {"ext", "inst"}), "")


def _on_client(graph: FlowGraph, site: Site, looked: list[str]) -> Trait | None:
    callee = site.call.callee
    if not isinstance(callee, Attr):
        return _handle(graph, site, looked)
    unknown: Trait | None = None
    values = graph.resolver.values(callee.base, site.unit, site.event.path)
    for value in values:
        found = _built(graph, site, value, looked)
        if found is not None and found.state != "unknown":
            return found
        unknown = unknown or found
    chained = _chain(graph, site, callee.base, looked)
    if chained is not None:
        return chained
    changed = _changed(graph, site, callee.base, looked)
    if changed is not None and changed.state != "unknown":
        return changed
    if not values and site.certainty != "sure":
        return Trait("unknown", why="the client's construction is not in view")
    return unknown or changed


def _built(graph: FlowGraph, site: Site, value: Value, looked: list[str]) -> Trait | None:
    """A client built by a library's constructor, or a class of the program that extends one."""
    if value.kind == "inst" and isinstance(value.ref, tuple):
        unit, call = value.ref
        known = graph.catalog.symbol(unit.language, _name_of(graph, value.ref))
        if known is None:
            return None
        looked.append(f"construction of the client ({known.symbol.name.split('.')[-1]})")
        options = Options(graph, unit, call)
        found = [pair for p in known.symbol.timeout for pair in options.get(p)]
        judged = judge(graph, known, found)
        return (
            judged
            if judged is not None
            else Trait("unknown", why="client options that could not be followed")
            if options.open and known.symbol.timeout
            else None
        )
    if value.kind == "inst" and value.ref is None and site.known.entry.kind == "http-client" and _constructed_elsewhere(graph, site):
        return Trait("unknown", why="the client is built outside the code read (injected)")
    if value.kind == "object" and isinstance(value.ref, ClassRef):
        looked.append(f"class {value.ref.name} and its bases")
        return _class_sets(graph, site, value.ref)
    return None


def _constructed_elsewhere(graph: FlowGraph, site: Site) -> bool:
    """A client that is injected (its type is all that is known) may get its limit where it is built, if its constructor takes one."""
    return any(s.role == "client" and s.timeout for s in site.known.entry.symbols)


def _class_sets(graph: FlowGraph, site: Site, cls: ClassRef) -> Trait | None:
    """A subclass of a client that sets the limit in one of its own methods."""
    todo, seen = [cls], {cls.key}
    while todo:
        at = todo.pop()
        for method in at.methods.values():
            for event in method.flow.events:
                if _sets_timeout(graph, method, event, site.known):
                    return Trait("present", at=method.at(event))
        for base in graph.resolver.bases(at):
            if isinstance(base.ref, ClassRef) and base.ref.key not in seen:
                seen.add(base.ref.key)
                todo.append(base.ref)
    return None


def _sets_timeout(graph: FlowGraph, unit: UnitRef, event: Event, known: Known) -> bool:
    """`kwargs["timeout"] = ...`, `kwargs.setdefault("timeout", ...)`, `super().request(..., timeout=...)` with a real value."""
    node = event.node
    if isinstance(node, Assign) and event.kind == "assign":
        target = node.target
        key = getattr(target, "key", None)
        named = (
            key.value
            if isinstance(key, Const)
            else target.name
            if isinstance(target, Attr) and not (isinstance(target.base, Name) and target.base.id == "self")
            else None
        )
        if named == "timeout" and not (isinstance(node.value, Const) and node.value.value is None):
            return True
    if isinstance(node, Call) and event.kind == "call":
        if (
            last_name(node.callee) == "setdefault"
            and len(node.args) == 2
            and isinstance(node.args[0].value, Const)
            and node.args[0].value.value == "timeout"
        ):
            return True
        for arg in node.args:
            if arg.name == "timeout":
                return (judge(graph, known, [(unit, arg.value)]) or Trait("absent")).state == "present"
    return False


def _chain(graph: FlowGraph, site: Site, base: Expr, looked: list[str]) -> Trait | None:
    """A fluent client: `Http::timeout(5)->post()`: any earlier call of the chain may set the limit."""
    at = base
    while isinstance(at, Call) and isinstance(at.callee, Attr):
        event = site.unit.flow.call_event(at)
        known = graph.resolver.known(site.unit, event) if event is not None else None
        if known is not None and known.symbol.role in {"configure", "client", "deadline"} and known.symbol.timeout:
            options = Options(graph, site.unit, at)
            found = [pair for p in known.symbol.timeout for pair in options.get(p)]
            judged = judge(graph, known, found)
            if judged is not None:
                return judged
        looked.append("the call chain") if "the call chain" not in looked else None
        at = at.callee.base
    return None


def _changed(graph: FlowGraph, site: Site, base: Expr, looked: list[str]) -> Trait | None:
    """What is done to the client after it was built: mount(adapter), client.timeout = 5, session.request = partial(..., timeout=5)."""
    owner = dotted(base)
    if not owner:
        return None
    looked.append(f"what is done to {owner}")
    for unit in _holders(site.unit, base):
        for event in unit.flow.events:
            node = event.node
            if event.kind == "assign" and isinstance(node, Assign) and isinstance(node.target, Attr):
                written = dotted(node.target)
                if written.startswith(owner + ".") and ("timeout" in node.target.name.lower() or _mentions_timeout(node.value)):
                    judged = (
                        judge(graph, site.known, [(unit, node.value)])
                        if "timeout" in node.target.name.lower()
                        else Trait("present", at=unit.at(node))
                    )
                    if judged is not None:
                        return judged
            if event.kind == "call" and isinstance(node, Call) and isinstance(node.callee, Attr) and f"{dotted(node.callee.base)}.".startswith(f"{owner}."):
                found = _configured(graph, unit, event, node, site)
                if found is not None:
                    return found
    return None


def _mentions_timeout(expr: Expr) -> bool:
    return isinstance(expr, Call) and any(a.name == "timeout" for a in expr.args)


def _holders(unit: UnitRef, base: Expr) -> list[UnitRef]:
    """The units in which a client named here may be changed: this one, the ones around it, its class's methods, the module."""
    out = [unit]
    at = unit.outer
    while at is not None:
        out.append(at)
        at = at.outer
    first = dotted(base).split(".")[0]
    if first in {"self", "cls"} and unit.owner is not None:
        out.extend(m for m in unit.owner.methods.values() if m not in out)
    return out


def _configured(graph: FlowGraph, unit: UnitRef, event: Event, call: Call, site: Site) -> Trait | None:
    known = graph.resolver.known(unit, event)
    if known is None or known.symbol.role != "configure":
        return None
    options = Options(graph, unit, call)
    found = [pair for p in known.symbol.timeout for pair in options.get(p)]
    judged = judge(graph, known, found)
    if judged is not None:
        return judged
    for place in known.symbol.handler:
        for where, expr in options.get(place):
            for value in graph.resolver.values(expr, where):
                if isinstance(value.ref, UnitRef) and any(_sets_timeout(graph, value.ref, e, site.known) for e in value.ref.flow.events):
                    return Trait("present", at=unit.at(call))
                if isinstance(value.ref, ClassRef) and (set_by := _class_sets(graph, site, value.ref)):
                    return set_by
                if value.kind == "inst" and isinstance(value.ref, tuple) and _mentions_timeout(value.ref[1]):
                    return Trait("present", at=value.ref[0].at(value.ref[1]))
                if value.kind == "inst" and "imeout" in value.name:
                    return Trait("present", at=unit.at(call))
    return None


def _handle(graph: FlowGraph, site: Site, looked: list[str]) -> Trait | None:
    """A procedural client (curl): options set on the same handle in the same unit, or by a helper that gets the handle."""
    if not site.call.args or not isinstance(site.call.args[0].value, Name | Attr):
        return None
    handle = dotted(site.call.args[0].value)
    settings = [s for s in site.known.entry.symbols if s.role == "configure" and s.timeout]
    if not settings or not handle:
        return None
    looked.append(f"options set on {handle}")
    unknown = False
    for unit in _holders(site.unit, site.call.args[0].value):
        for event in unit.flow.calls:
            node = event.node
            assert isinstance(node, Call)
            if node is site.call or not node.args or dotted(node.args[0].value) != handle:
                continue
            known = graph.resolver.known(unit, event)
            if known is None and unit is site.unit and event.order > site.event.order and not any(f.kind == "loop" for f in event.frames):
                continue  # whoever gets the handle after the call sets nothing for it
            if known is None or known.entry.id != site.known.entry.id or known.symbol.role != "configure":
                unknown = unknown or (known is None and any(t.unit is not None for t in graph.resolver.targets(unit, event)))
                continue
            found = _option(graph, unit, node, known)
            if found is not None:
                return found
    return Trait("unknown", why=f"a helper gets {handle}") if unknown else None


def _option(graph: FlowGraph, unit: UnitRef, call: Call, known: Known) -> Trait | None:
    """`curl_setopt($ch, CURLOPT_TIMEOUT, 5)` or `curl_setopt_array($ch, [CURLOPT_TIMEOUT => 5])`."""
    names = {str(p) for p in known.symbol.timeout}
    if len(call.args) >= 3 and last_name(call.args[1].value) in names:
        return judge(graph, known, [(unit, call.args[2].value)])
    if len(call.args) >= 3 and _variable(unit, call.args[1].value):
        return _option_table(graph, unit, call, known, names)
    if len(call.args) == 2:
        options = Options(graph, unit, call)
        found = [pair for name in names for pair in options.inside(unit, call.args[1].value, name)]
        return judge(graph, known, found) or (Trait("unknown", why="an option table that could not be followed") if options.open else None)
    return None


def _variable(unit: UnitRef, expr: Expr) -> bool:
    """Whether an option's name is itself a value worked out at run time (not the constant that names it)."""
    if isinstance(expr, Name):
        return expr.id in unit.flow.assigns or any(p.name == expr.id for p in unit.unit.params)
    return not isinstance(expr, Const | Attr)


def _option_table(graph: FlowGraph, unit: UnitRef, call: Call, known: Known, names: set[str]) -> Trait:
    """`foreach ($options as $key => $value) curl_setopt($ch, $key, $value)`: what the table that is looped over holds."""
    event = unit.flow.call_event(call)
    for frame in reversed(event.frames) if event is not None else ():
        if frame.kind == "loop" and isinstance(frame.node, Loop):
            options = Options(graph, unit, call)
            found = [pair for name in names for pair in options.inside(unit, frame.node.source, name)]
            judged = judge(graph, known, found)
            if judged is not None:
                return judged
    return Trait("unknown", why="an option whose name is worked out at run time")


# ---- around the call -----------------------------------------------------------------------------------------------------------
def _in_region(graph: FlowGraph, site: Site, looked: list[str], depth: int = 0) -> Trait | None:
    looked.append("deadlines around the call")
    return _deadline(graph, site.unit, site.event, 0)


def _deadline(graph: FlowGraph, unit: UnitRef, event: Event, depth: int) -> Trait | None:
    for frame in event.frames:
        if frame.kind == "region" and isinstance(frame.node, Region) and isinstance(frame.node.context, Call):
            inner = unit.flow.call_event(frame.node.context)
            known = graph.resolver.known(unit, inner) if inner is not None else None
            if known is not None and known.symbol.role == "deadline":
                return Trait("present", at=unit.at(frame.node.context))
    outer = event.outer
    while outer is not None:
        outer_event = unit.flow.call_event(outer)
        if outer_event is None:
            break
        known = graph.resolver.known(unit, outer_event)
        if known is not None and (known.symbol.role == "deadline" or (known.symbol.role == "wait" and known.symbol.value == "first" and timed(graph, unit, outer))):
            return Trait("present", at=unit.at(outer))
        outer = outer_event.outer
    for decorator in unit.unit.decorators:
        known = decorator_symbol(graph, unit, decorator)
        if known is not None and known.symbol.role == "deadline":
            return Trait("present", at=unit.at(decorator))
    if depth < 2:
        for edge in graph.callers(unit):
            if edge.kind == "callback" and edge.known is not None and edge.known.symbol.role == "deadline":
                return Trait("present", at=edge.at())
            if edge.event is not None and edge.kind in {"calls", "callback"}:
                found = _deadline(graph, edge.tail, edge.event, depth + 1)
                if found is not None:
                    return found
    return None
