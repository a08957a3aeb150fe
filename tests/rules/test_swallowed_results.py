"""swallowed-exception: answers that are looked at too late, failures that become a part of a job's answer, writes of a record's parts not awaited."""
# ruff: noqa: E501 - code samples stand on one line

from __future__ import annotations

import pytest

from tests.audit import audit

RULE = "swallowed-exception"
MAILS = {
    "shop/mails.py": (
        ("class Mails:\n    def deliver(self, row):\n        if not row.address:\n            return 0\n        self.mailer.send(row.address, row.text)\n        return 1\n"
        "    def run(self):\n        for row in self.db.all('SELECT * FROM email_queue'):\n            sent = self.deliver(row)\n{between}            self.db.run('DELETE FROM email_queue WHERE id = %s', row.id)\n            if sent == 1:\n                self.wait()\n"),
        "            if not sent:\n                continue\n",
        9,
    ),
    "src/Mails.php": (
        ("<?php\nclass Mails {\n  public function deliver($row) {\n    if (!$row->address) {\n      return false;\n    }\n    $this->mailer->send($row->address, $row->text);\n    return true;\n  }\n"
        "  public function run() {\n    foreach ($this->db->all('SELECT * FROM email_queue') as $row) {\n      $sent = $this->deliver($row);\n{between}      $this->db->run('DELETE FROM email_queue WHERE id = ?', $row->id);\n      if ($sent) {\n        $this->wait();\n      }\n    }\n  }\n}\n"),
        "      if (!$sent) {\n        continue;\n      }\n",
        12,
    ),
    "src/mails.ts": (
        ("export class Mails {\n  async deliver(row) {\n    if (!row.address) {\n      return false;\n    }\n    await this.mailer.send(row.address, row.text);\n    return true;\n  }\n"
        "  async run() {\n    for (const row of await this.db.all('SELECT * FROM email_queue')) {\n      const sent = await this.deliver(row);\n{between}      await this.db.run('DELETE FROM email_queue WHERE id = ?', row.id);\n      if (sent) {\n        this.wait();\n      }\n    }\n  }\n}\n"),
        "      if (!sent) {\n        continue;\n      }\n",
        11,
    ),
}  # fmt: skip


def found(path: str, code: str) -> list[tuple[str, int, str]]:
    return [(f.id, f.at.line, f.confidence) for f in audit(RULE, {path: code}) if f.confidence != "low"]


@pytest.mark.parametrize("path", sorted(MAILS))
def test_a_verdict_that_is_looked_at_too_late(path: str) -> None:
    code, check, line = MAILS[path]
    assert found(path, code.replace("{between}", "")) == [(RULE + "/unchecked-response", line, "medium")]
    assert found(path, code.replace("{between}", check)) == []


@pytest.mark.parametrize("path", sorted(MAILS))
def test_an_answer_that_is_no_verdict(path: str) -> None:
    code, *_ = MAILS[path]
    plain = code.replace("{between}", "").replace("return 0", "return row").replace("return false", "return row" if path.endswith("ts") else "return $row")
    assert found(path, plain) == []


STORE = """<?php
class Store {
  public function complete($id) {
    global $wpdb;
    $updated = $wpdb->update('actions', ['status' => 'complete'], ['id' => $id]);
    if (empty($updated)) {
      throw new InvalidArgumentException('unknown action');
    }
  }
  public function start($id) {
    global $wpdb;
    %s
  }
}
"""
RUN = "$sql = $wpdb->prepare('UPDATE actions SET attempts = attempts + 1, status = %s WHERE id = %d', 'running', $id);\n    "


@pytest.mark.parametrize(
    ("body", "fires"),
    [
        (RUN + "$wpdb->query($sql);", True),
        (RUN + "if (!$wpdb->query($sql)) { throw new Exception('not claimed'); }", False),
        ("$wpdb->query('UPDATE actions SET hits = hits + 1');", False),  # no state
    ],
)
def test_a_write_whose_siblings_look_at_the_answer(body: str, fires: bool) -> None:
    hits = [f.at.line for f in audit(RULE, {"src/Store.php": STORE.replace("%s", body, 1)}) if "beside" in f.message]
    assert hits == ([13] if fires else [])


def test_without_siblings_that_look_nothing_is_said() -> None:
    code = STORE.replace("%s", RUN + "$wpdb->query($sql);", 1).replace("throw new InvalidArgumentException('unknown action');", "return;")
    assert [f for f in audit(RULE, {"src/Store.php": code}) if "beside" in f.message] == []


WORKER = """
import Bull from 'bull';
export class Bus {
  constructor() {
    this.queue_ = new Bull('events', {});
    this.queue_.process(this.worker_);
  }
  worker_ = async (job) => {
    const all = this.seen_.get(job.data.name);
    %s
  };
}
"""
CATCH = "all.map(async (handle) => {\n      return handle(job.data).catch((err) => {\n        console.warn(err);\n        return err;\n      });\n    })"


@pytest.mark.parametrize(
    ("body", "fires"),
    [
        (f"return await Promise.all({CATCH});", True),
        (f"const results = await Promise.all({CATCH});\n    if (results.some((r) => r instanceof Error)) {{ throw new Error('failed'); }}", False),
        (f"return await Promise.all({CATCH.replace('return err;', 'throw err;')});", False),
    ],
)
def test_a_failure_inside_a_jobs_answer(body: str, fires: bool) -> None:
    assert [f[0] for f in found("src/bus.ts", WORKER.replace("%s", body))] == ([RULE] if fires else [])


