"""scan(roots) -> Report, in the order in which data flows: walk, extract, link, check, suppress, rank, report."""

from __future__ import annotations

import datetime
import functools
import gc
import hashlib
import importlib
import os
import pkgutil
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import msgspec

import flowaudit
import flowaudit.rules
from flowaudit.scanner import baseline, extract, own_rules, sources
from flowaudit.scanner import catalog as catalogue
from flowaudit.scanner.cache import Cache, folder
from flowaudit.scanner.catalog import Catalog, Entry
from flowaudit.scanner.config import Config, ConfigError
from flowaudit.scanner.extract import Corpus
from flowaudit.scanner.own_rules import OwnRule
from flowaudit.scanner.readers import whole_fingerprint
from flowaudit.scanner.report import Closeup, Coverage, Ranked, Report, WorkItem
from flowaudit.scanner.rule import CONFIDENCES, Finding, Rule

Progress = Callable[[str, int, int], None]
"""(step, done, of) of a scan under way."""


_CLIENT = "client"
"""The rule that reports the matches of the client's own rules."""
_alive: list[Any] = []
"""The last scan's graph and facts: kept until the next scan, because taking them apart costs more than a short-lived process ever gains."""


class RuleModule:
    """A rule with its check."""

    def __init__(self, module: ModuleType) -> None:
        rule: Rule = module.RULE
        self.rule = rule if rule.doc else Rule(**{**{name: getattr(rule, name) for name in rule.__struct_fields__}, "doc": (module.__doc__ or "").strip()})
        self.check: Callable[[Any], Iterable[Finding]] = module.check


def rules(own: Sequence[OwnRule] = ()) -> tuple[list[RuleModule], list[str]]:
    """All rule modules by id, and a word about each that cannot be imported; the client's own rules are variants of one of them."""
    found, failed = [], []
    for info in pkgutil.iter_modules(flowaudit.rules.__path__):
        if info.name.startswith("_") or info.ispkg:
            continue
        try:
            module = importlib.import_module(f"flowaudit.rules.{info.name}")
        except Exception as error:  # noqa: BLE001 - one rule that cannot be imported must not end the scan
            failed.append(f"rule {info.name.replace('_', '-')}: cannot be imported: {word(error)}")
            continue
        if hasattr(module, "RULE") and hasattr(module, "check"):
            found.append(RuleModule(module))
    for item in found:
        if item.rule.id == _CLIENT:
            item.rule = msgspec.structs.replace(item.rule, variants={rule.id: rule.message for rule in own if rule.known is None})
    return sorted(found, key=lambda item: item.rule.id), failed


def chosen(all_rules: Sequence[RuleModule], config: Config) -> list[RuleModule]:
    """The rules that the configuration asks for. Raises ConfigError for a family that does not exist."""
    known = {item.rule.id for item in all_rules}
    for key, names in (("only", config.only), ("skip", config.skip)):
        strange = [name for name in names if name not in known]
        if strange:
            raise ConfigError(f"`{key}`: there is no rule {strange[0]!r}; `flowaudit rules` lists them.")
    return [item for item in all_rules if (not config.only or item.rule.id in config.only) and item.rule.id not in config.skip]


def open_cache(roots: Sequence[str], use: bool = True) -> Cache:
    """The user's cache; none when it is switched off or would lie below a scanned root."""
    place = folder() if use else None
    if place is not None:
        full = os.path.realpath(place)
        if any(full == (base := os.path.realpath(root)) or full.startswith(base.rstrip("/") + "/") for root in roots):
            place = None
    return Cache(place)


