"""The index of documents with armed deadlines, by time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from datetime import datetime


class ArmedIndex:
    """The keys of the documents of one collection that have deadlines, the earliest first."""

    def __init__(self) -> None:
        self._places: list[tuple[datetime, str]] = []

    def move(self, key: str, before: datetime | None, after: datetime | None) -> None:
        """Move a key from the time of its earliest deadline to another; ``None`` for none."""
        if before == after:
            return
        if before is not None:
            del self._places[bisect_left(self._places, (before, key))]
        if after is not None:
            insort(self._places, (after, key))

    def keys(self, after: tuple[datetime, str] | None, limit: int) -> Sequence[str]:
        """Return the next keys after a time and key."""
        start = 0 if after is None else bisect_right(self._places, after)
        return [key for _, key in self._places[start : start + limit]]
