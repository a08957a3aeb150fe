"""Which documented vocabulary a set of status values belongs to: by the values, the system that the code speaks of, and the names of the subject.

What is ambiguous stays so: `recognise` answers all vocabularies that fit equally well, and callers may judge only what holds for each of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from flowaudit.scanner.catalog import Catalog, Entry, Vocabulary
from flowaudit.scanner.facts import Assign, Attr, Call, Const, Expr, FileFacts, Index, Name, Text
from flowaudit.scanner.flow.mapping import plain
from flowaudit.scanner.flow.uses import walk
from flowaudit.scanner.graph import FlowGraph
from flowaudit.scanner.program import UnitRef, dotted
from flowaudit.scanner.traits.status_words import PLAIN, near, norm, words
from flowaudit.scanner.traits.values import constants

PLATFORMS = frozenset({"woocommerce", "magento", "shopware", "prestashop", "opencart", "sylius", "saleor", "odoo", "spree", "vendure", "medusa", "erpnext"})
"""Shop platforms: code runs inside them, so their statuses are the shop's own side."""
OWN = frozenset({"order", "orders", "cart", "basket", "booking", "reservation", "donation", "user", "customer", "attempt", "post", "product", "self"})
"""Words of the shop's own records: their status is the vendor's only where the vendor has such an object."""
_FIELDS = frozenset(
    ["status", "state", "get", "data", "object", "response", "result", "value", "code", "the", "id", "type", "event", "payload", "body", "json", "str"]
)
_CHANGES = re.compile(r"(?:set|update|change|mark)_?(?:stat(?:us|e)|as_?)|^save$|^payment_complete$", re.IGNORECASE)
_STATUS = re.compile(r"stat(?:us|e)$", re.IGNORECASE)
COMMANDS = frozenset(
    ["authorize", "authorise", "vaultauthorize", "capture", "void", "refund", "cancel", "sale", "settle", "fetch", "initialize", "accept", "acceptpayment",
     "deny", "denypayment", "approve", "reject", "decline", "confirm", "complete", "fail", "pay", "order"]
)  # fmt: skip
"""What is done to a payment or order, where it names an action and no state."""
_SYMBOL = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


@dataclass(slots=True, frozen=True)
class Key:
    """One value of a table. `text` as a reader sees it; `forms` its normal forms, likeliest first; `exact`: the very text is known (else a constant's name)."""

    text: str
    forms: tuple[str, ...]
    exact: bool


@dataclass(slots=True, frozen=True)
class Speech:
    """What is known of a vocabulary's system at a place: 3 named by class, file or import; 2 by a folder; 1 elsewhere in the repository."""

    entry: Entry
    strength: int


@dataclass(slots=True, frozen=True)
class Recognised:
    """A vocabulary that fits: `hits` are the keys found in it; `fits`: the subject's names speak of its object; `sure`: the subject is the vendor's own object."""

    vocabulary: Vocabulary
    entry: Entry
    hits: int
    fits: bool
    sure: bool
    strength: int


# ---- keys ------------------------------------------------------------------------------------------------------------------
def key_of(graph: FlowGraph, unit: UnitRef, expr: Expr) -> Key | None:
    """The value that a constant expression stands for; None when it is none."""
    expr = plain(expr)
    if isinstance(expr, Attr) and expr.name in {"value", "name"} and isinstance(expr.base, Attr):
        expr = expr.base
    if isinstance(expr, Const):
        return _exact(expr)
    if isinstance(expr, Name | Attr | Index):
        found = constants(graph, expr, unit)
        if found and len(found) == 1:
            return _exact(found[0])
        name = expr.name if isinstance(expr, Attr) else expr.id if isinstance(expr, Name) else ""
        if name and _SYMBOL.match(name) and not found:
            return Key(dotted(expr) or name, _suffixes(name), False)
    return None


def _exact(const: Const) -> Key | None:
    value = const.value
    if value is None or isinstance(value, bool | float) or len(str(value)) > 80:
        return None
    text = str(value)
    return Key(text, (norm(text) or text,), True)


