"""Queues, subscriptions, functions and event sources of CloudFormation resources (SAM and serverless.yml hold the same ones).

Lambda's limit is 3 s unless set, SQS's visibility 30 s. References (`Ref`, `Fn::GetAtt`, `Fn::Sub`, an ARN's last part) are followed within the template; a
parameter stands for its default. Sources: CloudFormation resource reference; SAM specification (a failure destination without `Type` gets no policy).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from flowaudit.scanner.facts import UNKNOWN_VALUE, Binding, Fact, Scalar
from flowaudit.scanner.harvest.queue_words import Block, Span, seconds
from flowaudit.scanner.located import Node

FORM = "cloudformation"
LIMIT = 3
_SUB = re.compile(r"\$\{([A-Za-z0-9_.]+)\}")
_PULLED = {"SQS": "queue", "DynamoDB": "stream", "Kinesis": "stream", "MSK": "stream", "SelfManagedKafka": "stream", "MQ": "queue", "DocumentDB": "stream"}
_TECHNOLOGY = {"SQS": "sqs", "SNS": "sns", "DynamoDB": "dynamodb-streams", "Kinesis": "kinesis", "MSK": "kafka", "SelfManagedKafka": "kafka", "MQ": "rabbitmq"}
_FRONT = {"Api": 29.0, "HttpApi": 30.0}
"""Seconds after which API Gateway answers in a function's stead (quotas of REST and HTTP APIs: integration timeout)."""
_PUSHED = frozenset({"SNS", "EventBridgeRule", "CloudWatchEvent", "S3", "EventBridge"})
_BUSES = frozenset({"EventBridgeRule", "CloudWatchEvent", "EventBridge"})


class Template:
    """The resources of one template; `folder` is where its code folders start."""

    def __init__(self, root: Node, resources: Node | None, folder: str) -> None:
        self.root = root
        self.folder = folder
        self.resources = {k.text: v for k, v in resources.pairs} if resources is not None and resources.kind == "map" else {}
        self.keys = {k.text: k for k, _ in resources.pairs} if resources is not None and resources.kind == "map" else {}

    def type(self, name: str) -> str:
        """A resource's type, "" for none."""
        node = self.resources.get(name)
        return node.string("Type") if node is not None else ""

    def number(self, node: Node | None) -> Scalar:
        """A number; a parameter's default; "<unknown>" for what is not in the template; None for nothing."""
        if node is None:
            return None
        found: Scalar = node.value if node.kind == "scalar" else UNKNOWN_VALUE
        ref = node.get("Ref") if node.kind == "map" else node
        if ref is not None and ref.kind == "scalar" and isinstance(ref.value, str):
            default = self.root.get("Parameters", ref.value, "Default")
            found = default.value if default is not None else ref.value
        number = seconds(found)
        return number if number is not None else UNKNOWN_VALUE

    def name(self, node: Node | None) -> str:
        """The logical id (or the queue's own name) that a reference speaks of; "<unknown>" for what stands elsewhere; "" for nothing."""
        if node is None:
            return ""
        if node.kind == "map":
            inner = node.get("Ref") or node.get("Fn::GetAtt") or node.get("Fn::Sub")
            return self.name(inner) if inner is not None else UNKNOWN_VALUE
        if node.kind == "list":
            return self.name(node.items[0]) if node.items else UNKNOWN_VALUE
        text = str(node.value)
        found = text.split(".", 1)[0]
        if found in self.resources:
            return found
        for match in _SUB.finditer(text):
            if match[1].split(".")[0] in self.resources:
                return match[1].split(".")[0]
        last = text.rpartition(":")[2]
        for name, resource in self.resources.items():
            if last and resource.string("Properties", "QueueName") == last:
                return name
        return UNKNOWN_VALUE


def blocks(template: Template) -> Iterator[Fact]:
    """All blocks of a template's resources."""
    for name in template.resources:
        yield from _resource(template, name)


def _resource(template: Template, name: str) -> Iterator[Fact]:
    resource, kind = template.resources[name], template.type(name)
    properties = resource.get("Properties")
    place = Span(template.keys[name].start, template.keys[name].end)
    if kind == "AWS::SQS::Queue":
        yield from _queue(template, name, properties, place)
    elif kind == "AWS::Serverless::Function" and properties is not None:
        yield from _function(template, name, properties)
    elif kind == "AWS::SNS::Topic":
        yield from Block("queue", FORM, name, "sns", place).put("topic", True, place).facts()
    elif kind == "AWS::Events::Rule" and properties is not None:
        yield from _rule(template, name, properties, place)
    elif kind == "AWS::Lambda::EventSourceMapping" and properties is not None:
        function = template.name(properties.get("FunctionName"))
        mapping = Block("consumer", FORM, function if function in template.resources else name, "", place)
        target = template.resources.get(function)
        source(template, mapping, properties, properties.get("EventSourceArn"), "", place)
        if target is not None:
            limit(template, mapping, target.get("Properties", "Timeout"), place)
        yield from mapping.facts()
        code = target.get("Properties", "CodeUri") or target.get("Properties", "Code") if target is not None else None
        if target is not None and code is not None:
            yield from bound(mapping, handler_path(template.folder, code, target.string("Properties", "Handler")), place, function)