def scan(
    roots: Sequence[str], config: Config | None = None, *, jobs: int = 0, cache: bool = True, known: Mapping[str, Any] | None = None,
    progress: Progress | None = None, today: datetime.date | None = None,
) -> Report:  # fmt: skip
    """Audit the roots. `known` are fingerprints of a baseline, whose findings are set aside; `jobs` 0 = one process a core.

    Raises SourceError, ConfigError or CatalogError before anything is read; what fails later stands in the report's `failed`.
    A tree of which nothing changed since the last scan with the same tool and options is answered from the cache."""
    config = config or Config()
    own = own_rules.load(config.rules) if config.rules else ()
    today = today or datetime.datetime.now(datetime.UTC).date()
    store = open_cache(roots, cache)
    collecting = gc.isenabled()
    gc.disable()  # facts and graphs have no cycles worth looking for, and they are many
    try:
        if progress:
            progress("walking", 0, 0)
        seen = extract.survey(roots, store, exclude=config.exclude, tests=config.include_tests)
        stamp = whole_fingerprint()
        name = _report_name(seen, stamp + own_rules.digest(own), roots, config, known or {}, today)
        kept = _kept(store.blob(name)) if seen.complete and store.usable else None
        if kept is not None:
            return kept
        report = _audit(seen, store, roots, config, jobs, known or {}, progress, today, own)
        if seen.complete and not report.failed:
            store.keep_blob(name, msgspec.msgpack.encode(report))
        return report
    finally:
        store.close()
        if collecting:
            gc.enable()


@dataclass(slots=True)
class Whole:
    """A whole tree, read, linked and judged: `graph` is None when linking failed; `notes` are the coverage's on the client's own rules."""

    corpus: Corpus
    graph: Any
    findings: list[Finding]
    asked: list[RuleModule]
    modules: list[RuleModule]
    failed: list[str]
    notes: list[str]


def whole(
    seen: extract.Survey, store: Cache, config: Config, jobs: int, progress: Progress | None, own: tuple[OwnRule, ...] = ()
) -> Whole:  # fmt: skip
    """Read, link and judge a surveyed tree."""
    modules, failed = rules(own)
    asked = [item for item in chosen(modules, config) if item.rule.variants or item.rule.id != _CLIENT]
    catalog = catalog_of(config, store, whole_fingerprint())
    corpus = _corpus(seen, store, config, jobs, progress)
    failed += corpus.failed
    notes, matches = _match(own, corpus, jobs, failed, progress)
    if progress:
        progress("linking", 0, 0)
    graph = _link(corpus, catalog, config, failed, matches)
    _alive[:] = [graph, corpus]
    findings = check(graph, asked, corpus.judged, failed, progress) if graph is not None else []
    return Whole(corpus, graph, findings, asked, modules, failed, notes)


def _audit(
    seen: extract.Survey, store: Cache, roots: Sequence[str], config: Config, jobs: int, known: Mapping[str, Any], progress: Progress | None,
    today: datetime.date, own: tuple[OwnRule, ...],
) -> Report:  # fmt: skip
    made = whole(seen, store, config, jobs, progress, own)
    parts = _parts(made.graph, made.findings, made.failed) if made.graph is not None else {}
    return _report(roots, config, made.corpus, made.findings, made.asked, made.modules, parts, made.failed, known, today, made.notes)


def read(roots: Sequence[str], config: Config, *, jobs: int = 0, cache: bool = True, progress: Progress | None = None) -> Corpus:
    """The facts of all files below the roots; the corpus' `failed` names what raised."""
    store = open_cache(roots, cache)
    try:
        seen = extract.survey(roots, store, exclude=config.exclude, tests=config.include_tests)
        return _corpus(seen, store, config, jobs, progress)
    finally:
        store.close()


def graph(
    roots: Sequence[str], config: Config, *, jobs: int = 0, cache: bool = True, progress: Progress | None = None
) -> tuple[Any, list[str]]:  # fmt: skip
    """The flow graph of the roots, for questions on it (None when linking failed), and what failed. Raises ConfigError for rules that cannot be used."""
    own = own_rules.load(config.rules) if config.rules else ()
    store = open_cache(roots, cache)
    try:
        seen = extract.survey(roots, store, exclude=config.exclude, tests=config.include_tests)
        corpus = _corpus(seen, store, config, jobs, progress)
        failed = list(corpus.failed)
        _, matches = _match(own, corpus, jobs, failed, progress)
        return _link(corpus, catalog_of(config, store, whole_fingerprint()), config, failed, matches), failed
    finally:
        store.close()


