"""swallowed-exception: a handler around a call that answers its own failures swallows nothing. Twins in three languages."""
# ruff: noqa: E501 - code samples stand on one line
from __future__ import annotations

import pytest

from tests.audit import audit


def places(path: str, code: str) -> list[int]:
    return [f.at.line for f in audit("swallowed-exception", {path: code}) if f.confidence != "low"]


PY = """import requests
from celery import shared_task

def push(order):
    {0}

@shared_task
def export(order):
    try:
        push(order)
    except Exception:
        pass
    order.exported = True
    order.save()
"""
PHP = """<?php
class ExportJob implements \\Illuminate\\Contracts\\Queue\\ShouldQueue {{
  private function push($order) {{ {0} }}
  public function handle() {{
    try {{ $this->push($this->order); }} catch (\\Throwable $e) {{ }}
    $this->order->update(['exported' => true]);
  }}
}}
"""
JS = """const axios = require('axios');
const {{ Worker }} = require('bullmq');
async function push(order) {{ {0} }}
new Worker('export', async (job) => {{
  try {{ await push(job.data); }} catch (e) {{ }}
  await prisma.order.update({{ where: {{ id: job.data.id }}, data: {{ exported: true }} }});
}});
"""
CASES = [
    ("a.py", PY, "requests.post('https://erp.example.com/o', json=order, timeout=5).raise_for_status()", 11),
    ("a.php", PHP, "\\Illuminate\\Support\\Facades\\Http::post('https://erp.example.com/o', $order)->throw();", 5),
    ("a.js", JS, "await axios.post('https://erp.example.com/o', order);", 5),
]
WRAPPED = {
    "a.py": "try:\n        {0}\n    except Exception as error:\n        log.error(error)",
    "a.php": "try {{ {0} }} catch (\\Throwable $e) {{ report($e); }}",
    "a.js": "try {{ {0} }} catch (e) {{ console.error(e); }}",
}


@pytest.mark.parametrize(("path", "code", "call", "line"), CASES)
def test_the_outer_handler_swallows_what_the_callee_lets_out(path: str, code: str, call: str, line: int) -> None:
    assert line in places(path, code.format(call))


@pytest.mark.parametrize(("path", "code", "call", "line"), CASES)
def test_a_callee_that_answers_everything_leaves_nothing_to_swallow(path: str, code: str, call: str, line: int) -> None:
    wrapped = WRAPPED[path].format(call)
    outer = line + wrapped.count("\n")
    found = places(path, code.format(wrapped))
    assert outer not in found
    assert len(found) == 1  # the callee's own handler, which only logs


def test_a_promise_without_a_way_to_reject() -> None:
    made = "return new Promise(({params}) => {{ const req = https.request('https://erp.example.com/o', (r) => resolve(true)); req.on('error', () => {end}); req.end(order); }});"
    head = "const https = require('https');\n" + JS.replace("async function push", "function push")
    never, may = made.format(params="resolve", end="resolve(false)"), made.format(params="resolve, reject", end="reject()")
    assert 6 not in places("a.js", head.format(never))
    # the one that may reject is seen as far as the call itself is
    assert places("a.js", head.format(never)) == [line for line in places("a.js", head.format(may)) if line != 6]
