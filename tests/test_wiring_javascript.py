"""Medusa: subscribers by event, jobs by schedule, workflows through their steps."""

from __future__ import annotations

from audit import audit, graph_of

from flowaudit.scanner.facts import Schedule

CLIENT = "import axios from 'axios';\nexport async function push(id: string) { await axios.post('https://erp.example/orders', { id }, { timeout: 5000 }); }\n"
WORKFLOW = """import { createStep, createWorkflow, StepResponse } from '@medusajs/framework/workflows-sdk';
import { push } from './client';
const pushStep = createStep('push', async (input: any) => { await push(input.id); return new StepResponse(1); }, async (n: any) => { await push('undo'); });
export const exportWorkflow = createWorkflow('export', (input: any) => { pushStep(input); });
"""
SUBSCRIBER = """import { exportWorkflow } from '../client-workflow';
export default async function placed({ event, container }: any) { await exportWorkflow(container).run({ input: event.data }); }
export const config = { event: EVENT };
"""


def test_a_subscriber_reaches_the_steps_of_a_workflow() -> None:
    files = {"src/client.ts": CLIENT, "src/client-workflow.ts": WORKFLOW}
    files |= {"src/subscribers/placed.ts": SUBSCRIBER.replace("EVENT", "'order.placed'")}
    graph = graph_of(files)
    assert [(e.kind, e.name) for e in graph.entries] == [("event", "order.placed")]
    assert [s.system for s in graph.sites_below(graph.entries[0].unit)] == ["erp.example"]
    assert not audit("swallowed-exception", files)  # a step in a workflow is not a promise that somebody forgot


def test_one_entry_point_an_event() -> None:
    files = {"src/subscribers/placed.ts": SUBSCRIBER.replace("EVENT", "['order.placed', 'order.updated']")}
    assert sorted(e.name for e in graph_of(files).entries) == ["order.placed", "order.updated"]


def test_an_event_that_is_not_constant_leaves_the_place_of_the_file() -> None:
    assert [e.name for e in graph_of({"src/subscribers/placed.ts": SUBSCRIBER.replace("EVENT", "process.env.EVENT")}).entries] == ["/subscribers/placed"]


JOB = "export default async function pull(container: any) { await container.go(); }\nexport const config = { name: 'pull-stock', schedule: SCHEDULE };\n"


def test_jobs_and_their_schedules() -> None:
    for written, dialect, when in (("'*/5 * * * *'", "cron", "*/5 * * * *"), ("{ interval: 60_000 }", "interval", "60"), ("process.env.CRON", "cron", "<unknown>")):
        graph = graph_of({"src/jobs/pull.ts": JOB.replace("SCHEDULE", written)})
        ((_, schedule),) = graph.schedules
        assert (schedule.name, schedule.dialect, schedule.when) == ("pull-stock", dialect, when)
        assert [(e.kind, e.name, e.unit.unit.name) for e in graph.entries] == [("schedule", "pull-stock", "pull")]


def test_a_config_elsewhere_is_no_job() -> None:
    facts = graph_of({"src/lib/pull.ts": JOB.replace("SCHEDULE", "'* * * * *'")}).program.files["src/lib/pull.ts"].facts
    assert not [f for f in facts if isinstance(f, Schedule)]


def test_chained_routes_of_hono() -> None:
    code = """import { Hono } from 'hono';
export const routes = new Hono().basePath('/api').use(async (c, next) => { await next(); })
  .get('/orders', async (c) => c.json([]))
  .post('/pay', check(), async (c) => c.json(1));
"""
    assert [(e.kind, e.name) for e in graph_of({"src/routes.ts": code}).entries if e.name.startswith("/")] == [("route", "/orders"), ("route", "/pay")]


def test_trpc_procedures() -> None:
    code = """import { authenticatedProcedure } from './trpc';
import { db } from './db';
export const pay = authenticatedProcedure.input(schema).output(other).mutation(async ({ input }) => pay_(input));
export const list = authenticatedProcedure.query(async ({ ctx }) => []);
export const rows = db.query(async () => []);
"""
    assert [e.kind for e in graph_of({"src/router.ts": code}).entries] == ["route", "route"]
