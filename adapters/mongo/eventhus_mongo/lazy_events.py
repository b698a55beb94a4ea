"""The events of a page, each made when it is looked at."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TypeAlias, overload

from eventhus.errors import IncompatibleBucket
from eventhus.ports import Page, StoredEvent
from eventhus_mongo.commits import decode_events, readable_event_id
from eventhus_mongo.documents import Document, UnknownFormat

Some: TypeAlias = tuple[Document, Sequence[int]]
"""A commit, and the places of some of its events, at least one, in the order of the page."""


class LazyEvents(Sequence[StoredEvent]):
    """Events that are made from their documents when they are looked at, each time.

    A document that another program wrote fails only those who look at its events.

    Args:
        bucket: The name of the bucket, for errors.
        pieces: The events.
        size: Their number.
    """

    __slots__ = ("_bucket", "_ends", "_known", "_pieces", "_size")

    def __init__(self, bucket: str, pieces: Iterable[Some], size: int) -> None:
        self._bucket = bucket
        self._pieces = pieces
        self._size = size
        self._known: Sequence[Some] = ()  # all pieces, once somebody has asked for an index
        self._ends: Sequence[int] = ()

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> StoredEvent: ...

    @overload
    def __getitem__(self, index: slice) -> list[StoredEvent]: ...

    def __getitem__(self, index: int | slice) -> StoredEvent | list[StoredEvent]:
        """Make one event, or several. Raises what iterating does."""
        if isinstance(index, slice):
            return [self[each] for each in range(self._size)[index]]
        place = range(self._size)[index]
        try:
            if not self._known:
                self._known = self._pieces = [*self._pieces]
                self._ends = [*accumulate([len(indexes) for _, indexes in self._known])]
            number = bisect_right(self._ends, place)
            document, indexes = self._known[number]
            return decode_events(document, [indexes[place - self._ends[number]]])[0]
        except UnknownFormat as unknown:
            raise IncompatibleBucket(self._bucket, str(unknown)) from None

    def __iter__(self) -> Iterator[StoredEvent]:
        """Make all events, one commit at a time.

        Raises:
            IncompatibleBucket: A commit was not written by this version of the library.
            LogCorrupted: Commits are missing.
        """
        try:
            for document, indexes in self._pieces:
                yield from decode_events(document, indexes)
        except UnknownFormat as unknown:
            raise IncompatibleBucket(self._bucket, str(unknown)) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self._size} events of bucket {self._bucket!r}>"


def page_of(bucket: str, pieces: Sequence[Some], *, is_last: bool) -> Page:
    """Return a page that ends at its last event."""
    document, indexes = pieces[-1]
    return Page(
        events=LazyEvents(bucket, pieces, total_size(pieces)),
        position=document["_id"] + indexes[-1],
        event_id=readable_event_id(document, indexes[-1]),
        is_last=is_last,
    )


def total_size(pieces: Sequence[Some]) -> int:
    """Return the number of events."""
    return sum([len(indexes) for _, indexes in pieces])
