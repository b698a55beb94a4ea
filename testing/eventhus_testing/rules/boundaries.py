"""Describes which events the boundary of a decision finds, and which it leaves out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from eventhus import Decision, Query
from eventhus_testing.rules.rules import RuleBroken

MAX_LEFT_OUT = 5  # events that are listed; the others are counted


def check_guarded(
    decision: Decision[Any, Any, Any], command: object, query: Query, event: Any
) -> None:
    """Check that the boundary of a command finds an event that the command has led to.

    An event of a class that the boundary does not ask for passes: the price that a purchase is
    decided on does not depend on other purchases.

    Raises:
        RuleBroken: The boundary asks for events of this class, but leaves this one out.
    """
    __tracebackhide__ = True
    if _asks_for(query, type(event)) and not decision.concerns(query, event):
        raise RuleBroken(
            "guarded",
            f"the boundary of {type(command).__qualname__} does not find {event!r}, so two such "
            f"commands at once can both be accepted",
            [_tagged(decision, event), asks_text(query)],
        )


def left_out_lines(
    decision: Decision[Any, Any, Any], query: Query, left_out: Collection[Any]
) -> list[str]:
    """Return notes on the events that a boundary left out; none if there are none."""
    if not left_out:
        return []
    lines = [
        f"the boundary leaves out {event!r}: {_reason(decision, query, event)}"
        for event in [*left_out][:MAX_LEFT_OUT]
    ]
    if len(left_out) > MAX_LEFT_OUT:
        lines.append(f"and {len(left_out) - MAX_LEFT_OUT} more")
    return [*lines, asks_text(query)]


def asks_text(query: Query) -> str:
    """Return a query in words."""
    items: list[str] = []
    for item in query.items:
        names = sorted(each.__qualname__ for each in item.types if isinstance(each, type))
        words = " or ".join(names) or "every event"
        items.append(f"{words} with {_tags(item.tags)}" if item.tags else words)
    return f"it asks for {', and for '.join(items)}"


def _reason(decision: Decision[Any, Any, Any], query: Query, event: Any) -> str:
    if not _asks_for(query, type(event)):
        return f"it does not ask for {type(event).__qualname__}"
    return _tagged(decision, event)


def _tagged(decision: Decision[Any, Any, Any], event: Any) -> str:
    tags = decision.tags_of(event)
    if tags:
        return f"the event has {_tags(tags)}"
    name = type(event).__qualname__
    return f"the event has no tags; add {name} to tags={{...}}"


def _tags(tags: Iterable[str]) -> str:
    found = sorted(tags)
    return f"the tag{'s' if len(found) > 1 else ''} {' and '.join(found)}"


def _asks_for(query: Query, event: type) -> bool:
    return any(
        (not item.types or event in item.types) and event not in item.other_than
        for item in query.items
    )
