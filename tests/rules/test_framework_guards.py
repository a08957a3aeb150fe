"""Guards as the frameworks of shops write them: each beside the same code without it. Laravel, WooCommerce, Magento, NestJS, Express, Fastify, Next.js, Remix;
Prisma, TypeORM, Drizzle, Knex, Mongoose, Redis."""

# ruff: noqa: E501 - the audited code stands on few lines
from __future__ import annotations

import pytest

from tests.audit import audit

IDEMPOTENT, BOUNDARY, WEBHOOK = "non-idempotent-consumer", "transaction-boundary", "unverified-webhook"
LARAVEL = """<?php
namespace App;
use Illuminate\\Support\\Facades\\{{Http,Cache,DB}};
use Illuminate\\Contracts\\Queue\\{{ShouldQueue,ShouldBeUnique,ShouldQueueAfterCommit}};
use App\\Models\\{{Order,Invoice}};
"""
MODEL = {"app/Models/Invoice.php": "<?php\nnamespace App\\Models;\nclass Invoice extends \\Illuminate\\Database\\Eloquent\\Model {}\n"}
JOB = LARAVEL + """class MakeInvoice implements ShouldQueue {{
    public $tries = 5;
    public $order;
    public function handle() {{
        {0}
    }}
}}
"""
MAKE = "Invoice::create(['order_id' => $this->order->id]); Http::timeout(5)->post('https://erp.example.com/i', ['id' => 1])->throw();"
WOO = """<?php
add_action('woocommerce_api_acme', 'acme_hook');
function acme_hook() {{
    $data = json_decode(file_get_contents('php://input'), true);
    $order = wc_get_order($data['order']);
    {0}
}}
"""
REFUND = "wc_create_refund(array('order_id' => $data['order'], 'amount' => $data['amount']));"
NODE = """import express from 'express';
import {{ PrismaClient }} from '@prisma/client';
{1}
const prisma = new PrismaClient();
const app = express();
app.post('/webhooks/acme', async (req, res) => {{
  verifySignature(req);
  {0}
  res.sendStatus(200);
}});
"""
INVOICE = "await prisma.invoice.create({ data: { orderId: req.body.order } });"


def fires(rule: str, files: dict[str, str]) -> bool:
    return any(f.id == rule and f.confidence != "low" for f in audit(rule, files))


LARAVEL_JOBS = {
    "cache lock": "if (!Cache::lock('i'.$this->order->id, 10)->get()) { return; } " + MAKE,
    "cache lock around it": "Cache::lock('i', 10)->get(function () { " + MAKE + " });",
    "cache add": "if (!Cache::add('i'.$this->order->id, 1, 600)) { return; } " + MAKE,
    "the invoice exists": "if (Invoice::where('order_id', $this->order->id)->exists()) { return; } " + MAKE,
    "first or create": MAKE.replace("create", "firstOrCreate"),
    "locked row": "DB::transaction(function () { $o = Order::lockForUpdate()->find($this->order->id); if ($o->invoiced_at) { return; } " + MAKE + " });",
}


def test_a_laravel_job_that_makes_an_invoice_twice() -> None:
    assert fires(IDEMPOTENT, MODEL | {"app/MakeInvoice.php": JOB.format(MAKE)})
    unique = JOB.format(MAKE).replace("implements ShouldQueue ", "implements ShouldQueue, ShouldBeUnique ")
    assert fires(IDEMPOTENT, MODEL | {"app/MakeInvoice.php": unique}), "a job that waits once in the queue still runs again after a failure"


@pytest.mark.parametrize("guard", sorted(LARAVEL_JOBS))
def test_laravel_guards(guard: str) -> None:
    assert not fires(IDEMPOTENT, MODEL | {"app/MakeInvoice.php": JOB.format(LARAVEL_JOBS[guard])})


WOO_GUARDS = {
    "transient": "if (get_transient('acme_' . $data['id'])) { return; } set_transient('acme_' . $data['id'], 1, 60);",
    "order meta": "if ($order->get_meta('_acme_refund')) { return; }",
    "status": "if ($order->has_status('refunded')) { return; }",
    "order notes": "foreach (wc_get_order_notes(array('order_id' => $data['order'])) as $note) { if (strpos($note->content, $data['id']) !== false) { return; } }",
    "option": "if (!add_option('acme_' . $data['id'], 1)) { return; }",
    "list of events": "$seen = get_option('acme_seen', array()); if (in_array($data['id'], $seen, true)) { return; }",
}
WOO_NO_GUARDS = {
    "nothing": "",
    "kind of event": "if (in_array($data['type'], array('refund'), true) === false) { return; }",
    "loop over the payload": "foreach ($data['lines'] as $line) { if (!$line) { return; } }",
}


