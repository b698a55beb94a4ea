"""The immutable record of a spec of a transaction, and its failure texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from attrs import evolve, field, frozen

from eventhus import Aggregate, Command, Rejected, StreamId, Transaction
from eventhus.ports import Codec
from eventhus_testing.matching.excerpts import wrapped
from eventhus_testing.rules.decider_checker import DeciderChecker, decider_checker
from eventhus_testing.rules.independence import Part, check_independent
from eventhus_testing.rules.rules import RuleBroken, Rules, call_checked
from eventhus_testing.specs.expectations import Miss, outcome_texts
from eventhus_testing.specs.failure_texts import broken_rule
from eventhus_testing.specs.recording import Check, note
from eventhus_testing.specs.story import check_classes
from eventhus_testing.texts.page import SAME, Line, Passage, mark, page
from eventhus_testing.values.defensive_copies import defensive_copy

C = TypeVar("C", bound=Command)
E = TypeVar("E")
S = TypeVar("S")

Split = tuple[tuple[Aggregate[Any, Any, Any], Command], ...]


@frozen
class Happened:
    """An event and its stream."""

    stream: StreamId
    event: Any

    def __repr__(self) -> str:
        return f"{self.stream}: {self.event!r}"


@frozen(kw_only=True)
class TransactionStep(Generic[C]):
    """One handled command.

    Attributes:
        cause: The command.
        happened: The events, in the order in which they are stored; none after a refusal.
        refusal: The refusal, or ``None``.
    """

    cause: C
    happened: tuple[Happened, ...] = ()
    refusal: Rejected | None = None


@frozen(kw_only=True)
class TransactionStory(Generic[C]):
    """The given events and the steps of a spec of a transaction.

    Attributes:
        transaction: The transaction.
        rules: The rules to check.
        codec: Encodes events and states.
        given: The given events, oldest first.
        earlier: The steps of earlier outcomes, in order.
        steps: The steps of the current outcome, in order.
        states: The states of the aggregates that have events.
        states_before: The same before the current steps.
    """

    transaction: Transaction[C]
    rules: Rules = field(repr=False)
    codec: Codec | None = field(repr=False)
    given: tuple[Happened, ...] = ()
    earlier: tuple[TransactionStep[C], ...] = ()
    steps: tuple[TransactionStep[C], ...] = ()
    states: Mapping[StreamId, Any] = field(factory=dict[StreamId, Any])
    states_before: Mapping[StreamId, Any] = field(factory=dict[StreamId, Any])

    @property
    def run(self) -> TransactionRun:
        """Return the states before and after the current steps."""
        return TransactionRun(self)

    @property
    def causes(self) -> tuple[C, ...]:
        """Return the commands of the current steps, in order."""
        return tuple(step.cause for step in self.steps)

    @property
    def happened(self) -> tuple[Happened, ...]:
        """Return the events of the current steps with their streams, in order."""
        return tuple(each for step in self.steps for each in step.happened)

    @property
    def events(self) -> tuple[Happened, ...]:
        """Return the same, under the name by which expectations know it."""
        return self.happened

    @property
    def changed(self) -> tuple[StreamId, ...]:
        """Return the streams that the current steps changed, each once."""
        return tuple(dict.fromkeys(each.stream for each in self.happened))

    @property
    def refusal(self) -> Rejected | None:
        """Return the refusal of the last step, or ``None``."""
        return self.steps[-1].refusal

    def of(self, stream: StreamId) -> StreamResult:
        """Return the outcome of the current steps for one stream."""
        events = tuple(each.event for each in self.happened if each.stream == stream)
        return StreamResult(self.causes, events, self.refusal)

    def history(self, stream: StreamId) -> tuple[Any, ...]:
        """Return the events of a stream, oldest first."""
        steps = (*self.earlier, *self.steps)
        happened = (*self.given, *(each for step in steps for each in step.happened))
        return tuple(each.event for each in happened if each.stream == stream)

    def state(self, aggregate: Aggregate[Any, Any, S], stream: StreamId) -> S:
        """Return the current state of an aggregate."""
        if stream in self.states:
            state: S = self.states[stream]
            return state
        return defensive_copy(aggregate.initial)

    def check_part(self, method: str, aggregate: Aggregate[Any, Any, Any]) -> None:
        """Refuse an aggregate that the transaction is not for.

        Raises:
            TypeError: It is another one. The message lists those of the transaction.
        """
        if not any(aggregate is each for each in self.transaction.aggregates):
            names = ", ".join(each.name for each in self.transaction.aggregates)
            raise TypeError(
                f"{method}: {getattr(aggregate, 'name', repr(aggregate))} is not an aggregate of "
                f"{self.transaction.name}; give one of {names}"
            )

    def with_given(
        self, aggregate: Aggregate[Any, E, Any], stream: StreamId, events: Sequence[E]
    ) -> TransactionStory[C]:
        """Return the story with more given events.

        Raises:
            TypeError: A value is not an event of the aggregate.
            RuleBroken: The aggregate breaks a rule.
        """
        __tracebackhide__ = True
        check_classes("given", "an event", aggregate.name, events, aggregate.events)
        checker = self._checker(aggregate)
        state = self.state(aggregate, stream)
        for event in events:
            checker.check_stored(event)
            state = checker.evolve(state, event)
        if not events:
            return self
        checker.check_snapshot(state)
        states = {**self.states, stream: state}
        return evolve(
            self,
            given=(*self.given, *(Happened(stream, event) for event in events)),
            states=states,
            states_before=states,
        )

    def with_command(self, command: C) -> TransactionStory[C]:
        """Return the story with one more command, handled as an application does it.

        Raises:
            TypeError: The transaction does not handle the command, or ``split`` returned something
                else than commands of its aggregates.
            InvalidArgument: An ``aggregate_id`` is not valid.
            RuleBroken: The transaction or an aggregate breaks a rule.
        """
        __tracebackhide__ = True
        transaction = self.transaction
        check_classes("when", "a command", transaction.name, [command], transaction.commands)
        StreamId(transaction.name, command.aggregate_id)
        split = call_checked(self.rules, "split", self._split, command=command)
        if isinstance(split, Rejected):
            return self._with(TransactionStep(cause=command, refusal=split))
        by_stream: dict[StreamId, tuple[Aggregate[Any, Any, Any], list[Command]]] = {}
        for aggregate, each in split:
            stream = StreamId(aggregate.name, each.aggregate_id)
            by_stream.setdefault(stream, (aggregate, []))[1].append(each)
        parts: list[Part] = []
        for stream, (aggregate, own) in by_stream.items():
            parts.append(self._decided(aggregate, stream, own))
            if parts[-1].refusal is not None:
                break
        if self.rules.independent and self.rules.repeatable:
            check_independent(parts)
        if parts[-1].refusal is not None:
            return self._with(TransactionStep(cause=command, refusal=parts[-1].refusal))
        happened = tuple(Happened(each.stream, event) for each in parts for event in each.events)
        states = {each.stream: each.after for each in parts if each.events}
        step = TransactionStep(cause=command, happened=happened)
        return self._with(step, {**self.states, **states})

    def _decided(
        self, aggregate: Aggregate[Any, E, S], stream: StreamId, commands: Sequence[Command]
    ) -> Part:
        """Decide the commands for one aggregate, up to the first refused one."""
        __tracebackhide__ = True
        checker = self._checker(aggregate)
        state = before = self.state(aggregate, stream)
        events: list[E] = []
        refusal: Rejected | None = None
        for command in commands:
            try:
                decided = checker.decide(command, state)
            except Rejected as refused:
                refusal = refused
                break
            for event in decided:
                state = checker.evolve_decided(state, event)
            if decided:
                checker.check_snapshot(state)
            events += decided
        return Part(
            stream=stream,
            aggregate=aggregate,
            commands=commands,
            history=self.history(stream),
            before=before,
            after=state,
            events=tuple(events),
            refusal=refusal,
        )

    def going_on(self) -> TransactionStory[C]:
        """Return the story with the current steps as earlier steps."""
        return evolve(
            self, earlier=(*self.earlier, *self.steps), steps=(), states_before=self.states
        )

    def as_given(self) -> TransactionStory[C]:
        """Return the story with the events of the current steps as given ones."""
        given = (*self.given, *self.happened)
        return evolve(self, given=given, steps=(), states_before=self.states)

    def _with(
        self, step: TransactionStep[C], states: Mapping[StreamId, Any] | None = None
    ) -> TransactionStory[C]:
        return evolve(self, steps=(*self.steps, step), states=states or self.states)

    def _split(self, command: C) -> Split | Rejected:
        __tracebackhide__ = True
        try:
            return self.transaction.commands_for(command)
        except Rejected as refusal:
            return refusal

    def _checker(self, aggregate: Aggregate[Any, E, S]) -> DeciderChecker[Any, E, S]:
        return decider_checker(aggregate, self.rules, self.codec)


@frozen
class TransactionRun:
    """The states of all aggregates before and after a command, for invariants."""

    _story: TransactionStory[Any]

    def states(self, aggregate: Aggregate[Any, Any, S]) -> dict[str, S]:
        """Return the states after the command by ``aggregate_id``.

        An aggregate without events is left out.

        Raises:
            TypeError: The aggregate is not one of the transaction's.
        """
        self._story.check_part("states", aggregate)
        return _of_aggregate(aggregate, self._story.states)

    def states_before(self, aggregate: Aggregate[Any, Any, S]) -> dict[str, S]:
        """Return the states before the command, otherwise as ``states``."""
        self._story.check_part("states_before", aggregate)
        return _of_aggregate(aggregate, self._story.states_before)


def _of_aggregate(
    aggregate: Aggregate[Any, Any, S], states: Mapping[StreamId, Any]
) -> dict[str, S]:
    own = {id_: state for id_, state in states.items() if id_.aggregate_type == aggregate.name}
    return {stream.aggregate_id: state for stream, state in own.items()}


@frozen
class StreamResult:
    """The outcome of commands for one stream: the ``CommandResult`` of expectations."""

    causes: Sequence[object]
    events: Sequence[object]
    refusal: Rejected | None


@contextmanager
def adding_story(
    story: TransactionStory[Any], word: str, causes: Iterable[object]
) -> Iterator[None]:
    """Add the story to the text of a broken rule.

    Args:
        story: The story before the step.
        word: The step: "given" or "when".
        causes: The command or the events of the step.
    """
    __tracebackhide__ = True
    try:
        yield
    except RuleBroken as broken:
        causes = [*causes]
        name = story.transaction.name
        text = broken_rule(name, before(story), word, (story.given, causes), broken)
        note(story).checks.append(Check(word, tuple(causes), text))
        raise broken.with_text(text) from broken.__cause__


def otherwise(story: TransactionStory[Any], miss: Miss, whose: StreamId | None = None) -> str:
    """Return the text of a failed check, which may be one of a single stream."""
    command = type(story.causes[-1]).__qualname__
    of = "" if whose is None else f" in {whose}"
    return page(
        f"{story.transaction.name}: {command} {miss.happened}{of} (- expected, + actual)",
        [*before(story), ("when", mark(SAME, map(wrapped, story.causes))), *miss.passages],
    )


def before(story: TransactionStory[Any]) -> list[Passage]:
    """Return the given events and the earlier steps."""
    given: list[Line] = mark(SAME, [*map(wrapped, story.given)] or ["nothing"])
    passages: list[Passage] = [("given", given)]
    for step in story.earlier:
        passages.append(("when", [(SAME, wrapped(step.cause))]))
        passages.append(("then", mark(SAME, outcome_texts(step.happened, step.refusal))))
    return passages
