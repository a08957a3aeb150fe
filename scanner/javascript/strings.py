"""What a JavaScript literal says: escapes of strings and templates, numbers.

Source: ECMA-262, "String Literals" (SV), "Template Literal Lexical Components" (TV), "Numeric Literals" (MV).
"""
from __future__ import annotations

import math
import re

_ESCAPE = re.compile(r"\\(?:\r\n|u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([0-7]{1,3})|(.))", re.DOTALL)
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "v": "\v", "b": "\b", "f": "\f", "\n": "", "\r": "", "\u2028": "", "\u2029": ""}
_LARGEST = 2**63 - 1
_OCTAL = re.compile(r"0[0-7]+")


def unescaped(text: str) -> str:
    """The value of what stands between quotes or between the substitutions of a template."""
    return _ESCAPE.sub(_escape, text) if "\\" in text else text


def _escape(match: re.Match[str]) -> str:
    long, four, two, octal, plain = match.groups()
    if plain is not None:
        return _PLAIN.get(plain, plain)
    digits = long or four or two
    if digits is None and octal is None:
        return ""  # a line that goes on
    number = int(digits, 16) if digits else int(octal, 8)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        return match.group()
    return chr(number)


def number(text: str) -> int | float | None:
    """The value of a numeric literal, BigInt included; beyond 64 bits a float, None for what is no number."""
    digits = text.replace("_", "").removesuffix("n") if text[:2] not in {"0x", "0X"} else text.replace("_", "").rstrip("n")
    try:
        if _OCTAL.fullmatch(digits):
            value = int(digits, 8)
        elif digits.isdigit():
            value = int(digits)
        elif digits[:2].lower() in {"0x", "0o", "0b"}:
            value = int(digits, 0)
        else:
            return float(digits)
        return value if value <= _LARGEST else float(value)
    except OverflowError:
        return math.inf
    except ValueError:
        return None
