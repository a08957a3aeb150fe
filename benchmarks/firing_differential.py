"""Fire times against second implementations, 10,000 generated expressions a dialect: python -m benchmarks.firing_differential [ROUNDS]

cron against croniter and against a reading of our own; kubernetes, quartz, eventbridge, laravel, spring and celery against that reading; systemd against
`systemd-analyze calendar`. The unit tests run the same comparisons over fewer expressions. Answers pytest's exit code.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = ("tests/test_firing_cron.py", "tests/test_firing_dialects.py", "tests/test_firing_systemd.py")
TOP = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run the comparisons; prints what pytest prints, the slowest with their seconds."""
    rounds = sys.argv[1] if len(sys.argv) > 1 else "10000"
    command = [sys.executable, "-m", "pytest", "-q", "-k", "generated", "--durations=9", "--durations-min=1", *TESTS]
    return subprocess.run(command, cwd=TOP, env=os.environ | {"FIRING_ROUNDS": rounds}, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
