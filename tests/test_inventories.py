"""The inventories of queues, webhooks and ladders: who is joined with whom, what is said of each, and the commands that print them."""
# ruff: noqa: E501 - code samples stand on one line

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowaudit.scanner import cli
from flowaudit.scanner.report import QueueItem, WebhookItem
from flowaudit.scanner.traits.ladder_report import ladder_items
from flowaudit.scanner.traits.queue_report import queue_items
from flowaudit.scanner.traits.webhook_report import webhook_items
from tests.audit import graph_of

SAM = (
    "Resources:\n  Dead:\n    Type: AWS::SQS::Queue\n  Orders:\n    Type: AWS::SQS::Queue\n    Properties:\n      VisibilityTimeout: 180\n      RedrivePolicy:\n"
    "        deadLetterTargetArn: !GetAtt Dead.Arn\n        maxReceiveCount: 5\n  Export:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: src/\n"
    "      Handler: main.run\n      Timeout: 30\n      Events:\n        Queue:\n          Type: SQS\n          Properties:\n            Queue: !GetAtt Orders.Arn\n            BatchSize: 1\n"
)


def queue(files: dict[str, str], name: str) -> QueueItem:
    (found,) = [i for i in queue_items(graph_of(files)) if i.name == name]
    return found


def webhooks(files: dict[str, str], direction: str = "in") -> list[WebhookItem]:
    return [i for i in webhook_items(graph_of(files)) if i.direction == direction]


# ---- queues ------------------------------------------------------------------------------------------------------------------------
def test_a_queue_of_settings_is_joined_with_the_code_that_reads_it() -> None:
    files = {"template.yaml": SAM, "src/main.py": "def run(event, context):\n    print(event)\n"}
    found = queue(files, "Orders")
    assert [(p.name, p.note) for p in found.consumers] == [("Export", "run")]
    assert (found.delivery, found.redelivery, found.dead_letters, found.carries) == ("at-least-once", "5 attempts", "Dead", "order")
    assert found.limits == (("redelivered after", "180 s"), ("handler may work", "30 s"))
    assert found.dead_letter_readers == ()
    assert queue(files, "Dead").dead_letters == "takes those of Orders"


def test_publisher_queue_and_consumer_in_code_are_one_item() -> None:
    files = {
        "a.py": "import pika\ndef setup(channel):\n    channel.queue_declare(queue='orders', durable=True, arguments={'x-message-ttl': 60000})\n"
        "    channel.basic_consume(queue='orders', on_message_callback=book, auto_ack=False)\ndef book(ch, method, properties, body):\n    pass\n",
        "b.py": "import pika\ndef send(channel, body):\n    channel.basic_publish(exchange='', routing_key='orders', body=body, properties=pika.BasicProperties(delivery_mode=2))\n",
    }
    found = queue(files, "orders")
    assert [p.at.path for p in found.publishers] == ["b.py"]
    assert "a.py" in {p.at.path for p in found.consumers}
    assert (found.ack, found.durability, found.expiry) == ("by hand, after the work", "durable queue, persistent messages", "after 60 s")


def test_tasks_without_a_queue_share_one_and_those_with_one_stand_apart() -> None:
    code = (
        "from celery import shared_task\n@shared_task\ndef export(order):\n    pass\n@shared_task(queue=settings.HOOK_QUEUE)\ndef hook(order):\n    pass\n@shared_task(queue='mails')\ndef mail(order):\n    pass\n"
        "def checkout(order):\n    export.delay(order)\n    mail.delay(order)\n"
    )
    found = {i.name: i for i in queue_items(graph_of({"shop/tasks.py": code, "shop/settings.py": "CELERY_TASK_ACKS_LATE = True\nCELERY_TASK_TIME_LIMIT = 60\n"}))}
    assert sorted(found) == ["HOOK_QUEUE", "celery (default queue)", "mails"]
    assert [p.name for p in found["mails"].publishers] == ["checkout"]
    assert (found["mails"].delivery, found["mails"].ack) == ("at-most-once", "after the work")
    assert ("handler may work", "60 s") in found["mails"].limits


