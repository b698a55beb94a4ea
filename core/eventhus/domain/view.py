"""Views: read models that are folded from the log, one value per key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from attrs import Factory, field, frozen

from eventhus.domain.annotations import (
    check_takes,
    folded_type,
    recorded_classes,
    taken_classes,
)
from eventhus.domain.callables import check_pure, takes
from eventhus.domain.indexes import Indexes, declared_indexes
from eventhus.domain.keys import KeyFunction, keys_of
from eventhus.domain.names import check_name
from eventhus.domain.reader_options import check_beginning, check_version
from eventhus.domain.recorded import Recorded
from eventhus.domain.start import Start

E = TypeVar("E")
# Covariant, so that a view of X can be passed where a view of X | None is expected: mypy expects
# that wherever it knows that the value may be None.
V_co = TypeVar("V_co", covariant=True)


def _events(view: View[Any, Any]) -> tuple[type[Any], ...]:
    events = recorded_classes(view.evolve, 1, "events")
    check_takes(f"view {view.name}: key", events, taken_classes(view.key, 0))
    return events


def _view_type(view: View[Any, Any]) -> Any:
    return folded_type(view.evolve, view.initial, "view_type")


@frozen(kw_only=True, eq=False)
class View(Generic[E, V_co]):
    """A read model (projection): one value per key, folded from the events of any aggregates.

    ``key`` and ``evolve`` must be pure, so that a view can be deleted and folded again from the
    first event.

    >>> @frozen
    ... class Deposited:
    ...     amount: int
    >>> def evolve(total: int, recorded: Recorded[Deposited]) -> int:
    ...     return total + recorded.event.amount
    >>> def account(recorded: Recorded[Deposited]) -> str:
    ...     return recorded.stream.aggregate_id
    >>> totals = View(name="totals", initial=0, key=account, evolve=evolve)
    >>> [each.__name__ for each in totals.events]
    ['Deposited']

    Attributes:
        name: Unique in the application: 1 to 63 letters, digits, hyphens and underscores.
        version: Raise it when the events, the value type, the indexed fields or the rules of
            ``evolve`` change. A new version is built beside the earlier ones, which older code
            goes on to follow and read.
        start: Where a new version begins: at the first event of the log, ``"beginning"``; at the
            next one, ``"now"``; or after a position. It is decided once, by the first application
            that is entered with the version, and ``reset`` goes back to it.
        initial: The value of a key before its first event. Immutable.
        key: Returns the key of an event, or several keys, such as both accounts of a transfer;
            ``None`` if the view ignores the event.
        evolve: Returns the next value of a key from its value and one event. ``None`` deletes the
            value, and the next event of the key starts from ``initial`` again. A third parameter,
            if there is one, gets the key.
        events: The event classes that the view is folded from; it never sees others. By default
            read from the annotation of ``evolve``'s second parameter: ``Recorded[A | B]``.
        view_type: The type of the values. By default read from the annotation of ``evolve``'s
            first parameter, or else the class of ``initial``.
        indexes: The fields of the values, and tuples of fields, that ``Application.find`` can look
            for and order by. A hyphen before a name stands for descending values. A field holds
            texts, numbers, times, booleans, enums of one of these, or ``None``.
        indexing: The indexes, checked against ``view_type``.

    Raises:
        CompositionError: The classes cannot be read from the annotations, ``key`` does not take all
            that ``evolve`` takes, a function is async, or the name, version or start does not have
            that form, or an index names something else than a field that can be compared. The
            message says what to do.
    """

    name: str
    version: int = 1
    start: Start = "beginning"
    initial: V_co
    key: KeyFunction[E]
    evolve: (
        Callable[[V_co, Recorded[E]], V_co | None] | Callable[[V_co, Recorded[E], str], V_co | None]
    )
    events: Sequence[type[Any]] = field(default=Factory(_events, takes_self=True))
    view_type: Any = field(default=Factory(_view_type, takes_self=True))
    indexes: Sequence[str | tuple[str, ...]] = ()
    indexing: Indexes = field(
        default=Factory(
            lambda self: declared_indexes(f"view {self.name}", self.indexes, self.view_type),
            takes_self=True,
        ),
        init=False,
        repr=False,
    )
    _takes_key: bool = field(
        default=Factory(lambda self: takes(self.evolve, 3), takes_self=True), init=False, repr=False
    )

    def __attrs_post_init__(self) -> None:
        check_name("view", self.name)
        check_version(f"view {self.name}", self.version)
        check_beginning(f"view {self.name}", self.start)
        check_pure(f"view {self.name}", {"key": self.key, "evolve": self.evolve})

    def keys(self, recorded: Recorded[E]) -> tuple[str, ...]:
        """Return the keys of an event, each once.

        Raises:
            TypeError: ``key`` returned something else than text.
        """
        return keys_of(self.key, recorded)

    def next(self, key: str, value: V_co | None, recorded: Recorded[E]) -> V_co | None:
        """Return the value of a key after one more of its events.

        Args:
            key: The key.
            value: The value so far; ``None`` if the key has none.
            recorded: An event of that key.
        """
        evolve: Any = self.evolve
        before = self.initial if value is None else value
        after: V_co | None = (
            evolve(before, recorded, key) if self._takes_key else evolve(before, recorded)
        )
        return after
