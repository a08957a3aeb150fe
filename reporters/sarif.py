"""SARIF 2.1.0, as GitHub code scanning and other viewers read it: https://docs.oasis-open.org/sarif/sarif/v2.1.0/ and
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning.

Each family and each variant is a rule. Paths are relative to the repository's top. `primaryLocationLineHash` is left to the uploader; beside it
stands a key of our own, `flowaudit/v1`. Suppressed findings stay in the log as such. What GitHub's limits cut is said in a notification.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from flowaudit.scanner.facts import Location
from flowaudit.scanner.mask import visible
from flowaudit.scanner.report import Ranked, Report
from flowaudit.scanner.rule import Finding, Rule, Step

NAME = "sarif"
EXTENSION = "sarif"
FILE = "report.sarif"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
HOME = "https://github.com/flowaudit/flowaudit"

MAX_RESULTS = 25_000
MAX_RELATED = 20
MAX_STEPS = 1_000
MAX_NOTIFICATIONS = 1_000
MAX_SHORT = 1_000
"""Characters of a description (the limit is 1,024)."""
_SEVERITY = {"error": "error", "warning": "warning", "note": "recommendation"}
_VECTOR_TAGS = {
    "lost": "data-loss", "duplicated": "duplicate", "inconsistent": "inconsistency", "stuck": "stuck-order", "delayed": "delay", "invisible": "observability",
}  # fmt: skip
_LEVEL = {"lost": "error", "duplicated": "error", "inconsistent": "warning", "stuck": "warning", "delayed": "note", "invisible": "note"}
_HEADINGS = ("Why it matters", "Fires", "Stays silent", "Example", "Fix")


def render(report: Report) -> str:
    """The log as text. Two runs over the same tree give the same bytes (no times, no machine's paths)."""
    return json.dumps(log(report), indent=1, ensure_ascii=False).encode("utf-8", "replace").decode() + "\n"


def log(report: Report) -> dict[str, Any]:
    """The log as plain data."""
    rules, index = _rules(report)
    every = [*report.findings, *report.suppressed]
    kept = every[:MAX_RESULTS]
    notes = _notifications(report, len(every) - len(kept))
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "flowaudit",
                "semanticVersion": report.version,
                "version": report.version,
                "informationUri": HOME,
                "rules": rules,
                "notifications": [_kind(*row) for row in _KINDS],
            }
        },
        "automationDetails": {"id": f"order-flow/{_segment(report.roots[0] if report.roots else '')}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": not report.failed, "toolExecutionNotifications": notes}],
        "results": [_result(ranked, index, report) for ranked in kept],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


_KINDS = (
    ("skipped", "NotRead", "A file, or a part of one, was not read.", "Look at the reason: too large, not text, broken syntax, no right to read it."),
    ("failed", "ToolFailed", "A part of the tool failed.", "The rest of the report is complete; please report the fault."),
    ("coverage", "AuditCoverage", "What the audit could not see, and notes on suppressions.", "State in [assume] of the configuration what stands elsewhere."),
)


def _kind(name: str, title: str, short: str, help_: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": title,
        "shortDescription": {"text": short},
        "fullDescription": {"text": f"{short} {help_}"},
        "help": {"text": help_},
    }


def _segment(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-") or "repository"


# ---- rules -------------------------------------------------------------------------------------------------------------------------
def _rules(report: Report) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """A descriptor for each family and variant, and the place of each."""
    every = [(rule, variant, text) for rule in report.rules for variant, text in (("", rule.short), *rule.variants.items())]
    names = [f"{rule.id}/{variant}" if variant else rule.id for rule, variant, _ in every]
    descriptors = [_descriptor(rule, variant, text, name, report) for (rule, variant, text), name in zip(every, names, strict=True)]
    return descriptors, {name: number for number, name in enumerate(names)}


def _descriptor(rule: Rule, variant: str, text: str, name: str, report: Report) -> dict[str, Any]:
    pascal = rule.name + "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", variant))
    level = _LEVEL.get(rule.vector, "warning")
    found = [r.finding.confidence for r in (*report.findings, *report.suppressed) if r.finding.rule == rule.id and r.finding.variant == variant]
    precision = "high" if not found or "high" in found else "medium" if "medium" in found else "low"
    sections = doc_sections(rule.doc)
    why = sections.get("Why it matters", "")
    full = " ".join(f"{text} {why}".split())[:MAX_SHORT] or rule.short
    return {
        "id": name,
        "name": pascal[:255],
        "shortDescription": {"text": text[:MAX_SHORT]},
        "fullDescription": {"text": full},
        "help": {"text": help_text(rule, text, sections), "markdown": help_markdown(rule, text, sections)},
        "defaultConfiguration": {"level": level},
        "properties": {
            "tags": [tag for tag in ("reliability", "order-flow", _VECTOR_TAGS.get(rule.vector, rule.vector), rule.id, rule.effort.replace(" ", "-")) if tag],
            "precision": precision,
            "problem.severity": _SEVERITY[level],
        },
    }


