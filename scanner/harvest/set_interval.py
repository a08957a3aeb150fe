"""setInterval jobs: a callback that repeats every so many milliseconds, with an interval of a second or more.

`unit` is the callback's. Options: async (the callback answers a promise, which the timer does not wait for). Source: HTML Standard, timers; Node.js timers.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Call, Closure, Fact, FileFacts, Scalar, Schedule
from flowaudit.scanner.harvest.values import Reader, last, walk

LANGUAGES = ("javascript", "typescript", "tsx", "jsx")
WORDS = ("setInterval",)
SNIFF = re.compile(r"\bsetInterval\s*\(")

SHORTEST_MS = 1000
_SCREEN = re.compile(r"^\s*[\"']use client[\"']|\.(?:jsx|tsx|vue|svelte)$|(?:^|/)(?:components|hooks|public|static|assets|frontend|storefront|browser|client|ui)/")
"""Files of a browser: their timers are no jobs of a shop."""


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The timers of a JavaScript or TypeScript file."""
    if _SCREEN.search(facts.path) or any(i.module in {"react", "vue", "svelte", "preact"} for i in facts.imports):
        return ()
    reader = Reader(facts)
    out: list[Fact] = []
    for unit in facts.units:
        for node in walk(unit.body):
            if not (isinstance(node, Call) and last(node.callee) == "setInterval" and len(node.args) >= 2):
                continue
            milliseconds = reader.number(node.args[1].value)
            if milliseconds is not None and milliseconds < SHORTEST_MS:
                continue
            callback = reader.value(node.args[0].value)
            target, kind, own = reader.callable_target(callback)
            if not own and target.rpartition(".")[2] in reader.units:
                own = target.rpartition(".")[2]
            runs = reader.units.get(own)
            if runs is None and isinstance(callback, Closure):
                continue
            options: dict[str, Scalar] = {"async": runs is not None and "async" in runs.traits}
            when = f"{milliseconds / 1000:g}" if milliseconds else UNKNOWN_VALUE
            name = own if own and not re.search(r"<\d+>", own) else f"setInterval in {unit.name or facts.path.rpartition('/')[2]}"
            out.append(Schedule(node.start, node.end, name, "set-interval", "interval", when, "", target, kind, own, tuple(sorted(options.items()))))
    return tuple(out)
