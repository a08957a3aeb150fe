"""Proposed patches: they apply with git, keep the formatting, parse, and are left out where the form is not sure."""
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flowaudit.scanner.patches import propose
from flowaudit.scanner.patches.edits import parses
from tests.audit import audit


def patched(rule: str, text: str, tmp_path: Path) -> list[str]:
    """The file after each proposed patch, applied by git."""
    found = propose(audit(rule, {"shop/a.py": text}), lambda _: text)
    out = []
    for finding in found:
        if not finding.patch:
            continue
        (tmp_path / "shop").mkdir(exist_ok=True)
        (tmp_path / "shop" / "a.py").write_text(text)
        (tmp_path / "p.diff").write_text(finding.patch)
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
        subprocess.run(["git", "apply", "--check", "p.diff"], cwd=tmp_path, check=True)
        subprocess.run(["git", "apply", "p.diff"], cwd=tmp_path, check=True)
        out.append((tmp_path / "shop" / "a.py").read_text())
        assert parses(out[-1])
    return out


@pytest.mark.parametrize(("before", "after"), [
    ("requests.get('https://x.example.com')", "requests.get('https://x.example.com', timeout=20)"),
    ("requests.get('https://x.example.com', timeout=None)", "requests.get('https://x.example.com', timeout=20)"),
    ("requests.post(\n    'https://x.example.com',\n    json={},\n)", "requests.post(\n    'https://x.example.com',\n    json={},\n    timeout=20,\n)"),
    ("requests.post('https://x.example.com', json={},)", "requests.post('https://x.example.com', json={}, timeout=20,)"),
    ("requests.get(\n    'https://x.example.com'\n)", "requests.get(\n    'https://x.example.com',\n    timeout=20\n)"),
])
def test_a_timeout_is_added_in_the_calls_own_style(before: str, after: str, tmp_path: Path) -> None:
    assert patched("missing-timeout", f"import requests\n\n{before}\n# ü\n", tmp_path) == [f"import requests\n\n{after}\n# ü\n"]


def test_calls_of_a_shared_session_are_patched_together(tmp_path: Path) -> None:
    code = "import requests\n\ns = requests.Session()\n\n\ndef a():\n    s.get('https://x.example.com/a')\n\n\n"
    code += "def b():\n    return s.post('https://x.example.com/b', json={})\n"
    (after,) = patched("missing-timeout", code, tmp_path)
    assert after.count("timeout=20") == 2
    assert "requests.Session()\n" in after


def test_nothing_is_proposed_behind_unknown_options(tmp_path: Path) -> None:
    code = "import requests\n\n\ndef call(url, **kw):\n    return requests.get(url, **kw)\n\n\ncall('https://x.example.com', headers={})\n"
    assert patched("missing-timeout", code, tmp_path) == []


ENQUEUE = """from django.db import transaction
from celery import shared_task


@shared_task
def export(pk):
    pass


def pay(order):
    with transaction.atomic():
        order.save()
{body}
"""


def test_an_enqueue_moves_behind_the_commit(tmp_path: Path) -> None:
    code = ENQUEUE.format(body="        export.delay(order.pk)")
    assert patched("transaction-boundary", code, tmp_path) == [code.replace("export.delay(order.pk)", "transaction.on_commit(lambda: export.delay(order.pk))")]


def test_no_lambda_in_a_loop(tmp_path: Path) -> None:
    code = ENQUEUE.format(body="        for line in order.lines:\n            export.delay(line.pk)")
    assert patched("transaction-boundary", code, tmp_path) == []


def test_a_log_line_names_its_record(tmp_path: Path) -> None:
    code = """import logging
import requests
from celery import shared_task
logger = logging.getLogger(__name__)
@shared_task
def export(order):
    try:
        requests.post("https://erp.example.com/orders", json={}, timeout=5).raise_for_status()
    except Exception as error:
        logger.error("export failed: %s", error)
"""
    (after,) = patched("unlogged-call", code, tmp_path)
    assert 'logger.error("export failed: %s (order %s)", error, order)' in after
    assert patched("unlogged-call", code.replace('"export failed: %s", error', 'f"export failed: {error}"'), tmp_path) == []


def test_an_empty_handler_gets_a_line(tmp_path: Path) -> None:
    code = """import logging
from django.urls import path
from django.db import models
logger = logging.getLogger(__name__)
class Refund(models.Model):
    order = models.ForeignKey()
    amount = models.IntegerField()
def refund(request):
    Refund.objects.create(order_id=request.POST["order"])
    return True
def view(request):
    done = False
    try:
        done = refund(request)
    except Exception:
        pass
    return 200 if done else 500
urlpatterns = [path("webhooks/refund", view)]
"""
    (after,) = patched("unlogged-call", code, tmp_path)
    assert '    except Exception:\n        logger.exception("refund failed")\n    return' in after
    assert patched("unlogged-call", code.replace("logger = logging.getLogger(__name__)\n", ""), tmp_path) == []


