"""The catalogue: what is known of systems, HTTP clients, retry libraries, frameworks, queues, schedulers and statuses, as data.

One TOML file an entry in `rules/catalog/` (sub-folders are for the reader alone). `load()` reads and validates all of them; `Catalog.symbol` answers
what a qualified name means, `Catalog.host` whose host it is. Every claim carries its source and how sure it is (`checked`).

Qualified names, the same in every language: members are joined with "."; PHP class names keep their backslashes (`GuzzleHttp\\Client.request`),
JS modules their package name (`axios.post`, `@medusajs/medusa.X`), shell commands stand alone (`curl`). A method is named by the class that
its receiver is an instance of (`requests.Session.post`). `*.name` is a method `name` of a receiver whose class is not known; `?.name` the same,
but only when the receiver's own name is one of `receivers`. `a.b.*` is any member below `a.b` that no other symbol names (dynamic clients:
`zeep.Client.service.*`), `a.b.*.name` a member `name` anywhere below `a.b`. `def name` is a function that the platform calls by its name.
Braces expand: `requests.{get,post}`. In shell, places are the command's own options (`--max-time`, `-m`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

import msgspec

Checked = Literal["read-in-source", "read-in-docs", "unsure"]
Limit = float | Literal["none", "unknown"]
"""Seconds; "none" = waits for ever; "unknown" = not known, so no claim rests on it."""

ROLES = frozenset(
    {
        "call",  # leaves the process for a system; effect says read or write
        "client",  # builds a client whose methods are calls; the result is an instance of `instance`
        "adapter",  # builds a part that gives a client its timeout or retries
        "configure",  # changes a client (first argument or receiver): option values in `timeout`/`attempts` places
        "deadline",  # bounds what runs inside it (region, wrapper or argument)
        "retry",  # decorator, wrapper, iterator or option object that repeats
        "lock",  # takes a lock: region, decorator, or call whose answer says whether it was taken
        "row-lock",  # locks the rows that it reads
        "unlock",
        "transaction",  # opens a transaction: region, decorator, callback or begin call
        "commit",
        "rollback",
        "on-commit",  # runs its argument after the commit
        "enqueue",  # hands work to a queue, task, event bus
        "publish",  # the same for events
        "entry",  # decorator or registration that makes a unit an entry point
        "log",  # writes to a log; `level`
        "track",  # error tracker, metric, span
        "sleep",
        "random",
        "time",
        "status-check",  # raises or answers on a failed response
        "record",  # creates, changes or reads a record of the shop's own; effect
        "dedupe",  # makes a second run harmless (unique insert, cache add)
        "verify",  # checks a signature or origin
        "ack",
        "nack",
        "spawn",  # starts something that nobody waits for
        "wait",  # waits for what was spawned (gather, Promise.all)
        "pure",  # a known library call with no effect on the flow
    }
)

LOWERED = ("python", "php", "javascript", "shell")
"""The languages whose bodies are read; TypeScript counts as JavaScript."""


class Symbol(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one qualified name of a library means.

    name, aliases: qualified names (braces expand). role: one of ROLES. effect: what a call does to the system or record.
    url, method, timeout, attempts, key, handler, topic: where an argument is found, each a list of keyword names and 0-based positions
    (`"timeout"`, `2`, `"options.timeout"` = key of a table argument named options, `"1.timeout"` = key of the table at position 1).
    attribute: of a client: the attribute of the built object that limits its calls in seconds, from the object on ("client.timeout").
    body: where a request body is found; it makes a call without a verb a write. connect: limits of connecting alone, which do not end a silent
    system's call. unit: of `timeout`, `connect` and `pause` values (a place that ends in `_MS` is milliseconds whatever it says).
    counts: what an `attempts` value counts (3 retries are 4 attempts). A key of a table may also be written as a constant: "2.TIMEOUT" also means
    `RequestOptions::TIMEOUT => 5`. For `configure` symbols that set one option a call (curl_setopt), the places are the option's names.
    value: what the name itself says (a log level, an HTTP verb, an entry kind, "unlimited", "zero"; "process": a `configure` symbol sets it for the
    whole process, and the place "=" is what is assigned to the name). instance: class of the result; "@row" and its like: see scanner/rows.py.
    handler: where a handler, wrapped function or adapter is found; for an entry that is a base class, the methods that the framework calls.
    limit: default limit of this very call in seconds when it differs from the entry's; of an entry point: after how many seconds at most its platform
    ends a run. receivers: for `?.name`.
    topic: also where a record call says which kind of row it works on. record/stage: what it is about (of a `log`: with which it is kept).
    system: id of the system that it calls. repeat: what repeats an entry point (delivery, schedule, retry, user).
    background: an entry that no person waits for. failure: what an escaping exception does there: redelivered | dropped | shown | exit (of an
    `enqueue`: in the function that it hands over); how a record's write
    refuses: raises | returns (it answers false); of a `pure` helper: raises.
    stable: for key sources. region: it is used as a `with` region/decorator/callback.
    raises: options of the call that make it fail on a failed status (`--fail`, `raise_for_status`). silences: options that make a failure vanish
    (`fail_silently`). For `wait`, value "holds" says that it answers failures instead of raising them,
    "first" that it waits for the first of several; value "final"
    of an exception or a job's method: the queue does not repeat the job after it; for `pure`, value "parsed" that it
    answers the body of the answer that it is given, "prompt" that it asks a person at the terminal.
    files: for an entry named `def NAME`: globs of the paths in which a framework finds a function of that name (a "default" export counts as one).
    kinds: for an entry that is registered under a name: what a name that fits a glob is instead of `value`, as "glob=kind" ("page": a route that only a
    signed-in person's browser asks for). after_commit: jobs of this class are sent when the transaction is committed.
    at_once: what the call makes does nothing before the buyer agrees to it on a page, unless one of these arguments is given.
    unless: arguments that change the meaning, as "name=value", "position=value" or "position.key=value" (it does not apply then); only_if: the opposite.
    """

    name: str
    role: str
    aliases: tuple[str, ...] = ()
    effect: Literal["", "read", "write", "idempotent-write", "create", "update", "delete"] = ""
    url: tuple[str | int, ...] = ()
    method: tuple[str | int, ...] = ()
    body: tuple[str | int, ...] = ()
    timeout: tuple[str | int, ...] = ()
    connect: tuple[str | int, ...] = ()
    unit: Literal["s", "ms"] = "s"
    attempts: tuple[str | int, ...] = ()
    counts: Literal["attempts", "retries"] = "attempts"
    pause: tuple[str | int, ...] = ()
    retries_on: tuple[str | int, ...] = ()
    key: tuple[str | int, ...] = ()
    handler: tuple[str | int, ...] = ()
    topic: tuple[str | int, ...] = ()
    value: str = ""
    instance: str = ""
    limit: Limit | None = None
    receivers: tuple[str, ...] = ()
    record: str = ""
    stage: str = ""
    system: str = ""
    repeat: str = ""
    background: bool = False
    failure: str = ""
    raises: tuple[str | int, ...] = ()
    silences: tuple[str | int, ...] = ()
    files: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    after_commit: bool = False
    at_once: tuple[str | int, ...] = ()
    unless: tuple[str, ...] = ()
    only_if: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    attribute: str = ""
    note: str = ""


