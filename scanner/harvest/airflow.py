"""Airflow DAGs: `with DAG(...)`, `x = DAG(...)` and `@dag(...)` with a cron expression, a preset or a timedelta.

A DAG without a schedule is none. Options: catchup, max_active_runs, max_active_tasks, dagrun_timeout (seconds), depends_on_past, retries,
on_failure_callback, email_on_failure, sla, args (the name of shared
default_args), open (keywords not known). The
zone is that of `start_date`; Airflow's own is UTC. Source: Airflow documentation, "DAGs", "Cron & Time Intervals".
"""
from __future__ import annotations

import re

from flowaudit.scanner.facts import UNKNOWN_VALUE, Binding, Call, Const, Expr, Fact, FileFacts, Items, Name, Scalar, Schedule, Setting
from flowaudit.scanner.firing import CronError, parse
from flowaudit.scanner.harvest.values import Reader, entries, keyword, last, walk

LANGUAGES = ("python",)
WORDS = ("airflow",)
SNIFF = re.compile(r"airflow")

_KEPT = ("catchup", "max_active_runs", "max_active_tasks", "concurrency", "on_failure_callback", "on_success_callback")
_DEFAULTS = ("depends_on_past", "retries", "email_on_failure", "email", "on_failure_callback", "sla", "execution_timeout", "retry_delay")
_NEVER = frozenset({"@once", "@none", "None"})


def harvest(facts: FileFacts) -> tuple[Fact, ...]:
    """The scheduled DAGs of a Python file, and its tasks' callables as Bindings."""
    if not any(item.module.partition(".")[0] == "airflow" for item in facts.imports):
        return ()
    reader = Reader(facts)
    out: list[Fact] = []
    dags: list[str] = []
    callables: list[Binding] = []
    for unit in facts.units:
        for decorator in unit.decorators:
            if isinstance(decorator, Call) and last(decorator.callee) == "dag":
                dag = reader.text(keyword(decorator, "dag_id", at=0)) or unit.name
                dags.append(dag)
                out.extend(_dag(decorator, dag, reader, unit.name))
        for node in walk(unit.body):
            if not isinstance(node, Call):
                continue
            if last(node.callee) == "DAG":
                dag = reader.text(keyword(node, "dag_id", at=0))
                dags.append(dag)
                out.extend(_dag(node, dag, reader, ""))
            function = keyword(node, "python_callable")
            if function is not None:
                target, _, name = reader.callable_target(function)
                callables.append(Binding(node.start, node.end, "task", reader.text(keyword(node, "task_id")), "" if name else target, "airflow", name))
    return (*_joined(out, callables), *callables, *_mails(reader))


def _mails(reader: Reader) -> list[Fact]:
    """`args["email_on_failure"] = False`: where notices are switched off for all DAGs that share the arguments."""
    return [
        Setting(stmt.start, stmt.end, f"airflow.{key}", reader.scalar(stmt.value), f"airflow:{name}")
        for name, stmts in reader.items.items()
        for key, stmt in stmts
        if key == "email_on_failure"
    ]


def _joined(found: list[Fact], callables: list[Binding]) -> list[Fact]:
    """A file's only DAG starts its only callable."""
    if len(found) == 1 and len(callables) == 1 and isinstance(found[0], Schedule) and not found[0].unit:
        dag, task = found[0], callables[0]
        return [Schedule(dag.start, dag.end, dag.name, dag.platform, dag.dialect, dag.when, dag.zone, task.handler or task.unit, "callable", task.unit, dag.options)]
    return found


def _dag(call: Call, name: str, reader: Reader, unit: str) -> list[Fact]:
    expr = keyword(call, "schedule", "schedule_interval", "timetable")
    found = reader.value(expr)
    if expr is None or (isinstance(found, Const) and (found.value is None or str(found.value) in _NEVER)):
        return []
    options: dict[str, Scalar] = {}
    for key in _KEPT:
        value = keyword(call, key)
        if value is not None:
            options[key] = reader.scalar(value)
    for arg in call.args:
        if arg.splat:
            options["open"] = True
    limit = keyword(call, "dagrun_timeout")
    if limit is not None:
        options["dagrun_timeout"] = reader.delta(limit) or UNKNOWN_VALUE
    given = keyword(call, "default_args")
    for key, value in reader.table(given).items():
        if key in _DEFAULTS:
            options.setdefault(key, reader.delta(value) or ("listed" if isinstance(value, Items) and value.items else reader.scalar(value)))
    if isinstance(given, Name):
        options["args"] = given.id
    dialect, when = _when(found, reader)
    if dialect == "cron" and when != UNKNOWN_VALUE:
        try:
            parse("cron", when)
        except CronError as error:
            options["problem"] = str(error)
    kind = "callable" if unit else "unknown"
    return [Schedule(call.start, call.end, name or UNKNOWN_VALUE, "airflow", dialect, when, _zone(call, reader), name or unit, kind, unit,
                     tuple(sorted(options.items())))]


def _when(found: Expr | None, reader: Reader) -> tuple[str, str]:
    seconds = reader.delta(found)
    if seconds:
        return "interval", f"{seconds:g}"
    if isinstance(found, Const) and isinstance(found.value, str):
        return "cron", found.value
    if isinstance(found, Call) and last(found.callee) in {"CronDataIntervalTimetable", "CronTriggerTimetable"}:
        return "cron", reader.text(keyword(found, "cron", at=0))
    return "cron", UNKNOWN_VALUE


def _zone(call: Call, reader: Reader) -> str:
    start = reader.value(keyword(call, "start_date"))
    if start is None:
        start = reader.value(entries(reader.value(keyword(call, "default_args"))).get("start_date"))
    for holder in (start, reader.value(keyword(call, "schedule", "timetable"))):
        if isinstance(holder, Call):
            zone = reader.value(keyword(holder, "tz", "tzinfo", "timezone"))
            if isinstance(zone, Call) and zone.args:
                zone = zone.args[0].value
            if isinstance(zone, Const) and isinstance(zone.value, str):
                return zone.value
    return ""
