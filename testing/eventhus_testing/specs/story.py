"""The immutable record of an aggregate spec: given events, steps and state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Generic, TypeVar

from attrs import evolve, field, frozen

from eventhus import Aggregate, Command, Rejected, StreamId
from eventhus.namesakes import namesake
from eventhus.ports import EventData
from eventhus_testing.matching.difference import full_name
from eventhus_testing.matching.matchers import class_of
from eventhus_testing.python_source.functions import readable
from eventhus_testing.rules.aggregate_checker import AggregateChecker
from eventhus_testing.rules.rules import call_checked

C = TypeVar("C", bound=Command)
E = TypeVar("E")
S = TypeVar("S")


def check_classes(
    method: str,
    kind: str,
    owner: str,
    values: Iterable[object],
    classes: Collection[Any],
    class_of: Callable[[object], type] = type,
) -> None:
    """Refuse values of unexpected classes.

    Args:
        method: The called method, for the message.
        kind: The expected kind of value, such as ``"an event"``, for the message.
        owner: The aggregate or the application, for the message.
        values: The values.
        classes: The accepted classes.
        class_of: Returns the class of a value.

    Raises:
        TypeError: A value has another class. The message lists the classes that are accepted.
    """
    __tracebackhide__ = True
    for value in values:
        if class_of(value) not in classes:
            takes = ", ".join(sorted(cls.__qualname__ for cls in classes))
            advice = namesake(class_of(value), classes) or f"give single values of {takes}"
            raise TypeError(
                f"{method}: {value!r} of class {full_name(class_of(value))} is not {kind} of "
                f"{owner}; {advice}"
            )


@frozen
class Call(Generic[S, E]):
    """A call of a domain function with the state, instead of a command."""

    function: Callable[[S], Iterable[E]]

    def answer(self, state: S) -> tuple[E, ...] | Rejected:
        """Return the events or the refusal of the function.

        Raises:
            TypeError: The function did not return an iterable of events.
        """
        __tracebackhide__ = True
        try:
            answer: object = self.function(state)
            if not isinstance(answer, Iterable):
                raise TypeError(
                    f"when_called: the function must yield its events or return a list of them, "
                    f"but it returned {type(answer).__name__}"
                )
            return tuple(answer)
        except Rejected as refusal:
            return refusal

    def __repr__(self) -> str:
        return f"{readable(self.function)}(state)"


@frozen
class Given(Generic[S]):
    """A given state, in place of given events."""

    state: S

    def __repr__(self) -> str:
        return f"the state {self.state!r}"


@frozen(kw_only=True)
class StoryStep(Generic[C, E, S]):
    """One handled command, function call or stored event.

    Attributes:
        before: The state before the step.
        cause: The command, the function call or the stored event.
        events: The produced events; empty after a refusal.
        refusal: The refusal, or ``None``.
        after: The state after the events.
    """

    before: S
    cause: C | Call[S, E] | EventData
    events: tuple[E, ...]
    refusal: Rejected | None
    after: S


@frozen(kw_only=True)
class Story(Generic[C, E, S]):
    """The given events and the steps of an aggregate spec.

    Attributes:
        checker: Handles commands and checks the rules.
        given: The given events or states, oldest first.
        earlier: The steps of earlier outcomes, in order.
        steps: The steps of the current outcome, in order.
        state: The current state.
    """

    checker: AggregateChecker[C, E, S] = field(repr=False)
    given: tuple[E | Given[S], ...] = ()
    earlier: tuple[StoryStep[C, E, S], ...] = ()
    steps: tuple[StoryStep[C, E, S], ...] = ()
    state: S

    @property
    def aggregate(self) -> Aggregate[C, E, S]:
        """Return the aggregate."""
        return self.checker.aggregate

    @property
    def causes(self) -> tuple[object, ...]:
        """Return the causes of the current steps, in order."""
        return tuple(step.cause for step in self.steps)

    @property
    def events(self) -> tuple[E, ...]:
        """Return the events of the current steps, in order."""
        return tuple(event for step in self.steps for event in step.events)

    @property
    def refusal(self) -> Rejected | None:
        """Return the refusal of the last step, or ``None``. A refused step is always the last."""
        return self.steps[-1].refusal

    def with_given(self, events: Sequence[E]) -> Story[C, E, S]:
        """Return the story with more given events.

        Raises:
            TypeError: A value is not an event of the aggregate.
            RuleBroken: The aggregate breaks a rule.
        """
        __tracebackhide__ = True
        self.check_events("given", events)
        state = self.state
        for event in events:
            self.checker.check_stored(event)
            state = self.checker.evolve(state, event)
        self.checker.check_snapshot(state)
        return evolve(self, given=(*self.given, *events), state=state)

    def with_state(self, state: S) -> Story[C, E, S]:
        """Return the story with a given state.

        Raises:
            RuleBroken: The state does not survive the codec.
        """
        __tracebackhide__ = True
        self.checker.check_snapshot(state)
        return evolve(self, given=(*self.given, Given(state)), state=state)

    def going_on(self) -> Story[C, E, S]:
        """Return the story with the current steps as earlier steps."""
        return evolve(self, earlier=(*self.earlier, *self.steps), steps=())

    def with_command(self, command: C) -> Story[C, E, S]:
        """Return the story with one more command, handled as an application does it.

        Raises:
            TypeError: The aggregate does not handle the command.
            InvalidArgument: The ``aggregate_id`` is not valid.
            RuleBroken: The aggregate breaks a rule.
        """
        __tracebackhide__ = True
        check_classes("when", "a command", self.aggregate.name, [command], self.aggregate.commands)
        StreamId(self.aggregate.name, command.aggregate_id)
        try:
            events = self.checker.decide(command, self.state)
        except Rejected as refusal:
            return self._with_step(command, refusal=refusal)
        return self._with_step(command, events)

    def with_call(self, call: Call[S, E]) -> Story[C, E, S]:
        """Return the story with one more function call.

        Raises:
            TypeError: The function returned a value that is not an event of the aggregate.
            RuleBroken: The aggregate breaks a rule.
        """
        __tracebackhide__ = True
        answer = call_checked(self.checker.rules, "the function", call.answer, state=self.state)
        if isinstance(answer, Rejected):
            return self._with_step(call, refusal=answer)
        self.check_events("when_called", answer)
        for event in answer:
            self.checker.check_stored(event)
        return self._with_step(call, answer)

    def with_stored(self, stored: EventData) -> Story[C, E, S]:
        """Return the story with one more stored event.

        Raises:
            CodecError: The stored event cannot be decoded.
            RuleBroken: The aggregate breaks a rule.
        """
        __tracebackhide__ = True
        event = self.checker.read(stored)
        self.checker.check_stored(event)
        return self._with_step(stored, (event,))

    def check_events(self, method: str, values: Iterable[object]) -> None:
        """Refuse values that are not events of the aggregate, before ``evolve`` sees them.

        Raises:
            TypeError: A value has another class. The message lists the classes that are accepted.
        """
        __tracebackhide__ = True
        check_classes(method, "an event", self.aggregate.name, values, self.aggregate.events)

    def check_expected(self, method: str, values: Iterable[object]) -> None:
        """Refuse expectations that no event of the aggregate can meet.

        Raises:
            TypeError: As for ``check_events``. A ``like`` counts as a value of its class.
        """
        __tracebackhide__ = True
        check_classes(
            method, "an event", self.aggregate.name, values, self.aggregate.events, class_of
        )

    def _with_step(
        self,
        cause: C | Call[S, E] | EventData,
        events: tuple[E, ...] = (),
        refusal: Rejected | None = None,
    ) -> Story[C, E, S]:
        __tracebackhide__ = True
        after = self.state
        for event in events:
            after = self.checker.evolve_decided(after, event)
        if events:
            self.checker.check_snapshot(after)
        step = StoryStep(
            before=self.state, cause=cause, events=events, refusal=refusal, after=after
        )
        return evolve(self, steps=(*self.steps, step), state=after)
