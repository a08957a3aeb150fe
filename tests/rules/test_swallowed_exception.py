"""swallowed-exception: what fires and what stays silent, the same property in three languages where each has a word for it."""

from __future__ import annotations

import pytest

from tests.audit import audit

RULE = "swallowed-exception"
PY_HEAD = "import requests\nimport logging\nfrom celery import shared_task\nlogger = logging.getLogger(__name__)\nURL = 'https://erp.example.com/orders'\n"


def python(code: str, **settings: object) -> list[tuple[str, str]]:
    return [(f.id, f.confidence) for f in audit(RULE, {"shop/erp.py": PY_HEAD + code}, **settings)]


def php(code: str, **settings: object) -> list[tuple[str, str]]:
    text = "<?php\nnamespace App\\Erp;\nuse GuzzleHttp\\Client;\n" + code
    return [(f.id, f.confidence) for f in audit(RULE, {"src/Erp.php": text}, **settings)]


def js(code: str, **settings: object) -> list[tuple[str, str]]:
    return [(f.id, f.confidence) for f in audit(RULE, {"src/erp.js": "import axios from 'axios';\n" + code}, **settings)]


def php_handler(types: str, handler: str, after: str = "") -> str:
    return f"""class Erp {{
    public function __construct(private Client $http) {{}}
    public function push($order) {{
        try {{
            $this->http->post('https://erp.example.com/orders', ['json' => $order]);
        }} catch ({types} $e) {{
            {handler}
        }}
        {after}
    }}
}}
"""


def py_handler(types: str, handler: str, after: str = "") -> str:
    return f"""
def push(order):
    try:
        requests.post(URL, json=order.payload).raise_for_status()
    except {types}:
        {handler}
    {after}
"""


def js_handler(handler: str, after: str = "") -> str:
    return f"""export async function push(order) {{
  try {{
    await axios.post('https://erp.example.com/orders', order);
  }} catch (e) {{
    {handler}
  }}
  {after}
}}
"""


# ---- empty handlers ----------------------------------------------------------------------------------------------------------
def test_an_empty_handler_around_a_write_fires() -> None:
    assert python(py_handler("Exception", "pass")) == [(RULE, "high")]
    assert php(php_handler("\\Exception", "")) == [(RULE, "high")]
    assert js(js_handler("")) == [(RULE, "high")]


@pytest.mark.parametrize("comment", ["TODO later on please", "logger.error('x')", "noqa", "ok"])
def test_a_mark_or_code_in_a_comment_is_no_reason(comment: str) -> None:
    assert python(py_handler("Exception", f"pass  # {comment}")) == [(RULE, "high")]
    assert php(php_handler("\\Exception", f"// {comment}")) == [(RULE, "high")]


def test_a_comment_that_says_why_silences_unless_comments_do_not_count() -> None:
    said = "the nightly job sends it again"
    assert python(py_handler("Exception", f"pass  # {said}")) == []
    assert php(php_handler("\\Exception", f"// {said}")) == []
    assert js(js_handler(f"// {said}")) == []
    honest = {"honour-comments": False}
    assert python(py_handler("Exception", f"pass  # {said}"), **honest) == [(RULE, "high")]
    assert php(php_handler("\\Exception", f"// {said}"), **honest) == [(RULE, "high")]
    assert js(js_handler(f"// {said}"), **honest) == [(RULE, "high")]


# ---- what handles a failure ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "handler",
    [
        "raise",
        "raise RuntimeError('export failed') from None",
        "failed.append(order)",
        "order.error = 'export failed'",
        "retry_later.delay(order.id)",
        "requests.post('https://backup.example.com/orders', json=order.payload).raise_for_status()",
    ],
)
def test_a_handler_that_does_something_is_silent(handler: str) -> None:
    assert python(py_handler("Exception", handler)) == []


@pytest.mark.parametrize(
    "handler",
    [
        "throw $e;",
        "throw new ExportFailed($order, 0, $e);",
        "$this->failed[] = $order;",
        "$order->error = 'x';",
        "$this->queue->later($order);",
    ],
)
def test_a_php_handler_that_does_something_is_silent(handler: str) -> None:
    assert php(php_handler("\\Exception", handler)) == []


@pytest.mark.parametrize("handler", ["throw e;", "failed.push(order);", "order.error = String(e);", "next(e);"])
def test_a_js_handler_that_does_something_is_silent(handler: str) -> None:
    assert js(js_handler(handler)) == []


