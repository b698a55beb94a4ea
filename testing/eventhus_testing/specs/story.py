"""What was given to an aggregate, what was done and what came of it, as a value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Generic, TypeVar

from attrs import evolve, field, frozen

from eventhus import Aggregate, Command, Rejected, StreamId
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
    """Refuse values of classes that cannot be meant.

    Args:
        method: What they are given to.
        kind: What they should be: ``"an event"``.
        owner: Whose.
        values: The values.
        classes: What they may be.
        class_of: Says of which class a value is.

    Raises:
        TypeError: Names the method, the value and what it takes instead.
    """
    __tracebackhide__ = True
    for value in values:
        if class_of(value) not in classes:
            takes = ", ".join(sorted(cls.__qualname__ for cls in classes))
            raise TypeError(
                f"{method}: {value!r} of class {full_name(class_of(value))} is not {kind} of "
                f"{owner}; give single values of {takes}"
            )


@frozen
class Call(Generic[S, E]):
    """A function of the domain, called with the state instead of a command."""

    function: Callable[[S], Iterable[E]]

    def answer(self, state: S) -> tuple[E, ...] | Rejected:
        """The events that it gives, or its refusal.

        Raises:
            TypeError: It did not return a collection of events.
        """
        __tracebackhide__ = True
        try:
            answer: object = self.function(state)
            if not isinstance(answer, Iterable):
                raise TypeError(
                    f"when_called: the function returned {type(answer).__name__}, and must return "
                    f"its events: yield them, or return a list"
                )
            return tuple(answer)
        except Rejected as refusal:
            return refusal

    def __repr__(self) -> str:
        return f"{readable(self.function)}(state)"


@frozen
class Given(Generic[S]):
    """A state that was given instead of the events that lead to it."""

    state: S

    def __repr__(self) -> str:
        return f"the state {self.state!r}"


@frozen(kw_only=True)
class StoryStep(Generic[C, E, S]):
    """One command, or what stands for one, carried out.

    Attributes:
        before: The state that it met.
        cause: The command; or the function that was called, or the stored event that was read.
        events: What it made happen; none where it was refused.
        refusal: What ``decide`` raised, where it refused.
        after: The state after the events.
    """

    before: S
    cause: C | Call[S, E] | EventData
    events: tuple[E, ...]
    refusal: Rejected | None
    after: S


@frozen(kw_only=True)
class Story(Generic[C, E, S]):
    """A history that was given, and what was done to it.

    Attributes:
        checker: Carries out commands by the rules of the aggregate.
        given: What had happened before, oldest first.
        earlier: The steps of the outcomes that this one goes on from, in order.
        steps: The steps of this outcome, in order.
        state: The state after all of that.
    """

    checker: AggregateChecker[C, E, S] = field(repr=False)
    given: tuple[E | Given[S], ...] = ()
    earlier: tuple[StoryStep[C, E, S], ...] = ()
    steps: tuple[StoryStep[C, E, S], ...] = ()
    state: S

    @property
    def aggregate(self) -> Aggregate[C, E, S]:
        """Whose story it is."""
        return self.checker.aggregate

    @property
    def causes(self) -> tuple[object, ...]:
        """What the steps of this outcome carried out, in order."""
        return tuple(step.cause for step in self.steps)

    @property
    def events(self) -> tuple[E, ...]:
        """What the steps of this outcome made happen, in order."""
        return tuple(event for step in self.steps for event in step.events)

    @property
    def refusal(self) -> Rejected | None:
        """Why the last step was refused, if it was; none comes behind one that was."""
        return self.steps[-1].refusal

    def with_given(self, events: Sequence[E]) -> Story[C, E, S]:
        """The story with more history.

        Raises:
            TypeError: One of them is not an event of the aggregate.
            RuleBroken: The aggregate does not keep its rules.
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
        """The story with its state made up.

        Raises:
            RuleBroken: The state does not survive the codec.
        """
        __tracebackhide__ = True
        self.checker.check_snapshot(state)
        return evolve(self, given=(*self.given, Given(state)), state=state)

    def going_on(self) -> Story[C, E, S]:
        """The story before its next outcome."""
        return evolve(self, earlier=(*self.earlier, *self.steps), steps=())

    def with_command(self, command: C) -> Story[C, E, S]:
        """The story with one more command, carried out as an application does it.

        Raises:
            TypeError: The aggregate does not take the command.
            InvalidArgument: No aggregate can have its ``aggregate_id``.
            RuleBroken: The aggregate does not keep its rules.
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
        """The story with one more function called.

        Raises:
            TypeError: It gave something that is not an event of the aggregate.
            RuleBroken: The aggregate does not keep its rules.
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
        """The story with one more event read from what is stored.

        Raises:
            CodecError: It cannot be read.
            RuleBroken: The aggregate does not keep its rules.
        """
        __tracebackhide__ = True
        event = self.checker.read(stored)
        self.checker.check_stored(event)
        return self._with_step(stored, (event,))

    def check_events(self, method: str, values: Iterable[object]) -> None:
        """Refuse what is not an event of the aggregate, which ``evolve`` would choke on.

        Raises:
            TypeError: Names the method, the value and what it takes instead.
        """
        __tracebackhide__ = True
        check_classes(method, "an event", self.aggregate.name, values, self.aggregate.events)

    def check_expected(self, method: str, values: Iterable[object]) -> None:
        """Refuse to expect what can never come: it is a mistake in the spec.

        Raises:
            TypeError: As for ``check_events``; ``like`` stands for a value of its class.
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
