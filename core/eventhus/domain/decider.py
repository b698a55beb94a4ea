"""A decider: an initial state and two pure functions.

Source of the term: Jérémie Chassaing, "Functional Event Sourcing Decider", 2021.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import reduce
from types import GeneratorType
from typing import Any, Generic, TypeVar

import attrs
from attrs import Factory, field, frozen

from eventhus.domain.annotations import folded_type, parameter_classes
from eventhus.domain.callables import check_pure
from eventhus.domain.command import Command
from eventhus.domain.names import described
from eventhus.domain.tags import Tagger, tags_from
from eventhus.errors import CompositionError, UndeclaredEvent, WrongAnswer

C = TypeVar("C", bound=Command)
E = TypeVar("E")
# Covariant, although decide and evolve also take it: print(await app.state(account, "a1")) expects
# an object, and mypy would require an invariant state to be exactly that.
S_co = TypeVar("S_co", covariant=True)

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""A pure function from an event's stored data in one schema to its data in the next."""

# Where a class keeps the annotations of its fields, before Python 3.14 and since.
_OWN_FIELDS = {"__annotations__", "__annotate_func__"}


def _commands(decider: Decider[Any, Any, Any]) -> tuple[type[Any], ...]:
    return parameter_classes(decider.decide, 0, "commands")


def _events(decider: Decider[Any, Any, Any]) -> tuple[type[Any], ...]:
    return parameter_classes(decider.evolve, 1, "events")


def _state_type(decider: Decider[Any, Any, Any]) -> Any:
    return folded_type(decider.evolve, decider.initial, "state_type")


