"""A synthetic shop of a given size: write(folder, megabytes, seed). The same seed and size give the same bytes.

It is made of areas as shops have them (payments, orders, shipping, stock, ...), each a Python package, a PHP module or a TypeScript package with models,
a client of a partner, services, background tasks, routes and status tables. Names are drawn from a small stock of words, so that method names repeat from
area to area as they do in real code; areas call a few others, mostly near ones; and most lines have nothing to do with partners, as in real trees.
Prose makes up half of it, so that a megabyte holds about as many units (1,200) and calls (5,000) as one of saleor or WooCommerce Payments does.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

_NOUNS = """order payment refund shipment invoice customer cart product stock price voucher address parcel label carrier account ledger balance
report feed catalog subscription plan reward campaign message channel warehouse supplier batch receipt tariff"""
_VERBS = "create update cancel confirm sync push load calculate validate resolve merge apply collect prepare publish archive import notify assign split"
NOUNS = tuple(_NOUNS.split())
VERBS = tuple(_VERBS.split())
STATUSES = ("pending", "authorized", "paid", "failed", "cancelled", "refunded", "shipped", "delivered")
HOSTS = ("api.stripe.com", "api.mollie.com", "api.example-carrier.com", "erp.example.com")


class _Area:
    """One area: its number, its words, and the areas that it calls."""

    def __init__(self, number: int, rng: random.Random) -> None:
        self.number = number
        self.rng = rng
        self.noun = NOUNS[number % len(NOUNS)]
        self.name = f"{self.noun}_{number}"
        self.near = sorted({max(0, number - rng.choice((1, 1, 2, 3, 5, 8, 40))) for _ in range(3)} - {number})

    def verb(self) -> str:
        """A verb."""
        return self.rng.choice(VERBS)

    def prose(self, lines: int, before: str) -> list[str]:
        """Lines of a comment."""
        words = (*NOUNS, *VERBS, "the", "of", "with", "when", "each")
        return [before + " ".join(self.rng.choice(words) for _ in range(10)) for _ in range(lines)]

    def other(self) -> str:
        """Another noun than the area's own."""
        return self.rng.choice([noun for noun in NOUNS if noun != self.noun])


# ---- Python --------------------------------------------------------------------------------------------------------------------------
def _python_models(area: _Area) -> str:
    lines = ["from decimal import Decimal", "", "from django.db import models", "", ""]
    for number in range(6):
        name = f"{area.noun.title()}{area.other().title()}{number}"
        lines += [f"class {name}(models.Model):", f'    """A {area.noun} of area {area.number}."""', ""]
        for at in range(8):
            lines.append(f"    {area.other()}_{at} = models.CharField(max_length={32 + at}, blank=True, default='')")
        lines += [
            "    status = models.CharField(max_length=32, default='pending')",
            "    total = models.DecimalField(max_digits=12, decimal_places=2, default=Decimal(0))",
            "",
            f"    def {area.verb()}_{area.noun}(self, amount, reason=None):",
            *area.prose(6, "        # "),
            "        if amount <= 0:",
            "            raise ValueError('amount must be positive')",
            "        self.total = self.total + Decimal(amount)",
            "        if reason is not None and len(reason) > 3:",
            f"            self.{area.other()}_1 = reason.strip().lower()",
            "        self.save(update_fields=['total'])",
            "        return self.total",
            "",
            "    def as_dict(self):",
            *area.prose(6, "        # "),
            "        return {'id': self.pk, 'status': self.status, 'total': str(self.total)}",
            "",
            "",
        ]
    return "\n".join(lines)


def _python_client(area: _Area) -> str:
    host = area.rng.choice(HOSTS)
    timeout = area.rng.choice(("", ", timeout=10"))
    return f'''import logging

import requests

logger = logging.getLogger(__name__)
BASE = "https://{host}/v1"


class {area.noun.title()}Client:
    """Talks to {host}."""

    def __init__(self, token, session=None):
        self.token = token
        self.session = session or requests.Session()

    def request(self, method, path, payload=None):
        response = self.session.request(method, f"{{BASE}}/{{path}}", json=payload, headers={{"Authorization": self.token}}{timeout})
        if response.status_code >= 400:
            logger.warning("%s answered %s", path, response.status_code)
            raise RuntimeError(response.text)
        return response.json()

    def create_{area.noun}(self, payload):
        return self.request("POST", "{area.noun}s", payload)

    def get_{area.noun}(self, number):
        return self.request("GET", f"{area.noun}s/{{number}}")

    def cancel_{area.noun}(self, number):
        try:
            return self.request("DELETE", f"{area.noun}s/{{number}}")
        except RuntimeError as error:
            logger.error("cancel failed: %s", error)
            return None
'''


