"""Code that runs in the reader's browser: components, page scripts, and modules that ask the browser for something.

Its failures are seen by the person in front of it; no order depends on them alone.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Name
from flowaudit.scanner.flow.uses import heads, inside, walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import ECMASCRIPT, UnitRef
from flowaudit.scanner.traits.records import effects_in

_PLACES = re.compile(
    r"\.[jt]sx$|(?:^|/)(?:components|hooks|composables|admin-ui|dashboard|storefront|widgets|resources/(?:js|assets)|assets/(?:js|src)|"
    r"static/js|public|web/js|pub|frontend|client/js|catalog/view|admin/view)/",
    re.IGNORECASE,
)
_BUNDLE = re.compile(r"(?:^|/)(?:assets|static|public|dist)/(?:.*/)?[\w.-]+[-.](?=\w*\d)[\w-]{8}\.m?js$")
"""What a bundler made: its names end in a hash."""
_SERVER = re.compile(r"(?:^|/)[\w-]*(?:server|api|actions?|jobs?|workers?|webhooks?|cron|emails?)[\w-]*/", re.IGNORECASE)
_OWN = frozenset({"create", "update", "delete", "enqueue"})
_GLOBALS = frozenset({"window", "document", "localStorage", "sessionStorage", "jQuery", "$"})


def shown(graph: FlowGraph, unit: UnitRef) -> bool:
    """Whether a unit runs in a browser and no entry point of the server reaches it: by its folder, its name or the browser's globals."""
    if unit.language not in ECMASCRIPT:
        return False
    entry = None if _BUNDLE.search(unit.path) else graph.reached(unit)
    if entry is not None and entry.kind not in {"schedule", "api", "event"}:
        return False
    if _SERVER.search(unit.path) or any(e.known is not None and e.kind in _OWN for e in effects_in(graph, unit)):
        return False  # a record of the shop's own is changed where its database is
    key = ("shown", unit.path)
    if key not in graph.cache:
        graph.cache[key] = bool(_BUNDLE.search(unit.path) or _PLACES.search(unit.path)) or _asks(graph, unit)
    return bool(graph.cache[key])


def _asks(graph: FlowGraph, unit: UnitRef) -> bool:
    imported = graph.program.imports.get(unit.path, {})
    for ref in graph.program.units_of(unit.path):
        for stmt in inside(ref.unit.body):
            for head in heads(stmt):
                for expr in walk(head):
                    if isinstance(expr, Name) and expr.id in _GLOBALS and expr.id not in imported and expr.id not in ref.flow.assigns:
                        if not any(p.name == expr.id for p in ref.unit.params):
                            return True
    return False
