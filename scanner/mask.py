"""Secrets and control characters in what is shown of a client's code. A mask keeps what tells a reader which secret it is, never its value."""

from __future__ import annotations

import math
import re
from collections import Counter

MASK = "***"
MAX_EXCERPT = 400
"""Characters of an excerpt."""

_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_KNOWN = (
    re.compile(r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{12,}\b"),  # AWS key ids
    re.compile(r"\b(?:sk|rk|pk|whsec|pi|seti)_(?:live|test|prod|sandbox)?_?[A-Za-z0-9_]{12,}"),  # Stripe and those that write like it
    re.compile(r"\bwhsec_[A-Za-z0-9+/=]{8,}"),
    re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,})"),
    re.compile(r"\bxox[abeprs]-[\w-]{10,}"),
    re.compile(r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    re.compile(r"\bAIza[\w-]{30,}"),
    re.compile(r"\b(?:shpat|shpss|shpca|shppa)_[a-fA-F0-9]{16,}"),
    re.compile(r"\b(?:key|api)-[0-9a-f]{32}\b"),
    re.compile(r"\b(?:live|test)_[A-Za-z0-9]{24,}\b"),  # Mollie
    re.compile(r"\bsq0(?:atp|csp|idp)-[\w-]{20,}"),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{6,}(?:\.[\w-]*)?"),  # JWT
    re.compile(r"https://hooks\.slack\.com/services/\S+?(?=[\s'\"`]|$)"),
    re.compile(r"https://discord(?:app)?\.com/api/webhooks/\S+?(?=[\s'\"`]|$)"),
)
_URL = re.compile(r"(\b[a-z][a-z0-9+.-]{1,30}://[^\s/:@'\"]{0,100}):([^\s/@'\"]{1,200})@", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer|Basic|Token|AWS4-HMAC-SHA256)(\s+)(?![{$%<])([\w.~+/=-]{8,})", re.IGNORECASE)
_WORDS = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key|client[_-]?secret|auth(?:orization)?|credential|signature[_-]?key"
    r"|signing[_-]?(?:key|secret)|consumer[_-]?(?:key|secret)|webhook[_-]?(?:key|secret)|encryption[_-]?key|license[_-]?key|connection[_-]?string|dsn|pin|cvv|cvc"
)
_QUOTED = re.compile(
    rf"(?P<name>[\w.$>\[\]'\"-]{{0,60}}(?:{_WORDS})[\w\]'\"]{{0,30}})(?P<gap>\s*(?:=>|:=|[=:,(])\s*[brfu]{{0,2}})"
    r"(?P<quote>['\"`])(?P<value>(?:(?!(?P=quote)).){1,500})(?P=quote)",
    re.IGNORECASE,
)
_BARE = re.compile(rf"(?P<name>\b\w{{0,40}}(?:{_WORDS})\w{{0,20}})(?P<gap>\s*[=:]\s*)(?P<value>[^\s'\"`,;)(}}\[\]{{$<]{{6,500}}+)(?![(\[])", re.IGNORECASE)
_OPTION = re.compile(r"((?:^|\s)(?:-u|--user|--proxy-user|-p|--password|--http-password)[ =]?)(['\"]?)([^\s'\":$]{1,100}:)?([^\s'\"$]{3,200})\2")
_FLAG = re.compile(
    r"((?:^|[\s'\"])--?(?:[\w-]*(?:token|secret|passw(?:or)?d|api-?key|private-key|credential)s?)(?:[ =]|',\s*'|\",\s*\"))(['\"]?)([^\s'\"$<{]{4,200})",
    re.IGNORECASE,
)
"""An option of a command whose name says that its value is a secret."""
_SECRET_OPTION = re.compile(r"--?[\w-]*(?:token|secret|passw(?:or)?d|api-?key|private-key|credential)s?", re.IGNORECASE)
_LONG = re.compile(r"(['\"`])([A-Za-z0-9+/=_-]{24,200})\1")
_CARD = re.compile(r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w-])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_PLAIN = re.compile(r"^(?:[a-z]+(?:[_.-][a-z]+)*|[A-Z]+(?:_[A-Z]+)*|true|false|null|none|\W*|.*[{%$<].*|https?://[^@]*)$", re.IGNORECASE | re.DOTALL)


