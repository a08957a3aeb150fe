"""Draw the flow of orders: entry points, queues, schedules and systems, with the guards on each connection.

Prints the map as text, or in a format that other tools draw. Guards: time limit, retry, protection against doing a thing twice, log.
"""

from __future__ import annotations

import argparse
from typing import Any

from flowaudit.scanner.commands import _common

FORMATS = ("text", "mermaid", "dot", "graphml", "json", "svg", "png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit map`."""
    _common.add_scan_arguments(parser)
    parser.add_argument("--format", choices=FORMATS, default="text", help="what to print (default: text)")
    parser.add_argument("-o", "--output", metavar="FILE", help="where it goes; - is standard output (the default)")


def text(report: Any) -> str:
    """The map as text: lane by lane each place with its connections, their guards and findings."""
    from flowaudit.scanner.drawing.layout import fold_and_judge
    from flowaudit.scanner.drawing.words import EDGES, GUARDS, KINDS, LANES, STATES, VECTORS
    from flowaudit.scanner.mask import visible

    boxes, lines = fold_and_judge(report, None)
    label = {box.id: box.label for box in boxes}
    out: list[str] = []
    for lane, title in LANES.items():
        members = sorted((box for box in boxes if box.lane == lane), key=lambda box: (box.kind == "system", box.kind, box.label, box.id))
        if not members:
            continue
        out += [title.upper()]
        for box in members:
            where = f"  {box.at.path}:{box.at.line}" if box.at is not None else ""
            out.append(f"  {KINDS.get(box.kind, box.kind)} {box.label}{where}{_marked(len(box.findings))}")
            for line in (line for line in lines if line.tail == box.id):
                risks = ", ".join(VECTORS[name][0].lower() for name in line.vectors if name in VECTORS)
                sure = "" if line.certainty == "sure" else f" ({line.certainty})"
                out.append(f"    -> {EDGES.get(line.kind, line.kind)} {label[line.head]}{sure}{_marked(len(line.findings))}{f': {risks}' if risks else ''}")
                if line.guards:
                    out.append("       " + "; ".join(f"{GUARDS.get(name, name)} {STATES.get(state, state)}" for name, state in line.guards))
        out.append("")
    return visible("\n".join(out)) + "\n" if out else "nothing was found that talks to another system\n"


def _marked(number: int) -> str:
    return f"  [{number} finding{'' if number == 1 else 's'}]" if number else ""


def data(report: Any) -> str:
    """The map as JSON: nodes and edges with their guards and the findings on them by fingerprint."""
    import json

    from flowaudit.reporters import json as whole

    found = json.loads(whole.render(report))
    names = {mark for part in (*found["nodes"], *found["edges"]) for mark in part["findings"]}
    findings = {
        item["fingerprint"]: {"id": item["id"], "message": item["message"], "at": item["at"], "level": item["rank"]["level"], "vector": item["vector"]}
        for item in found["findings"] if item["fingerprint"] in names
    }  # fmt: skip
    return json.dumps({"format": 1, "nodes": found["nodes"], "edges": found["edges"], "findings": findings}, indent=2) + "\n"


def run(arguments: argparse.Namespace) -> int:
    """Scan and print the map."""
    from flowaudit.scanner import engine

    config, _ = _common.configuration(arguments)
    meter = _common.Meter(arguments.quiet)
    try:
        report = engine.scan(arguments.paths, config, jobs=arguments.jobs, cache=not arguments.no_cache, progress=meter)
    finally:
        meter.clear()
    makers = {"text": text, "json": data}
    made = makers[arguments.format](report) if arguments.format in makers else _common.reporter(arguments.format).render(report)
    _common.emit(made, arguments.output)
    _common.complain(report.failed)
    return 2 if report.failed else 0
