"""Given-when-then, in Python and typed by the aggregate."""

from __future__ import annotations

import re
from typing import Generic

from attrs import frozen

from eventhus import Aggregate, Rejected
from eventhus_testing import failures
from eventhus_testing.story import C, E, S, Scenario, Step


def spec(aggregate: Aggregate[C, E, S]) -> Spec[C, E, S]:
    """Start to specify what an aggregate does.

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
    ...     .when(TakeSeat(aggregate_id="t1", guest="bob")).then_nothing()
    ...     .when(TakeSeat(aggregate_id="t1", guest="cid")).then_rejected(TableFull, match="2 of 2")
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
    """
    return Spec(Scenario(aggregate=aggregate, state=aggregate.initial))


@frozen
class Spec(Generic[C, E, S]):
    """What an aggregate has behind it when the first command comes. Made by ``spec``."""

    _scenario: Scenario[C, E, S]

    def given(self, *events: E) -> Spec[C, E, S]:
        """Let these events have happened, oldest first, after those given before.

        Raises:
            TypeError: One of them is not an event of the aggregate.
        """
        __tracebackhide__ = True
        return Spec(self._scenario.with_given(events))

    def when(self, command: C) -> Outcome[C, E, S]:
        """Carry out a command: decide on it once, and apply the events that follow.

        A refusal is an outcome. Any other exception of ``decide`` or ``evolve`` travels on.

        Raises:
            TypeError: The aggregate does not take the command.
            UndeclaredEvent: ``decide`` produced something that is not an event of the aggregate.
        """
        __tracebackhide__ = True
        return Outcome(self._scenario.with_step(command))


@frozen
class Outcome(Generic[C, E, S]):
    """What came of a command. Made by ``when``; every check returns it again."""

    _scenario: Scenario[C, E, S]

    def then(self, *events: E) -> Outcome[C, E, S]:
        """The command must have produced exactly these events, in this order.

        Raises:
            AssertionError: It was refused, or produced something else.
            TypeError: One of them is not an event of the aggregate.
        """
        __tracebackhide__ = True
        self._scenario.check_events("then", events)
        if self._last.refusal is not None or self._last.events != events:
            raise AssertionError(failures.other_events(self._scenario, events)) from (
                self._last.refusal
            )
        return self

    def then_nothing(self) -> Outcome[C, E, S]:
        """The command must have been accepted without an event.

        Raises:
            AssertionError: It was refused, or produced an event.
        """
        __tracebackhide__ = True
        return self.then()

    def then_rejected(
        self, reason: type[Rejected], *, match: str | re.Pattern[str] | None = None
    ) -> Outcome[C, E, S]:
        """The command must have been refused.

        Args:
            reason: The class of the refusal, or a base of it.
            match: A regular expression to be found anywhere in its message.

        Raises:
            AssertionError: It was accepted, or refused with another class or message.
        """
        __tracebackhide__ = True
        refusal = self._last.refusal
        if not isinstance(refusal, reason) or not re.search(match or "", str(refusal)):
            raise AssertionError(failures.other_refusal(self._scenario, reason, match)) from refusal
        return self

    def then_state(self, state: S) -> Outcome[C, E, S]:
        """The state must now equal this one. A refusal leaves it as it was before the command.

        Raises:
            AssertionError: It does not.
        """
        __tracebackhide__ = True
        if self._last.after != state:
            raise AssertionError(
                failures.other_state(self._scenario, state)
            ) from self._last.refusal
        return self

    def when(self, command: C) -> Outcome[C, E, S]:
        """Carry out another command on what has come of it all so far.

        Raises what ``Spec.when`` does.
        """
        __tracebackhide__ = True
        return Outcome(self._scenario.with_step(command))

    @property
    def _last(self) -> Step[C, E, S]:
        return self._scenario.steps[-1]
