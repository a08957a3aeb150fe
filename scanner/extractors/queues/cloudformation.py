"""CloudFormation and SAM templates: SQS queues and what Lambda functions consume (see harvest/aws_resources for the words)."""

from __future__ import annotations

import posixpath
import re

from flowaudit.scanner.facts import FileFacts, Skipped, Source
from flowaudit.scanner.harvest.aws_resources import Template, blocks
from flowaudit.scanner.located import LocatedError, file_facts, load_yaml

NAME = "cloudformation"
FILES = ("*.yaml", "*.yml", "*.json", "*.template")
SNIFF = re.compile(r"AWS::(?:SQS::Queue|SNS::Topic|Events::Rule|Serverless::Function|Lambda::EventSourceMapping)\b")
VERSION = 1


def extract(source: Source) -> FileFacts:
    """Read a template; a text that is no YAML is Skipped with its line."""
    try:
        documents = load_yaml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    return file_facts(source, [fact for root in documents for fact in blocks(Template(root, root.get("Resources"), posixpath.dirname(source.path)))])