@lru_cache(maxsize=4096)
def _suffixes(name: str) -> tuple[str, ...]:
    """STATUS_REQUIRES_ACTION -> statusrequiresaction, requiresaction, action."""
    parts = words(name)
    return tuple("".join(parts[i:]) for i in range(min(len(parts), 4)))


# ---- systems ---------------------------------------------------------------------------------------------------------------
def systems_at(graph: FlowGraph, unit: UnitRef) -> dict[str, Speech]:
    """The systems that a unit's file, class and imports speak of, with the strength of the evidence; memoised by file and class."""
    key = ("vocabulary", unit.path, unit.owner.key if unit.owner else "")
    if key not in graph.cache:
        graph.cache[key] = _systems_at(graph, unit)
    found: dict[str, Speech] = graph.cache[key]
    return found


def _systems_at(graph: FlowGraph, unit: UnitRef) -> dict[str, Speech]:
    close, far_off = _systems_of(graph, unit.file)
    if unit.owner:
        close = close | _speakers(graph.catalog, unit.owner.cls.name)
    if not close and not far_off:
        return {}
    return {e.id: Speech(e, 3 if e.id in close else 2) for e in _spoken(graph.catalog) if e.id in close or e.id in far_off}


def _systems_of(graph: FlowGraph, file: FileFacts) -> tuple[frozenset[str], frozenset[str]]:
    """The systems that a file speaks of by its name, imports and hosts, and those that its folders and the modules it imports speak of; memoised."""
    key = ("vocabulary-file", file.path)
    if key not in graph.cache:
        *folders, name = file.path.split("/")
        modules = {i.module for i in file.imports}
        close = {_system(graph, e) for m in modules if (e := graph.catalog.module(file.language, m.lstrip("\\"))) is not None}
        close |= {_system(graph, h[0]) for _, host in file.hosts if (h := graph.catalog.host(host)) is not None}
        close |= _speakers(graph.catalog, name.rpartition(".")[0])
        far_off = {e for n in {*folders, *file.module.replace("\\", "/").split("/"), *modules} for e in _speakers(graph.catalog, n)}
        graph.cache[key] = frozenset(close), frozenset(far_off)
    found: tuple[frozenset[str], frozenset[str]] = graph.cache[key]
    return found


def _system(graph: FlowGraph, entry: Entry) -> str:
    return next((s.system for s in entry.symbols if s.system), "") or entry.id


@lru_cache(maxsize=4)
def _spoken(catalog: Catalog) -> tuple[Entry, ...]:
    return tuple(e for e in catalog.entries.values() if e.vocabularies)


@lru_cache(maxsize=4)
def _entry_words(catalog: Catalog) -> tuple[dict[str, set[str]], dict[str, set[str]], tuple[int, ...]]:
    """The words of all systems that have vocabularies -> the systems: as a word of its own; in normal form, where it may stand inside another word;
    and the lengths of the latter."""
    whole: dict[str, set[str]] = {}
    inside: dict[str, set[str]] = {}
    for entry in _spoken(catalog):
        for word in (*entry.words, *(() if "_" in entry.id else (entry.id,))):
            whole.setdefault(word.lower(), set()).add(entry.id)
            if len(word) >= 5 and norm(word):
                inside.setdefault(norm(word), set()).add(entry.id)
    return whole, inside, tuple(sorted({len(word) for word in inside}))


@lru_cache(maxsize=65536)
def _speakers(catalog: Catalog, name: str) -> frozenset[str]:
    """The systems that a name speaks of."""
    whole, inside, lengths = _entry_words(catalog)
    flat = norm(name)
    found = {flat[at : at + length] for length in lengths for at in range(len(flat) - length + 1)} & inside.keys()
    return frozenset().union(*(inside[part] for part in found), *(whole[word] for word in {*words(name)} & whole.keys()))


