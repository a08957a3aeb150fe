"""How time and memory grow with a repository: python -m benchmarks --growth [--sizes 1,4,16,64].

For each size a synthetic repository is written (see synthetic.py) and audited once from an empty cache. The exponent is the slope of a least-squares line
through the logarithms: 1.0 means twice the code takes twice as long.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.synthetic import write

Measured = tuple[float, float, float]


def growth(sizes: Sequence[float], seed: int, run: Callable[[str, str, str], Measured]) -> None:
    """Print time and peak memory by size, and their exponents. `run(tree, cache, work)` audits a tree and answers CPU s, wall s, MB."""
    rows: list[tuple[float, Measured]] = []
    print("| MB | CPU s | s a MB | peak MB |\n|---|---|---|---|")
    for size in sizes:
        with tempfile.TemporaryDirectory() as work:
            tree = Path(work) / "repository"
            total = write(tree, size, seed) / 1e6
            found = run(str(tree), str(Path(work) / "cache"), work)
        rows.append((total, found))
        print(f"| {total:.1f} | {found[0]:.2f} | {found[0] / total:.2f} | {found[2]:.0f} |")
        sys.stdout.flush()
    if len(rows) > 1:
        print(f"exponent of time {slope([(x, m[0]) for x, m in rows]):.2f}, of memory {slope([(x, m[2]) for x, m in rows]):.2f}")


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the least-squares line through the logarithms of the points."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    mean_x, mean_y = (sum(values) / len(logs) for values in zip(*logs, strict=True))
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)
