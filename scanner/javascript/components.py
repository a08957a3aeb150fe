"""The scripts of single-file components (Vue, Svelte, Astro-like tags): the file with everything else blanked, so that places stay the same."""
from __future__ import annotations

import re

_SCRIPT = re.compile(r"<script\b([^>]{0,500})>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)
_FOREIGN = re.compile(r"\btype\s*=\s*[\"'](?!module|text/(?:java|type)script|text/babel|application/javascript)", re.IGNORECASE)
_VISIBLE = re.compile(r"[^\s]")


def scripts(text: str) -> str:
    """The text with all but the contents of its `<script>` elements replaced by blanks, byte for byte."""
    out: list[str] = []
    at = 0
    for found in _SCRIPT.finditer(text):
        if _FOREIGN.search(found[1]):
            continue
        out.extend((_blank(text[at:found.start(2)]), found[2]))
        at = found.end(2)
    out.append(_blank(text[at:]))
    return "".join(out)


def _blank(text: str) -> str:
    if text.isascii():
        return _VISIBLE.sub(" ", text)
    return "".join(c if c in "\r\n" else " " * len(c.encode("utf-8", "surrogatepass")) for c in text)
