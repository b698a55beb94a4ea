"""Checks of an application's arguments. Each error says what to do next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from math import inf
from typing import Any, TypeVar

from eventhus.domain.aggregate import Aggregate
from eventhus.domain.callables import is_async
from eventhus.domain.catalog import Catalog
from eventhus.domain.decision import Decision
from eventhus.domain.immutability import check_immutable
from eventhus.domain.process import Process
from eventhus.domain.query import EventClass, Query
from eventhus.domain.transaction import Transaction
from eventhus.domain.view import View
from eventhus.errors import CompositionError, InvalidArgument
from eventhus.namesakes import namesake

T = TypeVar(
    "T",
    Aggregate[Any, Any, Any],
    Decision[Any, Any, Any],
    Transaction[Any],
    View[Any, Any],
    Process[Any, Any],
)

_ARGUMENTS: dict[type, str] = {
    Aggregate: "aggregates",
    Decision: "decisions",
    Transaction: "transactions",
    View: "views",
    Process: "processes",
}

_MOST_NAMES = 20  # in a message


def check_parts(cls: type[T], given: Iterable[T]) -> Sequence[T]:
    """Return the parts of an application that are of one kind, after checking them.

    Args:
        cls: The class of the parts, such as ``Aggregate``.
        given: The value of the argument for them, such as ``aggregates``.

    Raises:
        CompositionError: It is not iterable, one of its items is not a ``cls``, or the initial
            value of one can be changed.
    """
    argument = _ARGUMENTS[cls]
    if not isinstance(given, Iterable):
        raise CompositionError(
            f"{argument} must be a list, found {_described(given)}; put it in brackets"
        )
    parts = tuple(given)
    for part in parts:
        if not isinstance(part, cls):
            right = _ARGUMENTS.get(type(part))
            raise CompositionError(
                f"{argument} must hold instances of {cls.__name__}, found {_described(part)}; "
                f"{f'move it to {right}=[...]' if right else 'remove it'}"
            )
        if not isinstance(part, Transaction):
            check_immutable(_described(part), part.initial)
    return parts


def check_settings(
    workers: int,
    cache_size: int,
    snapshot_every: int | None,
    max_parked: int,
    shutdown_timeout_s: float,
) -> None:
    """Refuse settings out of their range.

    Raises:
        CompositionError: A setting is too low, or a time is not finite.
    """
    for name, value, least in (
        ("workers", workers, 1),
        ("cache_size", cache_size, 0),
        ("snapshot_every", snapshot_every, 1),
        ("max_parked", max_parked, 0),
    ):
        if value is not None and not (isinstance(value, int) and value >= least):
            raise CompositionError(f"{name} must be an int of at least {least}, found {value!r}")
    if not (isinstance(shutdown_timeout_s, int | float) and 0 < shutdown_timeout_s < inf):
        raise CompositionError(
            f"shutdown_timeout_s must be above 0 and finite, found {shutdown_timeout_s!r}"
        )


def check_adapters(store: object, bus: object, codec: object) -> None:
    """Refuse a URL, a class or anything else where an adapter is expected.

    Raises:
        CompositionError: One of them is not an instance of an adapter.
    """
    for name, value, method in (
        ("store", store, "append"),
        ("bus", bus, "subscribe"),
        ("codec", codec, "encoder"),
    ):
        if isinstance(value, str):
            raise CompositionError(
                f"{name} must be an adapter, found the text {value!r}; pass URLs to "
                f"Application.open(...)"
            )
        optional = value is None and name == "bus"
        if not optional and (isinstance(value, type) or not hasattr(value, method)):
            raise CompositionError(
                f"{name} must be an instance of an adapter, found {_described(value)}"
            )


def check_observer(observer: object) -> None:
    """Refuse a class or anything else where an observer is expected, and asynchronous methods.

    Raises:
        CompositionError: It is neither ``None`` nor an observer.
    """
    if observer is None:
        return
    for name in ("begin", "note"):
        method = getattr(observer, name, None)
        if isinstance(observer, type) or not callable(method):
            raise CompositionError(
                f"observer must be an instance of an observer, found {_described(observer)}"
            )
        if is_async(method):
            raise CompositionError(
                f"observer: {name} is async, and nobody awaits it; make it a plain def"
            )


def check_is(value: object, *classes: type) -> None:
    """Refuse anything but an instance of one of ``classes``, such as a name instead of a view.

    Raises:
        InvalidArgument: ``value`` is not an instance of any of them.
    """
    if not isinstance(value, classes):
        wanted = " or ".join(cls.__name__ for cls in classes)
        raise InvalidArgument(
            f"expected {'an' if wanted.startswith('A') else 'a'} {wanted}, found "
            f"{_described(value)}; pass the object that the application is composed of"
        )


def check_handler(handler: object) -> None:
    """Refuse a handler of events that cannot be awaited.

    Raises:
        InvalidArgument: ``handler`` is neither an ``async def`` function nor an object with an
            ``async def __call__``. A ``functools.partial`` of either passes.
    """
    if not is_async(handler):
        name = getattr(handler, "__qualname__", type(handler).__qualname__)
        raise InvalidArgument(
            f"the handler {name} is not a coroutine function; define it with async def"
        )


def stored_names(catalog: Catalog, types: Iterable[type]) -> frozenset[str]:
    """Return every name that events of these classes are or were stored under.

    Raises:
        InvalidArgument: An item is not a class, or not an event of the catalog.
    """
    if not isinstance(types, Iterable):
        raise InvalidArgument(
            f"types must be a list of event classes, found {_described(types)}; put it in brackets"
        )
    wanted = tuple(types)
    for cls in wanted:
        if not isinstance(cls, type):
            raise InvalidArgument(
                f"types must hold event classes, found {_described(cls)}; pass the class itself"
            )
    _check_events(catalog, wanted)
    return catalog.names_of(wanted)


def stored_query(catalog: Catalog, query: Query | None) -> Query | None:
    """Return a query with the stored names of its classes.

    Raises:
        InvalidArgument: It is not a query, or one of its classes is not an event of the catalog.
    """
    if query is None:
        return None
    if not isinstance(query, Query):
        raise InvalidArgument(f"expected a Query, found {_described(query)}; write Query.of(...)")
    types = frozenset[EventClass]().union(*[item.types | item.other_than for item in query.items])
    _check_events(catalog, [cls for cls in types if isinstance(cls, type)])
    return catalog.stored_query(query)


def _check_events(catalog: Catalog, classes: Iterable[type]) -> None:
    known = catalog.followed
    for cls in classes:
        if cls not in known:
            raise InvalidArgument(not_an_event(cls, known))


def not_an_event(cls: type, known: Iterable[type]) -> str:
    """Return the message for a class that no aggregate of an application declares."""
    advice = namesake(cls, known) or "compose it with the aggregate that declares it"
    return f"{cls.__qualname__} is not an event of this application; {advice}"


def unknown(what: str, name: object, known: Collection[str | int]) -> InvalidArgument:
    """Return the error for a name that does not exist, with some that do."""
    names = sorted(known, key=str)
    listed = ", ".join(map(str, names[:_MOST_NAMES])) or "none"
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return InvalidArgument(f"there is no {what} {name!r}; there are: {listed}{more}")


def _described(value: object) -> str:
    """Return how a message refers to a value."""
    if isinstance(value, Aggregate | Decision | Transaction | View | Process):
        return f"{type(value).__name__.lower()} {value.name}"
    if isinstance(value, type):
        return f"class {value.__qualname__}"
    return f"{value!r}" if isinstance(value, str) else f"a {type(value).__qualname__}"
