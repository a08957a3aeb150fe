"""The comment that stands at an entry of a configuration file: on its line, or on the lines right above it."""

from __future__ import annotations

MAX_LINES = 3
LONGEST = 300


def remark(data: bytes, start: int, mark: str = "#") -> str:
    """The comment at the byte offset `start` of a file: what follows `mark` on its own line, else the comment lines right above (at most three).

    "" when there is none; a line of another entry ends the search."""
    begin = data.rfind(b"\n", 0, start) + 1
    end = data.find(b"\n", start)
    line = data[begin : end if end >= 0 else len(data)].decode("utf-8", "replace")
    _, found, own = line.partition(f" {mark}")
    if found:
        return own.strip()[:LONGEST]
    lines: list[str] = []
    while begin > 0 and len(lines) < MAX_LINES:
        before = data.rfind(b"\n", 0, begin - 1) + 1
        text = data[before : begin - 1].decode("utf-8", "replace").strip()
        if not text.startswith(mark):
            break
        lines.append(text.lstrip(mark).strip())
        begin = before
    return " ".join(reversed(lines))[:LONGEST]
