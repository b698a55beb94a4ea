"""A view: what a reader wants to know, folded from the log and kept by key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from attrs import Factory, field, frozen

from eventhus.domain.annotations import folded_type, recorded_classes
from eventhus.domain.callables import check_pure
from eventhus.domain.names import check_name
from eventhus.domain.recorded import Recorded

E = TypeVar("E")
# A view of X may stand where one of X | None is asked for, since it is handed out to be read from:
# without that, mypy takes no view where it knows that what comes of it may be None.
V_co = TypeVar("V_co", covariant=True)


def _events(view: View[Any, Any]) -> tuple[type[Any], ...]:
    return recorded_classes(view.evolve, 1, "events")


def _view_type(view: View[Any, Any]) -> Any:
    return folded_type(view.evolve, view.initial, "view_type")


@frozen(kw_only=True, eq=False)
class View(Generic[E, V_co]):
    """What a reader wants to know, folded from the events of any aggregates, one value per key.

    ``key`` and ``evolve`` must be pure, and depend on nothing but what they are given: a view can
    be thrown away and folded again from the first event.

    >>> @frozen
    ... class Deposited:
    ...     amount: int
    >>> def evolve(total: int, recorded: Recorded[Deposited]) -> int:
    ...     return total + recorded.event.amount
    >>> def account(recorded: Recorded[Deposited]) -> str:
    ...     return recorded.stream.aggregate_id
    >>> totals = View(name="totals", initial=0, key=account, evolve=evolve)
    >>> totals.events
    (<class 'eventhus.domain.view.Deposited'>,)

    Attributes:
        name: Tells the view from others of an application: 1 to 63 letters, digits, hyphens and
            underscores.
        initial: The value of a key before its first event. Immutable.
        key: Under which key an event counts; ``None`` where it does not.
        evolve: From a key's value and one event to its next value; ``None`` deletes it, and the
            key's next event starts from ``initial`` again.
        events: The classes of events that the view is made of; it is not shown any others. Read
            from the annotation of ``evolve``'s second parameter: ``Recorded[A | B]``.
        view_type: The type of the values. Read from ``evolve``'s first parameter's annotation,
            or, where that has none, from ``initial``.

    Raises:
        CompositionError: The classes cannot be read from the annotations, or the name is of
            another form. The message says which and the way out.
    """

    name: str
    initial: V_co
    key: Callable[[Recorded[E]], str | None]
    evolve: Callable[[V_co, Recorded[E]], V_co | None]
    events: Sequence[type[Any]] = field(default=Factory(_events, takes_self=True))
    view_type: Any = field(default=Factory(_view_type, takes_self=True))

    def __attrs_post_init__(self) -> None:
        check_name("view", self.name)
        check_pure(f"view {self.name}", {"key": self.key, "evolve": self.evolve})

    def next(self, value: V_co | None, recorded: Recorded[E]) -> V_co | None:
        """The value of a key after one more of its events.

        Args:
            value: The value so far; ``None`` where the key has none.
            recorded: An event of that key.
        """
        return self.evolve(self.initial if value is None else value, recorded)
