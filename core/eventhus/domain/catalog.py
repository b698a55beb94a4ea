"""The catalog of event types: stored names, classes and upcasters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from inspect import iscoroutine
from typing import Any, cast

from attrs import frozen

from eventhus.domain.aggregate import Aggregate, Upcaster
from eventhus.domain.recorded import EventData, StreamId
from eventhus.errors import CodecError, CompositionError


@frozen(kw_only=True)
class EventType:
    """One kind of event.

    Attributes:
        name: The stored name of new events.
        cls: The class of the events.
        schema: The current version of the class's shape, from 1.
        upcasters: One function from each earlier schema to the next, oldest first.
    """

    name: str
    cls: type
    schema: int
    upcasters: Sequence[Upcaster]

    def upcast(self, stored: EventData) -> Mapping[str, Any]:
        """Return the data of ``stored``, which stays unchanged, in today's schema.

        Raises:
            CodecError: The schema is unknown, or an upcaster raises or does not return a dict.
        """
        if stored.schema == self.schema:
            return stored.data
        if not 1 <= stored.schema < self.schema:
            raise CodecError(
                stored.type,
                "",
                f"stored with schema {stored.schema}, but only 1 to {self.schema} are known; "
                f"deploy the version that wrote it, or a later one",
            )
        data: dict[str, Any] = deepcopy(dict(stored.data))
        for schema, upcaster in enumerate(self.upcasters[stored.schema - 1 :], stored.schema):
            try:
                upcasted: object = upcaster(data)
            except Exception as error:  # noqa: BLE001 - upcasters may raise anything
                raise CodecError(
                    stored.type,
                    "",
                    f"the upcaster from schema {schema} to {schema + 1} raised "
                    f"{type(error).__name__}; make it accept everything that was stored",
                ) from None  # the error may quote the data
            if not isinstance(upcasted, Mapping):
                raise CodecError(
                    stored.type,
                    "",
                    f"the upcaster from schema {schema} to {schema + 1} returned "
                    f"{_kind_of(upcasted)}; return the data as a dict: one event in, one event out",
                )
            data = cast("dict[str, Any]", upcasted)
        return data


class Catalog:
    """The event types of some aggregates, by stored name and by class.

    >>> from eventhus import Aggregate
    >>> Catalog([]).types()
    []

    Raises:
        CompositionError: Two aggregates share a name, two classes share a stored name, two
            aggregates handle one command class, or an aggregate handles no command.
    """

    def __init__(self, aggregates: Iterable[Aggregate[Any, Any, Any]]) -> None:
        self._by_name: dict[str, EventType] = {}
        self._by_class: dict[type, EventType] = {}
        self._routes: dict[type, Aggregate[Any, Any, Any]] = {}
        self._aggregates: set[str] = set()
        for aggregate in aggregates:
            if aggregate.name in self._aggregates:
                raise CompositionError(f"two aggregates are named {aggregate.name!r}; rename one")
            self._aggregates.add(aggregate.name)
            self._add_routes(aggregate)
            for event_type in _event_types(aggregate):
                self._add_type(event_type)
            for alias, cls in aggregate.aliases.items():
                self._add_name(alias, self._by_class[cls])

    @property
    def routes(self) -> Mapping[type, Aggregate[Any, Any, Any]]:
        """The aggregate of each command class."""
        return self._routes

    def types(self) -> list[EventType]:
        """Return every event type once."""
        return list(self._by_class.values())

    def is_of_newer_code(self, stream: StreamId, event: EventData) -> bool:
        """Return whether a newer version of the code must have written an event.

        That is so if the catalog has the aggregate of the stream, but not the name or the schema
        of the event. An unknown event of another stream belongs to somebody else.
        """
        if stream.aggregate_type not in self._aggregates:
            return False
        known = self._by_name.get(event.type)
        return known is None or event.schema > known.schema

    def knows(self, name: str) -> bool:
        """Return whether an event type has or had this stored name."""
        return name in self._by_name

    def of_class(self, cls: type) -> EventType:
        """Return the event type of a class.

        Raises:
            LookupError: No aggregate of the catalog declares the class.
        """
        return self._by_class[cls]

    def names_of(self, classes: Iterable[type]) -> frozenset[str]:
        """Return every current or former stored name of these classes."""
        wanted = set(classes)
        return frozenset(name for name, each in self._by_name.items() if each.cls in wanted)

    def of_name(self, name: str) -> EventType:
        """Return the event type of a current or former stored name.

        Raises:
            CodecError: No event type has or had the name.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise CodecError(
                name,
                "",
                "no aggregate of this application declares an event of this name; "
                "declare it, or map the name to its new class in aliases={...}",
            ) from None

    def _add_routes(self, aggregate: Aggregate[Any, Any, Any]) -> None:
        if not aggregate.commands:
            raise CompositionError(f"{aggregate.name} handles no commands; pass commands=(...)")
        for command in aggregate.commands:
            other = self._routes.setdefault(command, aggregate)
            if other is not aggregate:
                raise CompositionError(
                    f"command {command.__qualname__} is handled by {other.name} and by "
                    f"{aggregate.name}; give each aggregate commands of its own"
                )

    def _add_type(self, event_type: EventType) -> None:
        known = self._by_class.setdefault(event_type.cls, event_type)
        if known != event_type:
            raise CompositionError(
                f"event {event_type.cls.__qualname__} is declared twice with different names or "
                f"upcasters; declare it the same way in both aggregates"
            )
        self._add_name(event_type.name, event_type)

    def _add_name(self, name: str, event_type: EventType) -> None:
        known = self._by_name.setdefault(name, event_type)
        if known.cls is not event_type.cls:
            raise CompositionError(
                f"the stored name {name!r} stands for {known.cls.__module__}."
                f"{known.cls.__qualname__} and for {event_type.cls.__module__}."
                f"{event_type.cls.__qualname__}; give one another name in names={{...}}"
            )


def _event_types(aggregate: Aggregate[Any, Any, Any]) -> Iterator[EventType]:
    for cls in aggregate.events:
        upcasters = tuple(aggregate.upcasters.get(cls, ()))
        yield EventType(
            name=aggregate.names.get(cls, cls.__name__),
            cls=cls,
            schema=len(upcasters) + 1,
            upcasters=upcasters,
        )


def _kind_of(answer: object) -> str:
    """Name the type of an upcaster's answer, never its value, which may hold secrets."""
    if answer is None:
        return "None"
    if iscoroutine(answer):
        answer.close()  # otherwise Python warns, too, that it was never awaited
    return f"a {type(answer).__name__}"
