"""Queries over the log: which events, by type and by tag."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

from attrs import field, frozen

from eventhus.domain.recorded import is_id
from eventhus.domain.tags import checked_tags
from eventhus.errors import InvalidArgument
from eventhus.printable import set_in_order

EventClass: TypeAlias = str | type[Any]
"""An event class, or the stored name of one."""


def _types(types: Iterable[EventClass]) -> frozenset[EventClass]:
    found = tuple(types)
    for each in found:
        if not (isinstance(each, type) or is_id(each)):
            raise InvalidArgument(
                f"a query takes event classes or their stored names, found {type(each).__name__}"
            )
    return frozenset(found)


@frozen
class QueryItem:
    """Events that have one of the types and all of the tags.

    Attributes:
        types: Event classes or stored names; empty for events of every type.
        tags: Tags that the event must have; empty for events with any tags or none.
        other_than: Event classes or stored names that the event must not have.

    Raises:
        InvalidArgument: A type is not a class or a name, or a tag is not non-empty text.
    """

    types: frozenset[EventClass] = field(default=frozenset(), converter=_types, repr=set_in_order)
    tags: frozenset[str] = field(default=frozenset(), converter=checked_tags, repr=set_in_order)
    other_than: frozenset[EventClass] = field(
        default=frozenset(), converter=_types, repr=set_in_order
    )

    def matches(self, type_: EventClass, tags: Collection[str]) -> bool:
        """Tell whether an event of this type with these tags matches."""
        return (
            (not self.types or type_ in self.types)
            and type_ not in self.other_than
            and self.tags.issubset(tags)
        )


def _items(items: Iterable[QueryItem]) -> tuple[QueryItem, ...]:
    return tuple(items)


@frozen
class Query:
    """Events that match at least one of some items.

    >>> query = Query.of("SeatTaken", tags={"course:c1"}) | Query.of(tags={"student:s7"})
    >>> query.matches("SeatTaken", {"course:c1", "student:s1"})
    True
    >>> query.matches("SeatTaken", {"course:c2"})
    False

    Attributes:
        items: One or more. An item without types and tags matches every event.

    Raises:
        InvalidArgument: There are no items.
    """

    items: tuple[QueryItem, ...] = field(converter=_items)

    def __attrs_post_init__(self) -> None:
        if not self.items:
            raise InvalidArgument(
                "a query without items matches nothing; use Query.of() for every event"
            )

    @classmethod
    def of(cls, *types: EventClass, tags: Iterable[str] = ()) -> Query:
        """Return a query for events of any of ``types`` that have all of ``tags``."""
        return cls((QueryItem(types, tags),))

    def __or__(self, other: Query) -> Query:
        """Return a query for events that match either."""
        return Query((*self.items, *other.items))

    def matches(self, type_: EventClass, tags: Collection[str]) -> bool:
        """Tell whether an event of this type with these tags matches."""
        return any(item.matches(type_, tags) for item in self.items)
