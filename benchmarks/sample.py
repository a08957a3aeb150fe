"""Draw findings or edges at random for reading: python -m benchmarks.sample --seed N [--per-family 20 | --edges 80] REPORT.json... > sample.csv

A report is what `flowaudit scan --format json` writes; its file name says which repository it belongs to. The draw depends on the seed and on each
finding's fingerprint alone, not on the order of the files, so the same scan and seed give the same sample. Within a family the repositories take turns:
one with a thousand findings does not push the others out. Columns `verdict` and `reason` are left empty for the reader.
"""
from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

LEVELS = ("low", "medium", "high")
COLUMNS = ("number", "repository", "rule", "confidence", "level", "place", "message", "path", "verdict", "reason")
Row = dict[str, Any]


def lot(seed: int, *words: str) -> str:
    """The number that a thing draws: the same for the same seed and words."""
    return hashlib.sha256("\0".join((str(seed), *words)).encode()).hexdigest()


def take_turns(rows: Iterable[Row], limit: int) -> Iterator[Row]:
    """Up to `limit` rows, one repository after the other, each repository's in the order of their lots."""
    waiting: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: r["lot"], reverse=True):
        waiting[row["repository"]].append(row)
    turns = sorted(waiting, key=lambda name: waiting[name][-1]["lot"])
    while limit and any(waiting.values()):
        for name in turns:
            if limit and waiting[name]:
                limit -= 1
                yield waiting[name].pop()


def findings(path: Path, seed: int, least: str) -> Iterator[tuple[str, Row]]:
    """(family, row) of each finding of a report at `least` confidence or above."""
    for finding in json.loads(path.read_text())["findings"]:
        if LEVELS.index(finding["confidence"]) < LEVELS.index(least):
            continue
        at = finding["at"]
        yield finding["rule"], {
            "lot": lot(seed, path.stem, finding["fingerprint"]),
            "repository": path.stem,
            "rule": finding["id"],
            "confidence": finding["confidence"],
            "level": finding["rank"]["level"],
            "place": f"{at['path']}:{at['line']}",
            "message": finding["message"],
            "path": " -> ".join(f"{step['note']} ({step['at']['path']}:{step['at']['line']})" for step in finding["path"]),
        }


def edges(path: Path, seed: int) -> Iterator[tuple[str, Row]]:
    """(kind, row) of each edge of a report's map."""
    report = json.loads(path.read_text())
    nodes = {node["id"]: node for node in report["nodes"]}
    for edge in report["edges"]:
        at = edge["at"]
        yield edge["kind"], {
            "lot": lot(seed, path.stem, edge["kind"], edge["tail"], edge["head"]),
            "repository": path.stem,
            "rule": edge["kind"],
            "confidence": edge.get("certainty", ""),
            "place": f"{at['path']}:{at['line']}" if at else "",
            "message": f"{nodes[edge['tail']]['label']} -> {nodes[edge['head']]['label']}",
        }


def draw(reports: list[Path], seed: int, per_family: int, count: int, least: str) -> Iterator[Row]:
    """The sample: `per_family` findings of each family, or `count` edges spread over the kinds."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for report in sorted(reports):
        for group, row in edges(report, seed) if count else findings(report, seed, least):
            groups[group].append(row)
    if not count:
        for family in sorted(groups):
            yield from take_turns(groups[family], per_family)
        return
    # Edges: the kinds take turns, so that the rare ones are looked at too.
    waiting = {kind: list(take_turns(groups[kind], len(groups[kind]))) for kind in sorted(groups)}
    while count and any(waiting.values()):
        for rows in waiting.values():
            if count and rows:
                count -= 1
                yield rows.pop(0)


def main() -> int:
    """Print the sample as CSV; 2 when no report is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", type=Path, metavar="REPORT.json")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--per-family", type=int, default=20)
    parser.add_argument("--edges", type=int, default=0, help="draw this many edges of the map instead of findings")
    parser.add_argument("--confidence", choices=LEVELS, default="medium", help="the least confidence")
    options = parser.parse_args()
    out = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
    out.writeheader()
    for number, row in enumerate(draw(options.reports, options.seed, options.per_family, options.edges, options.confidence), 1):
        out.writerow({**row, "number": number})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