@pytest.mark.parametrize("guard", sorted(WOO_GUARDS))
def test_woocommerce_guards(guard: str) -> None:
    assert not fires(IDEMPOTENT, {"acme.php": WOO.format(WOO_GUARDS[guard] + " " + REFUND)})


@pytest.mark.parametrize("guard", sorted(WOO_NO_GUARDS))
def test_what_guards_no_refund(guard: str) -> None:
    assert fires(IDEMPOTENT, {"acme.php": WOO.format(WOO_NO_GUARDS[guard] + " " + REFUND)})


NODE_GUARDS = {
    "prisma find": ("if (await prisma.event.findUnique({ where: { id: req.body.id } })) return res.sendStatus(200);", ""),
    "prisma unique insert": (
        "try { await prisma.processedEvent.create({ data: { id: req.body.id } }); } catch (e) { if (e.code === 'P2002') return res.sendStatus(200); throw e; }",
        "",
    ),
    "redis 4 NX": (
        "const fresh = await redis.set(`e:${req.body.id}`, '1', { NX: true, EX: 600 });\n  if (!fresh) return res.sendStatus(200);",
        "import { createClient } from 'redis';\nconst redis = createClient();",
    ),
    "ioredis NX": (
        "const fresh = await redis.set(`e:${req.body.id}`, '1', 'EX', 600, 'NX');\n  if (fresh !== 'OK') return res.sendStatus(200);",
        "import Redis from 'ioredis';\nconst redis = new Redis();",
    ),
    "drizzle on conflict": (
        "const rows = await db.insert(events).values({ id: req.body.id }).onConflictDoNothing().returning();\n  if (rows.length === 0) return res.sendStatus(200);",
        "import { drizzle } from 'drizzle-orm/node-postgres';\nconst db = drizzle();",
    ),
    "knex first": (
        "const done = await knex('events').where({ id: req.body.id }).first();\n  if (done) return res.sendStatus(200);",
        "import Knex from 'knex';\nconst knex = Knex({});",
    ),
    "mongoose find": (
        "const seen = await Event.findOne({ eventId: req.body.id });\n  if (seen) return res.sendStatus(200);",
        "import mongoose from 'mongoose';\nconst Event = mongoose.model('Event', new mongoose.Schema({}));",
    ),
    "typeorm find": (
        "const seen = await repo.findOne({ where: { id: req.body.id } });\n  if (seen) return res.sendStatus(200);",
        "import { getRepository } from 'typeorm';\nconst repo = getRepository(EventLog);",
    ),
}


def test_a_node_webhook_that_makes_an_invoice_twice() -> None:
    assert fires(IDEMPOTENT, {"hooks.ts": NODE.format(INVOICE, "")})
    cached = "await redis.set(`e:${req.body.id}`, '1', { EX: 600 });\n  " + INVOICE
    assert fires(IDEMPOTENT, {"hooks.ts": NODE.format(cached, "import { createClient } from 'redis';\nconst redis = createClient();")})


@pytest.mark.parametrize("guard", sorted(NODE_GUARDS))
def test_node_guards(guard: str) -> None:
    check, head = NODE_GUARDS[guard]
    assert not fires(IDEMPOTENT, {"hooks.ts": NODE.format(check + "\n  " + INVOICE, head)})


DISPATCH = LARAVEL + """class C {{
    function f($o) {{ DB::transaction(function () use ($o) {{ $o->save(); {0} }}); }}
}}
class MakeInvoice implements {1} {{ use \\Illuminate\\Foundation\\Bus\\Dispatchable; {2} function handle() {{}} }}
"""
SEND = "MakeInvoice::dispatch($o);"
AFTER = {
    "on the dispatch": ("MakeInvoice::dispatch($o)->afterCommit();", "ShouldQueue", ""),
    "a field of the job": (SEND, "ShouldQueue", "public $afterCommit = true;"),
    "a hook of the connection": ("DB::afterCommit(fn () => MakeInvoice::dispatch($o));", "ShouldQueue", ""),
    "an interface of the job": (SEND, "ShouldQueueAfterCommit", ""),
}


def test_a_laravel_job_that_starts_before_the_commit() -> None:
    assert fires(BOUNDARY, {"a.php": DISPATCH.format(SEND, "ShouldQueue", "")})


@pytest.mark.parametrize("how", sorted(AFTER))
def test_laravel_after_commit(how: str) -> None:
    assert not fires(BOUNDARY, {"a.php": DISPATCH.format(*AFTER[how])})