@frozen(kw_only=True, eq=False)
class Decider(Generic[C, E, S_co]):
    """The common base of aggregates and decisions: the functions, and the classes they work on.

    ``decide`` and ``evolve`` must be pure: no I/O, no clock, no randomness, no mutation.

    Attributes:
        name: Unique in the application.
        initial: The state before the first event. Immutable.
        decide: Returns the events that follow from a command and the state; none if nothing
            changes. Raises a subclass of ``Rejected`` to refuse.
        evolve: Returns the next state from the state and one event. Never refuses, because the
            event has already happened.
        commands: The command classes. By default read from the annotation of ``decide``'s first
            parameter.
        events: The event classes, each a frozen attrs class. By default read from the annotation of
            ``evolve``'s second parameter.
        state_type: The type of the state. By default read from the annotation of ``evolve``'s
            first parameter, or else the class of ``initial``.
        names: Stored names of event classes that are not stored under their own name.
        aliases: Former stored names, each with the event class that replaced it.
        upcasters: For each event class whose shape has changed, one function for each change,
            oldest first. The schema version of the class is their number plus one, so a change
            takes one more function and nothing else.
        tags: For each event class that decisions find by tag, a pure function that returns the
            tags of an event, such as ``{"course:c1", "student:s7"}``.
        revision: Increase it when ``evolve`` computes another state from the same events; older
            snapshots are then ignored.

    Raises:
        CompositionError: The classes cannot be read from the annotations or cannot be commands or
            events, or a function is async. The message says what to do.
    """

    name: str
    initial: S_co
    decide: Callable[[C, S_co], Iterable[E]]
    evolve: Callable[[S_co, E], S_co]
    # Any, not C or E: type checkers infer those from decide and evolve alone.
    commands: Sequence[type[Any]] = field(default=Factory(_commands, takes_self=True))
    events: Sequence[type[Any]] = field(default=Factory(_events, takes_self=True))
    state_type: Any = field(default=Factory(_state_type, takes_self=True))
    names: Mapping[type[Any], str] = field(factory=dict[type[Any], str])
    aliases: Mapping[str, type[Any]] = field(factory=dict[str, type[Any]])
    upcasters: Mapping[type[Any], Sequence[Upcaster]] = field(
        factory=dict[type[Any], Sequence[Upcaster]]
    )
    tags: Mapping[type[Any], Tagger] = field(factory=dict[type[Any], Tagger])
    revision: int = 1
    _declared: frozenset[type] = field(
        default=Factory(lambda self: frozenset(self.events), takes_self=True),
        init=False,
        repr=False,
    )

    def __attrs_post_init__(self) -> None:
        if not (isinstance(self.name, str) and self.name):
            raise CompositionError(
                f"the name of an aggregate or a decision must be a non-empty str, found "
                f"{self.name!r}"
            )
        check_pure(self.name, {"decide": self.decide, "evolve": self.evolve})
        check_commands(self.name, "decide", self.commands)
        for event in self.events:
            # A subclass that is not decorated itself has its parent's fields only.
            if not (isinstance(event, type) and "__attrs_attrs__" in vars(event)):
                raise CompositionError(
                    f"{self.name}: event {described(event)} is not an attrs class; "
                    f"decorate it with @attrs.frozen"
                )
            if not attrs.inspect(event).is_frozen:
                raise CompositionError(
                    f"{self.name}: event {described(event)} is mutable; decorate it with "
                    f"@attrs.frozen"
                )
        for argument in ("names", "upcasters", "tags"):
            self._check_declared(argument, getattr(self, argument))
        self._check_declared("aliases", self.aliases.values())
        for event, upcasters in self.upcasters.items():
            if not (isinstance(upcasters, Sequence) and all(map(callable, upcasters))):
                raise CompositionError(
                    f"{self.name}: the upcasters of {described(event)} must be a list of "
                    f"functions, one for each change, oldest first"
                )

    def _check_declared(self, argument: str, classes: Iterable[object]) -> None:
        for cls in classes:
            if cls not in self.events:
                raise CompositionError(
                    f"{self.name}: {argument} mentions {described(cls)}, which is not one of its "
                    f"events; add it to the annotation of evolve, or remove it"
                )

    def decided(self, command: C, state: S_co) -> tuple[E, ...]:  # type: ignore[misc]  # see S_co
        """Return the events that ``decide`` returns for a command, checked.

        Raises:
            Rejected: ``decide`` refused; the error is the subclass that it raised.
            UndeclaredEvent: One of them is not an event of the aggregate.
            WrongAnswer: ``decide`` returned something else, such as a coroutine, or its events
                include a list or a refusal.
        """
        decided: object = self.decide(command, state)
        # Nearly every answer is a generator, which is quicker to recognise.
        if type(decided) is not GeneratorType and not isinstance(decided, Iterable):
            if isinstance(decided, Coroutine):
                decided.close()  # or Python would warn that nobody awaits it
            if isinstance(decided, Coroutine | AsyncGenerator):
                raise WrongAnswer(
                    f"decide of {self.name} is async, and must be pure; make it a plain def"
                )
            raise WrongAnswer(
                f"decide of {self.name} returned {type(decided).__name__} instead of events; "
                f"yield them, or return a list"
            )
        events: tuple[E, ...] = tuple(decided)
        for event in events:
            if type(event) not in self._declared:
                if isinstance(event, BaseException):
                    raise WrongAnswer(
                        f"decide of {self.name} returned {type(event).__qualname__} as an event; "
                        f"raise it"
                    )
                if isinstance(event, list | tuple):
                    raise WrongAnswer(
                        f"decide of {self.name} returned a {type(event).__qualname__} as an event; "
                        f"use yield from, or return it alone"
                    )
                raise UndeclaredEvent(self.name, type(event), self.events)
        return events

    def tags_of(self, event: E) -> frozenset[str]:
        """Return the tags of an event.

        Raises:
            CodecError: Its function in ``tags`` raises, or returns something else than tags.
        """
        return tags_from(self.tags.get(type(event)), event)

    def fold(self, events: Iterable[E]) -> S_co:
        """Return the state after ``events``, oldest first, starting from ``initial``."""
        return reduce(self.evolve, events, self.initial)


def check_commands(name: str, function: str, commands: Iterable[object]) -> None:
    """Check the command classes of an aggregate, a decision or a transaction.

    Args:
        name: Its name, for the message.
        function: The name of the function that takes the commands.
        commands: The classes.

    Raises:
        CompositionError: One of them is not a command class of its own.
    """
    for command in commands:
        if not (isinstance(command, type) and issubclass(command, Command)):
            raise CompositionError(
                f"{name}: {described(command)} is not a command; derive it from eventhus.Command"
            )
        if command is Command:
            raise CompositionError(
                f"{name}: {function} is annotated with Command itself, so commands cannot "
                f"be routed; annotate it with your command classes or pass commands=(...)"
            )
        if _OWN_FIELDS & vars(command).keys() and "__attrs_attrs__" not in vars(command):
            raise CompositionError(
                f"{name}: command {described(command)} has fields but is not an attrs class; "
                f"decorate it with @attrs.frozen(kw_only=True)"
            )
