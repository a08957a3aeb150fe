"""Odoo: `<record model="ir.cron">` in XML data files.

`interval_number` and `interval_type` make the interval (a month counts as 30 days). The target is the code or function. Options: active, numbercall, doall
(missed runs are made up), user_id, priority. Source: odoo/addons/base/models/ir_cron.py.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, FileFacts, Scalar, Schedule, Skipped, Source
from flowaudit.scanner.firing.check import problem
from flowaudit.scanner.located import Element, LocatedError, file_facts, load_xml

NAME = "odoo_cron"
FILES = ("*.xml",)
SNIFF = re.compile(r"model\s*=\s*[\"']ir\.cron[\"']")
VERSION = 1

_SECONDS = {"minutes": 60, "hours": 3600, "days": 86400, "work_days": 86400, "weeks": 604800, "months": 2592000}
_KEPT = ("active", "numbercall", "doall", "priority")


def extract(source: Source) -> FileFacts:
    """Read the cron records of a data file; inactive ones are kept with their option."""
    try:
        root = load_xml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts = []
    for record in root.walk():
        if record.tag != "record" or record.attributes.get("model") != "ir.cron":
            continue
        fields = {c.attributes.get("name", ""): c for c in record.children if c.tag == "field"}
        if "interval_type" not in fields and "interval_number" not in fields:
            continue  # a change of another module's record
        number, kind = _value(fields.get("interval_number")) or "1", _value(fields.get("interval_type")) or "months"
        when = str(int(number) * _SECONDS[kind]) if number.isdigit() and kind in _SECONDS else UNKNOWN_VALUE
        options: dict[str, Scalar] = {k: _value(fields[k]) for k in _KEPT if k in fields}
        wrong = problem("interval", when)
        if wrong:
            options["problem"] = wrong
        code = _value(fields.get("code")) or _value(fields.get("function")) or ""
        place = fields.get("interval_number", record)
        name = _value(fields.get("name")) or record.attributes.get("id", "")
        facts.append(Schedule(place.start, place.end, name, "odoo-cron", "interval", when, "", code[:300] or name, "unknown", "", tuple(sorted(options.items()))))
    return file_facts(source, facts)


def _value(field: Element | None) -> str:
    if field is None:
        return ""
    return (field.text or field.attributes.get("eval") or field.attributes.get("ref") or "").strip().strip("'\"")
