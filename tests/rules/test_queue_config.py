"""queue-config: each fault in the formats that have it, and the settings that must stay silent."""

from __future__ import annotations

from audit import audit

SAM = """Transform: AWS::Serverless-2016-10-31
Resources:
  OrdersDeadLetters:
    Type: AWS::SQS::Queue
  OrdersQueue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: {visibility}
{redrive}
  ExportFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/export/
      Timeout: {timeout}
      Events:
        Orders:
          Type: SQS
          Properties:
            Queue: !GetAtt OrdersQueue.Arn
            BatchSize: {batch}
{extra}
"""
REDRIVE = """      RedrivePolicy:
        deadLetterTargetArn: !GetAtt OrdersDeadLetters.Arn
        maxReceiveCount: 5"""


def sam(visibility: int = 360, timeout: int = 60, redrive: str = REDRIVE, batch: int = 1, extra: str = "") -> dict[str, str]:
    return {"template.yaml": SAM.format(visibility=visibility, timeout=timeout, redrive=redrive, batch=batch, extra=extra)}


def found(files: dict[str, str], weakest: str = "medium") -> list[tuple[str, str, int]]:
    """(variant, confidence, line) of findings at least as sure as `weakest`."""
    order = ("low", "medium", "high")
    return [(f.variant, f.confidence, f.at.line) for f in audit("queue-config", files) if order.index(f.confidence) >= order.index(weakest)]


# ---- AWS ---------------------------------------------------------------------------------------------------------------------------
def test_a_right_sqs_consumer_is_silent() -> None:
    assert found(sam()) == []


def test_sqs_without_dead_letters() -> None:
    assert found(sam(redrive="")) == [("dead-letter", "high", 5)]


def test_a_redrive_policy_without_a_count_never_moves_a_message() -> None:
    assert found(sam(redrive="      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt OrdersDeadLetters.Arn")) == [("redelivery", "high", 10)]


def test_visibility_must_be_above_the_limit() -> None:
    assert found(sam(visibility=60)) == [("visibility", "high", 8)]
    assert found(sam(visibility=30)) == [("visibility", "high", 8)]
    assert found(sam(visibility=61)) == []


def test_a_visibility_from_outside_is_not_judged() -> None:
    text = sam()["template.yaml"].replace("VisibilityTimeout: 360", "VisibilityTimeout: !Ref Hidden")
    assert found({"template.yaml": text}) == []
    with_default = "Parameters:\n  Hidden:\n    Type: Number\n    Default: 20\n" + text
    assert [v for v, _, _ in found({"template.yaml": with_default})] == ["visibility"]


def test_batches_need_partial_failures() -> None:
    assert found(sam(batch=10)) == [("batch", "medium", 22)]
    assert found(sam(batch=10, extra="            FunctionResponseTypes: [ReportBatchItemFailures]")) == []
    code = {"src/export/app.py": "def handler(event, context):\n    return {'batchItemFailures': []}\n"}
    assert found({**sam(batch=10), **code}) == [("batch", "high", 22)]


STREAM = """Resources:
  Table:
    Type: AWS::DynamoDB::Table
  DeadLetters:
    Type: AWS::SQS::Queue
  OrderUpdates:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Changes:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            StartingPosition: LATEST
{event}
{function}
"""
ON_SOURCE = "            DestinationConfig:\n              OnFailure:\n                Destination: !GetAtt DeadLetters.Arn\n{type}"
MAY = """      Policies:
        - Statement:
            - Effect: Allow
              Action: {action}
              Resource: "*"
"""


def stream(event: str = "", function: str = "") -> dict[str, str]:
    return {"template.yaml": STREAM.format(event=event, function=function)}


def test_a_stream_without_a_failure_destination() -> None:
    assert found(stream()) == [("dead-letter", "high", 10)]


def test_a_destination_of_asynchronous_calls_is_of_no_use_to_a_stream() -> None:
    function = "      EventInvokeConfig:\n        DestinationConfig:\n          OnFailure:\n            Destination: !GetAtt DeadLetters.Arn\n"
    assert found(stream(function=function)) == [("dead-letter", "high", 16)]


