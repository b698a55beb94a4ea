"""A conversation: events that caused each other, as a tree along time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from attrs import frozen

from eventhus.operations.values import Effect, LoggedEvent
from eventhus_console.links import NotFound
from eventhus_console.pages.events import every_effect
from eventhus_console.visit import Page, Visit

LIMIT = 500
TRACK = 1_000  # the width of the time line, in its own units


@frozen
class Node:
    """An event of the tree.

    Attributes:
        event: The event.
        since: The time since the first event of the conversation.
        start: Where the cause stands on the time line.
        end: Where the event stands on it.
        effects: The nodes of its effects.
    """

    event: LoggedEvent
    since: timedelta
    start: float
    end: float
    effects: Sequence[Node]


async def conversation(visit: Visit) -> Page:
    """Show the events of a correlation id as trees of causes and effects."""
    id_ = visit.given.exact("id")
    found = await visit.operations.conversation(id_, limit=LIMIT)
    if not found.roots:
        raise NotFound(f"the log holds no conversation {id_}")
    events = [each.event for each in every_effect(found.roots)]
    began = min(each.recorded_at for each in events)
    length = max(each.recorded_at for each in events) - began
    return Page(
        template="conversation.html",
        values={
            "conversation": found,
            "nodes": [*_nodes(found.roots, began_at=began.timestamp(), length=length)],
            "began": began,
            "length": length,
            "streams": len({each.stream for each in events}),
            "track": TRACK,
        },
    )


def _nodes(
    effects: Sequence[Effect], *, began_at: float, length: timedelta, start: float = 0.0
) -> Iterator[Node]:
    for each in effects:
        since = each.event.recorded_at.timestamp() - began_at
        end = TRACK * since / length.total_seconds() if length else 0.0
        below = _nodes(each.effects, began_at=began_at, length=length, start=end)
        yield Node(each.event, timedelta(seconds=since), start, end, [*below])
