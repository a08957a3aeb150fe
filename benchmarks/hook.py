"""Time of the hook on changed files, start to exit: python -m benchmarks.hook --tree CHECKOUT [--ending .py] [--files 5] [--runs 20]

The tree is copied, made a git repository, and indexed once. Each run edits other files (a function is added to each, and in one a limit is taken away or an
answer swallowed, where there is one), so that they are extracted anew, calls the hook, and puts them back. Printed are the median and the 95th percentile of
wall and CPU time, and how many runs told something.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flowaudit.scanner.sources import walk

ADDED = {
    ".py": "\n\ndef added_{n}(order):\n    return order.id\n", ".php": "\nfunction added_{n}( $order ) {{\n\treturn $order->id;\n}}\n",
    ".ts": "\nexport function added_{n}(order: any) {{\n  return order.id\n}}\n",
}  # fmt: skip
WORSE = ((re.compile(r",\s*timeout=[\w.]+"), ""), (re.compile(r"^(\s+)raise\b.*$", re.MULTILINE), r"\1pass"))


def edited(text: str, ending: str, number: int, worse: bool) -> str:
    for pattern, by in WORSE if worse else ():
        changed = pattern.sub(by, text, count=1)
        if changed != text:
            return changed
    return text + ADDED[ending].format(n=number)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hook")
    parser.add_argument("--tree", required=True)
    parser.add_argument("--ending", default=".py", choices=sorted(ADDED))
    parser.add_argument("--files", type=int, default=5)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as work:
        root = Path(work) / "tree"
        shutil.copytree(options.tree, root, symlinks=True, ignore=shutil.ignore_patterns(".git", "node_modules"))
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
            subprocess.run([*git, *words], cwd=root, check=True, stdout=subprocess.DEVNULL)
        paths = [e.path for e in walk([str(root)], lambda path, _: path.endswith(options.ending)).entries if e.size > 200]
        env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"FLOWAUDIT_CACHE": str(Path(work) / "cache")}
        hook = [sys.executable, "-m", "flowaudit.scanner", "hook", "--quiet"]
        time.sleep(2.5)  # files younger than the clock's grain are not trusted
        subprocess.run([*hook, paths[0]], cwd=root, env=env, check=True)
        walls, cpus, told = [], [], 0
        for number in range(options.runs):
            chosen = rng.sample(paths, min(options.files, len(paths)))
            before = {path: (root / path).read_bytes() for path in chosen}
            for at, path in enumerate(chosen):
                (root / path).write_text(edited(before[path].decode("utf-8", "replace"), options.ending, number, at == 0))
            start = time.monotonic()
            process = subprocess.Popen([*hook, *chosen], cwd=root, env=env, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            walls.append(time.monotonic() - start)
            cpus.append(usage.ru_utime + usage.ru_stime)
            told += os.waitstatus_to_exitcode(status) == 1
            if os.waitstatus_to_exitcode(status) > 1:
                raise SystemExit("the hook failed")
            for path, data in before.items():
                (root / path).write_bytes(data)
    print(f"{options.runs} runs on {options.files} {options.ending} files of {len(paths)}, {told} with something new")
    for name, values in (("wall", walls), ("CPU", cpus)):
        print(f"{name}: median {statistics.median(values):.2f} s, 95th percentile {sorted(values)[int(len(values) * 0.95) - 1]:.2f} s, least {min(values):.2f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