def test_the_role_must_be_allowed_to_park_a_record() -> None:
    event = ON_SOURCE.format(type="")
    assert found(stream(event, MAY.format(action="events:PutEvents"))) == [("dead-letter", "high", 17)]
    assert found(stream(event, MAY.format(action="sqs:SendMessage"))) == []
    assert found(stream(ON_SOURCE.format(type="                Type: SQS\n"), MAY.format(action="events:PutEvents"))) == []
    assert found(stream(event, "      Policies:\n        - AmazonSQSFullAccess\n")) == []


TERRAFORM = """
resource "aws_sqs_queue" "dead" {
  name = "orders-dead-letters"
}
resource "aws_sqs_queue" "orders" {
  visibility_timeout_seconds = 60
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 5
  })
}
resource "aws_lambda_function" "export" {
  timeout = 60
}
resource "aws_lambda_event_source_mapping" "orders" {
  event_source_arn = aws_sqs_queue.orders.arn
  function_name    = aws_lambda_function.export.arn
  batch_size       = 1
}
"""


def test_terraform_joins_queue_and_function() -> None:
    assert found({"infra/queues.tf": TERRAFORM}) == [("visibility", "high", 6)]
    assert found({"infra/queues.tf": TERRAFORM.replace("= 60\n  redrive", "= 360\n  redrive")}) == []


def test_terraform_across_files_of_one_folder() -> None:
    head, _, tail = TERRAFORM.partition('resource "aws_lambda_function"')
    assert [v for v, _, _ in found({"infra/a.tf": head, "infra/b.tf": 'resource "aws_lambda_function"' + tail})] == ["visibility"]


def test_a_separate_redrive_policy_counts() -> None:
    bare = 'resource "aws_sqs_queue" "payments" {\n  name = "payments"\n}\n'
    assert found({"q.tf": bare}) == [("dead-letter", "medium", 1)]
    redrive = "redrive_policy = jsonencode({ deadLetterTargetArn = x, maxReceiveCount = 4 })"
    policy = f'resource "aws_sqs_queue_redrive_policy" "p" {{\n  queue_url = aws_sqs_queue.payments.id\n  {redrive}\n}}\n'
    assert found({"q.tf": bare + policy}) == []


def test_a_queue_without_order_data_ranks_low() -> None:
    bare = 'resource "aws_sqs_queue" "thumbnails" {\n  name = "thumbnails"\n}\n'
    assert found({"q.tf": bare}) == []
    assert found({"q.tf": bare}, "low") == [("dead-letter", "low", 1)]


def test_pubsub_subscription_without_dead_letters() -> None:
    other = 'resource "google_pubsub_subscription" "thumbnails" {\n  topic = "thumbnails"\n}\n'
    assert found({"q.tf": other}) == []
    text = 'resource "google_pubsub_subscription" "orders" {\n  topic = "orders"\n  ack_deadline_seconds = 20\n}\n'
    assert found({"q.tf": text}) == [("dead-letter", "medium", 1)]
    policy = "  dead_letter_policy {\n    dead_letter_topic = google_pubsub_topic.dead.id\n    max_delivery_attempts = 5\n  }\n}\n"
    assert found({"q.tf": text.removesuffix("}\n") + policy}) == []


# ---- Symfony Messenger -------------------------------------------------------------------------------------------------------------
MESSENGER = """framework:
    messenger:
{head}
        transports:
            async:
                dsn: '%env(MESSENGER_TRANSPORT_DSN)%'
{own}
            failed: 'doctrine://default?queue_name=failed'
        routing:
            'App\\Message\\ExportOrder': async
"""


def messenger(head: str = "", own: str = "") -> dict[str, str]:
    return {"config/packages/messenger.yaml": MESSENGER.format(head=head, own=own)}


def test_a_transport_without_failure_transport() -> None:
    assert found(messenger()) == [("dead-letter", "medium", 5)]
    assert found(messenger(head="        # failure_transport: failed")) == [("dead-letter", "high", 5)]


def test_a_failure_transport_silences() -> None:
    assert found(messenger(head="        failure_transport: failed")) == []
    assert found(messenger(own="                failure_transport: failed")) == []
    elsewhere = {"config/packages/framework.yaml": "framework:\n    messenger:\n        failure_transport: failed\n"}
    assert found({**messenger(), **elsewhere}) == []


