"""The events of a page, each made when it is looked at."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TypeAlias, overload

from eventhus.errors import IncompatibleBucket
from eventhus.ports import Page, StoredEvent
from eventhus_mongo.commits import decode_events, readable_event_id
from eventhus_mongo.documents import Document, UnknownFormat
from eventhus_mongo.driver_errors import translating_errors

Some: TypeAlias = tuple[Document, Sequence[int]]
"""A commit, and the places of some of its events, at least one, in the order of the page."""


class LazyEvents(Sequence[StoredEvent]):
    """Events that are made from their documents when they are looked at, each time.

    A document that another program wrote fails only those who look at its events. Whoever skips
    events does not pay for them.

    Args:
        bucket: The name of the bucket, for errors.
        pieces: The events.
    """

    __slots__ = ("_bucket", "_ends", "_pieces")

    def __init__(self, bucket: str, pieces: Sequence[Some]) -> None:
        self._bucket = bucket
        self._pieces = pieces
        self._ends = [*accumulate([len(indexes) for _, indexes in pieces])]

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> StoredEvent: ...

    @overload
    def __getitem__(self, index: slice) -> list[StoredEvent]: ...

    def __getitem__(self, index: int | slice) -> StoredEvent | list[StoredEvent]:
        """Make an event, or several.

        Raises:
            IncompatibleBucket: The document was not written by this version of the library.
        """
        places = range(len(self))[index]
        if isinstance(places, range):
            return [self[each] for each in places]
        number = bisect_right(self._ends, places)
        document, indexes = self._pieces[number]
        with translating_errors(self._bucket):
            return decode_events(document, [indexes[places - self._ends[number]]])[0]

    def __iter__(self) -> Iterator[StoredEvent]:
        """Make all events, one document at a time. Raises what ``[]`` does."""
        for document, indexes in self._pieces:
            try:
                events = decode_events(document, indexes)
            except UnknownFormat as unknown:
                raise IncompatibleBucket(self._bucket, str(unknown)) from None
            yield from events

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} events of bucket {self._bucket!r}>"


def page_of(bucket: str, pieces: Sequence[Some], *, is_last: bool) -> Page:
    """Return a page that ends at its last event."""
    document, indexes = pieces[-1]
    return Page(
        events=LazyEvents(bucket, pieces),
        position=document["_id"] + indexes[-1],
        event_id=readable_event_id(document, indexes[-1]),
        is_last=is_last,
    )


def size_of(pieces: Sequence[Some]) -> int:
    """Return the number of events."""
    return sum([len(indexes) for _, indexes in pieces])
