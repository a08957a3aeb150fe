"""missing-timeout: what fires and what stays silent (Python; other languages in their own modules)."""
from __future__ import annotations

import pytest

from tests.audit import audit, lines

RULE = "missing-timeout"


def test_call_without_timeout() -> None:
    found = audit(RULE, {"shop/erp.py": "import requests\n\ndef push(order):\n    requests.post('https://erp.example.com/orders', json=order)\n"})
    assert lines(found) == [("missing-timeout", 4)]
    assert found[0].confidence == "high"
    assert found[0].system == "erp.example.com"
    assert "wait for ever" in found[0].message


def test_shared_session_is_one_finding_with_its_calls() -> None:
    code = """import requests

class Erp:
    def __init__(self):
        self.http = requests.Session()

    def push(self, order):
        return self.http.post("https://erp.example.com/orders", json=order)

    def pull(self):
        return self.http.get("https://erp.example.com/orders")
"""
    found = audit(RULE, {"shop/erp.py": code})
    assert lines(found) == [("missing-timeout", 5)]
    assert [s.at.line for s in found[0].related] == [8, 11]


@pytest.mark.parametrize("silent", [
    "import requests\nrequests.get('https://x.example.com', timeout=5)\n",
    "import requests\nfrom django.conf import settings\nrequests.get('https://x.example.com', timeout=settings.TIMEOUT)\n",
    "import requests\nrequests.get('http://localhost:8000/health')\n",
    "import requests\nrequests.get('http://127.0.0.1:8000/health')\n",
    "import requests\ndef call(**kw):\n    kw.setdefault('timeout', 5)\n    return requests.get('https://x.example.com', **kw)\n",
    "import requests, os\nrequests.get('https://x.example.com', **load(os.environ))\n",
    "import requests\ndef call(timeout=10):\n    return requests.get('https://x.example.com', timeout=timeout)\n",
    "import requests\nOPTIONS = {'timeout': 5}\ndef call():\n    return requests.get('https://x.example.com', **OPTIONS)\n",
    "def get(url):\n    return cache.get(url)\n",
])
def test_stays_silent(silent: str) -> None:
    assert audit(RULE, {"shop/a.py": silent}) == []


@pytest.mark.parametrize("loud", [
    "import requests\nrequests.get('https://x.example.com', timeout=None)\n",
    "from requests import get\nget('https://x.example.com')\n",
    "import requests as r\nr.get('https://x.example.com')\n",
    "import requests\ndef call(timeout=None):\n    return requests.get('https://x.example.com', timeout=timeout)\ncall()\n",
    "import requests\ndef call(**kw):\n    return requests.get('https://x.example.com', **kw)\ncall(headers={})\n",
    "import requests\nOPTIONS = {'headers': {}}\ndef call():\n    return requests.get('https://x.example.com', **OPTIONS)\n",
])
def test_fires(loud: str) -> None:
    assert len(audit(RULE, {"shop/a.py": loud})) == 1


def test_session_subclass_and_mounted_adapter_are_guards() -> None:
    base = """import requests
from requests.adapters import HTTPAdapter

class TimeoutAdapter(HTTPAdapter):
    def send(self, request, **kwargs):
        kwargs.setdefault("timeout", 10)
        return super().send(request, **kwargs)

class Session(requests.Session):
    def request(self, *args, **kwargs):
        kwargs["timeout"] = 10
        return super().request(*args, **kwargs)
"""
    adapter = "import requests\nfrom shop.http import TimeoutAdapter\ns = requests.Session()\ns.mount('https://', TimeoutAdapter())\ns.get('https://x.example.com')\n"
    subclass = "from shop.http import Session\ns = Session()\ns.get('https://x.example.com')\n"
    for code in (adapter, subclass):
        assert [f for f in audit(RULE, {"shop/__init__.py": "", "shop/http.py": base, "shop/a.py": code}) if f.at.path == "shop/a.py"] == []


def test_the_way_of_an_order_is_the_evidence() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/erp.py": "import requests\n\ndef push(order):\n    requests.post('https://erp.example.com/orders', json=order)\n",
        "shop/tasks.py": "from celery import shared_task\nfrom shop.erp import push\n\n@shared_task\ndef export(order):\n    push(order)\n",
    }
    (found,) = audit(RULE, files)
    assert [(s.at.path, s.at.line) for s in found.path] == [("shop/tasks.py", 4), ("shop/tasks.py", 6), ("shop/erp.py", 4)]


LOGIN = "import requests\nimport typer\napp = typer.Typer()\n\n@app.command()\ndef login(email: str):\n    requests.post('https://api.example.com/in', json=email)\n"
ASKS = "\n@app.command()\ndef drop(name: str):\n    if typer.confirm('Really?'):\n        print(name)\n"
COMMAND = (
    "import requests\nfrom django.core.management.base import BaseCommand\n\nclass Command(BaseCommand):\n    def handle(self, *args, **options):\n"
    "        requests.get('https://lms.example.com/courses')\n"
)
SCRIPT = "import requests\nfor code in requests.get('https://pay.example.com/countries').json():\n    print(code)\n"


@pytest.mark.parametrize(("path", "code", "confidence"), [
    ("tool/auth.py", LOGIN + ASKS, "low"),
    ("tool/auth.py", LOGIN, "medium"),
    ("shop/management/commands/sync_courses.py", COMMAND, "medium"),
    ("shop/management/commands/migrate_course.py", COMMAND, "low"),
    ("cli/countries.py", SCRIPT, "low"),
    ("shop/countries.py", SCRIPT, "high"),
])
def test_what_a_person_starts_and_sees_hang_is_a_smell(path: str, code: str, confidence: str) -> None:
    assert [f.confidence for f in audit(RULE, {path: code})] == [confidence]


@pytest.mark.parametrize(("before", "confidence"), [
    ("assert env.kind != 'production'", "low"),
    ("assert env.kind == 'production'", "high"),
    ("if env.kind == 'production':\n        return None", "low"),
    ("if env.kind == 'development':\n        return None", "high"),
    ("assert env.kind != 'development'", "high"),
])
def test_a_branch_that_does_not_run_in_production(before: str, confidence: str) -> None:
    code = f"import requests\nfrom shop.settings import env\n\ndef rates():\n    {before}\n    return requests.get('https://rates.example.com/today')\n"
    assert [f.confidence for f in audit(RULE, {"shop/rates.py": code})] == [confidence]


PAY = "import requests\n\ndef pay(order):\n    requests.post('https://pay.example.com/charges', json=order)\n"
FUNCTION = "from aws_lambda_powertools import Logger\nfrom shop.pay import pay\n\ndef handler(event, _):\n    pay(event)\n"
TASK = "from celery import shared_task\nfrom shop.pay import pay\n\n@shared_task\ndef settle(order):\n    pay(order)\n"


def test_a_function_that_its_platform_ends_bounds_its_calls() -> None:
    found = audit(RULE, {"shop/pay.py": PAY, "shop/on_paid.py": FUNCTION})
    assert [(f.confidence, "for ever" in f.message) for f in found] == [("low", False)]


def test_a_function_beside_a_task_bounds_nothing() -> None:
    found = audit(RULE, {"shop/pay.py": PAY, "shop/on_paid.py": FUNCTION, "shop/tasks.py": TASK})
    assert [(f.confidence, "for ever" in f.message) for f in found] == [("high", True)]