def _python_services(area: _Area) -> str:
    rng = area.rng
    lines = ["from decimal import Decimal", "", "from django.db import transaction", "", f"from shop.{area.name}.client import {area.noun.title()}Client"]
    near = [NOUNS[number % len(NOUNS)] + f"_{number}" for number in area.near if number % 10 < 7]
    lines += [f"from shop.{other}.services import total_of as total_of_{other}" for other in near]
    chosen = rng.sample(STATUSES, 5)
    lines += ["", "STATUS_MAP = {", *(f"    '{s}': '{rng.choice(STATUSES)}'," for s in chosen), "}", "", ""]
    lines += ["def total_of(items):", "    return sum((Decimal(i['price']) * i['quantity'] for i in items), Decimal(0))", "", ""]
    lines += [f"def map_{area.noun}_status(value):", "    return STATUS_MAP.get(value, 'pending')", "", ""]
    for number in range(24):
        verb, other = area.verb(), area.other()
        lines += [
            f"def {verb}_{area.noun}_{number}({area.noun}, {other}, options=None):",
            f'    """{verb.title()} the {area.noun} with its {other}.',
            *area.prose(6, "    "),
            '    """',
            "    options = options or {}",
            "    items = options.get('items', [])",
            "    amount = total_of(items)",
            f"    for line in {other}.lines.all():",
            "        if line.quantity < 1 or not line.active:",
            "            continue",
            "        amount += Decimal(line.price) * line.quantity",
            f"    if amount > {rng.randrange(50, 500)} and {area.noun}.status == '{rng.choice(STATUSES)}':",
            f"        {area.noun}.status = map_{area.noun}_status(options.get('status'))",
            f"        {area.noun}.save(update_fields=['status'])",
        ]
        if near and number % 5 == 0:
            lines.append(f"    amount = max(amount, total_of_{rng.choice(near)}(items))")
        if number % 7 == 3:
            lines += [
                "    with transaction.atomic():",
                f"        {area.noun}.total = amount",
                f"        {area.noun}.save()",
                f"        {area.noun.title()}Client(options['token']).create_{area.noun}({area.noun}.as_dict())",
            ]
        lines += [f"    return {{'amount': amount, '{other}': {other}.pk}}", "", ""]
    return "\n".join(lines)


def _python_tasks(area: _Area) -> str:
    lines = ["from celery import shared_task", "", f"from shop.{area.name} import services"]
    lines += [f"from shop.{area.name}.client import {area.noun.title()}Client", "", ""]
    for number in range(4):
        lines += [
            f"@shared_task(bind=True{area.rng.choice(('', ', max_retries=3', ', autoretry_for=(RuntimeError,)'))})",
            f"def {area.verb()}_{area.noun}_task_{number}(self, number, token):",
            *area.prose(6, "    # "),
            f"    client = {area.noun.title()}Client(token)",
            f"    found = client.get_{area.noun}(number)",
            f"    status = services.map_{area.noun}_status(found['status'])",
            "    if status == 'failed':",
            f"        client.cancel_{area.noun}(number)",
            "    return status",
            "",
            "",
        ]
    return "\n".join(lines)


def _python_routes(area: _Area) -> str:
    lines = ["from fastapi import APIRouter", "", f"from shop.{area.name} import services, tasks", "", "router = APIRouter()", "", ""]
    for number in range(5):
        lines += [
            f'@router.post("/{area.name}/{number}")',
            f"async def {area.verb()}_{number}(body: dict):",
            *area.prose(6, "    # "),
            f"    {area.noun} = body['{area.noun}']",
            f"    services.map_{area.noun}_status(body.get('status'))",
            f"    return {{'ok': True, '{area.noun}': {area.noun}}}",
            "",
            "",
        ]
    return "\n".join(lines)