# ---- the steps -------------------------------------------------------------------------------------------------------------------
def _corpus(seen: extract.Survey, store: Cache, config: Config, jobs: int, progress: Progress | None) -> Corpus:
    meter = (lambda done, of: progress("reading", done, of)) if progress else None
    return extract.collect(seen, store, jobs=jobs, progress=meter)


def _report_name(seen: extract.Survey, stamp: str, roots: Sequence[str], config: Config, known: Mapping[str, Any], today: datetime.date) -> str:
    """The name under which a report is kept: a hash of all that it depends on."""
    parts = (seen.digest(), stamp, today.isoformat(), [os.path.realpath(root) for root in roots], _git(roots), sorted(known))
    data = repr(parts).encode("utf-8", "replace") + msgspec.msgpack.encode(config)
    return f"report:{hashlib.blake2b(data, digest_size=16).hexdigest()}"


def _kept(data: bytes | None) -> Report | None:
    if data is None:
        return None
    try:
        return msgspec.msgpack.decode(data, type=Report)
    except msgspec.MsgspecError:
        return None


def catalog_of(config: Config, store: Cache, stamp: str, languages: frozenset[str] | None = None) -> Catalog:
    """The catalogue with the configuration's own systems, for some languages alone if they are named."""
    entries = {entry.id: entry for entry in _entries(store, stamp)}
    for item in config.systems:
        name = re.sub(r"[^a-z0-9]+", "-", item.name.lower()).strip("-") or "system"
        entries[name] = Entry(
            id=name, kind="system", name=item.name, system_kind=item.kind, stage=item.stage, hosts=item.hosts, hosts_verified=item.hosts,
            settings=item.settings, source="configuration",
        )  # fmt: skip
    return Catalog(entries.values(), languages)


def _entries(store: Cache, stamp: str) -> Iterable[Entry]:
    """The catalogue's entries; reading 700 TOML files takes half a second, so they are kept."""
    name = f"catalog:{stamp}"
    data = store.blob(name)
    if data is not None:
        try:
            return msgspec.msgpack.decode(data, type=tuple[Entry, ...])
        except msgspec.MsgspecError:
            pass
    found = tuple(catalogue.load().entries.values())
    store.keep_blob(name, msgspec.msgpack.encode(found))
    return found


def _match(
    own: tuple[OwnRule, ...], corpus: Corpus, jobs: int, failed: list[str], progress: Progress | None
) -> tuple[list[str], list[own_rules.Match]]:
    """What the coverage says of the client's own rules, and where they match; Semgrep is started once, and only when there are some."""
    if not own:
        return [], []
    if progress:
        progress("matching your own rules", 0, 0)
    from flowaudit.scanner import semgrep

    texts = {path: functools.partial(sources.read_text, full) for path, full in corpus.places.items() if path in corpus.judged}
    answer = semgrep.run(own, texts, jobs or os.cpu_count() or 1)
    corpus.skipped = sorted({*corpus.skipped, *answer.skipped})
    failed += answer.failed
    return answer.notes, answer.matches


def _link(corpus: Corpus, catalog: Catalog, config: Config, failed: list[str], matches: Sequence[own_rules.Match] = ()) -> Any:
    from flowaudit.scanner.link import link

    try:
        return link(corpus.files, catalog, corpus.judged, config.settings(), corpus.packages, matches)
    except Exception as error:  # noqa: BLE001 - coverage and what was read are still worth reporting
        failed.append(f"linking: {word(error)}")
        return None


def check(graph: Any, asked: Sequence[RuleModule], judged: frozenset[str], failed: list[str], progress: Progress | None = None) -> list[Finding]:
    """What the rules find in the judged files, in order."""
    found: list[Finding] = []
    for number, item in enumerate(asked):
        if progress:
            progress(f"checking {item.rule.id}", number, len(asked))
        try:
            found.extend(finding for finding in item.check(graph) if finding.at.path in judged)
        except Exception as error:  # noqa: BLE001 - the other rules' findings are still worth reporting
            failed.append(f"rule {item.rule.id}: {word(error)}")
    return sorted({(f.at, f.id, f.key): f for f in found}.values(), key=lambda f: (f.at, f.id, f.key))


