"""A conversation: events that caused each other, as a tree along time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from attrs import frozen

from eventhus.operations import Conversation, LoggedEvent
from eventhus_console.links import NotFound
from eventhus_console.visit import Page, Visit

LIMIT = 500
TRACK = 1_000  # the width of the time line, in its own units
DEEPEST = 16  # later levels are drawn at this one, so that they stay in the picture


@frozen
class Node:
    """An event of the tree, as a template writes it.

    Attributes:
        event: The event.
        opens: True if it begins a list of effects.
        closes: The number of lists that end before it.
        since: The time since the first event of the conversation.
        start: Where its cause stands on the time line.
        end: Where the event stands on it.
    """

    event: LoggedEvent
    opens: bool
    closes: int
    since: timedelta
    start: float
    end: float


async def conversation(visit: Visit) -> Page:
    """Show the events of a correlation id as trees of causes and effects."""
    id_ = visit.given.exact("id")
    found = await visit.operations.conversation(id_, limit=LIMIT)
    events = [event for _, event in found.walk()]
    if not events:
        raise NotFound(f"the log holds no conversation {id_}")
    began = min(each.recorded_at for each in events)
    nodes = [*_nodes(found)]
    return Page(
        template="conversation.html",
        values={
            "conversation": found,
            "nodes": nodes,
            "open": 1 + sum(each.opens for each in nodes) - sum(each.closes for each in nodes),
            "began": began,
            "length": max(each.recorded_at for each in events) - began,
            "streams": len({each.stream for each in events}),
            "track": TRACK,
        },
    )


def _nodes(conversation: Conversation) -> Iterator[Node]:
    times = [event.recorded_at for _, event in conversation.walk()]
    began, length = min(times), (max(times) - min(times)).total_seconds()
    ends: list[float] = []  # of the event and its causes
    level = 0
    for depth, event in conversation.walk():
        since = event.recorded_at - began
        end = TRACK * since.total_seconds() / length if length else 0.0
        del ends[depth:]
        shown = min(depth, DEEPEST)
        yield Node(
            event,
            opens=shown > level,
            closes=max(level - shown, 0),
            since=since,
            start=ends[-1] if ends else 0.0,
            end=end,
        )
        ends.append(end)
        level = shown