class Timeouts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A client's default limits in seconds. `default` is the limit that ends a silent system's call (read or total, whichever exists)."""

    default: Limit
    connect: Limit = "unknown"
    read: Limit = "unknown"
    total: Limit = "unknown"
    unlimited: tuple[str, ...] = ()
    """Values that mean "no limit", as written: "None", "0", "false", "-1"."""
    setting: str = ""
    """Process-wide setting that changes the default (qualified name or key)."""
    note: str = ""
    source: str = ""
    checked: Checked = "unsure"


class Retries(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Retry defaults: attempts in all (1 = no retry; "unlimited"), pause in seconds between them ("unknown"), what is retried, since which version."""

    attempts: int | Literal["unlimited", "unknown"]
    pause: Limit = "unknown"
    retries_on: str = ""
    methods: tuple[str, ...] = ()
    note: str = ""
    source: str = ""
    checked: Checked = "unsure"


class Version(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Defaults that hold below a version of the package (exclusive), where they differ from the entry's."""

    below: str
    timeout: Timeouts | None = None
    retry: Retries | None = None
    raises_on_status: bool | None = None


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a system calls the shop: signature header or field, redelivery, deadline in seconds, delivery guarantee, event id field."""

    signature: str = ""
    verifiers: tuple[str, ...] = ()
    retry: str = ""
    deadline: float | None = None
    delivery: Literal["at-least-once", "at-most-once", "unknown"] = "unknown"
    event_id: str = ""
    events: tuple[str, ...] = ()
    note: str = ""
    source: str = ""
    checked: Checked = "unsure"


class Idempotency(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whether and how a system takes an idempotency key or client reference: argument, header and field names."""

    supported: bool
    names: tuple[str, ...] = ()
    automatic: bool = False
    """The SDK adds a key of its own for its own retries."""
    note: str = ""
    source: str = ""
    checked: Checked = "unsure"


class Package(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An SDK of a system in one language: registry package, import roots, defaults."""

    language: str
    package: str
    imports: tuple[str, ...] = ()
    timeout: Timeouts | None = None
    retry: Retries | None = None
    versions: tuple[Version, ...] = ()
    note: str = ""


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A status value: meaning (pending, authorized, paid, failed, cancelled, refunded, shipped, delivered, returned, ...), terminal or not (absent = depends).
    `optional`: sent only to those who ask for a feature (split payments, authentication without payment), so that code may do without it."""

    value: str
    meaning: str = ""
    terminal: bool | None = None
    optional: bool = False
    note: str = ""


class Vocabulary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A documented list of statuses or event names of one object of a system. `complete`: the source names all of them."""

    id: str
    object: str
    field: str
    values: tuple[Value, ...]
    retired: tuple[str, ...] = ()
    complete: bool = False
    kind: Literal["status", "event"] = "status"
    transitions: str = ""
    note: str = ""
    source: str = ""
    checked: Checked = "unsure"
    meaning_checked: Checked = "unsure"


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One file of the catalogue."""

    id: str
    kind: Literal["system", "http-client", "retry-library", "framework", "queue", "scheduler", "language"]
    name: str
    language: str = ""
    packages: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    symbols: tuple[Symbol, ...] = ()
    timeout: Timeouts | None = None
    retry: Retries | None = None
    raises_on_status: bool | None = None
    timeout_exceptions: tuple[str, ...] = ()
    versions: tuple[Version, ...] = ()
    # systems
    system_kind: str = ""
    stage: str = ""
    hosts: tuple[str, ...] = ()
    hosts_verified: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    """Names of environment variables and settings; one that ends in "_" is a prefix."""
    words: tuple[str, ...] = ()
    """Words in class, module or folder names that speak of this system ("stripe", "sendcloud")."""
    sdks: tuple[Package, ...] = ()
    idempotency: Idempotency | None = None
    webhook: Webhook | None = None
    vocabularies: tuple[Vocabulary, ...] = ()
    # queues and schedulers
    detect: tuple[str, ...] = ()
    overlap: Literal["", "never", "possible", "queued"] = ""
    """Can a run start while the last one is still going? "queued": runs wait their turn."""
    per_delivery: tuple[str, ...] = ()
    """Names of what a queue numbers anew at each delivery of one message (delivery tag, receipt handle)."""
    autocommit: bool = False
    """A write outside of an opened transaction is committed at once."""
    catch_up: str = ""
    """Runs missed while nothing ran: none (lost) | one (made up once) | all."""
    zone: str = ""
    """Whose time it goes by: host | UTC | setting (its own or a setting's) | process | interval (no wall clock)."""
    notifies: bool | None = None
    """Somebody hears of a failed run by default."""
    delivery: str = ""
    """How often a message arrives: at-most-once | at-least-once | depends, with words after it."""
    config: tuple[dict[str, str], ...] = ()
    """Settings that matter, each with `key`, `default`, `why` and `checked`."""
    note: str = ""
    source: str = ""
    checked: Checked = "unsure"


class CatalogError(Exception):
    """A catalogue file is wrong; the message is one sentence that names file and key."""


class Known(msgspec.Struct, frozen=True):
    """A symbol together with the entry that says it."""

    symbol: Symbol
    entry: Entry


def expand(name: str) -> list[str]:
    """Expand braces: "a.{b,c}" -> ["a.b", "a.c"]."""
    match = re.search(r"\{([^{}]*)\}", name)
    if not match:
        return [name]
    return [full for word in match[1].split(",") for full in expand(name[: match.start()] + word.strip() + name[match.end() :])]


class Catalog:
    """The loaded catalogue with its indexes."""

    def __init__(self, entries: Iterable[Entry], spoken: frozenset[str] | None = None) -> None:
        """`spoken` are the languages whose names are indexed, when not all of them are asked for."""
        self.entries: dict[str, Entry] = {}
        self._spoken = spoken
        self._symbols: dict[str, dict[str, Known]] = {}
        self._dynamic: dict[str, set[str]] = {}
        self._more: dict[str, dict[str, list[Known]]] = {}
        self._received: dict[str, dict[str, list[Known]]] = {}
        self._hosts: dict[str, tuple[str, bool]] = {}
        self._modules: dict[str, dict[str, str]] = {}
        self._answers: dict[str, dict[str, Known | None]] = {}
        self._meanings: dict[str, dict[str, tuple[Known, ...]]] = {}
        """What was asked already: programs ask the same names again and again."""
        self._methods: dict[str, set[str]] = {}
        for entry in sorted(entries, key=lambda e: e.id):
            if entry.id in self.entries:
                raise CatalogError(f"catalogue: id {entry.id!r} is used twice; give one of the two files another id")
            self.entries[entry.id] = entry
            self._index(entry)

    def _index(self, entry: Entry) -> None:
        languages = {entry.language} if entry.language else set(LOWERED)
        languages |= {"typescript"} if "javascript" in languages else set()
        if self._spoken is not None:
            languages &= self._spoken
        for symbol in entry.symbols if languages else ():
            if symbol.role not in ROLES:
                raise CatalogError(
                    f"catalogue entry {entry.id}: role {symbol.role!r} of symbol {symbol.name!r} is not one of {', '.join(sorted(ROLES))}"
                )
            known = Known(symbol, entry)
            for written in (symbol.name, *symbol.aliases):
                for name in expand(written):
                    for language in languages:
                        first = self._symbols.setdefault(language, {}).setdefault(name, known)
                        if first is not known:
                            self._more.setdefault(language, {}).setdefault(name, [first]).append(known)
                        if ".*" in name:
                            self._dynamic.setdefault(language, set()).add(name[: name.index(".*")])
                        elif name.startswith("?."):
                            self._received.setdefault(language, {}).setdefault(name[2:], []).append(known)
                            self._methods.setdefault(language, set()).add(name[2:])
                        elif name.startswith("*."):
                            self._methods.setdefault(language, set()).add(name.rpartition(".")[2])
        for host in entry.hosts_verified:
            self._hosts[host.lower()] = (entry.id, True)
        for host in entry.hosts:
            self._hosts.setdefault(host.lower(), (entry.id, False))
        for language in languages:
            for module in entry.imports:
                self._modules.setdefault(language, {}).setdefault(module, entry.id)
        for sdk in entry.sdks:
            for language in {sdk.language} | ({"typescript"} if sdk.language == "javascript" else set()):
                for module in (*sdk.imports, sdk.package):
                    self._modules.setdefault(language, {}).setdefault(module, entry.id)

    def symbol(self, language: str, name: str) -> Known | None:
        """What a qualified name means in a language, or None. A name that nothing names itself may be a member of an `a.b.*`."""
        answers = self._answers.setdefault(language, {})
        if name not in answers:
            answers[name] = self._symbol(language, name)
        return answers[name]

    def _symbol(self, language: str, name: str) -> Known | None:
        table = self._symbols.get(language, {})
        found = table.get(name)
        if found is not None or "." not in name:
            return found
        roots = self._dynamic.get(language, ())
        at = name.rfind(".")
        last = name[at:]
        while at > 0 and "()" not in name[at:]:
            if name[:at] in roots:
                return table.get(f"{name[:at]}.*{last}") or table.get(name[:at] + ".*")
            at = name.rfind(".", 0, at)
        return None

    def meanings(self, language: str, name: str) -> tuple[Known, ...]:
        """All that a name may mean, in the order of the files: one name may have several symbols that `only_if` and `unless` tell apart."""
        answers = self._meanings.setdefault(language, {})
        if name not in answers:
            one = self.symbol(language, name)
            answers[name] = tuple(self._more.get(language, {}).get(name, ())) or ((one,) if one else ())
        return answers[name]

    def methods(self, language: str) -> set[str]:
        """The method names of which something is known whatever their receiver's class (`?.name`, `*.name`, `*.receiver.name`)."""
        return self._methods.get(language, set())

    def received(self, language: str, name: str, receiver: str) -> Known | None:
        """What a method `name` of a receiver called `receiver` means (`?.name`), without regard to case and leading `_` and `$`."""
        receiver = receiver.lower().lstrip("_$")
        for known in self._received.get(language, {}).get(name, ()):
            if receiver in {r.lower().lstrip("_$") for r in known.symbol.receivers}:
                return known
        return None

    def names(self, language: str) -> Iterator[str]:
        """All qualified names known in a language (for prefilters)."""
        return iter(self._symbols.get(language, {}))

    @lru_cache(maxsize=64)  # noqa: B019 - one catalogue lives as long as the process
    def words(self, *roles: str) -> frozenset[str]:
        """The last names of all symbols with one of the roles, in any language: how such a thing is called where its receiver is not known."""
        found = [name for table in self._symbols.values() for name, known in table.items() if known.symbol.role in roles]
        return frozenset(name.rpartition(".")[2] for name in found if not name.endswith("*"))

    @lru_cache(maxsize=64)  # noqa: B019 - one catalogue lives as long as the process
    def options(self, role: str, *fields: str) -> frozenset[str]:
        """The names of the options that symbols of a role have in some of their places: what frameworks call a job's attempts or pause."""
        symbols = [s for e in self.entries.values() for s in e.symbols if s.role == role]
        heads = {str(place).partition(".")[0] for s in symbols for field in fields for place in getattr(s, field)}
        return frozenset(h for h in heads if not h.isdigit())

    @lru_cache(maxsize=65536)  # noqa: B019 - one catalogue lives as long as the process
    def module(self, language: str, name: str) -> Entry | None:
        """The entry whose import root is `name` or a parent of it ("stripe.error" -> stripe)."""
        table = self._modules.get(language, {})
        at = name
        while at:
            if at in table:
                return self.entries[table[at]]
            cut = max(at.rfind("."), at.rfind("\\"), at.rfind("/"))
            at = at[:cut] if cut > 0 else ""
        return None

    def host(self, host: str) -> tuple[Entry, bool] | None:
        """The system of a host (an entry "*.example.com" or "example.com" covers sub-domains) and whether the claim was verified."""
        at = host.lower().rstrip(".")
        if at in self._hosts:
            found = self._hosts[at]
            return self.entries[found[0]], found[1]
        while "." in at:
            at = at.split(".", 1)[1]
            for key in ("*." + at, at):
                if key in self._hosts and at.count(".") >= 1:
                    found = self._hosts[key]
                    return self.entries[found[0]], found[1]
        return None

    def of_kind(self, kind: str) -> list[Entry]:
        """All entries of a kind, by id."""
        return [e for e in self.entries.values() if e.kind == kind]


@lru_cache(maxsize=1)
def load() -> Catalog:
    """The built-in catalogue. Raises CatalogError on the first bad file."""
    from importlib.resources import files  # slow to import, and mostly the kept catalogue is read

    from flowaudit.scanner.cache import folder
    from flowaudit.scanner.catalog_files import entries, walk

    return Catalog(entries(list(walk(files("flowaudit.rules").joinpath("catalog"))), folder()))