# ---- PHP and TypeScript ------------------------------------------------------------------------------------------------------------------
def _php_service(area: _Area) -> str:
    name = area.noun.title()
    lines = ["<?php", f"namespace Shop\\{name}{area.number};", "", "use GuzzleHttp\\Client;", "use Psr\\Log\\LoggerInterface;", "", f"class {name}Service", "{"]
    lines += ["    private $client;", "    private $logger;", "", "    public function __construct(Client $client, LoggerInterface $logger)", "    {"]
    lines += ["        $this->client = $client;", "        $this->logger = $logger;", "    }", ""]
    for number in range(18):
        verb, other = area.verb(), area.other()
        lines += [
            *area.prose(6, "    // "),
            f"    public function {verb}{name}{number}(${area.noun}, array $options = [])",
            "    {",
            "        $total = 0;",
            f"        foreach (${area.noun}->getItems() as $item) {{",
            "            if ($item->getQty() < 1) {",
            "                continue;",
            "            }",
            "            $total += $item->getPrice() * $item->getQty();",
            "        }",
            f"        if ($total > {area.rng.randrange(10, 900)} && ${area.noun}->getStatus() === '{area.rng.choice(STATUSES)}') {{",
            f"            ${area.noun}->setStatus('{area.rng.choice(STATUSES)}');",
            "        }",
        ]
        if number % 9 == 4:
            lines += [
                "        try {",
                f"            $this->client->post('https://{area.rng.choice(HOSTS)}/v1/{other}', ['json' => ['total' => $total]]);",
                "        } catch (\\Exception $e) {",
                "            $this->logger->error($e->getMessage());",
                "        }",
            ]
        lines += [f"        return ['total' => $total, '{other}' => $options['{other}'] ?? null];", "    }", ""]
    return "\n".join([*lines, "}", ""])


def _ts_service(area: _Area) -> str:
    name = area.noun.title()
    near = [number for number in area.near if number % 10 == 9]
    lines = ['import axios from "axios"']
    lines += [f'import {{ totalOf as totalOf{number} }} from "../{NOUNS[number % len(NOUNS)]}_{number}/service"' for number in near]
    lines += ["", "export const totalOf = (items) => items.reduce((sum, i) => sum + i.price * i.quantity, 0)", "", f"export class {name}Service {{"]
    lines += ["  constructor(private readonly token: string) {}", ""]
    for number in range(18):
        verb, other = area.verb(), area.other()
        lines += [
            *area.prose(6, "  // "),
            f"  async {verb}{name}{number}({area.noun}, {other}, options = {{}}) {{",
            "    let amount = totalOf(options.items ?? [])",
            f"    for (const line of {other}.lines) {{",
            "      if (line.quantity < 1 || !line.active) continue",
            "      amount += line.price * line.quantity",
            "    }",
            f"    if (amount > {area.rng.randrange(10, 900)} && {area.noun}.status === '{area.rng.choice(STATUSES)}') {{",
            f"      {area.noun}.status = '{area.rng.choice(STATUSES)}'",
            "    }",
        ]
        if near and number % 6 == 0:
            lines.append(f"    amount = Math.max(amount, totalOf{near[0]}(options.items))")
        if number % 9 == 4:
            lines.append(f"    await axios.post('https://{area.rng.choice(HOSTS)}/v1/{other}', {{ amount }}, {{ headers: {{ token: this.token }} }})")
        lines += [f"    return {{ amount, {other}: {other}.id }}", "  }", ""]
    return "\n".join([*lines, "}", ""])


Maker = Callable[[_Area], str]
_PYTHON: tuple[tuple[str, Maker], ...] = (
    ("__init__.py", lambda _: ""), ("models.py", _python_models), ("client.py", _python_client), ("services.py", _python_services), ("tasks.py", _python_tasks),
    ("routes.py", _python_routes),
)  # fmt: skip


def _files(area: _Area) -> list[tuple[str, str]]:
    """The files of an area: of ten areas seven are Python, two PHP, one TypeScript."""
    kind = area.number % 10
    if kind < 7:
        return [(f"shop/{area.name}/{name}", make(area)) for name, make in _PYTHON]
    if kind < 9:
        return [(f"php/{area.noun.title()}{area.number}/{area.noun.title()}Service.php", _php_service(area))]
    return [(f"web/{area.name}/service.ts", _ts_service(area))]


def write(folder: Path, megabytes: float, seed: int = 1) -> int:
    """Write a repository of about `megabytes` (millions of bytes) into an empty folder; answers its bytes."""
    rng = random.Random(seed)
    files = {
        "requirements.txt": "requests==2.32.3\ncelery==5.4.0\ndjango==5.1\nfastapi==0.115.0\n", "shop/__init__.py": "",
        "composer.json": '{"require": {"guzzlehttp/guzzle": "^7.0"}}\n', "package.json": '{"name": "shop", "dependencies": {"axios": "^1.7.0"}}\n',
    }  # fmt: skip
    total = number = 0
    while total < megabytes * 1e6:
        for path, text in (*files.items(), *_files(_Area(number, rng))):
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
            total += len(text.encode())
        files = {}
        number += 1
    return total