LINES = """
import {{ Repository }} from 'typeorm';
class Connection {{ getRepository<E>(ctx: any, entity: any): Repository<E> {{ return this.raw.getRepository(entity); }} }}
export function process() {{
  let connection: Connection;
  return {{
    async init(injector) {{ connection = injector.get(Connection); }},
    async placed(ctx, order) {{
      await Promise.all(order.lines.map(line => {{
        {call}
      }}));
    }},
  }};
}}
"""
UPDATE = "connection.getRepository(ctx, OrderLine).update(line.id, { orderPlacedQuantity: line.quantity });"


@pytest.mark.parametrize(
    ("call", "fires"),
    [
        (UPDATE + " return line;", True),
        ("return " + UPDATE, False),
        (UPDATE.replace("OrderLine", "Note").replace("orderPlacedQuantity", "text") + " return line;", False),
    ],
)
def test_a_write_in_a_callback_that_nobody_awaits(call: str, fires: bool) -> None:
    hits = [(f.id, f.at.line) for f in audit(RULE, {"src/order.ts": LINES.format(call=call)})]
    assert hits == ([(RULE + "/floating", 10)] if fires else [])


def test_an_import_in_a_type() -> None:
    bus = "export class Bus { async publish(order) { await fetch('https://erp.example.com/orders', { method: 'POST', body: order }).then(r => { if (!r.ok) throw new Error('x'); }); } }\n"
    code = "export function process() {\n  let bus: import('./bus').Bus;\n  return { async placed(order) { bus.publish(order); } };\n}\n"
    assert [(f.id, f.at.path, f.at.line) for f in audit(RULE, {"src/bus.ts": bus, "src/order.ts": code})] == [(RULE + "/floating", "src/order.ts", 3)]


HELPER = "def save_to_db(item):\n    try:\n        db.session.add(item)\n        db.session.commit()\n    except Exception:\n        log.error('not stored')\n        return False\n    return True\n"
STORES = {
    "shop/db.py": "from flask_sqlalchemy import SQLAlchemy\ndb = SQLAlchemy()\n" + HELPER,
    "shop/models.py": "from shop.db import db\nclass Order(db.Model):\n    pass\nclass Picture(db.Model):\n    pass\n",
    "shop/orders.py": "from shop.db import save_to_db\nfrom shop.models import Order\ndef place():\n    order = Order()\n    save_to_db(order)\n",
}


@pytest.mark.parametrize(("name", "fires"), [("order = Order()", True), ("picture = Picture()", False)])
def test_a_helper_that_stores_whatever_it_is_handed(name: str, fires: bool) -> None:
    task = (
        "from celery import shared_task\nfrom shop.db import db, save_to_db\nfrom shop.models import Order, Picture\n@shared_task\ndef work(row):\n"
        f"    {name}\n    try:\n        {name.partition(' ')[0]}.fill(row)\n        save_to_db({name.partition(' ')[0]})\n    except Exception:\n        log.exception('x')\n"
    )
    raising = HELPER[: HELPER.index("    try:")] + "    db.session.add(item)\n    db.session.commit()\n"
    files = {**STORES, "shop/db.py": STORES["shop/db.py"].replace(HELPER, raising), "shop/tasks.py": task}
    hits = [f for f in audit(RULE, files) if f.at.path == "shop/tasks.py" and f.confidence != "low" and "save_to_db" in f.message]
    assert bool(hits) is fires
    # the helper that answers every failure itself: said once, where the failure is swallowed
    assert {f.at.path for f in audit(RULE, {**STORES, "shop/tasks.py": task}) if f.confidence != "low"} == {"shop/db.py"}


KEPT = {
    "shop/sync.py": (
        "import requests\nfrom celery import shared_task\nfrom shop.log import note\n@shared_task\ndef export(order):\n    try:\n"
        "        requests.post('https://erp.example.com/orders', json=order, timeout=5).raise_for_status()\n    except Exception as e:\n        note('failed')\n"
    ),
}
ROWS = "from django.db import models\nclass SyncRow(models.Model):\n    pass\ndef store(text):\n    return SyncRow.objects.create(text=text)\ndef note(text):\n    return store(text)\n"


@pytest.mark.parametrize(("code", "fires"), [(ROWS, False), ("import logging\nlog = logging.getLogger('x')\ndef store(text):\n    return log.error(text)\ndef note(text):\n    return store(text)\n", True)])
def test_a_helper_that_answers_what_another_one_keeps(code: str, fires: bool) -> None:
    assert bool([f for f in audit(RULE, {**KEPT, "shop/log.py": code}) if f.confidence != "low"]) is fires


NOTE = (
    "<?php\nadd_action('woocommerce_order_status_completed', 'capture');\nfunction capture($id) {\n  $order = wc_get_order($id);\n  try {\n    wp_remote_post('https://pay.example.com/captures', ['body' => [$id]]);\n"
    "    throw_if_refused();\n  } catch (Exception $e) {\n    @;\n  }\n  $order->update_status('captured');\n}\n"
)


@pytest.mark.parametrize(("line", "fires"), [("$order->add_order_note('The capture failed')", False), ("error_log('The capture failed')", True)])
def test_a_note_kept_with_the_order(line: str, fires: bool) -> None:
    hits = [f for f in audit(RULE, {"src/capture.php": NOTE.replace("@", line)}) if f.id == RULE and f.confidence != "low"]
    assert bool(hits) is fires