def _rule(template: Template, name: str, properties: Node, place: Span) -> Iterator[Fact]:
    """The targets of a rule on an event bus: each is a consumer; a schedule's rule is none."""
    pattern, targets = properties.get("EventPattern"), properties.get("Targets")
    for target in targets.items if pattern is not None and targets is not None and targets.kind == "list" else ():
        function = template.name(target.get("Arn"))
        for topic in pattern_names(pattern) or [name]:
            block = Block("consumer", FORM, function if function in template.resources else name, "eventbridge", place).put("queue", topic, place)
            block.put("source", "rule", place).put("function", function, place)
            dead = target.get("DeadLetterConfig")
            if dead is not None:
                block.put("failure-target", template.name(dead.get("Arn")) or UNKNOWN_VALUE, span(dead))
            attempts = target.get("RetryPolicy", "MaximumRetryAttempts")
            if attempts is not None:
                block.put("attempts", template.number(attempts), span(attempts))
            yield from block.facts()


def _queue(template: Template, name: str, properties: Node | None, place: Span) -> Iterator[Fact]:
    block = Block("queue", FORM, name, "sqs", place)
    if properties is not None:
        for key, word in (("VisibilityTimeout", "visibility"), ("MessageRetentionPeriod", "retention")):
            node = properties.get(key)
            if node is not None:
                block.put(word, template.number(node), span(node))
        redrive = properties.get("RedrivePolicy")
        if redrive is not None:
            target = redrive.get("deadLetterTargetArn")
            block.put("dead-letter", template.name(target) or UNKNOWN_VALUE, span(redrive))
            count = redrive.get("maxReceiveCount")
            if count is not None:
                block.put("max-receive", template.number(count), span(count))
            elif redrive.kind == "map" and target is not None:
                block.put("max-receive", None, span(redrive))
    yield from block.facts()


def _function(template: Template, name: str, properties: Node) -> Iterator[Fact]:
    events = properties.get("Events")
    kinds = [v.string("Type") for _, v in events.pairs] if events is not None and events.kind == "map" else []
    timeout = properties.get("Timeout") or template.root.get("Globals", "Function", "Timeout")
    invoke = properties.get("EventInvokeConfig", "DestinationConfig", "OnFailure")
    dead = properties.get("DeadLetterQueue") or template.root.get("Globals", "Function", "DeadLetterQueue")
    code = properties.get("CodeUri") or template.root.get("Globals", "Function", "CodeUri")
    for key, event in events.pairs if events is not None and events.kind == "map" else ():
        kind, inner = event.string("Type"), event.get("Properties")
        if inner is None or (kind not in _PULLED and kind not in _PUSHED and kind not in _FRONT):
            continue
        place = Span(key.start, key.end)
        handler = properties.string("Handler") or template.root.string("Globals", "Function", "Handler")
        if kind in _FRONT:
            where = handler_path(template.folder, code, handler)
            yield from fronted(where, name, inner.string("Method"), inner.string("Path"), _FRONT[kind], template, timeout, place)
            continue
        block = Block("consumer", FORM, name, "eventbridge" if kind in _BUSES else _TECHNOLOGY.get(kind, "aws-lambda-async"), place)
        if kind in _PULLED:
            source(template, block, inner, inner.get("Queue") or inner.get("Stream") or inner.get("Broker"), _PULLED[kind], place)
            failure = inner.get("DestinationConfig", "OnFailure")
            if failure is not None and failure.get("Type") is None and properties.get("Role") is None:
                may = may_send(template, properties.get("Policies"), failure.get("Destination"))
                if may is not None:
                    block.put("may-send", may, span(failure))
            config = properties.get("EventInvokeConfig")
            if invoke is not None and config is not None and not any(k in _PUSHED or k == "Schedule" for k in kinds):
                at = next(k for k, _ in properties.pairs if k.text == "EventInvokeConfig")
                block.put("async-target", template.name(invoke.get("Destination")) or UNKNOWN_VALUE, Span(at.start, span(config).end))
        else:
            block.put("source", "async", place)
            names = topics(template, kind, inner)
            if names:
                block.put("queue", names[0], place)
            if invoke is not None or dead is not None:
                block.put("failure-target", UNKNOWN_VALUE, span(invoke or dead))
            own = inner.get("DeadLetterConfig") or inner.get("RedrivePolicy")
            if own is not None:
                block.put("source-target", UNKNOWN_VALUE, span(own))
        limit(template, block, timeout, place)
        if code is not None and isinstance(code.value, str):
            block.put("code", posixpath.normpath(posixpath.join(template.folder, code.value)), span(code))
        yield from block.facts()
        for other in topics(template, kind, inner)[1:]:
            yield from block.again(other, place)
        yield from bound(block, handler_path(template.folder, code, handler), place, name)


