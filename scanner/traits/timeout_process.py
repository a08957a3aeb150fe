"""Timeouts of the whole process: a call or an assignment that changes a library's default for everything."""

from __future__ import annotations

from flowaudit.scanner.facts import Assign, Attr, Call, Const
from flowaudit.scanner.graph import FlowGraph, Site
from flowaudit.scanner.program import dotted, last_name
from flowaudit.scanner.traits.trait import Trait


def process_wide(graph: FlowGraph, site: Site, looked: list[str]) -> Trait | None:
    """A default for the whole process: a call (socket.setdefaulttimeout) or an assignment (axios.defaults.timeout = ...)."""
    setting = site.known.entry.timeout.setting if site.known.entry.timeout else ""
    if not setting:
        return None
    key = ("process-wide", setting)
    if key not in graph.cache:
        graph.cache[key] = _setting(graph, setting)
    looked.append(f"the process default {setting}")
    found = graph.cache[key]
    return found if isinstance(found, Trait) else None


def _setting(graph: FlowGraph, setting: str) -> Trait | None:
    last = setting.rpartition(".")[2]
    for unit in graph.program.mentioning({last}):
        for event in unit.flow.events if last in unit.flow.by_name or unit.flow.sets else ():
            node = event.node
            if event.kind == "call" and isinstance(node, Call) and last_name(node.callee) == last:
                if graph.resolver.qualified(unit, node.callee) == setting and not (
                    node.args and isinstance(node.args[0].value, Const) and node.args[0].value.value is None
                ):
                    return Trait("present", at=unit.at(node))
                if last == "ini_set" and node.args and isinstance(node.args[0].value, Const):
                    continue
            if (
                event.kind == "assign"
                and isinstance(node, Assign)
                and isinstance(node.target, Attr)
                and dotted(node.target).endswith(setting.split(".", 1)[-1])
                and node.target.name == last
            ):
                return Trait("present", at=unit.at(node))
            if event.kind == "assign" and isinstance(node, Assign) and setting.isupper() and dotted(node.target) == setting:
                if not (isinstance(node.value, Const) and node.value.value is None):
                    return Trait("present", at=unit.at(node))
    return None
