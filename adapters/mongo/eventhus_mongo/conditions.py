"""Conditions of commits: what must not be in the log after a position.

A writer looks at everything between that position and the slot at which it is about to insert,
and inserts only if nothing there matches. If it wins the slot, nothing else has come in between,
because the log has no gaps: winning a slot is a compare-and-swap over the whole log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import TypeAlias

from pymongo import ASCENDING

from eventhus import Query
from eventhus.ports import QueryItem
from eventhus_mongo.commits import log_span, names_of
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import Document, UnknownFormat

NEAR = 1000
"""The longest stretch of the log, in positions, that a batch reads to check its conditions."""

_NAMES = ("parts.size", "events.type", "events.tags", "format")

_Event: TypeAlias = tuple[int, str, frozenset[str]]
"""The position, the type and the tags of an event."""


class Verdict(Enum):
    """The outcome of a check that has found no matching event."""

    FREE = auto()  # nothing up to the head matches
    AHEAD = auto()  # the condition begins after the head, as far as it is known
    APART = auto()  # it takes more than the stretch of the batch to tell


class Stretch:
    """The types and the tags of the events in a stretch of the log.

    Args:
        after: The position after which the stretch begins.
    """

    def __init__(self, after: int = 0) -> None:
        self._start = after
        self._end = after  # the last position that was looked at
        self._starts: set[int] = set()  # of commits
        self._events: list[_Event] = []
        self._by_tag: dict[str, list[_Event]] = {}
        self._by_type: dict[str, list[_Event]] = {}
        self._unreadable: list[tuple[int, UnknownFormat]] = []  # after where

    def add(self, position: int, names: Iterable[tuple[str, frozenset[str]]]) -> None:
        """Add the events of the next commit.

        Args:
            position: The position of the first event.
            names: The type and the tags of each event.
        """
        self._starts.add(position)
        self._end = position - 1
        for each, (type_, tags) in enumerate(names, position):
            event = each, type_, tags
            self._end = each
            self._events.append(event)
            self._by_type.setdefault(type_, []).append(event)
            for tag in tags:
                self._by_tag.setdefault(tag, []).append(event)

    def add_document(self, document: Document) -> None:
        """Add the next commit. If it cannot be read, neither can a condition that it may fail."""
        before = self._end
        try:
            span = log_span(document)
            self._end = span.last
            self.add(span.first, [*names_of(document)])
        except UnknownFormat as error:
            self._unreadable.append((before, error))

    def reaches(self, head: int) -> bool:
        """Return whether the stretch ends at a position and is short enough to be continued."""
        return self._end == head and len(self._events) < NEAR

    def covers(self, after: int, head: int) -> bool:
        """Return whether the stretch has every event between two positions."""
        return self._start <= after and self._end == head

    def judge(self, query: Query, after: int, head: int) -> Verdict | int:
        """Return the position of the first match after ``after``, or a verdict if there is none.

        Args:
            query: The query of the condition.
            after: The position up to which nothing matches.
            head: The last position before the slot of the next commit.

        Raises:
            UnknownFormat: A document that was not written by this version of the library may match.
        """
        if after > head:
            return Verdict.AHEAD
        if after == head:
            return Verdict.FREE
        # A commit that begins before the stretch may have events after the position.
        is_whole = after + 1 in self._starts or after == self._start == 0
        for place, error in self._unreadable:
            if after <= place:
                raise error
        match = self.first_match(query, after) if is_whole else None
        if match is not None:
            return match
        return Verdict.FREE if is_whole and self._end >= head else Verdict.APART

    def first_match(self, query: Query, after: int = 0) -> int | None:
        """Return the position of the first event after ``after`` that matches, if any."""
        return min(
            (
                position
                for item in query.items
                for events in self._candidates(item)
                for position, type_, tags in events
                if position > after and item.matches(type_, tags)
            ),
            default=None,
        )

    def _candidates(self, item: QueryItem) -> list[list[_Event]]:
        """Return lists that hold every event which the item matches."""
        if item.tags:
            return [min((self._by_tag.get(tag, []) for tag in item.tags), key=len)]
        if item.types:
            return [self._by_type.get(str(type_), []) for type_ in item.types]
        return [self._events]


async def look(
    connection: Connection, conditions: Sequence[tuple[Query, int]], head: int, recent: Stretch
) -> Stretch:
    """Return the stretch of the log that the conditions of a batch need, by one query.

    Those that begin far below the head, or above it, need none.

    Args:
        connection: The bucket.
        conditions: Each query, and the position up to which nothing matches.
        head: The last position before the slot of the next commit.
        recent: What this process has stored itself. If it is enough, there is no query.

    Raises:
        PyMongoError: The driver's errors.
    """
    near = [after for _, after in conditions if head - NEAR <= after < head]
    if not near:
        return Stretch(head)
    after = min(near)
    if recent.covers(after, head):
        return recent
    reply = await connection.first_reply(
        {"_id": {"$gt": after, "$lte": head}},
        limit=NEAR,
        projection=_NAMES,
        sort=[("_id", ASCENDING)],
    )
    stretch = Stretch(after)
    for document in reply.documents:
        stretch.add_document(document)
    return stretch
