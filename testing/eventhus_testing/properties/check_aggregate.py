"""Checks an aggregate against random commands."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

import hypothesis
from attrs import define, evolve, field
from hypothesis import strategies as st

from eventhus import Aggregate, Rejected
from eventhus.errors import CodecError
from eventhus.ports import Codec, EventData
from eventhus_testing.matching.excerpts import wrapped
from eventhus_testing.properties.breaches import (
    as_it_is,
    bug_breach,
    invariant_breach,
    raised,
    rule_breach,
)
from eventhus_testing.properties.counterexample import (
    Breach,
    CommandStep,
    SpecArguments,
    snake,
    stored_body,
)
from eventhus_testing.properties.invariant import Invariant, Violation, violation_of
from eventhus_testing.properties.search import (
    Found,
    fewest,
    raising_counterexample,
    same_breach,
    search,
)
from eventhus_testing.properties.strategies import MAX_COMMANDS, commands, sequences
from eventhus_testing.properties.typed_values import Refinements
from eventhus_testing.rules.decider_checker import DeciderChecker, decider_checker
from eventhus_testing.rules.rules import ALL, RuleBroken, Rules
from eventhus_testing.specs.story import C, E, S
from eventhus_testing.texts.page import ACTUAL, NOTE, SAME, mark

T = TypeVar("T")


def check_aggregate(
    aggregate: Aggregate[C, E, S],
    *,
    invariant: Invariant[S] | None = None,
    refine: Refinements | None = None,
    stored: Iterable[EventData] = (),
    rules: Rules = ALL,
    codec: Codec | None = None,
    max_commands: int = MAX_COMMANDS,
    settings: hypothesis.settings | None = None,
) -> None:
    """Check the rules and an invariant of an aggregate against random commands.

    Each step must keep the rules that ``spec`` checks: nothing is changed in place, ``decide`` is
    repeatable, and events and states survive the codec. The invariant must hold after every
    event. A state restored from a snapshot must behave as the original.

    >>> from examples.bank.account import account
    >>> check_aggregate(account, invariant=lambda state: state.balance >= 0)

    A failure is shrunk to the smallest case and printed as a spec to paste.

    Args:
        aggregate: The aggregate to check.
        invariant: A predicate on states. It returns a bool, or asserts and returns ``None``.
        refine: Strategies for values in commands, as for ``commands``.
        stored: A stored history with events of past schemas. It is read through the upcasters.
            Random commands follow it or start from the initial state.
        rules: The rules, as for ``spec``.
        codec: Encodes events and states, as for ``spec``.
        max_commands: The largest number of commands in one run.
        settings: Settings of Hypothesis; ``None`` takes its current profile. Suppressed health
            checks are kept. Runs have no deadline and no example database.

    Raises:
        Counterexample: A rule or the invariant is broken. The text ends with a spec.
        TypeError: The invariant returns anything but a bool or ``None``.
        NoStrategy: As for ``commands``.
    """
    __tracebackhide__ = True
    subject: object = aggregate
    if not isinstance(subject, Aggregate):
        raise TypeError(f"check_aggregate takes an Aggregate, not {subject!r}")
    check = _Check(
        SpecArguments(decider=aggregate, rules=rules, codec=codec),
        decider_checker(aggregate, rules, codec),
        invariant,
    )

    def run() -> None:
        histories = [(), check.read(tuple(stored))]
        tried = sequences(commands(aggregate, refine=refine), max_commands)
        search(check.carry_out, settings, history=st.sampled_from(histories), tried=tried)

    raising_counterexample(check, run)


@define
class _Check(Generic[C, E, S]):
    """The state of one check, across its runs."""

    arguments: SpecArguments
    judge: DeciderChecker[C, E, S]
    invariant: Invariant[S] | None
    smallest: Breach | None = None
    _size: int = 0
    _last: tuple[tuple[E, ...], list[C]] = ((), [])  # the history and the commands of the last run

    def initial(self) -> S:
        """Return a copy of the initial state, so that no run can change that of another."""
        try:
            return copy.deepcopy(self.judge.decider.initial)
        except Exception:  # noqa: BLE001 - values such as locks cannot be copied
            return self.judge.decider.initial

    def read(self, stored: Sequence[EventData]) -> tuple[E, ...]:
        """Read a stored history.

        Raises:
            Found: An event cannot be decoded or folded.
        """
        run = _Run(self, self.initial())
        for number, data in enumerate(stored, 1):
            try:
                event = self.judge.read(data)
                self.judge.check_stored(event)
                state = self.judge.evolve(run.state, event)
                self.judge.check_snapshot(state)
            except Exception as error:
                raise Found(self._unreadable(stored[:number], error)) from error
            violation = self.violation(state)
            if violation is not None:
                raise Found(self._broken_by_history(stored[:number], state, violation))
            run.add(event, state)
        return tuple(run.happened)

    def carry_out(self, history: tuple[E, ...], tried: list[C]) -> None:
        """Carry out commands after a history.

        Raises:
            Found: A rule or the invariant is broken.
        """
        self._last = history, tried
        run = _Run(self, self.initial())
        for event in history:
            run.add(event, self.judge.evolve(run.state, event))
        for command in tried:
            run.carry_out(command)

    def fewest(self, found: Breach) -> Breach:
        """Return the same breach with the fewest commands."""
        history, tried = self._last
        without = self._again((), tried, found) if history else None
        if without is not None:
            history, found = (), without
        return fewest(found, tried, lambda fewer: self._again(history, fewer, found))

    def _again(self, history: tuple[E, ...], tried: Sequence[C], found: Breach) -> Breach | None:
        return same_breach(lambda: self.carry_out(history, [*tried]), found)

    def violation(self, state: S) -> Violation | None:
        """Return how a state violates the invariant, or ``None``."""
        return None if self.invariant is None else violation_of(self.invariant, state)

    def keep(self, breach: Breach, size: int) -> Breach:
        """Remember the smallest breach, in case Hypothesis cannot reproduce it."""
        if self.smallest is None or size <= self._size:
            self.smallest, self._size = breach, size
        return breach

    def _unreadable(self, stored: Sequence[EventData], error: Exception) -> Breach:
        if isinstance(error, RuleBroken):
            problem = f"rule {error.rule!r} is broken by stored events"
            what = [*mark(ACTUAL, [error.problem]), *mark(NOTE, error.notes)]
        else:
            what = mark(ACTUAL, [raised(error)])
            reader = "be read" if isinstance(error, CodecError) else "be folded"
            problem = f"stored events cannot {reader}"
        return Breach(
            arguments=self.arguments,
            problem=problem,
            name=f"{snake(self.arguments.decider.name)}_reads_stored_events",
            meaning="Stored events can be read and folded",
            passages=[("stored", mark(SAME, map(wrapped, stored))), ("but", what)],
            body=stored_body(self.arguments, stored, None),
        )

    def _broken_by_history(
        self, stored: Sequence[EventData], state: S, violation: Violation
    ) -> Breach:
        return Breach(
            arguments=self.arguments,
            problem=f"{violation.name} does not hold after the stored events",
            name=f"stored_events_keep_{snake(violation.name)}",
            meaning=f"After the stored events, {violation.name} holds",
            passages=[("stored", mark(SAME, map(wrapped, stored))), *violation.passages(state)],
            body=violation.body(lambda then: stored_body(self.arguments, stored, then)),
        )


@define
class _Run(Generic[C, E, S]):
    """One sequence of commands and its events so far.

    Events are copied, so that a failure shows them before an aggregate changed them in place.
    """

    check: _Check[C, E, S]
    state: S
    happened: list[E] = field(factory=list[E])

    def carry_out(self, command: C) -> None:
        """Carry out a command.

        Raises:
            Found: A rule or the invariant is broken.
        """
        judge = self.check.judge
        step = CommandStep(
            arguments=self.check.arguments,
            given=tuple(self.happened),
            state=as_it_is(self.state),
            command=as_it_is(command),
        )
        try:
            decided = judge.decide(command, self.state)
        except Rejected:
            return
        except RuleBroken as broken:
            raise self._found(rule_breach(step, broken)) from broken
        except Exception as error:
            raise self._found(bug_breach(step, error)) from error
        step = evolve(step, decided=tuple(map(as_it_is, decided)))
        for number, event in enumerate(decided, 1):
            try:
                after = judge.evolve_decided(self.state, event)
            except RuleBroken as broken:
                raise self._found(rule_breach(step, broken)) from broken
            except Exception as error:
                raise self._found(bug_breach(step, error)) from error
            try:
                judge.check_snapshot(after)
            except RuleBroken as broken:
                raise self._found(rule_breach(step.up_to(number), broken)) from broken
            violation = self.check.violation(after)
            if violation is not None:
                shown = step.up_to(number)
                body = violation.body(shown.body)
                breach = invariant_breach(shown, violation, violation.passages(after), body)
                raise self._found(breach)
            self.add(event, after)

    def add(self, event: E, after: S) -> None:
        """Add an event and the state after it."""
        self.happened.append(as_it_is(event))
        self.state = after

    def _found(self, breach: Breach) -> Found:
        return Found(self.check.keep(breach, len(self.happened)))