def test_queues_of_two_brokers_with_one_name_are_two() -> None:
    files = {
        "config/packages/messenger.yaml": "framework:\n  messenger:\n    transports:\n      orders: 'doctrine://default'\n",
        "a.py": "import pika\ndef read(channel):\n    channel.basic_consume(queue='orders', on_message_callback=f)\n",
    }
    found = [i for i in queue_items(graph_of(files)) if i.name == "orders"]
    assert sorted(i.technology for i in found) == ["rabbitmq", "symfony-messenger"]
    assert all(not (i.consumers and i.technology == "symfony-messenger") for i in found)


# ---- webhooks ----------------------------------------------------------------------------------------------------------------------
HOOK = (
    "import stripe\nfrom flask import Flask, request\nfrom shop.models import Order\napp = Flask(__name__)\n@app.post('/webhooks/stripe')\ndef stripe_webhook():\n"
    "    event = {event}\n    if event['type'] == 'payment_intent.succeeded':\n        order = Order.objects.get(id=1)\n        order.status = 'paid'\n        order.save()\n"
    "    elif event['type'] in ('charge.refunded', 'charge.dispute.created'):\n        Order.objects.filter(id=1).update(status='x')\n    return ''\n"
)
SETUP = "import stripe\ndef install():\n    stripe.WebhookEndpoint.create(url='https://shop.example/webhooks/stripe', enabled_events=['payment_intent.succeeded', 'payment_intent.payment_failed'])\n"


def test_events_handled_subscribed_and_missing() -> None:
    (found,) = webhooks({"shop/hooks.py": HOOK.format(event="request.get_json()"), "shop/install.py": SETUP})
    assert found.system == "Stripe"
    assert [p.name for p in found.handled] == ["charge.dispute.created", "charge.refunded", "payment_intent.succeeded"]
    assert [p.name for p in found.subscribed] == ["payment_intent.payment_failed", "payment_intent.succeeded"]
    assert found.unhandled == ("payment_intent.payment_failed",)
    assert found.unsubscribed == ("charge.dispute.created", "charge.refunded")
    assert found.verification == "none found"
    assert found.delivery == "at-least-once"


def test_without_a_subscription_in_view_nothing_is_called_missing() -> None:
    (found,) = webhooks({"shop/hooks.py": HOOK.format(event="stripe.Webhook.construct_event(request.data, request.headers['Stripe-Signature'], SECRET)")})
    assert (found.subscribed, found.unhandled, found.unsubscribed) == ((), (), ())
    assert found.verification == "checked at line 7"


def test_a_dispatch_table_names_the_events() -> None:
    code = (
        "const HANDLERS = { 'orders/paid': paid, 'orders/cancelled': cancelled }\nasync function paid(o) {}\nasync function cancelled(o) {}\n"
        "app.post('/webhooks/shopify', async (req, res) => {\n  const topic = req.headers['x-shopify-topic']\n  await HANDLERS[topic](req.body)\n  res.sendStatus(200)\n})\n"
    )
    (found,) = webhooks({"server.js": "const express = require('express')\nconst app = express()\n" + code})
    assert [p.name for p in found.handled] == ["orders/cancelled", "orders/paid"]
    assert found.deadline == "5 s"


def test_what_a_shop_sends_to_subscribers() -> None:
    code = (
        "import hashlib, hmac, requests\ndef deliver_webhook(webhook, body):\n    signature = hmac.new(webhook.secret, body, hashlib.sha256).hexdigest()\n"
        "    requests.post(webhook.target_url, data=body, headers={'X-Signature': signature}, timeout=10)\n"
    )
    (found,) = webhooks({"shop/hooks.py": code}, "out")
    assert (found.name, found.signing, found.retries, found.timeout) == ("deliver_webhook", "signed", "none found", "yes")
    (found,) = webhooks({"shop/hooks.py": code.replace("hmac.new(webhook.secret, body, hashlib.sha256).hexdigest()", "'x'")}, "out")
    assert found.signing == "none found"


@pytest.mark.parametrize("url", ["settings.SLACK_WEBHOOK_URL", "'https://hooks.slack.com/services/x'", "'https://erp.example.com/orders'"])
def test_notices_to_a_chat_and_plain_calls_are_no_webhooks(url: str) -> None:
    assert webhooks({"shop/notify.py": f"import requests\ndef tell(text):\n    requests.post({url}, json=text, timeout=5)\n"}, "out") == []


