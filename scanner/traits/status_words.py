"""What a status word means: the shop's own words and the catalogue's meanings, in a dozen classes; and how near two words are."""

from __future__ import annotations

import re
from functools import lru_cache

_SPLIT = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")

CLASSES: tuple[tuple[str, tuple[str, ...]], ...] = tuple(
    (name, tuple(spoken.split()))
    for name, spoken in (
        ("refunded", "refunded partially_refunded refund creditmemo"),
        ("disputed", "disputed chargeback charged_back chargedback dispute mediation"),
        ("returned", "returned return_to_sender rto restocked"),
        ("failed", "failed failure fail refused refuse rejected reject declined decline denied deny error errored invalid undelivered uncollectible undeliverable"),
        ("cancelled", "cancelled canceled cancel voided void expired expire abandoned aborted terminated"),
        ("authorized", "authorized authorised preauth authorize authorise uncaptured capturable"),
        ("delivered", "delivered"),
        ("shipped", "shipped in_transit transit dispatched fulfilled out_for_delivery sent"),
        (
            "pending",
            (
                "pending waiting wait open new created awaiting on_hold onhold hold holded processing in_progress inprogress progress review unpaid queued "
                "submitted draft initial initiated started received in_process inprocess requires_action incomplete unconfirmed redirect scheduled unfulfilled input"
            ),
        ),
        (
            "paid",
            (
                "paid captured capture settled success succeeded succeed successful completed complete confirmed confirm approved accepted accept approve "
                "active ok done charged finished"
            ),
        ),
        ("unknown", "unknown undefined other none null unrecognized unsupported unhandled ignored ignore"),
    )
)
"""Class -> words; the first class with a word that stands in the text decides."""
_MEANINGS = {
    "requires_action": "pending",
    "label_created": "pending",
    "partially_refunded": "refunded",
    "available_for_pickup": "shipped",
    "failed_attempt": "shipped",
    "processing": "pending",
    "picked up": "shipped",
    "exception": "shipped",
}
PLAIN = frozenset(word.replace("_", "") for _, spoken in CLASSES for word in spoken)
"""Status words without separators."""
TERMINAL = frozenset({"failed", "cancelled", "refunded", "returned", "delivered"})
SUCCESS = frozenset({"paid", "delivered", "shipped"})
ENDED = frozenset({"failed", "cancelled"})


def words(text: str) -> list[str]:
    """The lower-case words of a name or text: "PaymentIntent_SUCCEEDED" -> payment, intent, succeeded."""
    return [w.lower() for w in _SPLIT.findall(text)]


@lru_cache(maxsize=8192)
def meaning(text: str) -> str:
    """The class of a status word, name or short text; "" when no word speaks, or it says "not ..."."""
    found = words(text)
    if not found or len(found) > 8:
        return ""
    flat = "_" + "_".join(found) + "_"
    if "_not_" in flat or "_no_" in flat:
        return ""
    best = ""
    for name, spoken in CLASSES:
        if any(f"_{word}_" in flat for word in spoken):
            best = name
            break
    return best


def of_vendor(text: str) -> str:
    """The class of a catalogue meaning ("pending refund", "approved by buyer, NOT paid"): its first clause decides."""
    first = re.split(r"[:;,(/]", text, maxsplit=1)[0].strip()
    low = text.lower()
    if "not paid" in low or "unpaid" in low or "not captured" in low:
        return "authorized" if "author" in low or "captured" in low else "pending"
    low = first.lower()
    if "refund" in low:
        return "pending" if "pending" in low else "failed" if "fail" in low or "refus" in low else "cancelled" if "cancel" in low else "refunded"
    if "retry" in text.lower():
        return "pending"
    if "dispute" in low or "inquiry" in low:
        return "disputed"
    return _MEANINGS.get(first) or meaning(first)


@lru_cache(maxsize=16384)
def norm(text: str) -> str:
    """Letters and digits alone, lower case: for comparing without regard to case and separators."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


@lru_cache(maxsize=65536)
def near(one: str, other: str) -> bool:
    """Whether two words differ by a slip: one edit (insert, delete, change, swap) from five letters on, two from nine on."""
    limit = 2 if min(len(one), len(other)) >= 9 else 1 if min(len(one), len(other)) >= 5 else 0
    if limit == 0 or abs(len(one) - len(other)) > limit or one == other or len(set(one) ^ set(other)) > 2 * limit:
        return False
    return distance(one, other, limit) <= limit


def distance(one: str, other: str, limit: int) -> int:
    """Optimal string alignment distance, cut off above `limit`. Words above 80 letters are not compared."""
    if max(len(one), len(other)) > 80:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return row[-1]
