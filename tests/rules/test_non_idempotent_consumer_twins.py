"""non-idempotent-consumer: the same properties in PHP and JavaScript."""
# ruff: noqa: E501 - code samples stand on one line

from __future__ import annotations

import pytest

from tests.audit import audit

RULE = "non-idempotent-consumer"
LARAVEL = {
    "app/Models/Invoice.php": "<?php\nnamespace App\\Models;\nuse Illuminate\\Database\\Eloquent\\Model;\nclass Invoice extends Model {}\n",
    "app/Models/Order.php": "<?php\nnamespace App\\Models;\nuse Illuminate\\Database\\Eloquent\\Model;\nclass Order extends Model {}\n",
    "routes/api.php": "<?php\nuse Illuminate\\Support\\Facades\\Route;\nuse App\\Http\\Controllers\\PayController;\n"
    "Route::post('/webhooks/pay', [PayController::class, 'webhook']);\nRoute::get('/return', [PayController::class, 'back']);\n",
}
CONTROLLER = """<?php
namespace App\\Http\\Controllers;
use App\\Models\\Invoice;
use App\\Models\\Order;
use Illuminate\\Http\\Request;
use Illuminate\\Database\\UniqueConstraintViolationException;
use Illuminate\\Support\\Facades\\Cache;
use Illuminate\\Support\\Facades\\DB;
class PayController {
  private function bill($id) {
%s
  }
  public function webhook(Request $request) { $this->bill($request->input('order')); }
  public function back(Request $request) { $this->bill($request->input('order')); }
}
"""


def laravel(body: str) -> list[str]:
    return [f.id for f in audit(RULE, LARAVEL | {"app/Http/Controllers/PayController.php": CONTROLLER % body}) if f.confidence != "low"]


def test_exists_then_create_in_laravel() -> None:
    assert laravel("    if (Invoice::where('order_id', $id)->exists()) { return; }\n    Invoice::create(['order_id' => $id]);") == [f"{RULE}/race"]


@pytest.mark.parametrize(
    "body",
    [
        "    Order::lockForUpdate()->find($id);\n    if (Invoice::where('order_id', $id)->exists()) { return; }\n    Invoice::create(['order_id' => $id]);",
        "    Cache::lock('bill-' . $id, 10)->block(5, function () use ($id) {\n      if (Invoice::where('order_id', $id)->exists()) { return; }\n      Invoice::create(['order_id' => $id]);\n    });",
        "    Invoice::firstOrCreate(['order_id' => $id]);",
        "    if (Invoice::where('order_id', $id)->exists()) { return; }\n    try { Invoice::create(['order_id' => $id]); } catch (UniqueConstraintViolationException $e) { return; }",
        "    if (!Order::where('id', $id)->where('status', 'new')->update(['status' => 'billed'])) { return; }\n    if (!Invoice::where('order_id', $id)->exists()) { Invoice::create(['order_id' => $id]); }",
    ],
)
def test_one_step_in_laravel(body: str) -> None:
    assert laravel(body) == []


EXPRESS = """import express from 'express';
import { PrismaClient } from '@prisma/client';
const prisma = new PrismaClient();
const app = express();
async function bill(id) {
%s
}
app.post('/webhooks/pay', async (req, res) => { await bill(req.body.order); res.sendStatus(200); });
app.get('/return', async (req, res) => { await bill(req.query.order); res.send('ok'); });
"""


def express(body: str) -> list[str]:
    return [f.id for f in audit(RULE, {"src/app.ts": EXPRESS % body}) if f.confidence != "low"]


LOOK = "  const seen = await prisma.invoice.findFirst({ where: { orderId: id } });\n  if (seen) return;\n"


def test_find_then_create_with_prisma() -> None:
    assert express(LOOK + "  await prisma.invoice.create({ data: { orderId: id } });") == [f"{RULE}/race"]


@pytest.mark.parametrize(
    "body",
    [
        "  await prisma.invoice.upsert({ where: { orderId: id }, create: { orderId: id }, update: {} });",
        LOOK + "  try { await prisma.invoice.create({ data: { orderId: id } }); } catch (e) { if (e.code === 'P2002') return; throw e; }",
        "  const { count } = await prisma.order.updateMany({ where: { id, status: 'new' }, data: { status: 'billed' } });\n  if (!count) return;\n" + LOOK + "  await prisma.invoice.create({ data: { orderId: id } });",
        "  await prisma.$queryRaw`SELECT id FROM orders WHERE id = ${id} FOR UPDATE`;\n" + LOOK + "  await prisma.invoice.create({ data: { orderId: id } });",
    ],
)
def test_one_step_with_prisma(body: str) -> None:
    assert express(body) == []


MARK = """import express from 'express';
import { PrismaClient } from '@prisma/client';
const prisma = new PrismaClient();
const app = express();
app.post('/webhooks/pay', async (req, res) => {
  const seen = await prisma.processedEvent.findUnique({ where: { id: req.body.id } });
  if (seen) return res.sendStatus(200);
%s
  res.sendStatus(200);
});
"""
PAID = "await prisma.payment.update({ where: { id: req.body.payment }, data: { status: 'paid' } });"
SEEN = "await prisma.processedEvent.create({ data: { id: req.body.id } });"


def test_marked_before_the_work_in_javascript() -> None:
    assert f"{RULE}/marked-early" in [f.id for f in audit(RULE, {"src/app.ts": MARK % f"  {SEEN}\n  {PAID}"})]
    assert f"{RULE}/marked-early" not in [f.id for f in audit(RULE, {"src/app.ts": MARK % f"  {PAID}\n  {SEEN}"})]
    together = f"  await prisma.$transaction(async (tx) => {{\n    {SEEN.replace('prisma', 'tx')}\n    {PAID.replace('prisma', 'tx')}\n  }});"
    assert f"{RULE}/marked-early" not in [f.id for f in audit(RULE, {"src/app.ts": MARK % together})]