def _parts(graph: Any, findings: Sequence[Finding], failed: list[str]) -> dict[str, Any]:
    from flowaudit.scanner.assemble import report_parts

    try:
        return report_parts(graph, findings)
    except Exception as error:  # noqa: BLE001 - findings without inventories are still worth reporting
        failed.append(f"inventories: {word(error)}")
        return {}


def _report(
    roots: Sequence[str], config: Config, corpus: Corpus, findings: list[Finding], asked: Sequence[RuleModule], modules: Sequence[RuleModule],
    parts: dict[str, Any], failed: list[str], known: Mapping[str, Any], today: datetime.date, notes: Sequence[str],
) -> Report:  # fmt: skip
    from flowaudit.scanner import mask  # a hook that finds nothing needs none of these
    from flowaudit.scanner.plan import plan
    from flowaudit.scanner.rank import rank
    from flowaudit.scanner.suppress import Suppressor
    from flowaudit.scanner.veil import veil

    by_id = {item.rule.id: item.rule for item in asked}
    lines: dict[str, str] = {}

    def text(path: str) -> str:
        if path not in lines:
            lines[path] = sources.read_text(corpus.places[path]) if path in corpus.places else ""
        return lines[path]

    names = [name for item in modules for name in (item.rule.id, *(f"{item.rule.id}/{variant}" for variant in item.rule.variants))]
    suppressor = Suppressor(corpus.files, config.suppress, names, text, today)
    least = CONFIDENCES.index(config.min_confidence)
    shown: list[Ranked] = []
    suppressed: list[Ranked] = []
    hidden = 0
    prints = baseline.fingerprints(findings)
    for finding, fingerprint in zip(_patched(findings, least, text, failed), prints, strict=True):
        reason, by = suppressor.reason(finding, fingerprint)
        if CONFIDENCES.index(finding.confidence) < least:
            hidden += 1
            continue
        if not reason and fingerprint in known:
            when = known[fingerprint]
            reason, by = f"known: it stands in {f'commit {when[:12]}' if isinstance(when, str) else 'the baseline'}", "baseline"
        snippet = mask.excerpt(text(finding.at.path).split("\n"), finding.at.line, finding.at.end_line)
        ranked = Ranked(finding, rank(finding, by_id[finding.rule]), fingerprint, snippet, reason, by)
        (suppressed if reason else shown).append(ranked)
    prefix, revision = _git(roots)
    visible = {item.fingerprint for item in shown}
    for name in ("nodes", "edges"):  # the map names the findings that are shown, no others
        parts[name] = tuple(msgspec.structs.replace(x, findings=tuple(f for f in x.findings if f in visible)) for x in parts.get(name, ()))
    unknown = parts.pop("unknown", ())
    ranked_findings = veil(tuple(sorted(shown, key=_worst_first)))
    parts = {name: veil(value) for name, value in parts.items()}
    work = plan(ranked_findings, parts.get("systems", ()))
    return Report(
        roots=tuple(os.path.basename(os.path.realpath(root)) for root in roots),
        version=flowaudit.__version__,
        revision=revision,
        prefix=prefix,
        findings=ranked_findings,
        work=work,
        closeups=_closeups(ranked_findings, work, corpus, text, failed),
        suppressed=veil(tuple(sorted(suppressed, key=_worst_first))),
        rules=tuple(item.rule for item in asked),
        coverage=_coverage(corpus, config, unknown, [*notes, *suppressor.notes(frozenset(by_id))]),
        skipped=tuple(corpus.skipped),
        failed=tuple(dict.fromkeys(failed)),
        hidden=hidden,
        **parts,
    )


def _patched(findings: list[Finding], least: int, text: Callable[[str], str], failed: list[str]) -> list[Finding]:
    """The findings with proposed patches; LibCST is imported only where there is something to patch."""
    if not any(f.at.path.endswith(".py") and CONFIDENCES.index(f.confidence) >= least for f in findings):
        return findings
    from flowaudit.scanner.patches import propose

    try:
        return propose(findings, text)
    except Exception as error:  # noqa: BLE001 - a finding without a patch is still worth reporting
        failed.append(f"patches: {word(error)}")
        return findings