def secret_option(word: str) -> bool:
    """Whether an option of a command ("--token", "-u") is followed by a secret."""
    return word in {"-u", "--user", "--proxy-user"} or _SECRET_OPTION.fullmatch(word) is not None


def mask(text: str) -> str:
    """The text with secrets masked: known key formats, passwords in URLs and options, card numbers, and quoted values of key-like names."""
    text = _BLOCK.sub(f"-----BEGIN PRIVATE KEY----- {MASK}", text)
    for pattern in _KNOWN:
        text = pattern.sub(lambda m: f"{m[0][:4]}{MASK}", text)
    text = _URL.sub(rf"\1:{MASK}@", text)
    text = _BEARER.sub(rf"\1\2{MASK}", text)
    text = _QUOTED.sub(_quoted, text)
    text = _BARE.sub(lambda m: m[0] if _PLAIN.match(m["value"]) else f"{m['name']}{m['gap']}{MASK}", text)
    text = _OPTION.sub(lambda m: f"{m[1]}{m[2]}{m[3] or ''}{MASK}{m[2]}" if m[3] or "pass" in m[1] else m[0], text)
    text = _FLAG.sub(lambda m: m[0] if _PLAIN.match(m[3]) else f"{m[1]}{m[2]}{MASK}", text)
    text = _LONG.sub(lambda m: f"{m[1]}{MASK}{m[1]}" if _random(m[2]) else m[0], text)
    return _CARD.sub(lambda m: f"{MASK}{re.sub('[^0-9]', '', m[0])[-4:]}" if luhn(re.sub(r"[^0-9]", "", m[0])) else m[0], text)


def _quoted(match: re.Match[str]) -> str:
    if _PLAIN.match(match["value"]) and not _secret_word(match["name"], match["value"]):
        return match[0]
    return f"{match['name']}{match['gap']}{match['quote']}{MASK}{match['quote']}"


def _secret_word(name: str, value: str) -> bool:
    """A plain word may be a password ("hunter"), but hardly when it repeats its name or speaks of a setting."""
    if "_" in value or not re.search(r"pass(?:word|wd|phrase)?|pwd", name, re.IGNORECASE):
        return False
    return not re.search("pass|pwd|none|null|true|false|[{%$<]|^$", value, re.IGNORECASE)


def _random(value: str) -> bool:
    """Whether a string looks drawn at random: mixed classes of characters and high entropy."""
    classes = sum(bool(re.search(pattern, value)) for pattern in ("[a-z]", "[A-Z]", "[0-9]"))
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return (classes == 3 and entropy > 3.8) or (classes == 2 and entropy > 3.4 and re.fullmatch(r"[0-9a-fA-F]{32,}", value) is not None)


def luhn(digits: str) -> bool:
    """Whether digits are a payment card number by their check digit."""
    if not 13 <= len(digits) <= 19 or len(set(digits)) < 2:
        return False
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def visible(text: str) -> str:
    """Control, direction and zero-width characters as visible escapes, tabs and newlines kept."""
    return _CONTROL.sub(lambda m: f"\\x{ord(m[0]):02x}" if ord(m[0]) < 256 else f"\\u{ord(m[0]):04x}", text)


def excerpt(lines: list[str], first: int, last: int) -> str:
    """The masked lines `first`..`last` (1-based, at most three), common indentation removed, at most MAX_EXCERPT characters."""
    part = [line.rstrip("\r\n")[:2_000].expandtabs(4) for line in lines[first - 1 : min(last, first + 2)]]
    indent = min((len(line) - len(line.lstrip()) for line in part if line.strip()), default=0)
    text = visible(mask("\n".join(line[indent:] for line in part)))
    if last > first + 2:
        text += "\n..."
    return text if len(text) <= MAX_EXCERPT else text[: MAX_EXCERPT - 3] + "..."