CHARGE = "await axios.post('https://api.stripe.com/v1/charges', o, { timeout: 5000 });"
TRANSACTIONS = {
    "prisma": ("import { PrismaClient } from '@prisma/client';\nconst prisma = new PrismaClient();", "await prisma.$transaction(async (tx) => { await tx.order.create({ data: o }); INSIDE });"),
    "typeorm": ("import { DataSource } from 'typeorm';\nconst ds = new DataSource({});", "await ds.transaction(async (m) => { await m.save(o); INSIDE });"),
    "knex": ("import Knex from 'knex';\nconst knex = Knex({});", "await knex.transaction(async (trx) => { await trx('orders').insert(o); INSIDE });"),
    "mongoose": (
        "import mongoose from 'mongoose';",
        "const session = await mongoose.startSession(); await session.withTransaction(async () => { await Order.create([o], { session }); INSIDE });",
    ),
    "drizzle": (
        "import { drizzle } from 'drizzle-orm/node-postgres';\nconst db = drizzle();",
        "await db.transaction(async (tx) => { await tx.insert(orders).values(o); INSIDE });",
    ),
}


@pytest.mark.parametrize("library", sorted(TRANSACTIONS))
def test_a_charge_inside_a_transaction(library: str) -> None:
    head, body = TRANSACTIONS[library]
    code = "import axios from 'axios';\n" + head + "\nexport async function place(o) { BODY }\n"
    assert fires(BOUNDARY, {"place.ts": code.replace("BODY", body.replace("INSIDE", CHARGE))})
    assert not fires(BOUNDARY, {"place.ts": code.replace("BODY", body.replace("INSIDE", "") + " " + CHARGE)})


MAGENTO = """<?php
namespace A;
use Magento\\Framework\\App\\ResourceConnection;
use Magento\\Framework\\MessageQueue\\PublisherInterface;
class P {{
    public function __construct(private ResourceConnection $r, private \\GuzzleHttp\\Client $c, private PublisherInterface $p) {{}}
    public function run($o) {{
        $this->r->getConnection()->beginTransaction();
        $o->save();
        {0}
        $this->r->getConnection()->commit();
        {1}
    }}
}}
"""


@pytest.mark.parametrize("work", ["$this->c->post('https://api.stripe.com/v1/charges', ['timeout' => 5]);", "$this->p->publish('order.export', $o);"])
def test_a_magento_transaction(work: str) -> None:
    assert fires(BOUNDARY, {"P.php": MAGENTO.format(work, "")})
    assert not fires(BOUNDARY, {"P.php": MAGENTO.format("", work)})


NEST = """import {{ Controller, Post, Body, UseGuards, UseInterceptors }} from '@nestjs/common';
import {{ PrismaClient }} from '@prisma/client';
const prisma = new PrismaClient();
{0}@Controller('webhooks')
export class Hooks {{
  {1}@Post('acme')
  async acme(@Body() body: any) {{
    await prisma.order.update({{ where: {{ id: body.order }}, data: {{ status: 'paid' }} }});
  }}
}}
"""


@pytest.mark.parametrize(
    ("on_class", "on_method", "expected"),
    [
        ("", "", True),
        ("", "@UseGuards(SignatureGuard)\n  ", False),
        ("@UseGuards(WebhookSignatureGuard)\n", "", False),
        ("", "@UseInterceptors(VerifyHmacInterceptor)\n  ", False),
    ],
)
def test_nest_guards(on_class: str, on_method: str, expected: bool) -> None:
    assert fires(WEBHOOK, {"hooks.ts": NEST.format(on_class, on_method)}) is expected


REST = """<?php
register_rest_route('acme/v1', '/webhook', array('methods' => 'POST', 'callback' => 'acme_hook', 'permission_callback' => '{0}'));
function acme_ok($request) {{ return hash_equals(hash_hmac('sha256', $request->get_body(), SECRET), $request->get_header('x-sig')); }}
function acme_hook($request) {{
    $order = wc_get_order($request['order']);
    $order->payment_complete();
}}
"""


@pytest.mark.parametrize(("permission", "expected"), [("__return_true", True), ("acme_ok", False)])
def test_wordpress_rest_permissions(permission: str, expected: bool) -> None:
    assert fires(WEBHOOK, {"acme.php": REST.format(permission)}) is expected


