"""The command line: finds the command, answers its exit code, and turns whatever goes wrong into one sentence.

Exit codes: 0 done, 1 `--fail-on` reached, 2 incomplete or failed. A command is a module of `commands/`.
"""

from __future__ import annotations

import contextlib
import os
import sys

from flowaudit.scanner.commands._parser import build


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
    parser, modules = build(words)
    arguments = parser.parse_args(words)
    if not arguments.command:
        parser.print_help(sys.stderr)
        return 2
    return int(modules[arguments.command].run(arguments))


if __name__ == "__main__":
    sys.exit(main())