def _closeups(findings: Sequence[Ranked], work: Sequence[WorkItem], corpus: Corpus, text: Callable[[str], str], failed: list[str]) -> tuple[Closeup, ...]:
    from flowaudit.scanner.closeup import closeups

    try:
        return closeups(findings, work, corpus.files, text, corpus.tests)
    except Exception as error:  # noqa: BLE001 - the findings are worth reporting without the code around them
        failed.append(f"close-ups: {word(error)}")
        return ()


def _worst_first(ranked: Ranked) -> tuple[float, int, Any, str, str]:
    return -ranked.rank.score, -CONFIDENCES.index(ranked.finding.confidence), ranked.finding.at, ranked.finding.id, ranked.fingerprint


def _coverage(corpus: Corpus, config: Config, unknown: Iterable[tuple[str, int]], notes: list[str]) -> Coverage:
    languages = Counter(file.language for file in corpus.files.values())
    assumed = [f"hosts that run crontabs and timers are in {config.zone}"] if config.zone else []
    for key, value in config.settings()["assume"].items():
        if value not in (False, (), [], {}, "", None) and key != "host-timezone":
            assumed.append(f"{key}: {', '.join(map(str, value)) if isinstance(value, list | tuple | dict) else value}")
    return Coverage(
        files=len(corpus.files),
        bytes=corpus.bytes,
        languages=tuple(sorted(languages.items(), key=lambda pair: (-pair[1], pair[0]))),
        set_apart=tuple(sorted(corpus.apart.items())),
        unknown=tuple(unknown),
        assumed=tuple(assumed),
        notes=tuple(notes),
    )


def _git(roots: Sequence[str]) -> tuple[str, str]:
    """What leads from the repository's top to the report's paths, and the commit that is checked out."""
    first = os.path.realpath(roots[0])
    top = sources.top_of(first if os.path.isdir(first) else os.path.dirname(first))
    return (_prefix(roots, str(top)), _revision(str(top))) if top else ("", "")


def _prefix(roots: Sequence[str], top: str) -> str:
    """What leads from the repository's top to the report's paths ("" or ending in "/"); with several roots, their common parent's."""
    found = [os.path.realpath(root) for root in roots]
    base = found[0] if len(found) == 1 and os.path.isdir(found[0]) else os.path.commonpath([os.path.dirname(path) for path in found])
    if base != top and not base.startswith(top.rstrip("/") + "/"):
        return ""
    below = os.path.relpath(base, top).replace(os.sep, "/")
    return "" if below == "." else below + "/"


def _revision(top: str) -> str:
    """The commit that is checked out, from git's files alone; "" when they do not say."""
    try:
        git = os.path.join(top, ".git")
        if os.path.isfile(git):
            with open(git, encoding="utf-8") as file:
                git = os.path.normpath(os.path.join(top, file.read(4_096).removeprefix("gitdir:").strip()))
        with open(os.path.join(git, "HEAD"), encoding="utf-8") as file:
            head = file.read(4_096).strip()
        if not head.startswith("ref: "):
            return head if re.fullmatch(r"[0-9a-f]{40,64}", head) else ""
        name = head.removeprefix("ref: ")
        common = git
        if os.path.isfile(os.path.join(git, "commondir")):
            with open(os.path.join(git, "commondir"), encoding="utf-8") as file:
                common = os.path.normpath(os.path.join(git, file.read(4_096).strip()))
        if os.path.isfile(os.path.join(common, name)):
            with open(os.path.join(common, name), encoding="utf-8") as file:
                found = file.read(100).strip()
            return found if re.fullmatch(r"[0-9a-f]{40,64}", found) else ""
        with open(os.path.join(common, "packed-refs"), encoding="utf-8") as file:
            return next((line.split()[0] for line in file if line.rstrip("\n").endswith(" " + name)), "")
    except (OSError, UnicodeDecodeError):
        return ""


def word(error: BaseException) -> str:
    """An error in a few words."""
    if os.environ.get("FLOWAUDIT_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
