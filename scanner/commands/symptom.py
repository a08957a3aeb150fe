"""Name a symptom in everyday words and see the places that can cause it, worst first."""

from __future__ import annotations

import argparse
import re
import tomllib
from importlib.resources import files
from typing import Any

from flowaudit.scanner.commands import UserError, _common
from flowaudit.scanner.report import Ranked, Report

MOST = 25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `flowaudit symptom`."""
    parser.add_argument("symptom", metavar="SYMPTOM", help='what is seen, in words ("paid but pending"), or "list"')
    _common.add_scan_arguments(parser, positional=False)


def symptoms() -> list[dict[str, Any]]:
    """The known symptoms: title, words, stages, systems, vectors, rules."""
    data = tomllib.loads(files("flowaudit.rules").joinpath("symptoms.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = data["symptom"]
    return found


def choose(text: str, known: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The symptom that the words fit best: its own title or phrases first, then single words; None when nothing fits."""
    asked = " ".join(re.findall(r"[\w-]+", text.lower()))
    scores = []
    for number, item in enumerate(known):
        phrases = [item["title"].lower(), item["id"].replace("-", " "), *item["words"]]
        score = sum(3 + len(p.split()) for p in phrases if p in asked) + sum(len(set(p.split()) & set(asked.split())) for p in phrases)
        scores.append((score, -number, item))
    best = max(scores, key=lambda s: s[:2], default=None)
    return best[2] if best is not None and best[0] > 0 else None


def fit(ranked: Ranked, symptom: dict[str, Any], kinds: dict[str, str]) -> float:
    """How well a finding explains a symptom: 0 = not at all; the rank's score breaks ties."""
    finding = ranked.finding
    if finding.rule not in symptom["rules"] and finding.vector not in symptom["vectors"]:
        return 0.0
    on_way = finding.stage in symptom["stages"] or kinds.get(finding.system, "") in symptom["systems"]
    if not on_way and (finding.stage or finding.system):
        return 0.0
    order = symptom["rules"].index(finding.rule) if finding.rule in symptom["rules"] else len(symptom["rules"])
    return (3.0 if on_way else 1.0) + (2.0 if finding.vector in symptom["vectors"] else 0.0) + 1.0 / (1 + order) + ranked.rank.score / 1000


def render(report: Report, symptom: dict[str, Any]) -> str:
    """The answer as text: findings that can cause the symptom, then the connections it passes."""
    from flowaudit.scanner.mask import visible

    kinds = {s.id: s.kind for s in report.systems}
    scored = sorted(((fit(r, symptom, kinds), r) for r in report.findings), key=lambda pair: (-pair[0], pair[1].finding.at))
    hits = [(score, r) for score, r in scored if score > 0]
    lines = [f"{symptom['title']}: {len(hits)} place{'' if len(hits) == 1 else 's'} that can cause it, worst first", ""]
    for number, (_, ranked) in enumerate(hits[:MOST], 1):
        at = ranked.finding.at
        lines.append(f"{number:>3}. {ranked.finding.id}  {visible(at.path)}:{at.line}  ({ranked.finding.vector}, {ranked.finding.confidence} confidence)")
        lines.append(f"     {visible(ranked.finding.message)}")
    if len(hits) > MOST:
        lines.append(f"     and {len(hits) - MOST} more")
    way = [s for s in report.systems if s.kind in symptom["systems"]]
    lines += ["", "on the way of such an order: " + (", ".join(f"{visible(s.name)} ({s.calls} calls)" for s in way) or "no system of this kind was found")]
    return "\n".join(lines) + "\n"


def run(arguments: argparse.Namespace) -> int:
    """Answer one symptom."""
    known = symptoms()
    if arguments.symptom.lower() == "list":
        _common.emit("\n".join(item["title"] for item in known) + "\n", None)
        return 0
    symptom = choose(arguments.symptom, known)
    if symptom is None:
        raise UserError(f"no known symptom fits {arguments.symptom!r}; `flowaudit symptom list` names them.")
    from flowaudit.scanner import engine

    config, _ = _common.configuration(arguments)
    meter = _common.Meter(arguments.quiet)
    report = engine.scan(arguments.paths, config, jobs=arguments.jobs, cache=not arguments.no_cache, progress=meter)
    meter.clear()
    _common.emit(render(report, symptom), None)
    _common.complain(report.failed)
    return 2 if report.failed else 0