def test_synchronous_and_test_transports_are_not_queues() -> None:
    text = messenger()["config/packages/messenger.yaml"].replace("%env(MESSENGER_TRANSPORT_DSN)%", "sync://")
    assert found({"config/packages/messenger.yaml": text}) == []


def test_a_single_attempt() -> None:
    own = "                failure_transport: failed\n                retry_strategy:\n                    max_retries: {}"
    assert found(messenger(own=own.format(0))) == [("redelivery", "medium", 9)]
    assert found(messenger(own=own.format(3))) == []


# ---- RabbitMQ ----------------------------------------------------------------------------------------------------------------------
def definitions(arguments: str, durable: str = "true", exchanges: str = "[]", more: str = "") -> dict[str, str]:
    queue = f'{{"name": "orders", "vhost": "/", "durable": {durable}, "arguments": {arguments}}}'
    dead = '{"name": "orders.dead", "vhost": "/", "durable": true, "arguments": {}}'
    head = '{"vhosts": [{"name": "/"}],\n "queues": [\n  '
    return {"definitions.json": f'{head}{queue},\n  {dead}],\n "exchanges": {exchanges}, "bindings": []{more}}}'}


DEAD = '{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders.dead", "x-message-ttl": 60000, "x-max-length": 100}'


def test_definitions_with_dead_letters_are_silent() -> None:
    assert found(definitions(DEAD)) == []


def test_definitions_without_dead_letters() -> None:
    assert found(definitions("{}")) == [("dead-letter", "medium", 3)]
    policy = ', "policies": [{"vhost": "/", "name": "dlx", "pattern": "^orders", "definition": {"dead-letter-exchange": "dlx"}}]'
    assert found(definitions("{}", exchanges='[{"name": "dlx", "vhost": "/"}]', more=policy)) == []


def test_dead_letters_into_nothing() -> None:
    assert found(definitions('{"x-dead-letter-exchange": "gone"}')) == [("dead-letter", "high", 3)]


def test_transient_queue_and_expiry() -> None:
    assert ("durability", "high", 3) in found(definitions(DEAD, durable="false"))
    assert ("expiry", "medium", 3) in found(definitions('{"x-message-ttl": 60000}'))


PIKA = """import pika
def consume(channel, handle):
    channel.queue_declare(queue='orders', durable={durable})
    channel.basic_consume(queue='orders', on_message_callback=handle, auto_ack={ack})
"""


def test_pika() -> None:
    assert found({"worker.py": PIKA.format(durable=True, ack=False)}) == []
    assert found({"worker.py": PIKA.format(durable=True, ack=True)}) == [("auto-ack", "high", 4)]
    assert found({"worker.py": PIKA.format(durable=False, ack=False)}) == [("durability", "high", 3)]


def test_a_reply_queue_may_be_transient() -> None:
    text = """import pika
def ask(channel, order):
    result = channel.queue_declare(queue='', exclusive=True)
    channel.basic_consume(queue=result.method.queue, on_message_callback=print, auto_ack=True)
"""
    assert found({"orders/ask.py": text}) == []


AMQPLIB = """const amqp = require('amqplib');
async function consume(channel, handle) {{
  await channel.assertQueue('payments', {queue});
  await channel.consume('payments', handle, {consume});
}}
"""


def test_amqplib() -> None:
    assert found({"worker.js": AMQPLIB.format(queue="{durable: true}", consume="{noAck: false}")}) == []
    assert found({"worker.js": AMQPLIB.format(queue="{durable: true}", consume="{noAck: true}")}) == [("auto-ack", "high", 4)]
    assert found({"worker.js": AMQPLIB.format(queue="{durable: false}", consume="{}")}) == [("durability", "high", 3)]


PHP = """<?php
use PhpAmqpLib\\Message\\AMQPMessage;
function send($channel, $order) {{
    $channel->queue_declare('orders', false, {durable}, false, false);
    $message = new AMQPMessage(json_encode($order), {options});
    $channel->basic_publish($message, '', 'orders');
}}
"""


