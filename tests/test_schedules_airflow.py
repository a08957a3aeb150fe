"""Airflow DAGs in lowered Python."""

from __future__ import annotations

from schedule_reading import options

from flowaudit.scanner.extractors.code import python
from flowaudit.scanner.facts import UNKNOWN_VALUE, Binding, Fact, Schedule, Source
from flowaudit.scanner.harvest import airflow

DAGS = """
import pendulum
from airflow import DAG
from airflow.decorators import dag
from airflow.operators.python import PythonOperator
from datetime import timedelta
from shop.jobs import export

with DAG("export", schedule="*/5 * * * *", catchup=False, max_active_runs=1, dagrun_timeout=timedelta(minutes=4), default_args={"retries": 2},
         start_date=pendulum.datetime(2024, 1, 1, tz="Europe/Berlin")) as d:
    PythonOperator(task_id="run", python_callable=export)

hourly = DAG(dag_id="hourly", schedule_interval=timedelta(hours=1))
manual = DAG("manual", schedule=None)
dynamic = DAG("dynamic", schedule=get())

@dag(schedule="@daily")
def nightly():
    pass
"""


def harvest(text: str) -> tuple[Fact, ...]:
    return airflow.harvest(python.extract(Source("dags/shop.py", "python", text)))


def test_dags() -> None:
    found = {f.name: f for f in harvest(DAGS) if isinstance(f, Schedule)}
    assert {name: (f.dialect, f.when) for name, f in found.items()} == {
        "export": ("cron", "*/5 * * * *"), "hourly": ("interval", "3600"), "dynamic": ("cron", UNKNOWN_VALUE), "nightly": ("cron", "@daily"),
    }
    kept = options(found["export"])
    assert (kept["catchup"], kept["max_active_runs"], kept["dagrun_timeout"], kept["retries"]) == (False, 1, 240, 2)
    assert (found["export"].zone, found["hourly"].zone, found["nightly"].unit) == ("Europe/Berlin", "", "nightly")
    assert [(f.address, f.handler) for f in harvest(DAGS) if isinstance(f, Binding)] == [("run", "shop.jobs.export")]


def test_a_single_callable_is_what_the_dag_starts() -> None:
    text = "from airflow import DAG\nwith DAG('a', schedule='@hourly'):\n    PythonOperator(task_id='t', python_callable=run)\ndef run(): pass\n"
    (job,) = [f for f in harvest(text) if isinstance(f, Schedule)]
    assert (job.target, job.unit, job.target_kind) == ("run", "run", "callable")


def test_files_without_airflow_are_left_alone() -> None:
    assert harvest("d = DAG('x', schedule='@daily')\n") == ()
    assert "problem" in options(next(f for f in harvest("import airflow\nairflow.DAG('x', schedule='61 * * * *')\n") if isinstance(f, Schedule)))
