"""Time and memory of whole runs, interleaved with peers: python -m benchmarks --tree CHECKOUT [--semgrep-rules FILE] [--runs 5]

`--growth` instead audits synthetic repositories of rising size (see growth.py).

Each round runs every command once, so that noise strikes all alike; printed are medians, and the ratios taken round by round. CPU time is user plus
system time of the process and its children; memory the largest sum of resident sizes of the process tree, looked at every 50 ms (shared pages count twice).
"""
from __future__ import annotations

import argparse
import compileall
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.growth import growth

RUFF = "S110,S112,S113,BLE001,E722,SIM105,B012,TRY400"


def tree_memory(pid: int) -> int:
    """The resident bytes of a process and its descendants."""
    children: dict[int, list[int]] = {}
    resident: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(entry.name))
            resident[int(entry.name)] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError, ValueError):
            continue
    total, todo = 0, [pid]
    while todo:
        at = todo.pop()
        total += resident.get(at, 0)
        todo.extend(children.get(at, ()))
    return total


def measure(command: list[str], env: dict[str, str], cwd: str) -> tuple[float, float, float]:
    """(CPU seconds, wall seconds, peak megabytes) of one run; the output is dropped."""
    start = time.monotonic()
    process = subprocess.Popen(command, env=env, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.05):
            peak = max(peak, tree_memory(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, _, usage = os.wait4(process.pid, 0)
    done.set()
    watcher.join()
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start, peak / 1e6


def audit(tree: str, cache: str, work: str) -> tuple[float, float, float]:
    """One audit of a tree with this cache."""
    scan = [sys.executable, "-m", "flowaudit.scanner", "scan", tree, "--format", "json", "--output", f"{work}/out.json", "--quiet", "--fail-on", "never"]
    return measure(scan, {**os.environ, "FLOWAUDIT_CACHE": cache}, work)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--tree", help="a checkout to audit; needed unless --growth is given")
    parser.add_argument("--growth", action="store_true", help="audit synthetic repositories of rising size instead")
    parser.add_argument("--sizes", default="1,4,16,64", help="their sizes in MB")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--semgrep-rules")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="rule families to run, as scan's --only")
    options = parser.parse_args()
    bin_folder = Path(sys.executable).parent
    if options.growth:
        growth([float(size) for size in options.sizes.split(",")], options.seed, audit)
        return 0
    if not options.tree:
        parser.error("--tree is needed (a checkout to audit), or --growth")
    tree = str(Path(options.tree).resolve())
    rows: dict[str, list[tuple[float, float, float]]] = {}
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # an installed package has its bytecode, so measure with it
    for room in ("scanner", "rules", "reporters"):  # the links in flowaudit/ are not followed by compileall
        compileall.compile_dir(str(Path(__file__).resolve().parent.parent / room), quiet=2)
    with tempfile.TemporaryDirectory() as work:
        out = str(Path(work) / "out.json")
        scan = [str(bin_folder / "flowaudit"), "scan", tree, "--format", "json", "--output", out, "--quiet", *(["--only", options.only] if options.only else [])]
        commands = {"flowaudit cold": scan, "flowaudit warm": scan, "flowaudit --help": [str(bin_folder / "flowaudit"), "--help"]}
        if options.semgrep_rules:
            commands["semgrep --experimental"] = [
                str(bin_folder / "semgrep"), "scan", "--experimental", "--metrics=off", "--disable-version-check", "--json", "--quiet",
                "--config", str(Path(options.semgrep_rules).resolve()), tree,
            ]  # fmt: skip
        if shutil.which("ruff", path=str(bin_folder)):
            commands["ruff"] = [str(bin_folder / "ruff"), "check", "--no-cache", "--isolated", "--exit-zero", "--select", RUFF, tree]
        for number in range(options.runs):
            env = {**kept, "FLOWAUDIT_CACHE": str(Path(work) / f"cache{number}"), "SEMGREP_SEND_METRICS": "off"}
            for name, command in commands.items():
                rows.setdefault(name, []).append(measure(command, env, work))
                print(f"round {number + 1}: {name}: {rows[name][-1][0]:.2f} CPU s", file=sys.stderr)
    print("| run | CPU s | wall s | peak MB |\n|---|---|---|---|")
    for name, found in rows.items():
        cpu, wall, peak = (statistics.median(values) for values in zip(*found, strict=True))
        print(f"| {name} | {cpu:.2f} | {wall:.2f} | {peak:.0f} |")
    base = rows["flowaudit cold"]
    for name, found in rows.items():
        if name != "flowaudit cold":
            ratio = statistics.median(mine[0] / max(other[0], 0.001) for mine, other in zip(base, found, strict=True))
            print(f"flowaudit cold : {name} = {ratio:.2f} : 1 in CPU time")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
