"""The command line: finds the command, answers its exit code, and turns whatever goes wrong into one sentence.

Exit codes: 0 done, 1 `--fail-on` reached, 2 incomplete or failed. A command is a module of `commands/`.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import os
import sys
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


def main(argv: list[str] | None = None) -> int:
    """Run a command; answers the exit code and never raises but SystemExit (argparse's own)."""
    sys.path[:] = [entry for entry in sys.path if entry not in {"", "."}]  # a client's folders must not be imported
    words = sys.argv[1:] if argv is None else argv
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _say("interrupted.", 130)
    except BrokenPipeError:
        # the reader went away ("| head"): what was asked for is done, and Python must not complain at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except RecursionError:
        return _say("something is nested too deep to be worked on.", 2)
    except MemoryError:
        return _say("not enough memory.", 2)
    except OSError as error:
        return _say(f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}.", 2, error)
    except Exception as error:  # noqa: BLE001 - a traceback tells a user nothing
        kind = type(error).__name__
        ours = kind in {"UserError", "ConfigError", "SourceError", "CatalogError", "BaselineError"}
        text = " ".join(str(error).split())
        return _say(text if ours else f"internal fault: {kind}: {text} (set FLOWAUDIT_DEBUG=1 for the details)", 2, error)


def entry() -> None:
    """The console script: run and leave at once. Taking a large graph apart piece by piece at the end would cost a tenth of a scan's time."""
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _say(text: str, code: int, error: BaseException | None = None) -> int:
    if error is not None and os.environ.get("FLOWAUDIT_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    from flowaudit.scanner.mask import visible

    try:
        sys.stderr.write(f"flowaudit: {visible(text).encode('utf-8', 'replace').decode()}\n")
    except OSError:
        pass
    return code


def _run(words: list[str]) -> int:
    names = _names()
    parser = argparse.ArgumentParser(
        prog="flowaudit", description="Finds where an order, a payment or a stock level can be lost without a word.", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"flowaudit {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    wanted = next((word for word in words if not word.startswith("-")), "")
    modules: dict[str, ModuleType] = {}
    for name in names:
        if wanted in names and name != wanted:
            continue  # only the asked command is imported
        summary, text = _described(name)
        sub = commands.add_parser(name, help=summary, description=text, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
        if name == wanted:
            modules[name] = importlib.import_module(f"flowaudit.scanner.commands.{name.replace('-', '_')}")
            modules[name].add_arguments(sub)
    arguments = parser.parse_args(words)
    if not arguments.command:
        parser.print_help(sys.stderr)
        return 2
    return int(modules[arguments.command].run(arguments))


def _version() -> str:
    import flowaudit

    return flowaudit.__version__


def _folder() -> Path:
    return Path(__file__).with_name("commands")


def _names() -> list[str]:
    """The commands, the daily ones first."""
    found = sorted(name[:-3].replace("_", "-") for name in os.listdir(_folder()) if name.endswith(".py") and not name.startswith("_"))
    return sorted(found, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))


def _described(name: str) -> tuple[str, str]:
    """The first line and the whole of a command's docstring, without importing it."""
    source = (_folder() / f"{name.replace('-', '_')}.py").read_text("utf-8")
    quote = source.find('"""')
    end = source.find('"""', quote + 3)
    text = str(ast.literal_eval(source[quote : end + 3])).strip() if 0 <= quote < end else ""
    return text.split("\n", 1)[0].rstrip("."), text


if __name__ == "__main__":
    sys.exit(main())
