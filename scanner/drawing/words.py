"""The words of the map: lanes, kinds, guards and vectors as a reader sees them, and how wide a word is."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

LANES = {
    "storefront": "Storefront", "payment": "Payment", "order": "Order core", "erp": "ERP and warehouse", "fulfilment": "Fulfilment and courier",
    "notification": "Notifications", "other": "Other",
}  # fmt: skip
"""Lane -> title, from top to bottom."""
KINDS = {
    "system": "system", "route": "route", "webhook": "webhook", "consumer": "queue consumer", "task": "background task", "schedule": "schedule",
    "command": "command", "event": "event handler", "hook": "hook", "api": "public function", "script": "script", "code": "code, start not known",
    "shared": "shared code", "queue": "queue", "topic": "topic", "state": "state",
}  # fmt: skip
PLURALS = {
    "system": "systems", "route": "routes", "webhook": "webhooks", "consumer": "queue consumers", "task": "background tasks", "schedule": "schedules",
    "command": "commands", "event": "event handlers", "hook": "hooks", "api": "public functions", "script": "scripts", "code": "files, start not known",
    "shared": "shared files", "queue": "queues", "topic": "topics",
}  # fmt: skip
EDGES = {"requests": "calls", "enqueues": "queues work for", "starts": "starts", "schedules": "starts", "receives": "receives from", "becomes": "becomes"}
GUARDS = {"timeout": "time limit", "retry": "retry", "idempotency": "duplicate protection", "log": "log"}
LETTERS = {"timeout": "T", "retry": "R", "idempotency": "I", "log": "L"}
STATES = {"present": "present", "absent": "missing", "unknown": "not known", "mixed": "on some calls only"}
MEANING = {
    "timeout": {
        "present": "if the other side does not answer, the wait ends", "absent": "if the other side does not answer, the order waits for ever",
        "unknown": "the code does not say how long an answer is waited for", "mixed": "some of the calls wait for ever when the other side does not answer",
    },
    "retry": {
        "present": "a failed attempt is repeated", "absent": "an attempt that fails is not repeated, so this step is left undone",
        "unknown": "the code does not say whether a failed attempt is repeated", "mixed": "some of the calls are not repeated when they fail",
    },
    "idempotency": {
        "present": "a second attempt does nothing twice", "absent": "a second attempt does it again: a second charge, parcel or order",
        "unknown": "the code does not say whether a second attempt does it again", "mixed": "some of the calls do it again on a second attempt",
    },
    "log": {
        "present": "a failure leaves a trace", "absent": "a failure leaves no trace, so nobody learns of it",
        "unknown": "the code does not say whether a failure leaves a trace", "mixed": "some failures leave no trace",
    },
}  # fmt: skip
"""Guard -> state -> what that means for an order."""
VECTORS = {
    "lost": ("Lost", "an order or a message disappears"),
    "duplicated": ("Done twice", "a charge, a parcel or an order is made twice"),
    "inconsistent": ("Contradicting", "two records say different things"),
    "stuck": ("Stuck", "an order stays where it is"),
    "delayed": ("Late", "an order is handled too late"),
    "invisible": ("Unseen", "something fails and nobody learns of it"),
}
GRADES = {"error": "grave", "warning": "serious", "note": "worth a look"}
TAGS = {"lost": "lost", "duplicated": "twice", "inconsistent": "differs", "stuck": "stuck", "delayed": "late", "invisible": "unseen"}
"""Vector -> the one word of it that stands in the picture."""
MARKS = {"error": "!! ", "warning": "! "}
"""Level -> the mark that says it without colour."""
STAGES = {
    "checkout": "checkout", "payment": "payment", "order": "order", "export": "export to the ERP", "fulfilment": "fulfilment", "invoice": "invoice",
    "return": "return", "notification": "notification", "catalogue": "catalogue", "beside": "beside the orders",
    "": "not known",
}  # fmt: skip
LEVELS = ("error", "warning", "note")
_NARROW = frozenset("iljft.,:;'|!/()[]{}I \\`-")
_WIDE = frozenset("mwMW@%&—…")


def tag(count: int, vectors: Sequence[str], level: str = "") -> str:
    """What findings do to an order, in a word or two, behind a mark of how grave they are: colour alone is lost in print and to many eyes."""
    words = ", ".join(TAGS.get(vector, vector) for vector in vectors[:2]) or "to do"
    return f"{MARKS.get(level, '')}{count if count < 1000 else '999+'} {words}{' ...' if len(vectors) > 2 else ''}"


def width(text: str, size: float = 13.0) -> float:
    """A generous estimate of a text's width in pixels in a sans-serif type of `size` pixels."""
    total = 0.0
    for char in text:
        if char in _NARROW:
            total += 0.42
        elif char in _WIDE or unicodedata.east_asian_width(char) in {"W", "F"}:
            total += 1.02
        elif char.isupper() or char.isdigit() or char in "_~<>=+#$?":
            total += 0.74
        else:
            total += 0.63
    return total * size


def cut(text: str, room: float, size: float = 13.0) -> str:
    """The text, or as much of its beginning and end as fits into `room` pixels."""
    if width(text, size) <= room:
        return text
    keep = len(text) - 1
    while keep > 2 and width(text[: (keep * 3 + 4) // 5] + "…" + text[len(text) - keep * 2 // 5 :], size) > room:
        keep -= 1
    return text[: (keep * 3 + 4) // 5] + "…" + text[len(text) - keep * 2 // 5 :]


def lines(text: str, room: float, size: float = 13.0) -> tuple[str, ...]:
    """A label on one line or two, broken where a name breaks (space, slash, dot, dash, colon); cut in the middle when two lines are too few."""
    if width(text, size) <= room:
        return (text,)
    best = 0
    for index in range(1, len(text)):
        if text[index - 1] in " /._-:>\\" and width(text[:index], size) <= room:
            best = index
    if not best:
        return (cut(text, room, size),)
    return (text[:best].rstrip(), cut(text[best:].lstrip(), room, size))
