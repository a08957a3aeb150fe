"""Thirty planted secrets of ten kinds around faults, schedules, queues and settings: none is in any output of the tool.

The secrets are put together here, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import importlib
import io
import pkgutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from flowaudit import reporters
from flowaudit.scanner import cli, engine
from flowaudit.scanner.config import Config

KINDS = {
    "AWS key": ("AKIA" + "QWERTYUIOP123456", "AKIA" + "ZXCVBNMASDF12345", "ASIA" + "POIUYTREWQ654321"),
    "gateway key": ("sk_live_" + "9aBcDeFgHiJkLmNoPqRsTuVw", "rk_live_" + "1zYxWvUtSrQpOnMlKjIhGfEd", "live_" + "kJ7hG5fD3sA1qW2eR4tY6uI8oP0l"),
    "webhook secret": ("whsec_" + "Zx9Cv8Bn7Mm6As5Df4Gh3Jk2", "whsec_" + "Qw1Er2Ty3Ui4Op5As6Df7Gh8", "whsec_" + "Lk9Jh8Gf7Ds6Aq5Wx4Ec3Rv2"),
    "password": ("Tr0ub4dor" + "&3xyz", "c0rrectH0rse" + "Battery", "pa55-zumbi" + "-9912"),
    "connection string": ("Zq7rtPl" + "mokn", "Ij9uhBv" + "gyct", "Wx3esDr" + "4tfv"),
    "bearer token": ("tok" + "ABCDEF0123456789abcdef", "tok" + "9876543210fedcbaFEDCBA", "tok" + "A1B2C3D4E5F6a7b8c9d0"),
    "JWT": tuple(f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI{n}MjM0In0.dozjgNryP4J3jVmNHl{n}w" for n in (1, 2, 3)),
    "card number": ("4242 4242 " + "4242 4242", "5555 5555 " + "5555 4444", "4000 0566 " + "5566 5556"),
    "private key": ("MIIEvQIBADANBgkqh" + "kiG9w0BAQEFAASC", "MIIBOgIBAAJBAKj34" + "GkxFhD90vcNLYLI", "MHcCAQEEIIGlRJ3Yt" + "2kq1nX8QmVb7cZd"),
    "api key": ("9f8e7d6c5b4a3928" + "17060f1e2d3c4b5a", "xoxb-" + "123456789012-abcdefGHIJKL", "SG." + "aBcDeFgHiJkLmNoPqR.sTuVwXyZ0123456789aBcD"),
}  # fmt: skip


def block(secret: str) -> str:
    return f"-----BEGIN PRIVATE KEY-----\n{secret}\nqwertzuiopasdfgh\n-----END PRIVATE KEY-----"


def tree(k: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """A small shop in three languages; each secret stands on the faulty line or close to it, in a call, a default, a header, a command or a setting."""
    return {
        "shop/pay.py": f"""import requests
import stripe
from celery import shared_task

API_KEY = "{k["gateway key"][0]}"
CARD = "{k["card number"][0]}"


@shared_task
def export(order_id, password="{k["password"][0]}"):
    token = "{k["JWT"][0]}"
    key = "{k["AWS key"][0]}"
    requests.post("https://user:{k["connection string"][0]}@api.stripe.com/v1/charges", headers={{"Authorization": "Bearer {k["bearer token"][0]}"}}, data=CARD)
    return token, key


@shared_task
def refund(order_id):
    key = '''{block(k["private key"][0])}'''
    try:
        stripe.Refund.create(charge=order_id, api_key="{k["gateway key"][1]}")
    except Exception:
        pass  # {k["webhook secret"][0]}


def hook(request):
    event = stripe.Webhook.construct_event(request.body, request.headers["x"], "{k["webhook secret"][1]}")
    requests.get("https://erp.example.com/orders", params={{"api_key": "{k["api key"][0]}"}})
    return event
""",
        "src/Pay.php": f"""<?php