def test_signatures_are_compared_in_constant_time(tmp_path: Path) -> None:
    code = """import hmac
from django.urls import path
from shop.models import Order
def hook(request):
    digest = hmac.new(b"secret", request.body, "sha256").hexdigest()
    if digest != request.headers["X-Signature"]:
        return 403
    Order.objects.filter(number=request.POST["order"]).update(status="paid")
urlpatterns = [path("webhooks/pay", hook)]
"""
    (after,) = patched("unverified-webhook", code, tmp_path)
    assert 'if not hmac.compare_digest(digest, request.headers["X-Signature"]):' in after
    assert patched("unverified-webhook", code.replace("import hmac\n", "from hmac import new\n").replace("hmac.new(", "new("), tmp_path) == []


RACE = """from celery import shared_task
from django.db import transaction
from shop.models import Export
@shared_task(bind=True, max_retries=3, autoretry_for=(OSError,))
def run_export(self, pk):
    with transaction.atomic():
        export = Export.objects.get(pk=pk)
        if export.status != "queued":
            return
        export.status = "running"
        export.save()
        export.transmit()
        export.status = "done"
        export.save()
"""


def test_the_tested_row_is_locked_inside_a_transaction(tmp_path: Path) -> None:
    (after,) = patched("non-idempotent-consumer", RACE, tmp_path)
    assert "export = Export.objects.select_for_update().get(pk=pk)" in after
    assert patched("non-idempotent-consumer", RACE.replace("with transaction.atomic():", "if True:"), tmp_path) == []


def test_a_retry_gets_a_cap_and_a_pause(tmp_path: Path) -> None:
    code = "import requests\nfrom tenacity import retry\n\n\n@retry\ndef push(o):\n    return requests.get('https://erp.example.com/o', timeout=5)\n"
    (after,) = patched("unsafe-retry", code, tmp_path)
    assert "from tenacity import retry, stop_after_attempt, wait_exponential\n" in after
    assert "@retry(stop=stop_after_attempt(5), wait=wait_exponential(max=60))\n" in after
    assert patched("unsafe-retry", code.replace("from tenacity import retry", "import tenacity").replace("@retry", "@tenacity.retry"), tmp_path) == []


SESSION = """import requests
from celery import shared_task


class Erp:
    def __init__(self):
        self.http = requests.Session()  # one for all

    def push(self, order):
        answer = self.http.put("https://erp.example.com/orders", json=order, timeout=5)
        answer.raise_for_status()


@shared_task
def export(order):
    Erp().push(order)
"""


def test_a_session_gets_a_retrying_adapter(tmp_path: Path) -> None:
    (after,) = patched("missing-retry", SESSION, tmp_path)
    assert '        self.http.mount("https://", HTTPAdapter(max_retries=Retry(' in after
    assert after.startswith("import requests\nfrom requests.adapters import HTTPAdapter\nfrom urllib3.util.retry import Retry\n")
    assert patched("missing-retry", SESSION.replace("requests.Session()", "make_session()"), tmp_path) == []
    assert patched("missing-retry", SESSION.replace("self.http.put", "self.http.post"), tmp_path) == []


SENDGRID = """import sendgrid
from celery import shared_task


@shared_task
def send_email(key, message):
    sendgrid_client = sendgrid.SendGridAPIClient(key)
    response = sendgrid_client.send(message)
    if response.status_code >= 300:
        raise RuntimeError(response.status_code)
"""


def test_a_client_without_an_argument_for_it_gets_its_attribute_set(tmp_path: Path) -> None:
    """SendGrid's `send` takes no `timeout`: a keyword there would be a TypeError."""
    (after,) = patched("missing-timeout", SENDGRID, tmp_path)
    assert after == SENDGRID.replace("APIClient(key)\n", "APIClient(key)\n    sendgrid_client.client.timeout = 20\n")
    assert not [f for f in audit("missing-timeout", {"shop/a.py": after}) if not f.variant]


@pytest.mark.parametrize("code", [
    "import sendgrid\n\n\ndef a(key, m):\n    sendgrid.SendGridAPIClient(key).send(m)\n",
    "import quickbooks\nfrom quickbooks import QuickBooks\n\n\ndef a(m):\n    client = QuickBooks()\n    client.post('u', m)\n",
])
def test_no_keyword_where_the_catalogue_knows_none_of_that_call(code: str, tmp_path: Path) -> None:
    assert patched("missing-timeout", code, tmp_path) == []
