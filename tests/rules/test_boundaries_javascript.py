"""transaction-boundary, unverified-webhook and unlogged-call in JavaScript and TypeScript."""

# ruff: noqa: E501 - the audited code stands on one line
from __future__ import annotations

import pytest

from tests.audit import audit, lines

PRISMA = """import { PrismaClient } from '@prisma/client';
import { Queue } from 'bullmq';
const prisma = new PrismaClient();
const mails = new Queue('mails');

export async function place(order) {
%s
}
"""


@pytest.mark.parametrize(
    "body",
    [
        "  await prisma.$transaction(async (tx) => {\n    await tx.order.create({ data: order });\n    await mails.add('confirm', { id: order.id });\n  });",
        "  await prisma.$transaction(async (tx) => {\n    await tx.order.create({ data: order });\n    await tell(order);\n  });\n}\nasync function tell(order) {\n  await mails.add('confirm', { id: order.id });",
    ],
)
def test_enqueue_inside_a_transaction(body: str) -> None:
    assert [i for i, _ in lines(audit("transaction-boundary", {"src/place.ts": PRISMA % body}))] == ["transaction-boundary"]


@pytest.mark.parametrize(
    "body",
    [
        "  await prisma.$transaction(async (tx) => {\n    await tx.order.create({ data: order });\n  });\n  await mails.add('confirm', { id: order.id });",
        "  await prisma.order.create({ data: order });\n  await mails.add('confirm', { id: order.id });",
        "  await prisma.$transaction(async (tx) => {\n    await mails.withTransaction(tx).add('confirm', { id: order.id });\n  });",
    ],
)
def test_enqueue_after_the_transaction(body: str) -> None:
    assert audit("transaction-boundary", {"src/place.ts": PRISMA % body}) == []


def test_call_inside_a_transaction() -> None:
    inside = "  await prisma.$transaction(async (tx) => {\n    await fetch('https://api.stripe.com/v1/charges', { method: 'POST', body: order });\n  });"
    outside = "  await fetch('https://api.stripe.com/v1/charges', { method: 'POST', body: order });\n  await prisma.$transaction(async (tx) => { await tx.order.create({ data: order }); });"
    assert len(audit("transaction-boundary", {"src/pay.ts": PRISMA % inside})) == 1
    assert audit("transaction-boundary", {"src/pay.ts": PRISMA % outside}) == []


def test_lost_update() -> None:
    loud = "  const product = await prisma.product.findUnique({ where: { id: order.id } });\n  await prisma.product.update({ where: { id: order.id }, data: { stock: product.stock - order.n } });"
    quiet = "  await prisma.product.update({ where: { id: order.id }, data: { stock: { decrement: order.n } } });"
    assert lines(audit("transaction-boundary", {"src/stock.ts": PRISMA % loud})) == [("transaction-boundary/lost-update", 8)]
    assert audit("transaction-boundary", {"src/stock.ts": PRISMA % quiet}) == []


EXPRESS = """import express from 'express';
import crypto from 'crypto';
import { PrismaClient } from '@prisma/client';
const prisma = new PrismaClient();
const app = express();
%s
app.post('/webhooks/acme', async (req, res) => {
%s
  await prisma.order.update({ where: { id: req.body.order }, data: { status: 'paid' } });
  res.sendStatus(200);
});
"""
GOOD = "crypto.timingSafeEqual(Buffer.from(req.headers['x-signature']), Buffer.from(process.env.ACME_SECRET))"


def hook(check: str, more: str = "") -> list[str]:
    return [f.key.rpartition("|")[2] for f in audit("unverified-webhook", {"src/hooks.ts": EXPRESS % (more, check)})]


def test_payload_is_believed() -> None:
    assert hook("") == ["unchecked"]


