"""Given-when-then specs for transactions."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar, cast

from attrs import field, frozen

from eventhus import Aggregate, Command, Rejected, StreamId, Transaction
from eventhus.ports import Codec
from eventhus_testing.matching.matchers import class_of, mask_fields
from eventhus_testing.rules.decider_checker import decider_checker
from eventhus_testing.rules.rules import Rules
from eventhus_testing.specs import expectations
from eventhus_testing.specs.expectations import Miss
from eventhus_testing.specs.failure_texts import missing_when
from eventhus_testing.specs.recording import Check, Entry, begin, go_on, note
from eventhus_testing.specs.story import check_classes
from eventhus_testing.specs.transaction_story import (
    Happened,
    TransactionRun,
    TransactionStory,
    adding_story,
    otherwise,
)

C = TypeVar("C", bound=Command)
E = TypeVar("E")
R = TypeVar("R", bound=Rejected)
S = TypeVar("S")


class StateOf(Protocol[S]):
    """An aggregate with exactly this state type, for type checkers.

    The state of ``Aggregate`` is covariant, so type checkers would infer ``object`` for a state of
    another type instead of reporting it.
    """

    @property
    def initial(self) -> S:
        """See ``Aggregate.initial``."""
        ...

    def decided(self, command: Any, state: S) -> tuple[Any, ...]:
        """See ``Aggregate.decided``."""
        ...


@frozen
class TransactionSpec(Generic[C]):
    """The given histories of the aggregates of a transaction. Made by ``spec``."""

    _story: TransactionStory[C]
    _entry: Entry = field(repr=False, eq=False)  # it has the story once more

    @classmethod
    def of(
        cls, transaction: Transaction[C], rules: Rules, codec: Codec | None
    ) -> TransactionSpec[C]:
        """Return a spec without given events.

        Raises:
            RuleBroken: The codec does not support an event class or a state type.
        """
        for aggregate in transaction.aggregates:
            decider_checker(aggregate, rules, codec)  # fail early
        story = TransactionStory(transaction=transaction, rules=rules, codec=codec)
        return cls(story, begin(story))

    def given(
        self, aggregate: Aggregate[Any, E, Any], aggregate_id: str, *events: E
    ) -> TransactionSpec[C]:
        """Append events to the history of an aggregate, oldest first.

        Args:
            aggregate: An aggregate of the transaction.
            aggregate_id: The id of the aggregate.
            events: The events.

        Raises:
            TypeError: The aggregate is not one of the transaction's, or a value is not an event
                of it.
            RuleBroken: The aggregate breaks a rule.
        """
        __tracebackhide__ = True
        go_on(self._entry)
        self._story.check_part("given", aggregate)
        stream = StreamId(aggregate.name, aggregate_id)
        with adding_story(self._story, "given", [Happened(stream, event) for event in events]):
            story = self._story.with_given(aggregate, stream, events)
        return TransactionSpec(story, begin(story))

    def when(self, *commands: C) -> TransactionOutcome[C]:
        """Handle one or more commands in order: split each, decide, and evolve the states.

        A refusal is an outcome, and ends the ``when``. It leaves every aggregate as it was.

        Raises:
            TypeError: No command is given, the transaction does not handle one of them, or
                ``split`` returned something else than commands of its aggregates.
            InvalidArgument: An ``aggregate_id`` is not valid.
            RuleBroken: The transaction or an aggregate breaks a rule.
        """
        __tracebackhide__ = True
        go_on(self._entry)
        return _carried_out(self._story, commands)

    if not TYPE_CHECKING:  # type checkers report a missing attribute; at run time, add a hint

        def __getattr__(self, name: str) -> NoReturn:
            if not name.startswith("_"):
                go_on(self._entry)
            raise AttributeError(missing_when(name))


@frozen
class TransactionOutcome(Generic[C]):
    """The outcome of one or more commands. Made by ``when``; every check returns the outcome.

    A test must check every aggregate that changed, since a transaction that changes one more than
    it should would pass otherwise.
    """

    _story: TransactionStory[C]
    _entry: Entry = field(repr=False, eq=False)  # contains the story, too

    @property
    def refusal(self) -> Rejected | None:
        """Return the refusal, or ``None``."""
        self._entry.looked_at = True
        return self._story.refusal

    @property
    def streams(self) -> tuple[StreamId, ...]:
        """Return the streams of the aggregates that changed, in the order of their events."""
        self._entry.looked_at = True
        return self._story.changed

    @property
    def run(self) -> TransactionRun:
        """Return the states of all aggregates before and after the ``when``, for an invariant."""
        self._entry.looked_at = True
        return self._story.run

    def events(self, aggregate: Aggregate[Any, E, Any], aggregate_id: str) -> tuple[E, ...]:
        """Return the events that an aggregate got, in order.

        Raises:
            TypeError: The aggregate is not one of the transaction's.
        """
        self._entry.looked_at = True
        stream = self._stream("events", aggregate, aggregate_id)
        return cast("tuple[E, ...]", self._story.of(stream).events)

    def state(self, aggregate: Aggregate[Any, Any, S], aggregate_id: str) -> S:
        """Return the state of an aggregate after the events.

        Raises:
            TypeError: The aggregate is not one of the transaction's.
        """
        self._entry.looked_at = True
        return self._story.state(aggregate, self._stream("state", aggregate, aggregate_id))

    def then(
        self,
        aggregate: Aggregate[Any, E, Any],
        aggregate_id: str,
        *events: E,
        ignoring: Collection[str] = (),
    ) -> TransactionOutcome[C]:
        """Check that an aggregate got exactly these events, in this order.

        Args:
            aggregate: An aggregate of the transaction.
            aggregate_id: The id of the aggregate.
            events: The expected events; none if it should not change. Use ``like`` to compare only
                some fields.
            ignoring: Names of fields to ignore at every level.

        Raises:
            AssertionError: The command was refused, or the aggregate got other events.
            TypeError: The aggregate is not one of the transaction's, or a value is not an event
                of it.
        """
        __tracebackhide__ = True
        stream = self._stream("then", aggregate, aggregate_id)
        check_classes("then", "an event", aggregate.name, events, aggregate.events, class_of)
        expected = mask_fields(events, ignoring)
        miss = expectations.in_order(self._story.of(stream), expected, ignoring)
        if not events and miss is None:
            return self._checked("then_untouched", (stream,), None, stream)
        return self._checked("then", tuple(Happened(stream, e) for e in expected), miss, stream)

    def then_matching(
        self, aggregate: Aggregate[Any, Any, Any], aggregate_id: str, *expected: object
    ) -> TransactionOutcome[C]:
        """Check each event of an aggregate against the expectation at the same position.

        Args:
            aggregate: An aggregate of the transaction.
            aggregate_id: The id of the aggregate.
            expected: One expectation per event: a predicate, a PyHamcrest matcher, a dirty-equals
                matcher or an event.

        Raises:
            AssertionError: The command was refused, or the aggregate got other events.
            TypeError: The aggregate is not one of the transaction's.
        """
        __tracebackhide__ = True
        stream = self._stream("then_matching", aggregate, aggregate_id)
        result = self._story.of(stream)
        miss = expectations.in_order(result, expected)
        shown = expected if miss else result.events  # which say more than the matchers
        return self._checked("then", tuple(Happened(stream, e) for e in shown), miss, stream)

    def then_nothing(self) -> TransactionOutcome[C]:
        """Check that the command was accepted and no aggregate got an event.

        Raises:
            AssertionError: The command was refused, or an aggregate got an event.
        """
        __tracebackhide__ = True
        return self._checked("then_nothing", (), expectations.in_order(self._story, ()))

    def then_rejected(
        self,
        reason: type[R],
        *,
        match: str | re.Pattern[str] | None = None,
        where: Callable[[R], bool] | None = None,
    ) -> TransactionOutcome[C]:
        """Check that the command was refused, by ``split`` or by one of the aggregates.

        Args:
            reason: The class of the refusal, or a base class.
            match: A regular expression to search for in the message.
            where: A predicate that the refusal must satisfy.

        Raises:
            AssertionError: The command was accepted, or its refusal does not match the class, the
                message or the predicate.
            TypeError: ``reason`` is not a class.
        """
        __tracebackhide__ = True
        miss = expectations.refused(self._story, reason, match, where)
        return self._checked("then_rejected", (reason,), miss)

    def then_state(
        self,
        aggregate: StateOf[S],
        aggregate_id: str,
        state: S,
        *,
        ignoring: Collection[str] = (),
    ) -> TransactionOutcome[C]:
        """Check the state of an aggregate. A refused command leaves it unchanged.

        Args:
            aggregate: An aggregate of the transaction.
            aggregate_id: The id of the aggregate.
            state: The expected state. Use ``like`` to compare only some fields.
            ignoring: Names of fields to ignore at every level.

        Raises:
            AssertionError: The state differs.
            TypeError: The aggregate is not one of the transaction's.
        """
        __tracebackhide__ = True
        state = mask_fields(state, ignoring)
        return self._state_checked("then_state", aggregate, aggregate_id, state, ignoring)

    def then_state_matching(
        self, aggregate: StateOf[S], aggregate_id: str, expected: Callable[[S], bool] | Any
    ) -> TransactionOutcome[C]:
        """Check the state of an aggregate with a predicate or a matcher.

        Args:
            aggregate: An aggregate of the transaction.
            aggregate_id: The id of the aggregate.
            expected: As for ``then_matching``.

        Raises:
            AssertionError: The state does not match.
            TypeError: The aggregate is not one of the transaction's.
        """
        __tracebackhide__ = True
        return self._state_checked("then_state_matching", aggregate, aggregate_id, expected)

    def and_when(self, *commands: C) -> TransactionOutcome[C]:
        """Handle one or more further commands, starting from the current states.

        Raises the same errors as ``TransactionSpec.when``.
        """
        __tracebackhide__ = True
        self._entry.goes_on = True
        return _carried_out(self._story.going_on(), commands, self._entry)

    def _state_checked(
        self,
        method: str,
        aggregate: StateOf[Any],
        aggregate_id: str,
        expected: Any,
        ignoring: Collection[str] = (),
    ) -> TransactionOutcome[C]:
        __tracebackhide__ = True
        of = cast("Aggregate[Any, Any, Any]", aggregate)
        stream = self._stream(method, of, aggregate_id)
        actual = self._story.state(of, stream)
        miss = expectations.as_state(self._story, expected, actual, ignoring, whose=stream)
        shown = expected if miss or method == "then_state" else actual
        return self._checked("then_state", (stream, shown), miss, stream, of_state=True)

    def _stream(
        self, method: str, aggregate: Aggregate[Any, Any, Any], aggregate_id: str
    ) -> StreamId:
        __tracebackhide__ = True
        self._story.check_part(method, aggregate)
        return StreamId(aggregate.name, aggregate_id)

    def _checked(
        self,
        method: str,
        arguments: tuple[object, ...],
        miss: Miss | None,
        whose: StreamId | None = None,
        *,
        of_state: bool = False,
    ) -> TransactionOutcome[C]:
        __tracebackhide__ = True
        where = None if of_state else whose
        failure = None if miss is None else otherwise(self._story, miss, where)
        self._entry.checks.append(Check(method, arguments, failure))
        self._entry.open.discard(whose)
        if failure is not None:
            raise AssertionError(failure) from self._story.refusal
        return self


def _carried_out(
    story: TransactionStory[C], commands: Collection[C], before: Entry | None = None
) -> TransactionOutcome[C]:
    __tracebackhide__ = True
    if not commands:
        raise TypeError("when takes at least one command")
    for command in commands:
        with adding_story(story, "when", [command]):
            story = story.with_command(command)
        if story.refusal is not None:
            break
    entry = note(story, before)
    entry.open.update(story.changed)
    return TransactionOutcome(story, entry)
