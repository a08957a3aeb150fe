"""Failure-mode-and-effects ranking: priority = impact x likelihood / effort, every factor kept with its reason. Confidence filters, it does
not multiply. The weights are data: `rules/weights.toml`."""

from __future__ import annotations

import math
import tomllib
from functools import lru_cache
from importlib.resources import files

from flowaudit.scanner.report import Factor, Rank
from flowaudit.scanner.rule import Finding, Rule

Weights = dict[str, dict[str, float]]


@lru_cache(maxsize=1)
def weights() -> Weights:
    """The built-in weights."""
    return tomllib.loads(files("flowaudit.rules").joinpath("weights.toml").read_text("utf-8"))


_EXPOSURE = {
    "order": "it runs for every order",
    "schedule": "a schedule runs it",
    "manual": "somebody starts it by hand",
    "unknown": "no entry point is known to reach it",
}
_VECTOR = {
    "lost": "an order or a message is lost",
    "duplicated": "something happens twice (a charge, a parcel, an order)",
    "inconsistent": "two records contradict each other",
    "stuck": "an order stays where it is",
    "delayed": "an order is late",
    "invisible": "nobody learns that something failed",
}


def rank(finding: Finding, rule: Rule, table: Weights | None = None) -> Rank:
    """The rank of one finding. `table` replaces the built-in weights."""
    table = table or weights()
    stage = table["stage"].get(finding.stage) or table["stage"]["unknown"]
    vector = table["vector"].get(finding.vector, table["vector"]["stuck"])
    reach = min(1 + table["reach"]["step"] * math.log2(max(1, finding.reach)), table["reach"]["most"])
    exposure = table["exposure"].get(finding.entry, table["exposure"]["unknown"])
    network = table["network"]["yes" if finding.system else "no"]
    places = int(table["effort-places"]["many"])
    effort = finding.effort or rule.effort
    if effort == "quick win" and finding.places > places:
        effort = "structural"
    divisor = table["effort"][effort]
    factors = (
        Factor("stage", stage, f"stage {finding.stage}" if finding.stage else "the stage is not known"),
        Factor("vector", vector, _VECTOR.get(finding.vector, finding.vector)),
        Factor("reach", round(reach, 3), "one flow or call" if finding.reach <= 1 else f"{finding.reach} flows or calls pass here"),
        Factor("exposure", exposure, _EXPOSURE.get(finding.entry, _EXPOSURE["unknown"])),
        Factor("network", network, f"it waits for another system ({finding.system})" if finding.system else "no system outside is named"),
        Factor("effort", divisor, f"{effort}, {finding.places} place{'' if finding.places == 1 else 's'}"),
    )
    impact, likelihood = stage * vector * reach, exposure * network
    score = round(min(100.0, 100 * impact * likelihood / divisor), 1)
    level = "error" if score >= table["level"]["error"] else "warning" if score >= table["level"]["warning"] else "note"
    return Rank(score, level, round(impact, 3), round(likelihood, 3), effort, factors)