@pytest.mark.parametrize("types", ["Order.DoesNotExist", "KeyError", "(ValueError, IntegrityError)", "errors.DuplicateOrderError"])
def test_expected_failures_are_silent(types: str) -> None:
    assert python(py_handler(types, "pass")) == []


def test_expected_failures_are_silent_in_php() -> None:
    assert php(php_handler("UniqueConstraintViolationException", "")) == []
    assert php(php_handler("NotFoundException", "return;")) == []


def test_a_narrow_answer_is_silent_when_the_rest_is_raised() -> None:
    assert python(py_handler("Exception as e", "if 'already paid' in str(e):\n            return\n        raise")) == []
    assert php(php_handler("\\Exception", "if ($e->getCode() !== 409) { throw $e; }")) == []
    assert js(js_handler("if (e.code === 'resource_missing') { return; }\n throw e;")) == []


def test_no_boundary_no_finding() -> None:
    assert python("\ndef parse(text):\n    try:\n        return int(text)\n    except Exception:\n        pass\n") == []
    assert php("function parse($t) { try { return json_decode($t); } catch (\\Exception $e) { } }") == []
    assert js("export function parse(t) { try { return JSON.parse(t); } catch (e) { } }") == []


def test_best_effort_steps_are_silent() -> None:
    assert (
        python("\ndef purge_cdn_cache(order):\n    try:\n        requests.post(URL, json={})\n    except Exception:\n        pass\n") == []
    )
    assert (
        js("export async function trackMetric(order) { try { await axios.post('https://m.example.com/x', order); } catch (e) { } }") == []
    )
    assert python(py_handler("Exception", "logger.warning('non-fatal: %s', order)", "order.status = 'exported'")) == []


def test_a_loop_of_attempts_is_silent() -> None:
    code = "\nimport time\ndef push(order):\n"
    code += "    for attempt in range(3):\n        try:\n            requests.post(URL, json=1).raise_for_status()\n"
    code += "            return\n        except Exception:\n            time.sleep(2)\n    raise RuntimeError('gave up')\n"
    assert python(code) == []


# ---- logged, and on to the success path ----------------------------------------------------------------------------------------
def test_log_only_and_on_to_the_success_path_fires() -> None:
    assert python(py_handler("Exception", "logger.exception('export failed')", "return True")) == [(RULE, "high")]
    assert php(php_handler("\\Exception", "$this->logger->error($e->getMessage());", "return true;")) == [(RULE, "high")]
    assert js(js_handler("console.error(e);", "return true;")) == [(RULE, "high")]


def test_success_returned_by_the_handler_fires() -> None:
    assert python(py_handler("Exception", "logger.exception('export failed')\n        return True")) == [(RULE, "high")]
    assert php(php_handler("\\Exception", "$this->logger->error('x'); return true;")) == [(RULE, "high")]
    assert js(js_handler("console.error(e); return { success: true };")) == [(RULE, "high")]


def test_an_error_answer_is_for_the_caller_to_look_at() -> None:
    assert python(py_handler("Exception as e", "logger.exception('x')\n        return {'success': False, 'error': str(e)}")) == []
    assert php(php_handler("\\Exception", "return ['success' => false];")) == []
    assert js(js_handler("return { ok: false, reason: e.message };")) == []


def test_a_flag_that_is_looked_at_later_is_silent() -> None:
    code = "\ndef push(order):\n    ok = True\n    try:\n"
    code += "        requests.post(URL, json=1).raise_for_status()\n    except Exception:\n        ok = False\n"
    assert python(code + "    if ok:\n        order.status = 'exported'\n") == []


def test_a_task_that_ends_as_success_fires_and_one_that_raises_does_not() -> None:
    code = "\n@shared_task\ndef export(order_id):\n    try:\n"
    code += (
        "        requests.post(URL, json=order_id).raise_for_status()\n    except Exception:\n        logger.exception('export failed')\n"
    )
    assert [i for i, _ in python(code)] == [RULE]
    assert python(code + "        raise\n") == []


# ---- sentinels -------------------------------------------------------------------------------------------------------------------
FETCH = """
def push(order):
    try:
        requests.post(URL, json=1).raise_for_status()
        return 'done'
    except Exception:
        logger.exception('x')
        return None
"""


def test_a_sentinel_that_a_task_drops_fires() -> None:
    assert [i for i, _ in python(FETCH + "\n@shared_task\ndef export(order):\n    push(order)\n")] == [RULE]