# ---- ladders and commands ----------------------------------------------------------------------------------------------------------
def test_a_ladder_says_whether_it_fits() -> None:
    code = "import requests\nfrom celery import shared_task\n@shared_task(time_limit={0})\ndef export(order):\n    requests.post('https://erp.example.com/o', timeout=20)\n"
    for limit, fits in ((10, False), (60, True)):
        (found,) = ladder_items(graph_of({"shop/tasks.py": code.format(limit)}))
        assert (found.fits, found.longest) == (fits, "requests.post: up to 20 s")
        assert [p.note for p in found.rungs] == [f"{limit} s"]


@pytest.mark.parametrize(("command", "key"), [("queues", "queues"), ("webhooks", "webhooks")])
def test_the_commands_print_text_and_json(command: str, key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "template.yaml").write_text(SAM)
    (tmp_path / "hooks.py").write_text(HOOK.format(event="request.get_json()"))
    assert cli.main([command, str(tmp_path), "--no-cache", "--quiet"]) == 0
    said = capsys.readouterr().out
    assert ("Orders  [sqs]  (orders)  template.yaml:4" if command == "queues" else "/webhooks/stripe  hooks.py:5") in said
    assert cli.main([command, str(tmp_path), "--no-cache", "--quiet", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data[key]


def test_the_report_holds_the_inventories_with_places_spelt_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "template.yaml").write_text(SAM)
    cli.main(["scan", str(tmp_path), "--no-cache", "--quiet", "--format", "json", "-o", "-"])
    data = json.loads(capsys.readouterr().out)
    orders = next(q for q in data["queues"] if q["name"] == "Orders")
    assert orders["at"]["line"] == 4
    assert orders["consumers"][0]["at"]["path"] == "template.yaml"


def test_the_brief_shows_them_and_client_text_cannot_act(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "template.yaml").write_text(SAM.replace("  Orders:", '  "Or|ders":').replace("!GetAtt Orders.Arn", '!GetAtt "Or|ders.Arn"'))
    (tmp_path / "hooks.py").write_text(HOOK.format(event="request.get_json()"))
    cli.main(["scan", str(tmp_path), "--no-cache", "--quiet", "--format", "brief", "-o", "-"])
    said = capsys.readouterr().out
    assert "### Queues and topics" in said
    assert "Or\\|ders" in said
    assert "### Webhooks that partners call" in said


BUS = (
    "Resources:\n  Book:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: src/\n      Handler: main.run\n      Events:\n        Bus:\n"
    "          Type: EventBridgeRule\n          Properties:\n            Pattern:\n              source: [shop.orders]\n              detail-type: [OrderPaid, OrderCancelled]\n"
    "  Rule:\n    Type: AWS::Events::Rule\n    Properties:\n      EventPattern:\n        detail-type: [OrderPaid]\n      Targets:\n        - Arn: !GetAtt Book.Arn\n          Id: book\n"
)


def test_an_event_bus_is_told_by_detail_types_across_templates() -> None:
    code = "def put(client, paid):\n    kind = 'OrderPaid' if paid else 'x'\n    client.put_events(Entries=[{'Source': 'shop.orders', 'DetailType': 'OrderPaid', 'Detail': '{}'}])\n"
    other = "def put(client, kind):\n    event = {}\n    event['DetailType'] = 'Order{}'.format(kind)\n    client.put_events(Entries=[event])\n"
    files = {"a/template.yaml": BUS, "a/src/main.py": "def run(event, context):\n    print(event)\n", "b/send.py": code, "c/send.py": other}
    paid, cancelled = queue(files, "OrderPaid"), queue(files, "OrderCancelled")
    assert sorted({p.name for p in paid.consumers}) == ["Book"]
    assert [p.at.path for p in paid.publishers] == ["b/send.py", "c/send.py"]
    assert [p.at.path for p in cancelled.publishers] == ["c/send.py"]
    assert paid.redelivery == "186 in all (default)"


def test_a_wrapper_hands_the_address_of_a_subscriber_on() -> None:
    files = {
        "core/http.py": "import requests\ndef send_request(method, url, data):\n    return requests.request(method, url, data=data, timeout=10)\n",
        "hooks/transport.py": "from core.http import send_request\ndef send_webhook_using_http(target_url, message):\n    return send_request('POST', target_url, message)\n",
        "erp/export.py": "from core.http import send_request\ndef export(order):\n    return send_request('POST', 'https://erp.example.com/orders', order)\n",
    }
    found = webhooks(files, "out")
    assert [(w.name, w.at.path) for w in found] == [("send_webhook_using_http", "hooks/transport.py")]
