"""Process managers: commands that follow from events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from attrs import Factory, field, frozen

from eventhus.domain.annotations import folded_type, recorded_classes
from eventhus.domain.callables import check_pure, takes
from eventhus.domain.command import Command
from eventhus.domain.keys import KeyFunction, keys_of
from eventhus.domain.names import check_name
from eventhus.domain.reader_options import check_beginning
from eventhus.domain.recorded import Recorded
from eventhus.domain.start import Start

E = TypeVar("E")
S = TypeVar("S")


def _events(process: Process[Any, Any]) -> tuple[type[Any], ...]:
    return recorded_classes(process.evolve, 1, "events")


def _state_type(process: Process[Any, Any]) -> Any:
    return folded_type(process.evolve, process.initial, "state_type")


@frozen(kw_only=True, eq=False)
class Process(Generic[E, S]):
    """A process manager: follows events and sends the commands that come next.

    Use a process for work that spans several aggregates or waits for several events: once an order
    is paid, send the parcel. Each key has an instance with its own state. ``key``, ``evolve`` and
    ``react`` must be pure.

    >>> @frozen(kw_only=True)
    ... class SendParcel(Command):
    ...     pass
    >>> @frozen
    ... class OrderPaid:
    ...     order: str
    >>> def evolve(paid: int, recorded: Recorded[OrderPaid]) -> int:
    ...     return paid + 1
    >>> def react(paid: int, recorded: Recorded[OrderPaid]) -> Iterable[Command]:
    ...     if paid == 1:
    ...         yield SendParcel(aggregate_id=recorded.event.order)
    >>> shipping = Process(
    ...     name="shipping",
    ...     initial=0,
    ...     key=lambda recorded: recorded.event.order,
    ...     evolve=evolve,
    ...     react=react,
    ... )
    >>> [each.__name__ for each in shipping.events]
    ['OrderPaid']

    Attributes:
        name: Unique in the application: 1 to 63 letters, digits, hyphens and underscores.
        initial: The state of a key before its first event. Immutable.
        key: Returns the key of the instance that an event concerns, or several keys; ``None`` if it
            concerns none.
        evolve: Returns the next state from the state and one event. A third parameter, if there is
            one, gets the key.
        react: Returns the commands that follow from the new state and the event; possibly none. A
            third parameter, if there is one, gets the key.
        events: The event classes that the process follows; it never sees others. By default read
            from the annotation of ``evolve``'s second parameter: ``Recorded[A | B]``.
        state_type: The type of the state. By default read from the annotation of ``evolve``'s
            first parameter, or else the class of ``initial``.
        start: Where a new process begins: at the first event of the log, ``"beginning"``; at the
            next one, ``"now"``; or after a position. It is decided once, by the first application
            that is entered with the process.

    Raises:
        CompositionError: The classes cannot be read from the annotations, a function is async, or
            the name or start does not have that form. The message says what to do.
    """

    name: str
    initial: S
    key: KeyFunction[E]
    evolve: Callable[[S, Recorded[E]], S] | Callable[[S, Recorded[E], str], S]
    react: (
        Callable[[S, Recorded[E]], Iterable[Command]]
        | Callable[[S, Recorded[E], str], Iterable[Command]]
    )
    events: Sequence[type[Any]] = field(default=Factory(_events, takes_self=True))
    state_type: Any = field(default=Factory(_state_type, takes_self=True))
    start: Start = "beginning"
    _evolve_takes_key: bool = field(
        default=Factory(lambda self: takes(self.evolve, 3), takes_self=True), init=False, repr=False
    )
    _react_takes_key: bool = field(
        default=Factory(lambda self: takes(self.react, 3), takes_self=True), init=False, repr=False
    )

    def __attrs_post_init__(self) -> None:
        check_name("process", self.name)
        check_beginning(f"process {self.name}", self.start)
        check_pure(
            f"process {self.name}", {"key": self.key, "evolve": self.evolve, "react": self.react}
        )

    def keys(self, recorded: Recorded[E]) -> tuple[str, ...]:
        """Return the keys of an event, each once.

        Raises:
            TypeError: ``key`` returned something else than text.
        """
        return keys_of(self.key, recorded)

    def next(self, key: str, state: S, recorded: Recorded[E]) -> S:
        """Return the state of a key after one more of its events.

        Args:
            key: The key.
            state: The state so far.
            recorded: An event of that key.
        """
        evolve: Any = self.evolve
        after: S = (
            evolve(state, recorded, key) if self._evolve_takes_key else evolve(state, recorded)
        )
        return after

    def reacted(self, key: str, state: S, recorded: Recorded[E]) -> tuple[Command, ...]:
        """Return the commands that ``react`` returns for an event, checked.

        Args:
            key: The key.
            state: The state after the event.
            recorded: The event.

        Raises:
            TypeError: ``react`` did not return a collection of commands.
        """
        react: Any = self.react
        answer: object = (
            react(state, recorded, key) if self._react_takes_key else react(state, recorded)
        )
        if not isinstance(answer, Iterable):
            raise TypeError(
                f"react of {self.name} returned {type(answer).__name__} instead of commands; "
                f"yield them, or return a list"
            )
        commands: tuple[Any, ...] = tuple(answer)
        for command in commands:
            if not isinstance(command, Command):
                raise TypeError(
                    f"react of {self.name} returned {type(command).__qualname__}, which is not a "
                    f"command; derive it from eventhus.Command"
                )
        return commands
