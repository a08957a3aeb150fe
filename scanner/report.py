"""The Report: plain data that reporters print. It holds no graph object and no client text but short, masked excerpts."""

from __future__ import annotations

import msgspec

from flowaudit.scanner.facts import Location, Scalar, Skipped
from flowaudit.scanner.rule import Finding, Rule


class Factor(msgspec.Struct, frozen=True):
    """One number of a rank and why: `name` is stage | vector | reach | exposure | network | effort."""

    name: str
    value: float
    reason: str


class Rank(msgspec.Struct, frozen=True):
    """Score 0-100 = impact x likelihood / effort, scaled; each factor is kept and printed. `level` is SARIF's: error | warning | note."""

    score: float
    level: str
    impact: float
    likelihood: float
    effort: str
    factors: tuple[Factor, ...]


class Ranked(msgspec.Struct, frozen=True):
    """A finding with its rank and its fingerprint (32 hex digits, stable under unrelated edits); `excerpt` is the masked source line(s) at the fault."""

    finding: Finding
    rank: Rank
    fingerprint: str
    excerpt: str = ""
    suppression: str = ""
    """The reason, when the finding is suppressed."""
    suppressed_by: str = ""
    """comment | configuration | baseline."""


class SystemItem(msgspec.Struct, frozen=True):
    """A system of the order flow: where it is called, with the guards on its calls. `calls` are (location, callee, effect)."""

    id: str
    name: str
    kind: str
    stage: str
    hosts: tuple[str, ...]
    evidence: tuple[Location, ...]
    calls: int = 0
    writes: int = 0
    guards: tuple[tuple[str, str], ...] = ()
    """(timeout | retry | idempotency | log, "present" | "absent" | "unknown" | "mixed")."""


class EntryItem(msgspec.Struct, frozen=True):
    """An entry point: kind (route, webhook, task, consumer, schedule, command, event, api), name, what repeats it, systems reached."""

    kind: str
    name: str
    at: Location
    repeat: str
    background: bool
    systems: tuple[str, ...] = ()
    platform: str = ""


class ScheduleItem(msgspec.Struct, frozen=True):
    """A recurring task: fire times are ISO 8601 with offset."""

    name: str
    platform: str
    at: Location
    when: str
    words: str
    zone: str
    target: str
    next_fires: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    overlap: str = ""
    notice: str = ""
    limit: str = ""
    options: tuple[tuple[str, Scalar], ...] = ()
    minutes: tuple[int, ...] = ()
    """Minutes of the week (0 = Monday 00:00) at which it fires, for the timeline; at most 2,016, else empty with `every` set."""
    every: float = 0.0
    """Smallest gap between fires in seconds (0 = unknown)."""
    catch_up: str = ""
    """What becomes of runs missed while nothing ran."""
    starts: tuple[str, ...] = ()
    """The code that it starts, each as "unit (path:line)"."""
    takes: str = ""
    """What speaks for a long run: open loops, calls to systems."""


class Party(msgspec.Struct, frozen=True, order=True):
    """A place that takes part: code or a setting that publishes, consumes, subscribes, sets a limit."""

    name: str
    at: Location
    note: str = ""


class QueueItem(msgspec.Struct, frozen=True, kw_only=True):
    """A queue, topic or stream with who writes and reads it. Words are for a reader; "" = nothing is known. `carries`: order | catalogue | "" (by names)."""

    name: str
    technology: str
    at: Location
    publishers: tuple[Party, ...] = ()
    consumers: tuple[Party, ...] = ()
    delivery: str = ""
    ack: str = ""
    redelivery: str = ""
    dead_letters: str = ""
    dead_letter_readers: tuple[Party, ...] = ()
    limits: tuple[tuple[str, str], ...] = ()
    """(what, limit with its unit), the redelivery first."""
    prefetch: str = ""
    durability: str = ""
    expiry: str = ""
    carries: str = ""