class Pay {{
    const KEY = "{k["gateway key"][2]}";
    public function charge($order, $password = '{k["password"][1]}') {{
        $pdo = 'mysql://shop:{k["connection string"][1]}@db/shop';
        $card = "{k["card number"][1]}"; $jwt = "{k["JWT"][1]}"; $aws = '{k["AWS key"][1]}';
        $curl = curl_init('https://api.mollie.com/v2/payments');
        curl_setopt($curl, CURLOPT_HTTPHEADER, ['Authorization: Bearer {k["bearer token"][1]}', 'X-Slack: {k["api key"][1]}']);
        $answer = curl_exec($curl);
        try {{ $this->mollie->payments->create(['secret' => '{k["webhook secret"][2]}']); }} catch (\\Exception $e) {{ }}
        return $answer; // {k["gateway key"][2]}
    }}
}}
""",
        "src/pay.ts": f"""import axios from 'axios';
const key = `{block(k["private key"][1])}`;
export async function POST(req) {{
  const card = '{k["card number"][2]}', jwt = '{k["JWT"][2]}', aws = '{k["AWS key"][2]}';
  const headers = {{ Authorization: 'Bearer {k["bearer token"][2]}' }};
  await axios.post('https://api.sendgrid.com/v3/mail/send?password={k["password"][2]}', req.body, {{ headers }});
  axios.get('https://api.stripe.com/v1/charges', {{ auth: {{ password: '{k["password"][2]}', token: '{k["api key"][2]}' }} }});
  return new Response('ok' + key);
}}
""",
        "crontab": f"* * * * * root /usr/bin/curl -u shop:{k['password'][0]} https://erp.example.com/export >/dev/null 2>&1\n"
        f"*/5 * * * * root API_KEY={k['api key'][0]} /srv/sync.sh --token {k['bearer token'][0]} amqp://u:{k['connection string'][2]}@mq/\n",
        "deploy/queue.tf": f'resource "aws_sqs_queue" "orders" {{\n  visibility_timeout_seconds = 5\n  tags = {{ secret = "{k["AWS key"][0]}" }}\n}}\n',
        "config/app.yml": f"database:\n  url: postgres://shop:{k['connection string'][0]}@db/shop\n  password: {k['password'][1]}\n"
        f"key: |\n  -----BEGIN EC PRIVATE KEY-----\n  {k['private key'][2]}\n  -----END EC PRIVATE KEY-----\n",
    }  # fmt: skip


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("planted")
    for name, text in tree(KINDS).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture(scope="module")
def report(planted: Path) -> object:
    return engine.scan([str(planted)], Config(min_confidence="low"), jobs=1, cache=False)


def leaks(text: str) -> list[str]:
    """The planted secrets that a text holds, in any of the ways in which an output may write them."""
    spelt = text.replace("\\/", "/").replace("&amp;", "&").replace("\\u0026", "&").replace("%26", "&")
    squeezed = "".join(spelt.split())
    return [f"{kind}: {secret}" for kind, secrets in KINDS.items() for secret in secrets if secret in spelt or secret.replace(" ", "") in squeezed]


def test_there_are_thirty_secrets_of_ten_kinds_and_each_is_in_the_tree() -> None:
    assert len(KINDS) == 10
    assert len({secret for secrets in KINDS.values() for secret in secrets}) == 30
    assert len(leaks("\n".join(tree(KINDS).values()))) == 30


def test_the_tree_has_findings_beside_the_secrets(report: object) -> None:
    found = report.findings  # type: ignore[attr-defined]
    assert len({item.finding.at.path for item in found}) >= 4
    assert report.closeups  # type: ignore[attr-defined]
    assert any("***" in near.code for near in report.closeups)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(reporters.__path__) if not m.name.startswith("_")])
def test_no_report_format_holds_a_secret(report: object, name: str) -> None:
    module = importlib.import_module(f"flowaudit.reporters.{name}")
    made = module.render(report)
    assert not leaks(made if isinstance(made, str) else made.decode("latin-1"))  # a picture: what stands beside its pixels


COMMANDS = [
    ["facts"], ["schedules"], ["schedules", "--format", "json"], ["map"], ["map", "--format", "mermaid"], ["statuses"], ["queues"], ["queues", "--format", "json"],
    ["webhooks"], ["webhooks", "--format", "json"], ["scan", "--min-confidence", "low"], ["flow", "export"], ["flow", "charge"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_prints_a_secret(planted: Path, command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("FLOWAUDIT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.chdir(planted)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        cli.main([*command, *([] if command[0] == "flow" else ["."])])
    assert out.getvalue() or err.getvalue()
    assert not leaks(out.getvalue() + err.getvalue())