@pytest.mark.parametrize(
    ("check", "more"),
    [
        (f"  if (!{GOOD}) return res.sendStatus(401);", ""),
        ("  if (!verifySignature(req)) return res.sendStatus(401);", f"function verifySignature(req) {{ return {GOOD}; }}"),
        ("  if (req.headers['x-token'] !== process.env.ACME_TOKEN) return res.sendStatus(401);", ""),
        ("  const secret = process.env.ACME_SECRET;\n  if (!secret || !crypto.timingSafeEqual(a, b)) return res.sendStatus(401);", ""),
        ("  const payment = await mollieClient.payments.get(req.body.id);", ""),
    ],
)
def test_sender_is_checked(check: str, more: str) -> None:
    assert hook(check, more) == []


def test_check_that_a_missing_header_passes() -> None:
    check = "  const secret = process.env.ACME_SECRET;\n  const provided = req.headers['x-token'];\n  if (provided && secret && !crypto.timingSafeEqual(provided, secret)) return res.sendStatus(401);"
    assert hook(check) == ["skipped"]


def test_signature_compared_with_an_operator() -> None:
    check = "  const expected = crypto.createHmac('sha256', secret).update(req.rawBody).digest('hex');\n  if (expected !== req.headers['x-signature']) return res.sendStatus(401);"
    assert hook(check) == ["timing"]


WORKER = """import { Worker } from 'bullmq';
import axios from 'axios';
import { logger } from './logger';

new Worker('orders', async (job) => {
  const order = job.data;
%s
});
"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("  try {\n    await axios.post('https://erp.example.com/orders', order);\n  } catch (error) {\n  }", ["unlogged-call"]),
        (
            "  try {\n    await axios.post('https://erp.example.com/orders', order);\n  } catch (error) {\n    logger.error(`export of ${order.id} failed`);\n  }",
            ["unlogged-call/no-cause"],
        ),
        (
            "  try {\n    await axios.post('https://erp.example.com/orders', order);\n  } catch (error) {\n    logger.error({ error, order: order.id }, 'export failed');\n  }",
            [],
        ),
        ("  await axios.post('https://erp.example.com/orders', order);", []),
        ("  logger.info(`key ${process.env.x} ${order.apiKey}`);", ["unlogged-call/secret"]),
    ],
)
def test_traces_of_a_worker(body: str, expected: list[str]) -> None:
    assert [
        f.id
        for f in audit(
            "unlogged-call", {"src/worker.ts": WORKER % body, "src/logger.ts": "import pino from 'pino';\nexport const logger = pino();\n"}
        )
    ] == expected


def test_message_refused_without_a_line() -> None:
    code = "export function start(subscription, process) {\n  subscription.on('message', (message) => {\n    process(message)\n      .then(() => { message.ack(); })\n      .catch((err) => { message.nack(); %s });\n  });\n}\n"
    assert [f.id for f in audit("unlogged-call", {"src/listen.ts": code % ""})] == ["unlogged-call/no-cause"]
    assert audit("unlogged-call", {"src/listen.ts": code % "console.error('failed', message.id, err);"}) == []


def test_convex_route_with_a_check_that_a_missing_header_passes() -> None:
    code = """import { httpRouter } from "convex/server";
import { httpAction } from "./_generated/server";
const http = httpRouter();
http.route({
  path: "/pair-callback",
  method: "POST",
  handler: httpAction(async (ctx, request) => {
    const secret = process.env.PARTNER_WEBHOOK_SECRET ?? "";
    const provided = request.headers.get("X-Secret-Token") ?? "";
    %s
    const update = await request.json();
    await fetch("https://api.telegram.org/bot/sendMessage", { method: "POST", body: JSON.stringify(update) });
    return new Response("OK");
  }),
});
export default http;
"""
    loud = 'if (provided && secret && !(await timingSafeEqual(provided, secret))) { return new Response("OK"); }'
    quiet = 'if (!provided || !secret || !(await timingSafeEqual(provided, secret))) { return new Response("OK"); }'
    generated = {
        "convex/_generated/server.js": "import { httpActionGeneric } from 'convex/server';\nexport const httpAction = httpActionGeneric;\n"
    }
    assert lines(audit("unverified-webhook", {**generated, "convex/http.ts": code % loud})) == [("unverified-webhook", 10)]
    assert audit("unverified-webhook", {**generated, "convex/http.ts": code % quiet}) == []
