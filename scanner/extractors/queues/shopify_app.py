"""shopify.app.toml: the webhooks that an app asks Shopify to send. Source: Shopify, "App configuration", `[[webhooks.subscriptions]]`."""

from __future__ import annotations

import re
import tomllib

from flowaudit.scanner.facts import Binding, Fact, FileFacts, Skipped, Source
from flowaudit.scanner.located import LARGEST, file_facts

NAME = "shopify_app"
FILES = ("shopify.app.toml", "shopify.app.*.toml")
SNIFF = re.compile(r"\btopics\b")
VERSION = 1


def extract(source: Source) -> FileFacts:
    """One Binding a topic, at its place."""
    if len(source.text) > LARGEST:
        return file_facts(source, skipped=(Skipped(source.path, f"larger than {LARGEST // 1_000_000} MB", NAME),))
    try:
        tree = tomllib.loads(source.text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return file_facts(source, skipped=(Skipped(source.path, "no valid TOML: " + " ".join(str(error).split())[:120], NAME),))
    hooks = tree.get("webhooks")
    listed = hooks.get("subscriptions") if isinstance(hooks, dict) else None
    facts: list[Fact] = []
    at = 0
    for item in listed if isinstance(listed, list) else ():
        if not isinstance(item, dict):
            continue
        listed_topics = [found for key in ("topics", "compliance_topics") if isinstance(found := item.get(key), list)]
        topics = [t for found in listed_topics for t in found if isinstance(t, str)]
        for topic in topics[:200]:
            place = re.compile(f"[\"']{re.escape(topic)}[\"']").search(source.text, at) or re.compile(re.escape(topic)).search(source.text)
            start = place.start() if place is not None else 0
            at = place.end() if place is not None and place.end() > at else at
            begin = len(source.text[:start].encode("utf-8", "surrogatepass"))
            end = begin + len(topic.encode("utf-8", "surrogatepass")) + 2
            facts.append(Binding(begin, end, "webhook", topic, "", "shopify", options=(("uri", str(item.get("uri") or "")),)))
    return file_facts(source, facts)
