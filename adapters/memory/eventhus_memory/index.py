"""The index of the log by type and by tag."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby

from eventhus import Query
from eventhus.ports import EventData, QueryItem

_NONE: Sequence[int] = ()


class Index:
    """The positions of events, by type and by tag.

    An item of a query with tags is answered from its rarest tag, one with types alone from the
    types, so that no event is looked at that has neither.
    """

    def __init__(self) -> None:
        self._events: list[tuple[str, frozenset[str]]] = []  # types and tags, by position - 1
        self._by_type: defaultdict[str, list[int]] = defaultdict(list)
        self._by_tag: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, position: int, event: EventData) -> None:
        """Add the event at the next position."""
        self._events.append((event.type, event.tags))
        self._by_type[event.type].append(position)
        for tag in event.tags:
            self._by_tag[tag].append(position)

    def positions(self, query: Query, first: int, last: int) -> Iterator[int]:
        """Return the positions of matching events from ``first`` to ``last``, in order."""
        found = [self._of_item(item, first, last, step=1) for item in query.items]
        return _without_repeats(merge(*found))

    def positions_backwards(self, query: Query, last: int) -> Iterator[int]:
        """Return the positions of matching events from ``last`` down to 1."""
        found = [self._of_item(item, 1, last, step=-1) for item in query.items]
        return _without_repeats(merge(*found, reverse=True))

    def _of_item(self, item: QueryItem, first: int, last: int, step: int) -> Iterator[int]:
        if not item.tags:
            # An event has one type, so no position is in two of these lists.
            sources = [
                _between(positions, first, last, step)
                for type_, positions in self._by_type.items()
                if item.matches(type_, ())
            ]
            return merge(*sources, reverse=step < 0)
        rarest = min((self._by_tag.get(tag, _NONE) for tag in item.tags), key=len)
        return (
            position
            for position in _between(rarest, first, last, step)
            if item.matches(*self._events[position - 1])
        )


def _between(positions: Sequence[int], first: int, last: int, step: int) -> Iterator[int]:
    places = range(bisect_left(positions, first), bisect_right(positions, last))
    return (positions[place] for place in places[::step])


def _without_repeats(positions: Iterator[int]) -> Iterator[int]:
    return (position for position, _ in groupby(positions))