def doc_sections(doc: str) -> dict[str, str]:
    """Heading -> text of a rule's docstring (headings underlined with dashes)."""
    found: dict[str, str] = {}
    parts = re.split(r"^([^\n]+)\n-{3,}[ \t]*$", doc, flags=re.MULTILINE)
    for heading, text in zip(parts[1::2], parts[2::2], strict=False):
        found[heading.strip()] = text.strip("\n")
    return found


def help_text(rule: Rule, text: str, sections: dict[str, str]) -> str:
    """A rule's help as plain text."""
    lines = [f"{heading}: {' '.join(sections[heading].split())}" for heading in _HEADINGS if heading in sections]
    return "\n\n".join([text, *lines, rule.remedy])


def help_markdown(rule: Rule, text: str, sections: dict[str, str]) -> str:
    """A rule's help as Markdown. The text is ours, not a client's."""
    lines = [f"## {heading}\n\n{sections[heading]}" for heading in _HEADINGS if heading in sections]
    accept = f"To accept one finding, write `flowaudit: ignore[{rule.id}] reason` in a comment on its line or alone on the line above."
    return "\n\n".join([f"**{text}**", *lines, f"**Remedy.** {rule.remedy}", accept])


# ---- results -----------------------------------------------------------------------------------------------------------------------
def _result(ranked: Ranked, index: dict[str, int], report: Report) -> dict[str, Any]:
    finding = ranked.finding
    related = [*finding.related[:MAX_RELATED]]
    rule = finding.id if finding.id in index else finding.rule
    out: dict[str, Any] = {
        "ruleId": rule,
        "level": ranked.rank.level,
        "rank": ranked.rank.score,
        "message": {"text": _message(finding, related)},
        "locations": [{**_location(finding.at, report.prefix, ranked.excerpt), **_logical(finding)}],
        "partialFingerprints": {"flowaudit/v1": ranked.fingerprint},
        "properties": {
            "family": finding.rule,
            "variant": finding.variant,
            "confidence": finding.confidence,
            "vector": finding.vector,
            "stage": finding.stage or "unknown",
            "system": visible(finding.system),
            "exposure": finding.entry,
            "impact": ranked.rank.impact,
            "likelihood": ranked.rank.likelihood,
            "effort": ranked.rank.effort,
            "lookedFor": [visible(text) for text in finding.looked],
        },
    }
    if rule in index:
        out["ruleIndex"] = index[rule]
    if related:
        out["relatedLocations"] = [
            {"id": number, **_location(step.at, report.prefix), "message": {"text": visible(step.note) or "here"}} for number, step in enumerate(related, 1)
        ]
    if finding.path:
        out["codeFlows"] = [_code_flow(finding.path, report.prefix)]
    if finding.patch:
        out["fixes"] = [_fix(finding, report.prefix)]
    if ranked.suppression:
        kind = "inSource" if ranked.suppressed_by == "comment" else "external"
        out["suppressions"] = [{"kind": kind, "status": "accepted", "justification": visible(ranked.suppression)[:MAX_SHORT]}]
    return out


_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@")


def _fix(finding: Finding, prefix: str) -> dict[str, Any]:
    """A proposed patch as SARIF's fix: each hunk of the unified diff replaces whole lines."""
    replacements: list[dict[str, Any]] = []
    for line in finding.patch.split("\n")[2:]:
        hunk = _HUNK.match(line)
        if hunk:
            first, count = int(hunk[1]), int(hunk[2] or 1)
            region = {"startLine": first, "startColumn": 1, "endLine": first + count, "endColumn": 1}
            replacements.append({"deletedRegion": region, "insertedContent": {"text": ""}})
        elif replacements and line[:1] in {" ", "+"}:
            replacements[-1]["insertedContent"]["text"] += line[1:] + "\n"
    location = _location(finding.at, prefix)["physicalLocation"]["artifactLocation"]
    return {"description": {"text": plain(finding.fix) or "proposed change"}, "artifactChanges": [{"artifactLocation": location, "replacements": replacements}]}


