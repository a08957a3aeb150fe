"""The argument parser, made of the modules of this folder: a command is a module, its docstring is its help."""

from __future__ import annotations

import argparse
import ast
import importlib
import os
from pathlib import Path
from types import ModuleType

EPILOG = """\
examples:
  flowaudit scan ../shop                       read a shop's integrations and print what is wrong
  flowaudit scan ../shop --report out          write report.sarif, findings.json and brief.md to out/
  flowaudit scan . --format sarif -o x.sarif   one format; "-" is the terminal
  flowaudit scan . --fail-on error             exit code 1 when an error was found
  flowaudit explain missing-timeout            what a rule means and how to mend it

exit codes: 0 done, 1 --fail-on reached, 2 incomplete or failed
"""
_FIRST = ("scan", "baseline", "rules", "explain", "facts", "init", "map", "flow", "schedules", "queues", "webhooks")


def build(words: list[str] | None) -> tuple[argparse.ArgumentParser, dict[str, ModuleType]]:
    """The parser for one command line, and the modules of the commands that it knows in full.

    Only the command that `words` asks for is imported, so that help and small commands start at once; None imports all of them.
    """
    names = _names()
    parser = argparse.ArgumentParser(
        prog="flowaudit", description="Finds where an order, a payment or a stock level can be lost without a word.", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"flowaudit {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    wanted = next((word for word in words or () if not word.startswith("-")), "")
    modules: dict[str, ModuleType] = {}
    for name in names:
        if wanted in names and name != wanted:
            continue
        summary, text = _described(name)
        sub = commands.add_parser(name, help=summary, description=text, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
        if name == wanted or words is None:
            modules[name] = importlib.import_module(f"flowaudit.scanner.commands.{name.replace('-', '_')}")
            modules[name].add_arguments(sub)
    return parser, modules


def _version() -> str:
    import flowaudit

    return flowaudit.__version__


def _names() -> list[str]:
    """The commands, the daily ones first."""
    folder = os.listdir(Path(__file__).parent)
    found = sorted(name[:-3].replace("_", "-") for name in folder if name.endswith(".py") and not name.startswith("_"))
    return sorted(found, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))


def _described(name: str) -> tuple[str, str]:
    """The first line and the whole of a command's docstring, without importing it."""
    source = Path(__file__).with_name(f"{name.replace('-', '_')}.py").read_text("utf-8")
    quote = source.find('"""')
    end = source.find('"""', quote + 3)
    text = str(ast.literal_eval(source[quote : end + 3])).strip() if 0 <= quote < end else ""
    return text.split("\n", 1)[0].rstrip("."), text
