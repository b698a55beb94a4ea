"""Given-when-then, in Python and typed by what is specified."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, overload

from attrs import evolve, frozen

from eventhus import Aggregate, Process, View
from eventhus.ports import Codec, EventData
from eventhus_testing.rules.aggregate_checker import aggregate_checker
from eventhus_testing.rules.rules import ALL, Rules
from eventhus_testing.specs import failure_texts
from eventhus_testing.specs.outcome import Outcome, carried_out, outcome_of
from eventhus_testing.specs.process_spec import ProcessSpec
from eventhus_testing.specs.story import C, Call, E, Given, S, Story
from eventhus_testing.specs.view_spec import ViewSpec
from eventhus_testing.values.defensive_copies import defensive_copy

V = TypeVar("V")


@overload
def spec(
    subject: Aggregate[C, E, S], *, rules: Rules = ALL, codec: Codec | None = None
) -> Spec[C, E, S]: ...
@overload
def spec(
    subject: View[E, V], *, rules: Rules = ALL, codec: Codec | None = None
) -> ViewSpec[E, V]: ...
@overload
def spec(
    subject: Process[E, S], *, rules: Rules = ALL, codec: Codec | None = None
) -> ProcessSpec[E, S]: ...
def spec(subject: Any, *, rules: Rules = ALL, codec: Codec | None = None) -> Any:
    """Start to specify what an aggregate, a view or a process does.

    Say what has happened, what is asked for and what must come of it:

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

    An outcome can be gone on from, and what was given can be shared:

    >>> outcome = (
    ...     outcome
    ...     .and_when(TakeSeat(aggregate_id="t1", guest="bob")).then_nothing()
    ...     .and_when(TakeSeat(aggregate_id="t1", guest="cid"))
    ...     .then_rejected(TableFull, match="2 of 2")
    ... )

    A specification that does not hold shows the difference:

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
        subject: What is specified.
        rules: What is checked besides, always; all of it unless you switch something off.
        codec: Encodes events and states for the rules; ``None`` takes the one of
            ``eventhus_cattrs``. Give yours where the domain needs a ``Hook``.

    Raises:
        RuleBroken: The codec cannot handle the events, the state or the values at all.
        TypeError: The subject is none of the three.
    """
    match subject:
        case View():
            return ViewSpec.of(subject, rules, codec)
        case Process():
            return ProcessSpec.of(subject, rules, codec)
        case Aggregate():
            return Spec(
                Story(
                    checker=aggregate_checker(subject, rules, codec),
                    state=defensive_copy(subject.initial),
                )
            )
        case _:
            raise TypeError(
                f"spec takes an Aggregate, a View or a Process, and {subject!r} is none"
            )


@frozen
class Spec(Generic[C, E, S]):
    """What an aggregate has behind it when the first command comes. Made by ``spec``."""

    _story: Story[C, E, S]

    def given(self, *events: E) -> Spec[C, E, S]:
        """Let these events have happened, oldest first, after what was given before.

        Raises:
            TypeError: One of them is not an event of the aggregate.
            RuleBroken: The aggregate does not keep its rules.
        """
        __tracebackhide__ = True
        with failure_texts.adding_story(self._story, "given", events):
            return Spec(self._story.with_given(events))

    def given_state(self, state: S) -> Spec[C, E, S]:
        """Let this be the state, whatever led to it.

        Prefer ``given``: a state that no events lead to proves nothing.

        Raises:
            RuleBroken: The state does not survive the codec.
        """
        __tracebackhide__ = True
        with failure_texts.adding_story(self._story, "given", [Given(state)]):
            return Spec(self._story.with_state(state))

    def given_commands(self, *commands: C) -> Spec[C, E, S]:
        """Let the events have happened that these commands lead to, one after the other.

        Raises:
            AssertionError: One of them was refused.
            TypeError: The aggregate does not take one of them.
            RuleBroken: The aggregate does not keep its rules.
        """
        __tracebackhide__ = True
        given = self
        for command in commands:
            with failure_texts.adding_story(given._story, "when", [command]):
                done = given._story.with_command(command)
            if done.refusal is not None:
                raise AssertionError(failure_texts.refused_history(done)) from done.refusal
            given = Spec(evolve(done, given=(*done.given, *done.events), steps=()))
        return given

    def given_stored(self, *stored: EventData) -> Spec[C, E, S]:
        """Let these events have happened, as a store holds them, in any schema of the past.

        Raises:
            CodecError: One of them cannot be read.
            RuleBroken: The aggregate does not keep its rules.
        """
        __tracebackhide__ = True
        with failure_texts.adding_story(self._story, "given", stored):
            return self.given(*map(self._story.checker.read, stored))

    def when(self, *commands: C) -> Outcome[C, E, S]:
        """Carry out a command, or several in a row: decide, and apply the events that follow.

        A refusal is an outcome; no command behind one that is refused is carried out. Any other
        exception of ``decide`` travels on.

        Raises:
            TypeError: There is none, or the aggregate does not take one of them.
            InvalidArgument: No aggregate can have the ``aggregate_id`` of one of them.
            RuleBroken: The aggregate does not keep its rules.
        """
        __tracebackhide__ = True
        return carried_out(self._story, commands)

    def when_repeated(self, times: int, command: C) -> Outcome[C, E, S]:
        """Carry out the same command several times, to see what it is worth to repeat it.

        Args:
            times: How often, at least once.
            command: The command.

        Raises:
            TypeError: ``times`` is below 1, or the aggregate does not take the command.
            RuleBroken: The aggregate does not keep its rules.
        """
        __tracebackhide__ = True
        return carried_out(self._story, [command] * times)

    def when_called(self, function: Callable[[S], Iterable[E]]) -> Outcome[C, E, S]:
        """Call a function of the domain with the state, instead of ``decide`` with a command.

        What it returns are the events; a refusal is an outcome.

        Raises:
            TypeError: It gave something that is not an event of the aggregate.
            RuleBroken: The aggregate does not keep its rules.
        """
        __tracebackhide__ = True
        call = Call[S, E](function)
        with failure_texts.adding_story(self._story, "when", [call]):
            return outcome_of(self._story.with_call(call))

    def when_stored(self, *stored: EventData) -> Outcome[C, E, S]:
        """Read events as a store holds them, in any schema of the past: upcasters at work.

        Raises:
            CodecError: One of them cannot be read.
            RuleBroken: The aggregate does not keep its rules.
        """
        __tracebackhide__ = True
        if not stored:
            raise TypeError("when_stored takes at least one stored event")
        story = self._story
        with failure_texts.adding_story(story, "when", stored):
            for each in stored:
                story = story.with_stored(each)
        return outcome_of(story)

    if not TYPE_CHECKING:  # type checkers say that there is none; a reader of a failure needs more

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(failure_texts.missing_when(name))