def _message(finding: Finding, related: list[Step]) -> str:
    """The message with brackets of the client's text escaped, and links to the related places."""
    text = plain(finding.message)
    if finding.fix:
        text += f" {plain(finding.fix)}"
    if related:
        links = ", ".join(f"[{plain(step.note).replace(chr(10), ' ')[:60] or 'here'}]({number})" for number, step in enumerate(related[:5], 1))
        text += f" See also: {links}{' and more' if len(related) > 5 else ''}."
    return text


def plain(text: str) -> str:
    """Text that SARIF's message syntax reads as it stands: `[`, `]` and backslashes escaped, control characters made visible."""
    return re.sub(r"([\\\[\]])", r"\\\1", visible(text).replace("\n", " ")).strip()


def uri(path: str, prefix: str = "") -> str:
    """A relative URI reference: each segment percent-encoded, never read as a scheme or an absolute path."""
    full = quote((prefix + path).lstrip("/"), safe="/~!$&'()*+,;=@._-")
    return f"./{full}" if ":" in full.split("/", maxsplit=1)[0] or full.startswith("//") else full


def _region(at: Location) -> dict[str, int]:
    """All four coordinates, 1-based, the end exclusive; an empty span is widened to one column."""
    end_column = at.end_column
    if (at.end_line, end_column) <= (at.line, at.column):
        return {"startLine": at.line, "startColumn": at.column, "endLine": at.line, "endColumn": at.column + 1}
    return {"startLine": at.line, "startColumn": at.column, "endLine": at.end_line, "endColumn": end_column}


def _location(at: Location, prefix: str, excerpt: str = "") -> dict[str, Any]:
    region: dict[str, Any] = dict(_region(at))
    if excerpt:
        region["snippet"] = {"text": excerpt}
    return {"physicalLocation": {"artifactLocation": {"uri": uri(at.path, prefix)}, "region": region}}


def _logical(finding: Finding) -> dict[str, Any]:
    return {"logicalLocations": [{"name": visible(finding.system), "kind": "resource"}]} if finding.system else {}


def _code_flow(path: tuple[Step, ...], prefix: str) -> dict[str, Any]:
    steps = path if len(path) <= MAX_STEPS else (*path[: MAX_STEPS - 1], path[-1])
    return {
        "threadFlows": [
            {
                "locations": [
                    {
                        "location": {**_location(step.at, prefix), "message": {"text": visible(step.note) or "step"}},
                        "importance": "essential" if number in {1, len(steps)} else "important",
                        "executionOrder": number,
                    }
                    for number, step in enumerate(steps, 1)
                ]
            }
        ]
    }


# ---- notifications -----------------------------------------------------------------------------------------------------------------
def _notifications(report: Report, cut: int) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = [_note("failed", "error", text) for text in report.failed]
    if cut:
        out.append(_note("coverage", "warning", f"{cut} findings of lowest rank are left out: a run holds at most {MAX_RESULTS:,}."))
    for skip in report.skipped[:MAX_NOTIFICATIONS]:
        note = _note("skipped", "warning", f"{skip.by}: {skip.reason}")
        place: dict[str, Any] = {"artifactLocation": {"uri": uri(skip.path, report.prefix)}}
        if skip.line > 0:
            place["region"] = {"startLine": skip.line}
        note["locations"] = [{"physicalLocation": place}]
        out.append(note)
    if len(report.skipped) > MAX_NOTIFICATIONS:
        out.append(_note("skipped", "warning", f"{len(report.skipped) - MAX_NOTIFICATIONS} more files were skipped or read in part."))
    coverage = report.coverage
    out += [_note("coverage", "note", f"not seen: {count} {what}") for what, count in coverage.unknown]
    out += [_note("coverage", "note", f"set apart: {count} {what}") for what, count in coverage.set_apart]
    return out + [_note("coverage", "note", text) for text in coverage.notes[:MAX_NOTIFICATIONS]]


def _note(kind: str, level: str, text: str) -> dict[str, Any]:
    return {"level": level, "descriptor": {"id": kind}, "message": {"text": plain(text)}}