# ---- the subject -----------------------------------------------------------------------------------------------------------
def subject_words(graph: FlowGraph, unit: UnitRef, expr: Expr | None, depth: int = 0) -> tuple[set[str], set[str]]:
    """The names that lead to a subject, through local assignments: (words, systems whose library made it)."""
    out: set[str] = set()
    vendors: set[str] = set()
    if expr is None or depth > 3:
        return out, vendors
    for part in walk(expr):
        match part:
            case Name(id=name):
                out.update(words(name))
                for event in unit.flow.assigns.get(name, ())[-3:]:
                    if isinstance(event.node, Assign) and event.node.op in {"=", "part", "for"}:
                        more, made = subject_words(graph, unit, event.node.value, depth + 1)
                        out |= more
                        vendors |= made
            case Attr(name=name):
                out.update(words(name))
            case Index(key=Const(value=str() as text)):
                out.update(words(text))
            case Call(args=args):
                for arg in args[:2]:
                    if isinstance(arg.value, Const) and isinstance(arg.value.value, str) and len(arg.value.value) < 40:
                        out.update(words(arg.value.value))
            case Text():
                pass
    bases = [expr.base] if isinstance(expr, Attr | Index) else [expr.callee] if isinstance(expr, Call) else [expr]
    for value in (v for b in bases for v in graph.resolver.values(b, unit)):
        if value.kind in {"inst", "ext"}:
            entry = graph.catalog.module(unit.language, value.name.removesuffix("()"))
            if entry is not None and entry.kind == "system":
                vendors.add(_system(graph, entry))
    return out, vendors


def _direct(expr: Expr | None) -> set[str]:
    """The names written in the subject itself, the last one (the field) left out."""
    if expr is None:
        return set()
    out: set[str] = set()
    for part in walk(expr):
        if isinstance(part, Name):
            out.update(words(part.id))
        elif isinstance(part, Attr):
            out.update(words(part.name))
        elif isinstance(part, Index) and isinstance(part.key, Const):
            out.update(words(str(part.key.value)))
    return out


def _changed(unit: UnitRef, subject: Expr | None) -> bool:
    """Whether the unit changes the status of the very record that the subject belongs to: then it is the shop's own."""
    base = subject.callee if isinstance(subject, Call) else subject
    base = base.base if isinstance(base, Attr | Index) else None
    name = dotted(base) if isinstance(base, Name | Attr) else ""
    if not name:
        return False
    for event in unit.flow.events:
        node = event.node
        if event.kind == "call" and isinstance(node, Call) and isinstance(node.callee, Attr):
            if _CHANGES.match(node.callee.name) and dotted(node.callee.base) == name:
                return True
        elif event.kind == "assign" and isinstance(node, Assign) and isinstance(node.target, Attr) and dotted(node.target.base) == name:
            if _STATUS.search(node.target.name):
                return True
    return False


def _object_words(vocabulary: Vocabulary) -> set[str]:
    return {w for w in words(vocabulary.object) + words(vocabulary.field) if w not in _FIELDS and len(w) > 2}


# ---- recognition -----------------------------------------------------------------------------------------------------------
@lru_cache(maxsize=1024)
def values_of(vocabulary_id: str, catalog: Catalog) -> tuple[dict[str, str], frozenset[str]]:
    """Normal form -> documented value, and the retired ones' forms."""
    for entry in _spoken(catalog):
        for vocabulary in entry.vocabularies:
            if vocabulary.id == vocabulary_id:
                return {norm(v.value) or v.value: v.value for v in vocabulary.values}, frozenset(norm(r) for r in vocabulary.retired)
    return {}, frozenset()


@lru_cache(maxsize=16384)
def _slip_of(form: str, vocabulary_id: str, catalog: Catalog) -> bool:
    """Whether a form differs from one of a vocabulary by a slip."""
    size, letters = len(form), frozenset(form)
    return size >= 5 and any(abs(length - size) <= 2 and len(other ^ letters) <= 4 and near(form, f) for f, length, other in _letters_of(vocabulary_id, catalog))


