"""The catalog of event types: stored names, classes and upcasters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from inspect import iscoroutine
from typing import Any, TypeAlias, cast

from attrs import frozen

from eventhus.domain.aggregate import Aggregate
from eventhus.domain.decider import Decider, Upcaster
from eventhus.domain.decision import Decision
from eventhus.domain.process_events import (
    RESERVED,
    CommandRefused,
    DeadlineOvertaken,
    DeadlineReached,
)
from eventhus.domain.query import EventClass, Query, QueryItem
from eventhus.domain.recorded import EventData, StreamId
from eventhus.domain.tags import Tagger, tags_from
from eventhus.domain.transaction import Transaction
from eventhus.errors import CodecError, CompositionError

Route: TypeAlias = Aggregate[Any, Any, Any] | Decision[Any, Any, Any] | Transaction[Any]
"""The part of a domain that handles a command."""


@frozen(kw_only=True)
class EventType:
    """One kind of event.

    Attributes:
        name: The stored name of new events.
        cls: The class of the events.
        schema: The current version of the class's shape, from 1.
        upcasters: One function from each earlier schema to the next, oldest first.
        tagger: Returns the tags of an event; ``None`` if it has none.
    """

    name: str
    cls: type
    schema: int
    upcasters: Sequence[Upcaster]
    tagger: Tagger | None = None

    def tags_of(self, event: object) -> frozenset[str]:
        """Return the tags of an event.

        Raises:
            CodecError: The function for them raises, or returns something else than tags.
        """
        return tags_from(self.tagger, event)

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


PROCESS_EVENT_TYPES = tuple(
    EventType(name=f"{RESERVED}{cls.__name__}", cls=cls, schema=1, upcasters=())
    for cls in (DeadlineReached, CommandRefused, DeadlineOvertaken)
)
"""The event types of the streams of processes. Every catalog knows them, and none declares them."""


class Catalog:
    """The event types of some aggregates and decisions, by stored name and by class.

    >>> from eventhus import Aggregate
    >>> Catalog([]).types()
    []

    Raises:
        CompositionError: Two parts share a name, two classes share a stored name, two parts handle
            one command class, a part handles no command, a transaction is for an aggregate that
            is not among them, or a name or a class of event is reserved for processes.
    """

    def __init__(
        self,
        aggregates: Iterable[Aggregate[Any, Any, Any]],
        decisions: Iterable[Decision[Any, Any, Any]] = (),
        transactions: Iterable[Transaction[Any]] = (),
    ) -> None:
        self._by_name = {each.name: each for each in PROCESS_EVENT_TYPES}
        self._by_class = {each.cls: each for each in PROCESS_EVENT_TYPES}
        self._names = {
            each.cls: {each.name} for each in PROCESS_EVENT_TYPES
        }  # with the former ones
        self._routes: dict[type, Route] = {}
        aggregates, decisions = tuple(aggregates), tuple(decisions)
        transactions = tuple(transactions)
        self._aggregates = {each.name: each for each in aggregates}
        self._stream_types: set[str] = set()
        deciders: list[Aggregate[Any, Any, Any] | Decision[Any, Any, Any]] = [
            *aggregates,
            *decisions,
        ]
        parts: list[Route] = [*deciders, *transactions]
        for name, times in Counter(part.name for part in parts).items():
            if times > 1:
                raise CompositionError(f"{times} parts are named {name!r}; rename all but one")
        for aggregate in aggregates:
            self._add_stream_types(aggregate)
        for part in parts:
            self._add_routes(part)
        for decider in deciders:
            for event_type in _event_types(decider):
                self._add_type(event_type)
            for alias, cls in decider.aliases.items():
                if cls in decider.events:
                    self._add_name(alias, self._by_class[cls])
        for decision in decisions:
            self._stream_types.add(self.stream_type(decision.aggregate_type))
        for name in self._stream_types:
            if name.startswith(RESERVED):
                raise CompositionError(
                    f"the aggregate type {name!r} starts with {RESERVED!r}, which is reserved for "
                    f"the streams of processes; choose another name"
                )
        for transaction in transactions:
            self._check_aggregates(transaction)

    @property
    def routes(self) -> Mapping[type, Route]:
        """The part that handles each command class."""
        return self._routes

    def types(self) -> list[EventType]:
        """Return every event type that the parts declare, once."""
        return [each for each in self._by_class.values() if each not in PROCESS_EVENT_TYPES]

    @property
    def followed(self) -> frozenset[type]:
        """The classes of events that a view, a process or a query may name."""
        return frozenset(self._by_class)

    def stream_type(self, name: str) -> str:
        """Return the type under which the streams of an aggregate are stored, by its name."""
        aggregate = self._aggregates.get(name)
        return name if aggregate is None else aggregate.stream_type

    def has_streams(self, aggregate_type: str) -> bool:
        """Return whether a part stores its streams under a type, or did so under a former name."""
        return aggregate_type in self._stream_types

    def is_of_newer_code(self, stream: StreamId, event: EventData) -> bool:
        """Return whether a newer version of the code must have written an event.

        That is so if the catalog has the aggregate of the stream, but not the name or the schema
        of the event. An unknown event of another stream belongs to somebody else.
        """
        if stream.aggregate_type not in self._stream_types:
            return False
        known = self._by_name.get(event.type)
        return known is None or event.schema > known.schema

    @property
    def names(self) -> frozenset[str]:
        """Every current or former stored name."""
        return frozenset(self._by_name)

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
        return frozenset().union(*[self._names.get(cls, ()) for cls in classes])

    def aggregate_of(self, stream_type: str) -> Aggregate[Any, Any, Any] | None:
        """Return the aggregate that has this name or had it before, if there is one."""
        for aggregate in self._aggregates.values():
            if stream_type in (aggregate.name, *aggregate.former_names):
                return aggregate
        return None

    def aggregate(self, name: str) -> Aggregate[Any, Any, Any] | None:
        """Return the aggregate of this name, if there is one."""
        return self._aggregates.get(name)

    def stored_query(self, query: Query, others: frozenset[str] = frozenset()) -> Query:
        """Return a query with every stored name of its classes, current and former.

        Args:
            query: The query. Names in it stay as they are.
            others: Stored names that an item without types does not find.
        """
        return Query(
            QueryItem(
                types=self._names_in(item.types),
                tags=item.tags,
                other_than=self._names_in(item.other_than)
                | (frozenset() if item.types else others),
            )
            for item in query.items
        )

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

    def _names_in(self, types: Iterable[EventClass]) -> frozenset[str]:
        names = frozenset(each for each in types if isinstance(each, str))
        return names | self.names_of(each for each in types if isinstance(each, type))

    def _add_routes(self, part: Route) -> None:
        if not part.commands:
            raise CompositionError(f"{part.name} handles no commands; pass commands=(...)")
        for command in part.commands:
            other = self._routes.setdefault(command, part)
            if other is not part:
                raise CompositionError(
                    f"command {command.__qualname__} is handled by {other.name} and by "
                    f"{part.name}; give each of them commands of its own"
                )

    def _add_stream_types(self, aggregate: Aggregate[Any, Any, Any]) -> None:
        for name in (aggregate.name, *aggregate.former_names):
            if name in self._stream_types:
                raise CompositionError(
                    f"{name!r} is a name or a former name of two aggregates, and their streams "
                    f"would be mixed; rename one"
                )
            self._stream_types.add(name)

    def _check_aggregates(self, transaction: Transaction[Any]) -> None:
        for aggregate in transaction.aggregates:
            if self._aggregates.get(aggregate.name) is not aggregate:
                raise CompositionError(
                    f"{transaction.name} is for {aggregate.name}, which is not an aggregate of "
                    f"this application; add it to aggregates=[...]"
                )

    def _add_type(self, event_type: EventType) -> None:
        if self._by_class.get(event_type.cls) in PROCESS_EVENT_TYPES:
            raise CompositionError(
                f"{event_type.cls.__qualname__} is an event that only processes have; declare a "
                f"class of your own"
            )
        known = self._by_class.setdefault(event_type.cls, event_type)
        if known != event_type:
            raise CompositionError(
                f"event {event_type.cls.__qualname__} is declared twice with different names, "
                f"upcasters or tags; declare it the same way everywhere"
            )
        self._add_name(event_type.name, event_type)

    def _add_name(self, name: str, event_type: EventType) -> None:
        if name.startswith(RESERVED):
            raise CompositionError(
                f"the stored name {name!r} starts with {RESERVED!r}, which is reserved for the "
                f"events of processes; choose another name"
            )
        known = self._by_name.setdefault(name, event_type)
        if known.cls is not event_type.cls:
            raise CompositionError(
                f"the stored name {name!r} stands for {known.cls.__module__}."
                f"{known.cls.__qualname__} and for {event_type.cls.__module__}."
                f"{event_type.cls.__qualname__}; give one another name in names={{...}}"
            )
        self._names.setdefault(event_type.cls, set()).add(name)


def _event_types(decider: Decider[Any, Any, Any]) -> Iterator[EventType]:
    for cls in decider.events:
        upcasters = tuple(decider.upcasters.get(cls, ()))
        yield EventType(
            name=decider.names.get(cls, cls.__name__),
            cls=cls,
            schema=len(upcasters) + 1,
            upcasters=upcasters,
            tagger=decider.tags.get(cls),
        )


def _kind_of(answer: object) -> str:
    """Name the type of an upcaster's answer, never its value, which may hold secrets."""
    if answer is None:
        return "None"
    if iscoroutine(answer):
        answer.close()  # otherwise Python warns, too, that it was never awaited
    return f"a {type(answer).__name__}"
