"""Given-when-then specs for aggregates and decisions, and ``spec``, which starts every spec."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, overload

from attrs import evolve, field, frozen

from eventhus import Aggregate, Decision, Process, Transaction, View
from eventhus.domain.decider import Decider
from eventhus.ports import Codec, EventData
from eventhus_testing.rules.decider_checker import decider_checker
from eventhus_testing.rules.rules import ALL, Rules
from eventhus_testing.specs import failure_texts
from eventhus_testing.specs.outcome import Outcome, carried_out, outcome_of
from eventhus_testing.specs.process_spec import ProcessSpec
from eventhus_testing.specs.recording import Entry, begin, go_on
from eventhus_testing.specs.story import C, Call, E, Given, S, Story
from eventhus_testing.specs.transaction_spec import TransactionSpec
from eventhus_testing.specs.view_spec import ViewSpec
from eventhus_testing.values.defensive_copies import defensive_copy

V = TypeVar("V")


@overload
def spec(
    subject: Decider[C, E, S], *, rules: Rules = ALL, codec: Codec | None = None
) -> Spec[C, E, S]: ...
@overload
def spec(
    subject: Transaction[C], *, rules: Rules = ALL, codec: Codec | None = None
) -> TransactionSpec[C]: ...
@overload
def spec(
    subject: View[E, V], *, rules: Rules = ALL, codec: Codec | None = None
) -> ViewSpec[E, V]: ...
@overload
def spec(
    subject: Process[E, S], *, rules: Rules = ALL, codec: Codec | None = None
) -> ProcessSpec[E, S]: ...
def spec(subject: Any, *, rules: Rules = ALL, codec: Codec | None = None) -> Any:
    """Return a given-when-then spec of a part of a domain.

    Give the history, handle a command and check the outcome:

    >>> from collections.abc import Iterator
    >>> from attrs import frozen
    >>> from eventhus import Aggregate, Command, Rejected

    >>> @frozen(kw_only=True)
    ... class TakeSeat(Command):
    ...     guest: str
    >>> @frozen
    ... class SeatTaken:
    ...     guest: str
    >>> class TableFull(Rejected):
    ...     '''Every seat is taken.'''
    >>> def decide(command: TakeSeat, guests: frozenset[str]) -> Iterator[SeatTaken]:
    ...     if command.guest in guests:
    ...         return
    ...     if len(guests) == 2:
    ...         raise TableFull("2 of 2 seats are taken")
    ...     yield SeatTaken(command.guest)
    >>> def evolve(guests: frozenset[str], event: SeatTaken) -> frozenset[str]:
    ...     return guests | {event.guest}
    >>> table = Aggregate(name="Table", initial=frozenset(), decide=decide, evolve=evolve)

    >>> outcome = (
    ...     spec(table)
    ...     .given(SeatTaken("ann"))
    ...     .when(TakeSeat(aggregate_id="t1", guest="bob"))
    ...     .then(SeatTaken("bob"))
    ...     .then_state(frozenset({"ann", "bob"}))
    ... )

    A spec can continue from an outcome, and specs can share given events:

    >>> outcome = (
    ...     outcome
    ...     .and_when(TakeSeat(aggregate_id="t1", guest="bob")).then_nothing()
    ...     .and_when(TakeSeat(aggregate_id="t1", guest="cid"))
    ...     .then_rejected(TableFull, match="2 of 2")
    ... )

    A failed check shows the difference:

    >>> ann = spec(table).given(SeatTaken("ann"))
    >>> ann.when(TakeSeat(aggregate_id="t1", guest="bob")).then(SeatTaken("bo"))
    Traceback (most recent call last):
        ...
    AssertionError: Table: TakeSeat produced other events than expected (- expected, + actual)
    <BLANKLINE>
    given    SeatTaken(guest='ann')
    state    frozenset({'ann'})
    when     TakeSeat(aggregate_id='t1', guest='bob')
    then   - SeatTaken(guest='bo')
           + SeatTaken(guest='bob')
           ? guest: expected 'bo', actual 'bob'

    Args:
        subject: The aggregate, the decision, the transaction, the view or the process to test.
        rules: The rules that are checked in addition; by default all.
        codec: Encodes events and states for the rules; ``None`` takes the one of
            ``eventhus_cattrs``. Pass the application's codec if its types need a ``Hook``.

    Raises:
        RuleBroken: The codec does not support an event class, the state type or the value type.
        TypeError: ``subject`` is none of these.
    """
    match subject:
        case View():
            return ViewSpec.of(subject, rules, codec)
        case Process():
            return ProcessSpec.of(subject, rules, codec)
        case Transaction():
            return TransactionSpec.of(subject, rules, codec)
        case Aggregate() | Decision():
            story = Story(
                checker=decider_checker(subject, rules, codec),
                state=defensive_copy(subject.initial),
            )
            return Spec(story, begin(story))
        case _:
            raise TypeError(
                f"spec takes an Aggregate, a Decision, a Transaction, a View or a Process, "
                f"not {subject!r}"
            )


@frozen
class Spec(Generic[C, E, S]):
    """The given history of an aggregate or a decision. Made by ``spec``.

    A decision sees of its history what the boundary of a command finds. A failure lists what the
    boundary left out.
    """

    _story: Story[C, E, S]
    _entry: Entry = field(repr=False, eq=False)  # it has the story once more

    def given(self, *events: E) -> Spec[C, E, S]:
        """Append events to the given history, oldest first.

        Raises:
            TypeError: A value is not an event of the aggregate.
            RuleBroken: The aggregate breaks a rule.
        """
        __tracebackhide__ = True
        story = self._go_on()
        with failure_texts.adding_story(story, "given", events):
            story = story.with_given(events)
        return Spec(story, begin(story))

    def given_state(self, state: S) -> Spec[C, E, S]:
        """Set the state without events.

        Prefer ``given``: a spec proves little if no events lead to its state.

        Raises:
            RuleBroken: The state does not survive the codec.
        """
        __tracebackhide__ = True
        story = self._go_on()
        with failure_texts.adding_story(story, "given", [Given(state)]):
            story = story.with_state(state)
        return Spec(story, begin(story))

    def given_commands(self, *commands: C) -> Spec[C, E, S]:
        """Append the events that these commands produce to the given history.

        Raises:
            AssertionError: A command was refused.
            TypeError: The aggregate does not handle one of the commands.
            RuleBroken: The aggregate breaks a rule.
        """
        __tracebackhide__ = True
        story = self._go_on()
        for command in commands:
            with failure_texts.adding_story(story, "when", [command]):
                done = story.with_command(command)
            if done.refusal is not None:
                raise AssertionError(failure_texts.refused_history(done)) from done.refusal
            story = evolve(done, given=(*done.given, *done.events), steps=())
        return Spec(story, begin(story))

    def given_stored(self, *stored: EventData) -> Spec[C, E, S]:
        """Append stored events, in any earlier schema, to the given history.

        Raises:
            CodecError: A stored event cannot be decoded.
            RuleBroken: The aggregate breaks a rule.
        """
        __tracebackhide__ = True
        with failure_texts.adding_story(self._go_on(), "given", stored):
            return self.given(*map(self._story.checker.read, stored))

    def when(self, *commands: C) -> Outcome[C, E, S]:
        """Handle one or more commands in order: decide, then evolve the state.

        A refusal is an outcome, and ends the ``when``. Any other exception of ``decide``
        propagates.

        Raises:
            TypeError: No command is given, or the aggregate does not handle one of them.
            InvalidArgument: An ``aggregate_id`` is not valid.
            RuleBroken: The aggregate breaks a rule.
        """
        __tracebackhide__ = True
        return carried_out(self._go_on(), commands)

    def when_repeated(self, times: int, command: C) -> Outcome[C, E, S]:
        """Handle the same command several times, to test that it is idempotent.

        Args:
            times: The number of times, at least 1.
            command: The command.

        Raises:
            TypeError: ``times`` is below 1, or the aggregate does not take the command.
            RuleBroken: The aggregate breaks a rule.
        """
        __tracebackhide__ = True
        return carried_out(self._go_on(), [command] * times)

    def when_called(self, function: Callable[[S], Iterable[E]]) -> Outcome[C, E, S]:
        """Call a function with the state, instead of ``decide`` with a command.

        The function returns events. A refusal is an outcome.

        Raises:
            TypeError: It gave something that is not an event of the aggregate.
            RuleBroken: The aggregate breaks a rule.
        """
        __tracebackhide__ = True
        story = self._go_on()
        call = Call[S, E](function)
        with failure_texts.adding_story(story, "when", [call]):
            return outcome_of(story.with_call(call))

    def when_stored(self, *stored: EventData) -> Outcome[C, E, S]:
        """Decode stored events in any earlier schema, to test upcasters.

        Raises:
            CodecError: A stored event cannot be decoded.
            RuleBroken: The aggregate breaks a rule.
        """
        __tracebackhide__ = True
        story = self._go_on()
        if not stored:
            raise TypeError("when_stored takes at least one stored event")
        with failure_texts.adding_story(story, "when", stored):
            for each in stored:
                story = story.with_stored(each)
        return outcome_of(story)

    def _go_on(self) -> Story[C, E, S]:
        go_on(self._entry)
        return self._story

    if not TYPE_CHECKING:  # type checkers report a missing attribute; at run time, add a hint

        def __getattr__(self, name: str) -> NoReturn:
            if not name.startswith("_"):
                go_on(self._entry)
            raise AttributeError(failure_texts.missing_when(name))
