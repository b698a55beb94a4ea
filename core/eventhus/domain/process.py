"""Process managers: commands that follow from events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from attrs import Factory, field, frozen

from eventhus.domain.annotations import (
    check_takes,
    folded_type,
    is_kind_of,
    recorded_classes,
    taken_classes,
)
from eventhus.domain.callables import check_pure, takes
from eventhus.domain.deadlines import Deadline
from eventhus.domain.keys import KeyFunction, keys_of
from eventhus.domain.names import check_name
from eventhus.domain.process_events import (
    PROCESS_EVENTS,
    CommandRefused,
    DeadlineOvertaken,
    DeadlineReached,
    own_type,
)
from eventhus.domain.reaction import Answer, check_deadlines, checked
from eventhus.domain.reader_options import check_beginning, check_version
from eventhus.domain.recorded import Recorded
from eventhus.domain.start import Start
from eventhus.errors import CompositionError, WrongAnswer

E = TypeVar("E")
S = TypeVar("S")


def _events(process: Process[Any, Any]) -> tuple[type[Any], ...]:
    events = recorded_classes(process.evolve, 1, "events")
    answered = taken_classes(process.react, 1)
    name = f"process {process.name}"
    others = [cls for cls in events if cls not in PROCESS_EVENTS]
    check_takes(f"{name}: key", others, taken_classes(process.key, 0))
    check_takes(f"{name}: react", others, answered)
    for cls in answered:
        if not any(is_kind_of(each, cls) for each in (*events, *PROCESS_EVENTS)):
            raise CompositionError(
                f"{name}: react takes {cls.__qualname__} and evolve does not, so the process does "
                f"not follow it; add it to the annotation of evolve"
            )
    return (*events, *(cls for cls in PROCESS_EVENTS if cls in answered and cls not in events))


def _state_type(process: Process[Any, Any]) -> Any:
    return folded_type(process.evolve, process.initial, "state_type")


@frozen(kw_only=True, eq=False)
class Process(Generic[E, S]):
    """A process manager: follows events and sends the commands that come next.

    Use a process for work that spans several aggregates or waits for several events: once an order
    is paid, send the parcel. Each key has an instance with its own state. ``key``, ``evolve`` and
    ``react`` must be pure.

    Time and refusals come as events. ``react`` may return a ``Deadline`` besides commands. At its
    time the process gets ``DeadlineReached``, unless it has returned a ``Cancel`` before. A process
    that takes ``CommandRefused`` gets one for each of its commands that is refused. Each key has a
    stream of its own for these events. ``evolve`` and ``react`` each get those that are in their
    annotation.

    >>> from eventhus import Command
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
        name: Unique in the application: 1 to 63 letters, digits, hyphens and underscores. It is
            stored: a process with another name starts as a new one.
        version: Raise it when ``evolve`` computes another state from the same events. The new
            version folds everything that the version before it has handled, without reacting, and
            goes on from there. The older one does not come back.
        initial: The state of a key before its first event. Immutable.
        key: Returns the key of the instance that an event concerns, or several keys; ``None`` if it
            concerns none.
        evolve: Returns the next state from the state and one event. A third parameter, if there is
            one, gets the key.
        react: Returns the commands, deadlines and cancellations that follow from the new state and
            the event; possibly none. A third parameter, if there is one, gets the key.
        events: The event classes that the process follows; it never sees others. By default read
            from the annotation of ``evolve``'s second parameter, ``Recorded[A | B]``, with
            ``DeadlineReached`` and ``CommandRefused`` from that of ``react``.
        state_type: The type of the state. By default read from the annotation of ``evolve``'s
            first parameter, or else the class of ``initial``.
        start: Where a new process begins: at the first event of the log, ``"beginning"``; at the
            next one, ``"now"``; or after a position. It is decided once, by the first application
            that is entered with the version.
        publish: Whether the relay publishes the events of the process's own streams, too.

    Raises:
        CompositionError: The classes cannot be read from the annotations or include
            ``DeadlineOvertaken``, ``key`` or ``react`` takes other events than ``evolve``, a
            function is async, or the name, version or start does not have that form. The message
            says what to do.
    """

    name: str
    initial: S
    key: KeyFunction[E]
    evolve: Callable[[S, Recorded[E]], S] | Callable[[S, Recorded[E], str], S]
    react: (
        Callable[[S, Recorded[E]], Iterable[Answer]]
        | Callable[[S, Recorded[E], str], Iterable[Answer]]
    )
    events: Sequence[type[Any]] = field(default=Factory(_events, takes_self=True))
    state_type: Any = field(default=Factory(_state_type, takes_self=True))
    version: int = 1
    start: Start = "beginning"
    publish: bool = False
    _evolve_takes_key: bool = field(
        default=Factory(lambda self: takes(self.evolve, 3), takes_self=True), init=False, repr=False
    )
    _react_takes_key: bool = field(
        default=Factory(lambda self: takes(self.react, 3), takes_self=True), init=False, repr=False
    )
    # The events of the own stream that the functions do not take.
    _not_evolved: frozenset[type] = field(
        default=Factory(lambda self: _left_out(self.evolve), takes_self=True),
        init=False,
        repr=False,
    )
    _not_answered: frozenset[type] = field(
        default=Factory(lambda self: _left_out(self.react), takes_self=True),
        init=False,
        repr=False,
    )

    def __attrs_post_init__(self) -> None:
        check_name("process", self.name)
        check_version(f"process {self.name}", self.version)
        check_beginning(f"process {self.name}", self.start)
        check_pure(
            f"process {self.name}", {"key": self.key, "evolve": self.evolve, "react": self.react}
        )
        if DeadlineOvertaken in self.events:
            raise CompositionError(
                f"process {self.name} takes DeadlineOvertaken, which no process gets: a deadline "
                f"that was overtaken does not count; remove it from the annotation"
            )

    @property
    def stream_type(self) -> str:
        """The aggregate type of the process's own streams, one for each key."""
        return own_type(self.name)

    def takes(self, cls: type) -> bool:
        """Return whether the process takes events of this class."""
        return cls in self.events

    def keys(self, recorded: Recorded[E]) -> tuple[str, ...]:
        """Return the keys of an event, each once.

        Raises:
            WrongAnswer: ``key`` returned something else than text.
        """
        if type(recorded.event) in PROCESS_EVENTS:
            stream = recorded.stream
            return (stream.aggregate_id,) if stream.aggregate_type == self.stream_type else ()
        return keys_of(self.key, recorded)

    def next(self, key: str, state: S, recorded: Recorded[E]) -> S:
        """Return the state of a key after one more of its events.

        Args:
            key: The key.
            state: The state so far.
            recorded: An event of that key.
        """
        if type(recorded.event) in self._not_evolved:
            return state
        evolve: Any = self.evolve
        after: S = (
            evolve(state, recorded, key) if self._evolve_takes_key else evolve(state, recorded)
        )
        return after

    def reacted(self, key: str, state: S, recorded: Recorded[E]) -> tuple[Answer, ...]:
        """Return the answer of ``react`` to an event, checked.

        Args:
            key: The key.
            state: The state after the event.
            recorded: The event.

        Raises:
            WrongAnswer: ``react`` did not return a collection of commands, deadlines and
                cancellations, armed a deadline that the process does not take or that the key
                cannot have, or returned two answers for one deadline.
            OverflowError: The time of a deadline is after the year 9999.
        """
        if type(recorded.event) in self._not_answered:
            return ()
        react: Any = self.react
        answers = checked(
            self.name,
            react(state, recorded, key) if self._react_takes_key else react(state, recorded),
        )
        is_timed = any(isinstance(each, Deadline) for each in answers)
        if is_timed and not self.takes(DeadlineReached):
            raise WrongAnswer(
                f"react of {self.name} returned a Deadline, and nothing takes DeadlineReached; "
                f"add it to the annotation of react, as in Recorded[X | DeadlineReached], or to "
                f"events=(...) if those are given"
            )
        if answers and not key and (is_timed or self.takes(CommandRefused)):
            raise WrongAnswer(
                f"react of {self.name} returned commands or deadlines for the empty key, which "
                f"has no stream for refusals and reached deadlines; return another key"
            )
        check_deadlines(self.name, answers, recorded)
        return answers


def _left_out(function: Any) -> frozenset[type]:
    taken = taken_classes(function, 1)
    if object in taken:
        return frozenset()
    return frozenset(cls for cls in PROCESS_EVENTS if cls not in taken)
