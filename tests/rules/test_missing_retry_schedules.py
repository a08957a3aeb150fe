"""missing-retry: scheduled jobs that say "no retries" while their siblings repeat."""


from __future__ import annotations

from tests.audit import audit

DAG = (
    "from datetime import datetime\nimport requests\nfrom airflow import DAG\nfrom airflow.operators.python import PythonOperator\n"
    "def ticket(context):\n    requests.post('https://tickets.example.com/issue', json={{}}, timeout=5)\n"
    "default_args = {{'owner': 'x', 'start_date': datetime(2024, 1, 1), 'retries': {retries}{notice}}}\n"
    "with DAG('{name}', default_args=default_args, schedule_interval='@daily') as dag:\n    t = PythonOperator(task_id='t', python_callable=print)\n"
)
NOTICE = ", 'on_failure_callback': ticket"


def dags(retries: list[object], notice: str = NOTICE) -> dict[str, str]:
    return {f"dags/d{n}.py": DAG.format(retries=r, notice=notice if r == 0 else "", name=f"d{n}") for n, r in enumerate(retries)}


def found(files: dict[str, str]) -> list[tuple[str, int]]:
    return [(f.at.path, f.at.line) for f in audit("missing-retry", files) if "retries 0" in f.message]


def test_a_job_without_retries_among_siblings_that_repeat() -> None:
    assert found(dags([0, 2, 2, 1])) == [("dags/d0.py", 7)]


def test_no_word_without_the_second_and_third_piece() -> None:
    assert found(dags([0, 2, 2, 1], notice="")) == []  # nobody is called
    assert found(dags([0, 2, 1])) == []  # too few siblings
    assert found(dags([0, 0, 0, 0, 2, 1, 1])) == []  # most siblings do the same
    assert found(dags(["RETRIES", 2, 2, 1])) == []
    assert found(dags([1, 2, 2, 1])) == []