def test_a_sentinel_that_a_task_ends_quietly_on_fires() -> None:
    assert [
        i
        for i, _ in python(
            FETCH + "\n@shared_task\ndef export(order):\n    done = push(order)\n    if not done:\n        return\n    order.done()\n"
        )
    ] == [RULE]


def test_a_sentinel_that_the_caller_turns_into_a_failure_is_silent() -> None:
    assert (
        python(FETCH + "\n@shared_task\ndef export(order):\n    done = push(order)\n    if not done:\n        raise RuntimeError(order)\n")
        == []
    )
    assert python(FETCH + "\n@shared_task\ndef export(order):\n    if push(order) is None:\n        order.retry_later()\n") == []


def test_a_sentinel_without_known_callers_is_silent() -> None:
    assert python(FETCH) == []


def test_the_same_answer_as_for_success_fires() -> None:
    code = "class Job {}\nexport async function add(order) {\n  try {\n"
    code += "    await axios.post('https://q.example.com/jobs', order);\n    return new Job(order);\n  }"
    assert [i for i, _ in js(code + " catch (e) {\n    console.error(e.stack);\n    return new Job(order);\n  }\n}\n")] == [RULE]
    assert js(code + " catch (e) {\n    return new FailedJob(order, e);\n  }\n}\n") == []


# ---- batches -----------------------------------------------------------------------------------------------------------------------
def test_a_batch_that_forgets_its_item_fires() -> None:
    code = "\ndef export_all(orders):\n    for order in orders:\n        try:\n"
    code += "            requests.post(URL, json=order).raise_for_status()\n        except Exception:\n            continue\n"
    assert [i for i, _ in python(code)] == [RULE]
    remembered = code.replace("            continue\n", "            failed.append(order)\n            continue\n")
    assert python(remembered) == []


# ---- promises ------------------------------------------------------------------------------------------------------------------------
def test_an_empty_rejection_callback_fires() -> None:
    code = "export async function push(order) {{ await axios.post('https://erp.example.com/orders', order){0}; }}\n"
    assert js(code.format(".catch(() => {})")) == [(RULE, "high")]
    assert js(code.format(".catch((e) => { throw new Error('x', { cause: e }); })")) == []
    assert js(code.format("")) == []


def test_a_dropped_promise_fires() -> None:
    code = "export async function notify(order) {{ {0}axios.post('https://sms.example.com/send', order){1};\n  await order.save(); }}\n"
    assert [i for i, _ in js(code.format("", ""))] == [f"{RULE}/floating"]
    assert js(code.format("await ", "")) == []
    assert js(code.format("return ", "")) == []
    assert js(code.format("", ".catch((e) => failed.push(e))")) == []


def test_a_dropped_promise_whose_unit_holds_its_own_failures_is_silent() -> None:
    code = "async function send(o) {{ {0} }}\nexport async function run(o) {{ send(o); }}\n"
    post = "await axios.post('https://erp.example.com/o', o)"
    assert js(code.format(f"try {{ {post}; }} catch (e) {{ o.error = e; }}")) == []
    assert js(code.format(f"{post}.catch((e) => {{ o.error = e; }});")) == []
    assert [i for i, _ in js(code.format(post + ";"))] == [f"{RULE}/floating"]


def test_an_async_callback_of_for_each_fires() -> None:
    code = (
        "export async function all(orders) {{ {0}orders.{1}(async (o) => {{ await axios.post('https://erp.example.com/o', o); }}){2}; }}\n"
    )
    assert [i for i, _ in js(code.format("", "forEach", ""))] == [f"{RULE}/floating"]
    assert [i for i, _ in js(code.format("await ", "map", ""))] == [f"{RULE}/floating"]
    assert js(code.format("await Promise.all(", "map", ")")) == []


def test_a_promise_returned_out_of_try_fires() -> None:
    code = "export async function push(o) {{ try {{ return {0}axios.post('https://erp.example.com/o', o); }} finally {{ lock.release(); }} }}\n"
    code += ""
    assert [i for i, _ in js(code.format(""))] == [f"{RULE}/floating"]
    assert js(code.format("await ")) == []


def test_a_coroutine_that_nobody_awaits_fires() -> None:
    code = (
        "\nasync def push(order):\n    requests.post(URL, json=order).raise_for_status()\n\nasync def handle(order):\n    {0}push(order)\n"
    )
    assert [i for i, _ in python(code.format(""))] == [f"{RULE}/floating"]
    assert python(code.format("await ")) == []