@lru_cache(maxsize=1024)
def _letters_of(vocabulary_id: str, catalog: Catalog) -> tuple[tuple[str, int, frozenset[str]], ...]:
    """The normal forms of a vocabulary with their length and letters: what differs much in either is no slip."""
    return tuple((form, len(form), frozenset(form)) for form in values_of(vocabulary_id, catalog)[0])


@lru_cache(maxsize=4)
def _rarity(catalog: Catalog) -> dict[str, float]:
    """Normal form -> how telling it is: log(systems / systems that use it)."""
    used: dict[str, set[str]] = {}
    for entry in _spoken(catalog):
        for vocabulary in entry.vocabularies:
            for form in values_of(vocabulary.id, catalog)[0]:
                used.setdefault(form, set()).add(entry.id)
    total = len(_spoken(catalog))
    return {form: math.log(total / len(systems)) for form, systems in used.items()}


@lru_cache(maxsize=4)
def _by_form(catalog: Catalog) -> dict[str, frozenset[str]]:
    """Normal form -> the vocabularies that have it, retired values included."""
    out: dict[str, set[str]] = {}
    for entry in _spoken(catalog):
        for vocabulary in entry.vocabularies:
            for forms in values_of(vocabulary.id, catalog):
                for form in forms:
                    out.setdefault(form, set()).add(vocabulary.id)
    return {form: frozenset(ids) for form, ids in out.items()}


@lru_cache(maxsize=4)
def _plain_forms(catalog: Catalog) -> frozenset[bytes]:
    """The normal forms as `may_speak` meets them."""
    return frozenset(form.encode() for form in _by_form(catalog))


_STRING = re.compile(rb'"([A-Za-z0-9 _.:/-]{2,60})"')
_TAIL = re.compile(rb"(?:(?<=[A-Z0-9]_)(?=([A-Z0-9_]+)$)|^(?:is|was)(?:_|(?=[A-Z]))(?=(\w+)$))")
"""What a constant's or a predicate's name ends in: STATUS_ON_HOLD -> ON_HOLD, HOLD; isPaid -> Paid."""
_CHOICE_BY_NAME = re.compile(rb'\["t",\d+,\d+,\[\["c",\d+,\d+,"\w{2,31}"\],')
"""A text that begins with a word and goes on with an expression, as encoded."""
_SEPARATORS = b" _.:/-"
_LOWER = bytes.maketrans(bytes(range(65, 91)), bytes(range(97, 123)))


def may_speak(graph: FlowGraph, unit: UnitRef, least: int) -> bool:
    """Whether at least `least` different strings or names in a unit are forms of documented values: a cheap look before the Body is walked."""
    key = ("may-speak", unit.key)
    if key not in graph.cache:
        encoded = msgspec.json.encode(unit.unit.body)
        graph.cache["may-dispatch", unit.key] = _CHOICE_BY_NAME.search(encoded) is not None
        found = set(_STRING.findall(encoded))
        found |= {part for name in found for parts in _TAIL.findall(name) for part in parts if part}
        graph.cache[key] = len({m.translate(_LOWER, _SEPARATORS) for m in found} & _plain_forms(graph.catalog))
    count: int = graph.cache[key]
    return count >= least


def telling(catalog: Catalog, text: str) -> bool:
    """Whether a text is a value of some vocabulary, a status word, or has the shape of an event name."""
    form = norm(text)
    return form in PLAIN or form in _rarity(catalog) or "." in text or "/" in text


def covered(key: Key, forms: Iterable[str]) -> str:
    """Which of the forms a key names, "" for none."""
    return next((f for f in key.forms if f in forms), "")