def test_php_amqplib() -> None:
    assert found({"send.php": PHP.format(durable="true", options="['delivery_mode' => 2]")}) == []
    assert found({"send.php": PHP.format(durable="false", options="['delivery_mode' => 2]")}) == [("durability", "high", 4)]
    assert found({"send.php": PHP.format(durable="true", options="['content_type' => 'x']")}) == [("durability", "medium", 6)]


# ---- workers -----------------------------------------------------------------------------------------------------------------------
QUEUE_PHP = "<?php\nreturn ['connections' => ['redis' => ['driver' => 'redis', 'retry_after' => {}]]];\n"
HORIZON = "<?php\nreturn ['environments' => ['production' => ['orders' => ['connection' => 'redis', 'timeout' => {}, 'tries' => {}]]]];\n"
JOB = """<?php
namespace App\\Jobs;
use Illuminate\\Contracts\\Queue\\ShouldQueue;
class ExportOrder implements ShouldQueue {{ public $timeout = {}; public function handle() {{}} }}
"""


def test_horizon() -> None:
    def both(after: object, timeout: int, tries: int = 3) -> list[tuple[str, str, int]]:
        return found({"config/queue.php": QUEUE_PHP.format(after), "config/horizon.php": HORIZON.format(timeout, tries)})

    assert both(90, 60) == []
    assert both(90, 90) == [("visibility", "high", 2)]
    assert both("env('RETRY_AFTER', 90)", 300) == [("visibility", "medium", 2)]
    assert both("env('RETRY_AFTER')", 300) == []
    assert both(90, 60, 0) == [("redelivery", "medium", 2)]


def test_a_worker_started_by_a_supervisor() -> None:
    command = "[program:orders]\ncommand=php artisan queue:work redis --tries=3 --timeout={}\n"
    assert found({"config/queue.php": QUEUE_PHP.format(90), "deploy/orders.conf": command.format(60)}) == []
    assert found({"config/queue.php": QUEUE_PHP.format(90), "deploy/orders.conf": command.format(120)}) == [("visibility", "high", 2)]
    assert found({"config/queue.php": QUEUE_PHP.format(90), "deploy/orders.conf": "# " + command.replace("\n", "\n# ").format(120)}) == []
    compose = 'services:\n  orders:\n    command: ["php", "artisan", "queue:work", "--timeout=120"]\n'
    assert found({"config/queue.php": QUEUE_PHP.format(90), "docker-compose.yml": compose}) == []
    default = QUEUE_PHP.format(90).replace("['connections'", "['default' => env('QUEUE', 'redis'), 'connections'")
    assert [v for v, _, _ in found({"config/queue.php": default, "docker-compose.yml": compose})] == ["visibility"]


def test_a_laravel_job_with_a_timeout_of_its_own() -> None:
    assert found({"config/queue.php": QUEUE_PHP.format(90), "app/Jobs/ExportOrder.php": JOB.format(120)}) == [("visibility", "high", 2)]
    assert found({"config/queue.php": QUEUE_PHP.format(180), "app/Jobs/ExportOrder.php": JOB.format(120)}) == []


CELERY = """from celery import Celery
app = Celery('shop')
app.conf.task_acks_late = {late}
app.conf.task_time_limit = 3600
app.conf.broker_transport_options = {{'visibility_timeout': {visible}}}
"""


def test_celery_visibility() -> None:
    assert found({"shop/celery.py": CELERY.format(late=True, visible=3600)}) == [("visibility", "high", 5)]
    assert found({"shop/celery.py": CELERY.format(late=True, visible=7200)}) == []
    assert found({"shop/celery.py": CELERY.format(late=False, visible=1800)}) == []


def test_celery_countdown_beyond_the_visibility_timeout() -> None:
    def both(wait: object, settings: str) -> list[tuple[str, str, int]]:
        task = f"from shop.tasks import remind\n\ndef ordered(order):\n    remind.apply_async((order.id,), countdown={wait})\n"
        return found({"shop/views.py": task, "shop/settings.py": settings})

    redis = "import os\nCELERY_BROKER_URL = os.environ.get('CELERY_BROKER_URL', 'redis://localhost:6379/0')\n"
    assert both("24 * 3600", redis) == [("visibility", "medium", 4)]
    assert both(600, redis) == []
    assert both("24 * 3600", "CELERY_BROKER_URL = 'amqp://localhost'\n") == []
    assert both("24 * 3600", "CELERY_BROKER_URL = settings.URL\n") == []
    assert both("24 * 3600", redis + "CELERY_BROKER_TRANSPORT_OPTIONS = {'visibility_timeout': 172800}\n") == []
    assert both("24 * 3600", redis + "CELERY_BROKER_TRANSPORT_OPTIONS = {'visibility_timeout': 7200}\n") == [("visibility", "high", 4)]


