"""Valid PHP that the grammar does not know yet, respelt to the same length so that it parses. Used only for files with a syntax error.

The result is parsed and nothing else: every name and string is read from the file as it is, and all places stay the same.
"""
from __future__ import annotations

import re

# a comma behind the last name of `use A\{B, C,};`
_LAST_COMMA = (re.compile(rb"(\buse\s[^;{}()$]{0,300}\{[^;{}()$]{0,20000}),((?:\s|//[^\n]{0,300}\n)*\})", re.IGNORECASE), rb"\1 \2")
_REPLACED = (
    (re.compile(rb"\breadonly(\s+)(public|protected|private)\b", re.IGNORECASE), rb"\2\1readonly"),
    _LAST_COMMA,
    _LAST_COMMA,  # the last one may have stood in a comment
    (re.compile(rb"\b(const\s+|::\s*)n(?=amespace\b)", re.IGNORECASE), rb"\1_"),
    # a `$` that begins no variable stands for itself
    (re.compile(rb"\$(?=[^\w{$\x80-\xff])"), rb"_"),
    (re.compile(rb"<\?(?=xml\b)", re.IGNORECASE), rb"<!"),
)
_CAST = re.compile(rb"\(\s*(?:array|bool|int|float|string|object)\s*\)(?=\s*(?:require|include))", re.IGNORECASE)
_HALT = re.compile(rb"\b__halt_compiler\s*\(\s*\)", re.IGNORECASE)


def repaired(data: bytes) -> bytes:
    """The bytes to parse: as long as `data`, or cut where PHP stops reading (`__halt_compiler()`)."""
    stop = _HALT.search(data)
    if stop:
        data = data[:stop.start()]
    for pattern, new in _REPLACED:
        data = pattern.sub(new, data)
    return _CAST.sub(lambda found: b" " * len(found[0]), data)