def recognise(graph: FlowGraph, unit: UnitRef, keys: list[Key], subject: Expr | None, kind: str = "status", named: str = "") -> list[Recognised]:
    """The vocabularies that the keys belong to, best ones only (several when they fit alike); [] when none is likely enough."""
    if not keys:
        return []
    by_form = _by_form(graph.catalog)
    possible = {v for k in keys for form in k.forms for v in by_form.get(form, ())}
    if not possible:
        return []
    spoken, vendors = subject_words(graph, unit, subject)
    direct = _direct(subject)
    shops = kind == "status" and _changed(unit, subject)
    spoken |= set(words(named))
    systems = systems_at(graph, unit)
    elsewhere = {s.entry.system_kind for s in systems.values() if s.strength >= 2 and s.entry.id not in PLATFORMS}
    weight = _rarity(graph.catalog)
    out: list[tuple[float, Recognised]] = []
    for entry in _spoken(graph.catalog):
        if not any(v.id in possible for v in entry.vocabularies):
            continue
        speech = systems.get(entry.id)
        strength = speech.strength if speech else 0
        sure = entry.id in vendors or any(w.lower() in spoken for w in entry.words)
        if not strength and not sure and entry.system_kind in elsewhere:
            continue  # the code speaks of another system of this kind
        for vocabulary in entry.vocabularies:
            if vocabulary.kind != kind or vocabulary.id not in possible:
                continue
            forms, retired = values_of(vocabulary.id, graph.catalog)
            hits = sum(1 for k in keys if covered(k, forms) or covered(k, retired))
            slips = sum(1 for k in keys if k.exact and not covered(k, forms) and _slip_of(k.forms[0], vocabulary.id, graph.catalog)) if hits else 0
            if not hits or (hits + slips) < 0.6 * len(keys):
                continue
            about = _object_words(vocabulary)
            fits = bool(about & spoken)
            own = shops or (bool(direct & OWN) and not sure and (not (direct & OWN & about) or direct <= OWN | _FIELDS))
            telling = sum(weight.get(covered(k, forms), 0.0) for k in keys if not k.text.isdigit())
            if entry.id in PLATFORMS and hits >= 2 and telling > 0:
                pass  # the shop's own side competes wherever its words stand
            elif not _likely(strength, hits, len(keys), fits, sure, own, telling, kind):
                continue
            score = hits * 2 + slips + strength + 2.0 * fits + 3.0 * sure - 0.02 * len(forms)
            out.append((score, Recognised(vocabulary, entry, hits, fits, sure, strength)))
    if not out:
        return []
    platform = max((r.hits for _, r in out if r.entry.id in PLATFORMS), default=0)
    out = [(score, r) for score, r in out if r.entry.id in PLATFORMS or r.hits >= platform or r.sure]
    if not out:
        return []
    best = max(score for score, _ in out)
    top = max((r for score, r in out if score == best), key=lambda r: r.hits)
    if top.entry.id in PLATFORMS and not top.strength and not top.sure:
        return []  # the shop's own words, of no platform that stands here
    alike = [r for score, r in sorted(out, key=lambda p: (-p[0], p[1].vocabulary.id)) if r.hits == top.hits and score >= best - 2.5]
    for names in (direct, spoken):
        exact = [r for r in alike if (about := _object_words(r.vocabulary)) and about <= names]
        if exact:
            return exact
    return alike


def _likely(strength: int, hits: int, total: int, fits: bool, sure: bool, own: bool, telling: float, kind: str) -> bool:
    """Whether values and names together are evidence enough."""
    if own and kind == "status":
        return False
    if strength >= 2 or sure:
        return hits >= 2 or fits or sure or (kind == "event" and hits >= 1)
    # values alone: all of them, and some that few systems have
    return hits >= 3 and hits >= total - 1 and telling >= (7.0 if fits else 8.5)


def statuslike(graph: FlowGraph, keys: list[Key]) -> bool:
    """Whether most keys read like statuses, whatever the vendor; a list of commands (authorize, capture, void) does not."""
    known = _rarity(graph.catalog)
    if sum(1 for k in keys if k.forms[0] not in COMMANDS) < 2:
        return False
    return len(keys) >= 2 and sum(1 for k in keys if not k.text.isdigit() and (covered(k, known) or k.forms[0] in PLAIN)) >= 0.6 * len(keys)
