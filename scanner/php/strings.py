"""What a PHP literal says: escapes of quoted strings and numbers as PHP reads them.

Source: the PHP manual, "Strings" (escape sequences) and "Integers" (bases, `_` separators, overflow to float).
"""
from __future__ import annotations

import math
import re

_SINGLE = re.compile(r"\\(['\\])")
_DOUBLE = re.compile(r"\\(?:([nrtvef\\$\"`])|([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u\{([0-9A-Fa-f]{1,8})\})")
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "v": "\v", "e": "\x1b", "f": "\f", "\\": "\\", "$": "$", '"': '"', "`": "`"}
_LARGEST = 2**63 - 1


def single(text: str) -> str:
    """The value of what stands between single quotes."""
    return _SINGLE.sub(r"\1", text) if "\\" in text else text


def double(text: str) -> str:
    """The value of a literal piece of a double-quoted string or heredoc."""
    return _DOUBLE.sub(_escape, text) if "\\" in text else text


def _escape(match: re.Match[str]) -> str:
    plain, octal, short, code = match.groups()
    if plain is not None:
        return _PLAIN[plain]
    number = int(octal, 8) & 0xFF if octal is not None else int(short or code, 16)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        return match.group()
    return chr(number)


def integer(text: str) -> int | float | None:
    """The value of an integer literal; one beyond 64 bits is a float, one that is none is None."""
    digits = text.replace("_", "")
    try:
        if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567":
            value = int(digits, 8)
        else:
            value = int(digits, 0)
        return value if value <= _LARGEST else float(value)
    except OverflowError:
        return math.inf
    except ValueError:
        return None


def floating(text: str) -> float | None:
    """The value of a float literal, None for one that is none."""
    try:
        return float(text.replace("_", ""))
    except ValueError:
        return None
