"""What the tags of a Symfony or Shopware service mean for its class: the Binding that a tag makes, and the class that a service's name stands for.

Source: Symfony documentation, "Built-in Symfony Service Tags" and "Messenger: Manually configuring handlers"; Shopware 6 developer documentation,
"Add scheduled task" and "Listening to events".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flowaudit.scanner.facts import Binding, Fact, Setting
from flowaudit.scanner.wired import SCOPE, SUBSCRIBED

_LISTENERS = frozenset({"kernel.event_listener", "doctrine.event_listener", "doctrine.orm.entity_listener", "workflow.listener"})
_SUBSCRIBERS = frozenset({"kernel.event_subscriber", "doctrine.event_subscriber"})


def service(start: int, end: int, name: str, cls: str) -> Iterator[Fact]:
    """The class of a service that is named by something else."""
    if name and cls and "\\" in cls and name != cls:
        yield Setting(start, end, name, cls.lstrip("\\"), SCOPE)


def tagged(start: int, end: int, cls: str, tag: Mapping[str, str]) -> Iterator[Fact]:
    """What one tag of a service ties its class to; `tag` holds the tag's attributes, its `name` among them."""
    name, method = tag.get("name", ""), tag.get("method", "")
    cls = cls.lstrip("\\")
    if name in _LISTENERS:
        event = tag.get("event", "")
        called = method or _called(event)
        yield Binding(start, end, "event", event, f"{cls}::{called}" if called else cls, "symfony", "", () if called else (("methods", "__invoke"),))
    elif name in _SUBSCRIBERS:
        yield Binding(start, end, "event", "", cls, "symfony", "", ((SUBSCRIBED, "getSubscribedEvents"),))
    elif name == "messenger.message_handler":
        yield Binding(start, end, "queue", tag.get("handles", ""), f"{cls}::{method or '__invoke'}", "symfony-messenger")
    elif name == "console.command":
        yield Binding(start, end, "command", tag.get("command", ""), f"{cls}::execute", "symfony")


def _called(event: str) -> str:
    """The method that a listener without one must have: "kernel.exception" -> "onKernelException"; "" when the event's name is a class."""
    if not event or "\\" in event:
        return ""
    words = [w for part in event.split(".") for w in part.split("_") if w]
    return "on" + "".join(w[:1].upper() + w[1:] for w in words)
