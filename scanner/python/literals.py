"""Python literals: bytes of a string, number or escape as written -> the value a Const may hold.

The escapes are those of the Python language reference, section "String and Bytes literals", read for Python 2 and 3 alike.
"""
from __future__ import annotations

import re
import unicodedata

_ESCAPE = re.compile(r"\\(\r\n|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]{1,90}\}|.)", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "v": "\v",
           "\n": "", "\r\n": "", "\r": ""}
_LOWEST, _HIGHEST = -(2**63), 2**64 - 1
"""The integers that the stored form (msgpack) holds."""


def _character(code: int) -> str:
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:  # half a surrogate pair cannot be stored as UTF-8
        return "\ufffd"
    return chr(code)


def _resolve(match: re.Match[str]) -> str:
    body = match.group(1)
    simple = _SIMPLE.get(body)
    if simple is not None:
        return simple
    first = body[0]
    if len(body) > 1 and first in "xuU":
        return _character(int(body[1:], 16))
    if first in "01234567":
        return _character(int(body, 8))
    if first == "N" and len(body) > 1:
        try:
            return unicodedata.lookup(body[2:-1])
        except KeyError:
            return "\ufffd"
    return match.group(0)


def unescape(text: str) -> str:
    """Resolve the escapes of a non-raw string's content; an unknown escape stays as written."""
    return _ESCAPE.sub(_resolve, text) if "\\" in text else text


def integer(text: str) -> int | None:
    """The value of an integer literal (hex, octal, binary, `_`, Python 2's `0777` and `10L`); None when no Const can hold it."""
    text = text.replace("_", "").rstrip("lLjJ") if not text.isdigit() else text
    try:
        value = int(text, 0)
    except ValueError:
        try:
            value = int(text, 8) if text.startswith("0") else int(text)
        except ValueError:
            return None
    return value if _LOWEST <= value <= _HIGHEST else None


def real(text: str) -> float | None:
    """The value of a floating-point literal; None for one that cannot be read."""
    try:
        return float(text.replace("_", ""))
    except ValueError:
        return None