# ---- answers ---------------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "fires"),
    [
        ("requests.post(URL, json=order)", True),
        ("r = requests.post(URL, json=order)", True),
        ("r = requests.post(URL, json=order)\n    logger.info('sent %s', r)", True),
        ("r = requests.post(URL, json=order)\n    r.raise_for_status()", False),
        ("r = requests.post(URL, json=order)\n    if r.status_code != 201:\n        raise RuntimeError(r.text)", False),
        ("r = requests.post(URL, json=order)\n    data = r.json()\n    if 'error' in data:\n        raise RuntimeError(data)", False),
        ("requests.post(URL, json=order).raise_for_status()", False),
        ("return requests.post(URL, json=order)", False),
        ("r = requests.post(URL, json=order)\n    examine(r)", False),
        ("requests.get(URL)", False),
    ],
)
def test_an_answer_is_looked_at_or_not(body: str, fires: bool) -> None:
    assert [i for i, _ in python(f"\ndef push(order):\n    {body}\n")] == ([f"{RULE}/unchecked-response"] if fires else [])


def test_an_answer_is_followed_into_helpers_and_callers() -> None:
    helper = "\ndef look(r):\n    if not r.ok:\n        raise RuntimeError(r.text)\n\ndef push(order):\n    r = requests.post(URL, json=order)\n    look(r)\n"
    assert python(helper) == []
    careless = "\ndef push(order):\n    return requests.post(URL, json=order)\n\ndef export(order):\n    push(order)\n"
    assert [i for i, _ in python(careless)] == [f"{RULE}/unchecked-response"]
    careful = careless.replace("    push(order)\n", "    if push(order).status_code != 200:\n        raise RuntimeError()\n")
    assert python(careful) == []


def test_a_client_that_raises_needs_no_look() -> None:
    assert php("class A { function f(Client $c) { $c->post('https://erp.example.com/o'); } }") == []
    assert js("export async function f(o) { await axios.post('https://erp.example.com/o', o); }\n") == []


def test_an_unlooked_fetch_in_js_and_a_looked_one() -> None:
    code = "export async function f(o) {{ const r = await fetch('https://erp.example.com/o', {{ method: 'POST', body: o }});\n {0} }}\n"
    assert [i for i, _ in js(code.format("console.log('sent');"))] == [f"{RULE}/unchecked-response"]
    assert js(code.format("if (!r.ok) { throw new Error('refused'); }")) == []


def test_an_unlooked_answer_in_php_and_a_looked_one() -> None:
    code = "function f($o) {{ $r = wp_remote_post('https://erp.example.com/o', ['body' => $o]);\n {0} }}"
    assert [i for i, _ in php(code.format("$o->touch();"))] == [f"{RULE}/unchecked-response"]
    assert php(code.format("if (is_wp_error($r)) { throw new \\RuntimeException('x'); }")) == []


# ---- classes that are not there ------------------------------------------------------------------------------------------------------------
def test_a_relative_class_in_a_namespace_never_catches() -> None:
    assert php(php_handler("Exception", "throw new ExportFailed();")) == [(f"{RULE}/wrong-type", "high")]
    assert php(php_handler("\\Exception", "throw new ExportFailed();")) == []
    assert php("use Exception;\n" + php_handler("Exception", "throw new ExportFailed();")) == []
    assert php("class Exception extends \\Exception {}\n" + php_handler("Exception", "throw new ExportFailed();")) == []


def test_a_class_that_nothing_defines_never_catches() -> None:
    assert python(py_handler("RequestExeption", "raise")) == [(f"{RULE}/wrong-type", "high")]
    assert python("\nfrom requests import RequestException\n" + py_handler("RequestException", "raise")) == []


# ---- what a finding says ---------------------------------------------------------------------------------------------------------------------
def test_the_finding_names_the_call_and_stands_at_the_handler() -> None:
    found = audit(RULE, {"shop/erp.py": PY_HEAD + py_handler("Exception", "pass")})
    assert found[0].at.line == PY_HEAD.count("\n") + 5
    assert "requests.post" in found[0].message
    assert found[0].vector == "lost"
    assert found[0].related[0].at.line == PY_HEAD.count("\n") + 4


def test_findings_are_the_same_on_each_run() -> None:
    files = {"shop/erp.py": PY_HEAD + py_handler("Exception", "pass") + FETCH + "\n@shared_task\ndef export(order):\n    push(order)\n"}
    assert audit(RULE, files) == audit(RULE, files)