class WebhookItem(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook. `direction` in: a partner calls this shop; out: this shop calls others.

    In: `system` sends; `handled`, `subscribed` are event names with their places, `unhandled` subscribed without a handler, `unsubscribed` handled and never asked
    for (where a subscription is in view); `verification`, `deduplication`, `failure` (the answer when the work fails) and `before_answer` (what is done before it)
    are words. Out: `retries`, `signing`, `dead_end` (what becomes of one that is never delivered)."""

    direction: str
    name: str
    at: Location
    system: str = ""
    handled: tuple[Party, ...] = ()
    subscribed: tuple[Party, ...] = ()
    unhandled: tuple[str, ...] = ()
    unsubscribed: tuple[str, ...] = ()
    verification: str = ""
    deduplication: str = ""
    failure: str = ""
    before_answer: tuple[str, ...] = ()
    deadline: str = ""
    delivery: str = ""
    retries: str = ""
    signing: str = ""
    timeout: str = ""
    dead_end: str = ""


class LadderItem(msgspec.Struct, frozen=True, kw_only=True):
    """The limits around one flow from the outside in, and the longest call inside; `fits` says whether each outer one is longer than what it waits for."""

    name: str
    at: Location
    rungs: tuple[Party, ...]
    longest: str = ""
    fits: bool = True


class MapNode(msgspec.Struct, frozen=True, order=True):
    """A node of the flow map: `lane` is storefront | payment | order | erp | fulfilment | notification | other."""

    id: str
    kind: str
    label: str
    lane: str
    stage: str = ""
    at: Location | None = None
    findings: tuple[str, ...] = ()
    """Fingerprints of findings in this flow that stand on no connection."""


class MapEdge(msgspec.Struct, frozen=True, order=True):
    """A connection of the flow map with its guards and the fingerprints of the findings on it."""

    tail: str
    head: str
    kind: str
    at: Location | None = None
    certainty: str = "sure"
    guards: tuple[tuple[str, str], ...] = ()
    findings: tuple[str, ...] = ()
    stage: str = ""


class StatusCell(msgspec.Struct, frozen=True):
    """One value of a status table. `mark`: "" (handled) | defaulted | missing | suspicious | unknown (the vendor does not have it) | retired. `meaning` is the
    vendor's, as the catalogue says it; `own` what is done with it."""

    value: str
    own: str
    mark: str = ""
    meaning: str = ""
    documented: str = ""


class StatusTable(msgspec.Struct, frozen=True):
    """A mapping of statuses or events. `kind`: table | lookup | switch | chain | data. `vocabularies` are ids of the catalogue that fit alike (() = unknown);
    `direction`: in (the vendor's values are the keys) | out. `default` is what becomes of other values."""

    name: str
    kind: str
    at: Location
    system: str
    object: str
    vocabularies: tuple[str, ...]
    direction: str
    event: bool
    subject: str
    cells: tuple[StatusCell, ...]
    default: str


class StatusStep(msgspec.Struct, frozen=True):
    """A place that sets a status. `sources` are the states that a check before it names, `excluded` those that it rules out; `checked`: the present state is
    looked at; `targets` () = not known."""

    at: Location
    unit: str
    targets: tuple[str, ...]
    sources: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    checked: bool = False


class StateMachine(msgspec.Struct, frozen=True):
    """The shop's own states of one record and field. `unread` are set and compared with nowhere, `unset` compared with and set nowhere (as far as was read)."""

    record: str
    field: str
    states: tuple[str, ...]
    steps: tuple[StatusStep, ...]
    unread: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()


class WorkItem(msgspec.Struct, frozen=True, kw_only=True):
    """Findings that one fix mends. `id` is stable under unrelated edits; `findings` are fingerprints, worst first; score, level, impact and likelihood are
    those of the worst; `hours` a range (low, high) of developer hours, `basis` how it was reckoned; `places` counts what the fix must touch."""

    id: str
    title: str
    rule: str
    effort: str
    level: str
    vector: str
    stage: str
    systems: tuple[str, ...]
    score: float
    impact: float
    likelihood: float
    findings: tuple[str, ...]
    files: tuple[str, ...]
    places: int
    hours: tuple[float, float]
    basis: str
    remedy: str


class Instrument(msgspec.Struct, frozen=True, order=True):
    """Something that observes the whole program. `gives`: errors | traces | metrics | logs | alerts; `how` is a word on it, `at` where it is set up."""

    gives: str
    name: str
    how: str = ""
    at: Location | None = None


class Sign(msgspec.Struct, frozen=True):
    """One way to observe something. `aspect`: success | failure | identity | metric | trace | alert | heartbeat | dead-letter | reconciliation;
    `state`: present | mixed | absent | unknown; `how` says by what, `at` where."""

    aspect: str
    state: str
    how: str = ""
    at: Location | None = None


class Watch(msgspec.Struct, frozen=True):
    """What can be observed of one subject today. `kind`: system | webhook | task | job | queue; `subject` is a system's id or a platform; `count` how many places
    it stands for; `at` the place where a log line or heartbeat would go, `unit` the function there."""

    kind: str
    subject: str
    name: str
    count: int
    signs: tuple[Sign, ...]
    at: Location | None = None
    unit: str = ""


class Closeup(msgspec.Struct, frozen=True):
    """The code around a finding of one of the first work items. `unit` is the function that holds it ("" = none), `first`..`last` its lines; `code` masked,
    numbered lines; `steps` one masked line for each step of the finding's path; `test` an existing test of the same file."""

    fingerprint: str
    unit: str
    first: int = 0
    last: int = 0
    code: str = ""
    steps: tuple[str, ...] = ()
    test: str = ""


class Coverage(msgspec.Struct, frozen=True):
    """What was read and what could not be seen."""

    files: int = 0
    bytes: int = 0
    languages: tuple[tuple[str, int], ...] = ()
    set_apart: tuple[tuple[str, int], ...] = ()
    """(reason, number of files) of files that are listed but not judged: vendored, generated, tests, ..."""
    unknown: tuple[tuple[str, int], ...] = ()
    """(what, how often) of what stayed unknown."""
    assumed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole result. `findings` are ranked, worst first; `suppressed` are kept apart. `failed` names plug-ins that raised (exit code 2)."""

    roots: tuple[str, ...]
    version: str
    revision: str = ""
    prefix: str = ""
    """What leads from the repository's top to the report's paths ("" or ending in "/"), for formats that are read from the top."""
    findings: tuple[Ranked, ...] = ()
    work: tuple[WorkItem, ...] = ()
    """The findings gathered into what one fix mends: quick wins first, each kind by priority."""
    closeups: tuple[Closeup, ...] = ()
    """The code around the findings of the first work items."""
    suppressed: tuple[Ranked, ...] = ()
    rules: tuple[Rule, ...] = ()
    systems: tuple[SystemItem, ...] = ()
    entries: tuple[EntryItem, ...] = ()
    schedules: tuple[ScheduleItem, ...] = ()
    queues: tuple[QueueItem, ...] = ()
    webhooks: tuple[WebhookItem, ...] = ()
    ladders: tuple[LadderItem, ...] = ()
    nodes: tuple[MapNode, ...] = ()
    edges: tuple[MapEdge, ...] = ()
    status_tables: tuple[StatusTable, ...] = ()
    machines: tuple[StateMachine, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    watches: tuple[Watch, ...] = ()
    """What can be observed of systems, webhooks, background jobs, recurring jobs and queues."""
    coverage: Coverage = Coverage()
    skipped: tuple[Skipped, ...] = ()
    failed: tuple[str, ...] = ()
    hidden: int = 0
    """Findings below the asked confidence, not shown."""
