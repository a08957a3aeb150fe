"""`python -m flowaudit.scanner` is `flowaudit`."""

from __future__ import annotations

import sys

from flowaudit.scanner.cli import main

if __name__ == "__main__":
    sys.exit(main())