BULL = """import {{ Queue, Worker }} from 'bullmq';
export class Jobs {{
  constructor(private queue: Queue, private worker: Worker) {{}}
  async add(job) {{ return this.queue.add(job.name, job.data, {{ {options} }}); }}
  async stop() {{ await Promise.all([this.queue.disconnect(), this.worker.{end}()]); }}
}}
"""


def test_bullmq() -> None:
    right = "attempts: job.retries + 1, backoff: { type: 'exponential', delay: 1000 }"
    assert found({"jobs.ts": BULL.format(options=right, end="close")}) == []
    assert found({"jobs.ts": BULL.format(options="attempts: job.retries", end="close")}) == [("redelivery", "medium", 4)]
    assert found({"jobs.ts": BULL.format(options="attempts: job.attempts", end="close")}) == []
    assert found({"jobs.ts": BULL.format(options=right, end="disconnect")}) == [("shutdown", "medium", 5)]


def test_sidekiq() -> None:
    assert found({"config/sidekiq.yml": ":concurrency: 5\n:max_retries: 0\n"}) == [("redelivery", "medium", 2)]
    assert found({"config/sidekiq.yml": ":concurrency: 5\n:max_retries: 5\n"}) == []


# ---- Kafka and Spring --------------------------------------------------------------------------------------------------------------
def test_spring_properties() -> None:
    path = "order-service/src/main/resources/application.properties"
    assert found({path: "spring.kafka.producer.acks=all\nspring.kafka.consumer.enable-auto-commit=false\n"}) == []
    assert found({path: "spring.kafka.producer.acks=0\n"}) == [("durability", "high", 1)]
    assert found({path: "spring.kafka.consumer.enable-auto-commit=true\n"}) == [("auto-ack", "medium", 1)]
    assert found({path: "spring.rabbitmq.listener.simple.acknowledge-mode=none\n"}) == [("auto-ack", "high", 1)]
    assert found({path: "spring.kafka.producer.acks=${ACKS}\n"}) == []
    assert found({path: "spring.kafka.producer.acks=${ACKS:1}\n"}) == [("durability", "medium", 1)]


def test_kafka_clients() -> None:
    assert found({"orders.py": "from kafka import KafkaProducer\nproducer = KafkaProducer(acks=0)\n"}) == [("durability", "high", 2)]
    assert found({"orders.py": "from kafka import KafkaProducer\nproducer = KafkaProducer(acks='all')\n"}) == []
    kafkajs = "import { Kafka } from 'kafkajs';\nexport async function send(producer) {\n  await producer.send({ topic: 'orders', acks: %s, messages: [] });\n}\n"
    assert found({"send.js": kafkajs % 0}) == [("durability", "high", 3)]
    assert found({"send.js": kafkajs % "-1"}) == []


def test_retention_of_a_broker() -> None:
    compose = 'services:\n  kafka:\n    environment:\n      KAFKA_LOG_RETENTION_HOURS: "{}"\n'
    assert found({"docker-compose.yml": compose.format(3)}) == [("expiry", "medium", 4)]
    assert found({"docker-compose.yml": compose.format(168)}) == []


# ---- Magento -----------------------------------------------------------------------------------------------------------------------
def test_magento_consumer_beside_one_with_dead_letters() -> None:
    consumers = '<config><consumer name="erp.orders" queue="erp.orders" connection="amqp"/><consumer name="erp.stock" queue="erp.stock" connection="{}"/></config>'
    topology = """<config><exchange name="erp" connection="amqp"><binding id="a" topic="erp.orders" destination="erp.orders"><arguments>
<argument name="x-dead-letter-exchange" xsi:type="string" xmlns:xsi="x">dead</argument></arguments></binding></exchange></config>"""
    files = {"etc/queue_consumer.xml": consumers.format("amqp"), "etc/queue_topology.xml": topology}
    assert found(files) == [("dead-letter", "medium", 1)]
    assert found({**files, "etc/queue_consumer.xml": consumers.format("db")}) == []


