"""missing-retry: mount a retrying adapter on the requests session through which a call that may be repeated goes (GET, PUT, DELETE: urllib3's default)."""

from __future__ import annotations

import re

import libcst as cst

from flowaudit.scanner.patches.edits import Edit, call_at, code, indentation
from flowaudit.scanner.rule import Finding

RULES = ("missing-retry",)
_REPEATABLE = frozenset({"get", "put", "delete", "head", "options"})
_IMPORT = re.compile(r"^(?:import requests|from requests import [^\n(]*)\n", re.MULTILINE)
_ADAPTER = "HTTPAdapter(max_retries=Retry(total=3, backoff_factor=1, status_forcelist=[429, 502, 503, 504]))"
_WANTED = {"HTTPAdapter": "from requests.adapters import HTTPAdapter\n", "Retry": "from urllib3.util.retry import Retry\n"}


def edits(finding: Finding, text: str) -> list[Edit]:
    """`s = requests.Session()` gets `s.mount("https://", ...)` below it and two imports below the file's own; for one session of that name, without an adapter."""
    call = call_at(text, finding.at.start, finding.at.end)
    if call is None or not isinstance(call.func, cst.Attribute) or call.func.attr.value not in _REPEATABLE or ".mount(" in text:
        return []
    holder = code(call.func.value)
    made = list(re.finditer(rf"^[ \t]*{re.escape(holder)} = (?:requests\.)?Session\(\)[ \t]*(?:#[^\n]*)?$", text, re.MULTILINE))
    imported = _IMPORT.search(text)
    if len(made) != 1 or imported is None:
        return []
    stop = len(text[: made[0].end()].encode("utf-8"))
    below = Edit(stop, stop, f'\n{indentation(text, stop)}{holder}.mount("https://", {_ADAPTER})')
    missing = "".join(line for name, line in _WANTED.items() if not re.search(rf"^from [\w.]+ import [^\n]*\b{name}\b", text, re.MULTILINE))
    at = len(text[: imported.end()].encode("utf-8"))
    return [below, Edit(at, at, missing)] if missing else [below]
