"""What several commands share: options of a scan, configuration, progress, writing files."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import pkgutil
import stat
import sys
import tempfile
from collections.abc import Iterable
from typing import Any

import msgspec

from flowaudit.scanner.commands import UserError
from flowaudit.scanner.config import Config, based
from flowaudit.scanner.config import load as load_config


def add_scan_arguments(parser: argparse.ArgumentParser, positional: bool = True) -> None:
    """The options that say what is scanned and how; the paths stand behind `--path` where the command has other operands."""
    if positional:
        parser.add_argument("paths", nargs="*", default=["."], metavar="PATH", help="folders or files to read (default: the current folder)")
    else:
        parser.add_argument("--path", dest="paths", action="append", metavar="PATH", help="folder or file to read (repeatable; default: the current folder)")
    parser.add_argument("--config", metavar="FILE", help="configuration file (default: flowaudit.toml or [tool.flowaudit] of the scanned folder)")
    parser.add_argument("--only", action="append", default=[], metavar="FAMILY", help="run this rule family only (repeatable)")
    parser.add_argument("--skip", action="append", default=[], metavar="FAMILY", help="do not run this rule family (repeatable)")
    parser.add_argument("--exclude", action="append", default=[], metavar="GLOB", help="leave out what matches, as in .gitignore (repeatable)")
    parser.add_argument("--include-tests", action="store_true", help="judge tests, examples and migrations too")
    parser.add_argument("--rules", metavar="DIR", help="Semgrep rules of your own: a folder or file of them (docs/rules-of-your-own.md)")
    parser.add_argument("--min-confidence", choices=("low", "medium", "high"), help="show findings at least this sure (default: medium)")
    parser.add_argument("--jobs", type=_jobs, default=0, metavar="N", help="processes to use (default: one a core)")
    parser.add_argument("--no-cache", action="store_true", help="neither use nor keep facts of earlier scans")
    loud = parser.add_mutually_exclusive_group()
    loud.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors and what was asked for with --output -")
    loud.add_argument("-v", "--verbose", action="store_true", help="print more: factors of each rank, skipped files")


def _jobs(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 512:
        raise argparse.ArgumentTypeError("a number between 0 and 512")
    return number


def configuration(arguments: argparse.Namespace) -> tuple[Config, str]:
    """The configuration with the command line's options over it, and the file that it came from."""
    arguments.paths = arguments.paths or ["."]
    config, origin = load_config(arguments.paths, arguments.config)
    config = based(config, origin)
    families = [*arguments.only], [*arguments.skip]
    return msgspec.structs.replace(
        config,
        exclude=(*config.exclude, *arguments.exclude),
        only=tuple(word for text in families[0] for word in text.split(",")) or config.only,
        skip=(*config.skip, *(word for text in families[1] for word in text.split(","))),
        include_tests=config.include_tests or arguments.include_tests,
        rules=os.path.abspath(arguments.rules) if arguments.rules else config.rules,
        min_confidence=arguments.min_confidence or config.min_confidence,
    ), origin


class Meter:
    """Progress on one line of the terminal; silent where standard error is none."""

    def __init__(self, quiet: bool) -> None:
        self.on = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._last = ""

    def __call__(self, step: str, done: int, of: int) -> None:
        if self.on:
            text = f"{step} {done * 100 // of} %" if of else step
            if text != self._last:
                self._last = text
                sys.stderr.write(f"\r\x1b[K{text[:100]}")
                sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line."""
        if self.on and self._last:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._last = ""


def reporters() -> dict[str, Any]:
    """Format name -> reporter module."""
    import flowaudit.reporters

    found = {}
    for info in pkgutil.iter_modules(flowaudit.reporters.__path__):
        if not info.name.startswith("_") and not info.ispkg:
            module = importlib.import_module(f"flowaudit.reporters.{info.name}")
            if hasattr(module, "render"):
                found[module.NAME] = module
    return found


def reporter(name: str) -> Any:
    """The reporter of a format; only its module is imported."""
    import flowaudit.reporters

    names = sorted(info.name for info in pkgutil.iter_modules(flowaudit.reporters.__path__) if not info.name.startswith("_"))
    if name not in names:
        raise UserError(f"there is no format {name!r}; there are {', '.join(names)}.")
    return importlib.import_module(f"flowaudit.reporters.{name}")


def write(path: str, content: str | bytes) -> None:
    """Write a file as a whole or not at all: a temporary file beside it, then a rename. A device or pipe is written to directly."""
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            if os.path.isdir(path):
                raise UserError(f"{path}: a folder, so it cannot be written as a file.")
            with open(path, "wb") as file:
                file.write(data)
            return
    folder = os.path.dirname(path) or "."
    try:
        os.makedirs(folder, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".flowaudit-", dir=folder)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}.") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def emit(text: str | bytes, output: str | None) -> None:
    """To a file, or to standard output ("-" or None)."""
    if output not in (None, "-"):
        write(str(output), text)
    elif isinstance(text, bytes):
        sys.stdout.buffer.write(text)
    else:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def complain(failed: Iterable[str]) -> None:
    """Say on standard error what failed."""
    from flowaudit.scanner.mask import visible

    for text in failed:
        sys.stderr.write(f"flowaudit: {visible(text)}\n".encode("utf-8", "replace").decode())