# ---- what a consumer answers after a failure -------------------------------------------------------------------------------------------
NACK_PY = """import pika
def setup(channel):
    channel.queue_declare(queue='orders', durable=True{arguments})
def on_order(channel, method, properties, body):
    try:
        book(body)
        channel.basic_ack(method.delivery_tag)
    except {types}:
        channel.basic_nack(method.delivery_tag{requeue})
"""


def nack(types: str = "Exception", requeue: str = "", arguments: str = "") -> list[tuple[str, str, int]]:
    return found({"worker.py": NACK_PY.format(types=types, requeue=requeue, arguments=arguments)})


def test_putting_back_after_every_failure() -> None:
    assert nack() == [("redelivery", "high", 9)]
    assert nack(types="ConnectionError") == []
    assert nack(arguments=", arguments={'x-delivery-limit': 5}") == []
    assert nack(requeue=", requeue=not method.redelivered") == []


def test_dropping_after_every_failure() -> None:
    assert nack(requeue=", requeue=False") == [("dead-letter", "medium", 9)]
    assert nack(requeue=", requeue=False", arguments=", arguments={'x-dead-letter-exchange': 'dead'}") == []


def test_the_same_in_javascript_and_php() -> None:
    js = """const amqp = require('amqplib');
async function onOrder(channel, message) {
  try { await book(message); channel.ack(message); } catch (error) { channel.nack(message%s); }
}
"""
    assert found({"worker.js": js % ""}) == [("redelivery", "high", 3)]
    assert found({"worker.js": js % ", false, false"}) == []
    php = """<?php
use PhpAmqpLib\\Message\\AMQPMessage;
function onOrder(AMQPMessage $message) {
    try { book($message); $message->ack(); } catch (\\Throwable $e) { $message->nack(%s); }
}
"""
    assert found({"worker.php": php % "true"}) == [("redelivery", "high", 4)]
    assert found({"worker.php": php % ""}) == []


# ---- C# ----------------------------------------------------------------------------------------------------------------------------
CS_BUS = (
    "public class EventBusRabbit : IEventBus {{\n  IModel Make() {{\n    {declare};\n    var consumer = new {consumer}(channel);\n"
    "    consumer.Received += async (model, ea) => {{ await Process(ea); }};\n"
    "    return channel;\n  }}\n}}\npublic class PaidHandler : IIntegrationEventHandler<OrderPaid> {{ }}\n"
)


def test_an_event_bus_whose_queue_goes_with_its_connection() -> None:
    bad = CS_BUS.format(declare="queue = channel.QueueDeclare().QueueName", consumer="AsyncEventingBasicConsumer")
    named = 'channel.QueueDeclare(queue: "orders", durable: true, exclusive: false, autoDelete: false, arguments: null)'
    good = CS_BUS.format(declare=named, consumer="AsyncEventingBasicConsumer")
    assert [(f.id, f.at.line, f.confidence) for f in audit("queue-config", {"Bus.cs": bad}) if f.confidence != "low"] == [("queue-config/durability", 3, "medium")]
    assert [f.id for f in audit("queue-config", {"Bus.cs": good}) if f.confidence != "low"] == []
    assert [f.id for f in audit("queue-config", {"Bus.cs": bad.replace(" : IEventBus", " : IReplies")}) if f.confidence != "low"] == []


def test_an_async_handler_that_nobody_waits_for() -> None:
    named = 'channel.QueueDeclare(queue: "orders", durable: true, exclusive: false, autoDelete: false, arguments: null)'
    bad = CS_BUS.format(declare=named, consumer="EventingBasicConsumer")
    assert [(f.id, f.at.line) for f in audit("queue-config", {"Bus.cs": bad}) if f.confidence != "low"] == [("queue-config/auto-ack", 5)]
    assert [f.id for f in audit("queue-config", {"Bus.cs": bad.replace("async (model", "(model")}) if f.confidence != "low"] == []