def topics(template: Template, kind: str, event: Node) -> list[str]:
    """What a push comes from: the detail types of a pattern on an event bus, else its sources; the topic of SNS."""
    if kind == "SNS":
        topic = event.get("Topic")
        found = template.name(topic) if topic is not None else ""
        return [found] if found not in {"", UNKNOWN_VALUE} else []
    pattern = event.get("Pattern") or event.get("EventPattern") if kind in _BUSES else None
    return pattern_names(pattern)


def pattern_names(pattern: Node | None) -> list[str]:
    """The detail types of an event pattern, else its sources."""
    for key in ("detail-type", "source"):
        values = pattern.get(key) if pattern is not None else None
        names = [i.text for i in values.items if i.kind == "scalar" and i.text] if values is not None and values.kind == "list" else []
        if names:
            return names[:20]
    return []


def handler_path(folder: str, code: Node | None, handler: str) -> str:
    """A handler as "folder/file.function", from its template's folder, its code's folder and the name in its settings; "" where it is not written."""
    if not handler or UNKNOWN_VALUE in handler or "$" in handler or (code is not None and not isinstance(code.value, str)):
        return ""
    return posixpath.normpath(posixpath.join(folder, str(code.value) if code is not None else "", handler))


def bound(block: Block, handler: str, place: Span, name: str) -> Iterator[Fact]:
    """The tie between what a function consumes and its code."""
    if handler:
        queue = block.said("queue")
        address = queue if isinstance(queue, str) and queue not in {"", UNKNOWN_VALUE} else name
        yield Binding(*place, "queue", address, handler, "aws-lambda", options=(("repeat", "delivery"), ("failure", "redelivered")))


def fronted(handler: str, name: str, method: str, path: str, front: float, template: Template, timeout: Node | None, place: Span,
            default: float = LIMIT) -> Iterator[Fact]:
    """A function behind API Gateway: a route with two limits around it."""
    if handler:
        block = Block("consumer", FORM, name, "aws-api-gateway", place).put("source", "http", place).put("front", front, place)
        limit(template, block, timeout, place, default)
        yield from block.facts()
        address = f"{method.upper()} {path}".strip()
        yield Binding(*place, "route", address or name, handler, "aws-lambda", options=(("repeat", "user"), ("failure", "shown")))


def source(template: Template, block: Block, properties: Node, arn: Node | None, kind: str, place: Span) -> None:
    """What a mapping reads, in what portions, and where its failures go."""
    name = template.name(arn)
    if not kind:
        written = template.type(name)
        text = str(arn.value) if arn is not None and arn.kind == "scalar" else ""
        kind = "queue" if written == "AWS::SQS::Queue" or ":sqs:" in text else "stream" if ".StreamArn" in text or ":kinesis:" in text or written.startswith(
            ("AWS::DynamoDB", "AWS::Kinesis")) else ""
        block.put("technology", {"queue": "sqs", "stream": "stream"}.get(kind, ""), place)
    if kind:
        block.put("source", kind, place)
    block.put("queue", name, span(arn) if arn is not None else place)
    for key, word in (("BatchSize", "batch"), ("MaximumRetryAttempts", "attempts"), ("MaximumRecordAgeInSeconds", "record-age")):
        node = properties.get(key)
        if node is not None:
            block.put(word, template.number(node), span(node))
    types = properties.get("FunctionResponseTypes")
    if types is not None:
        block.put("partial-failures", True, span(types))
    failure = properties.get("DestinationConfig", "OnFailure")
    if failure is not None:
        block.put("failure-target", template.name(failure.get("Destination")) or UNKNOWN_VALUE, span(failure))


def limit(template: Template, block: Block, timeout: Node | None, place: Span, default: float = LIMIT) -> None:
    """The function's time limit."""
    if timeout is None:
        block.put("limit-default", default, place)
    else:
        block.put("limit", template.number(timeout), span(timeout))


def may_send(template: Template, policies: Node | None, target: Node | None) -> bool | None:
    """Whether inline policies let the function send to its failure target; None when they cannot tell."""
    if policies is None or target is None or policies.kind != "list":
        return None
    for policy in policies.items:
        if policy.kind == "scalar":
            return None
        if policy.get("Statement") is None:
            word = policy.pairs[0][0].text if policy.pairs else ""
            if word.startswith("Fn::") or word in {"SQSSendMessagePolicy", "SNSPublishMessagePolicy"} or not word.endswith("Policy"):
                return None
            continue
        statements = policy.get("Statement")
        for statement in (statements.items if statements is not None and statements.kind == "list" else [statements] if statements is not None else []):
            action = statement.get("Action")
            if action is None:
                return None
            words = [i.text for i in action.items] if action.kind == "list" else [action.text]
            if any(w in {"*", "sqs:*", "sqs:SendMessage", "sqs:Send*", "sns:*", "sns:Publish"} for w in words):
                return True
    return False


def span(node: Node | None) -> Span:
    """A node's bytes, up to its last value (a block's own end lies behind the comments after it)."""
    if node is None:
        return Span(0, 0)
    return Span(node.start, max((n.end for n in node.walk() if n.kind == "scalar"), default=node.end))