HANDLER = "async (req, res) => { await prisma.order.update({ where: { id: req.body.order }, data: { status: 'paid' } }); }"
PAID = "await prisma.order.update({ where: { id: body.order }, data: { status: 'paid' } });\n  return new Response();"
ROUTES = {
    "express": ("hooks.ts", "import express from 'express';\nconst app = express();\napp.post('/webhooks/acme', " + HANDLER + ");\n", True),
    "express middleware": ("hooks.ts", "import express from 'express';\nconst app = express();\napp.post('/webhooks/acme', verifyAcmeSignature, " + HANDLER + ");\n", False),
    "fastify hook": ("hooks.ts", "import Fastify from 'fastify';\nconst app = Fastify();\napp.post('/webhooks/acme', { preHandler: verifyHmac }, " + HANDLER + ");\n", False),
    "next": ("app/api/webhooks/acme/route.ts", "export async function POST(request: Request) {\n  const body = await request.json();\n  " + PAID + "\n}\n", True),
    "svix": (
        "app/api/webhooks/acme/route.ts",
        "import { Webhook } from 'svix';\nexport async function POST(request: Request) {\n  const raw = await request.text();\n  const body = new Webhook(process.env.S!).verify(raw, {}) as any;\n  " + PAID + "\n}\n",
        False,
    ),
    "shopify": (
        "app/routes/webhooks.tsx",
        "import { authenticate } from '../shopify.server';\nexport const action = async ({ request }) => {\n  const { payload: body } = await authenticate.webhook(request);\n  " + PAID + "\n};\n",
        False,
    ),
}


@pytest.mark.parametrize("framework", sorted(ROUTES))
def test_signatures_of_javascript_webhooks(framework: str) -> None:
    path, code, expected = ROUTES[framework]
    head = "import { PrismaClient } from '@prisma/client';\nconst prisma = new PrismaClient();\n"
    assert fires(WEBHOOK, {path: head + code}) is expected


FORWARD = """import express from 'express';
import { Queue } from 'bullmq';
const queue = new Queue('payments');
const app = express();
app.post('/webhooks/acme', async (req, res) => {
  await queue.add('event', DATA);
  res.sendStatus(200);
});
"""


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("{ order: req.body.order }", True),
        ("{ order: req.body.order, kind: req.headers['x-event'] }", True),
        ("{ data: req.body, rawData: req.rawBody, headers: req.headers }", False),
    ],
)
def test_a_request_that_goes_on_with_its_signature(data: str, expected: bool) -> None:
    assert fires(WEBHOOK, {"hooks.ts": FORWARD.replace("DATA", data)}) is expected


POLL = "import axios from 'axios';\nexport function Poll() {\n  setInterval(() => { axios.get('https://api.example.com/v'); }, 5000);\n  return null;\n}\n"


def test_a_pages_timer_is_no_job() -> None:
    assert not fires("missing-timeout", {"components/Poll.tsx": POLL, "server.ts": "import express from 'express';\nconst app = express();\napp.get('/', (q, r) => r.send(''));\n"})
    assert fires("missing-timeout", {"jobs/poll.ts": POLL})


WORKER = """import {{ Worker }} from 'bullmq';
import axios from 'axios';
{0}
new Worker('orders', async (job) => {{
  {1}
}}, {{ connection: {{}} }});
"""
HTTP = "const http = axios.create({ baseURL: 'https://erp.example.com' });\n"


@pytest.mark.parametrize(
    ("head", "call", "expected"),
    [
        (HTTP, "await http.post('/o', job.data);", True),
        (HTTP + "http.interceptors.request.use((c) => { c.timeout = 5000; return c; });", "await http.post('/o', job.data);", False),
        (HTTP + "http.interceptors.request.use((c) => { c.headers.Authorization = 'x'; return c; });", "await http.post('/o', job.data);", True),
        ("", "await Promise.race([axios.post('https://erp.example.com/o', job.data), new Promise((_, no) => setTimeout(() => no(new Error('late')), 5000))]);", False),
        ("import { timeout } from './clock';", "await Promise.race([axios.post('https://erp.example.com/o', job.data), timeout(5000)]);", False),
        ("", "await Promise.race([axios.post('https://erp.example.com/o', job.data), axios.post('https://erp2.example.com/o', job.data)]);", True),
    ],
)
def test_limits_of_axios_calls(head: str, call: str, expected: bool) -> None:
    assert fires("missing-timeout", {"worker.ts": WORKER.format(head, call)}) is expected


SESSION = """import Stripe from 'stripe';
const stripe = new Stripe('k');
export async function checkout(customer: string) {
  const params = { allow_promotion_codes: true, customer, KEY: { address: 'auto' } };
  return stripe.checkout.sessions.create(params, { idempotencyKey: customer });
}
"""


@pytest.mark.parametrize(("key", "expected"), [("customer_update", []), ("'customer.update'", ["status-mapping-gap/unknown-value"])])
def test_an_option_of_a_call_is_no_event(key: str, expected: list[str]) -> None:
    found = audit("status-mapping-gap", {"checkout.ts": SESSION.replace("KEY", key)})
    assert [f.id for f in found if f.variant == "unknown-value"] == expected
