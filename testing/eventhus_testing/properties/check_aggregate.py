"""Checks an aggregate against random commands."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

import hypothesis
from attrs import define, evolve, field
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from eventhus import Aggregate, Rejected
from eventhus.errors import CodecError
from eventhus.ports import Codec, EventData
from eventhus_testing.matching.excerpts import wrapped
from eventhus_testing.properties.counterexample import (
    Breach,
    CommandStep,
    SpecArguments,
    Then,
    expecting,
    snake,
    stored_body,
)
from eventhus_testing.properties.invariant import Invariant, Violation, violation_of
from eventhus_testing.properties.strategies import MAX_COMMANDS, commands, sequences
from eventhus_testing.properties.typed_values import Refinements
from eventhus_testing.rules.aggregate_checker import AggregateChecker, aggregate_checker
from eventhus_testing.rules.rules import ALL, RuleBroken, Rules
from eventhus_testing.specs.story import C, E, S
from eventhus_testing.texts.page import ACTUAL, NOTE, SAME, Passage, mark
from eventhus_testing.values.defensive_copies import copy_if_mutable

T = TypeVar("T")

# The user's command classes decide how long a run takes and how much data it draws.
_SUPPRESSED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


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
        SpecArguments(aggregate=aggregate, rules=rules, codec=codec),
        aggregate_checker(aggregate, rules, codec),
        invariant,
    )
    found: Breach | None = None
    remark = ""
    try:
        histories = [(), check.read(tuple(stored))]
        tried = sequences(commands(aggregate, refine=refine), max_commands)
        _search(check, st.sampled_from(histories), tried, settings)
    except _Found as breach:
        found = check.fewest(breach.breach)
    except Flaky:
        found = check.smallest
        remark = "It is flaky: the same commands lead to different outcomes."
        if found is None:
            raise
    if found is not None:
        raise found.counterexample(remark)


class _Found(Exception):
    """A breach. Hypothesis distinguishes breaches by the cause of the exception."""

    def __init__(self, breach: Breach) -> None:
        self.breach = breach


@define
class _Check(Generic[C, E, S]):
    """The state of one check, across its runs."""

    arguments: SpecArguments
    judge: AggregateChecker[C, E, S]
    invariant: Invariant[S] | None
    smallest: Breach | None = None
    _size: int = 0
    _last: tuple[tuple[E, ...], list[C]] = ((), [])  # the history and the commands of the last run

    def initial(self) -> S:
        """Return a copy of the initial state, so that no run can change that of another."""
        try:
            return copy.deepcopy(self.judge.aggregate.initial)
        except Exception:  # noqa: BLE001 - values such as locks cannot be copied
            return self.judge.aggregate.initial

    def read(self, stored: Sequence[EventData]) -> tuple[E, ...]:
        """Read a stored history.

        Raises:
            _Found: An event cannot be decoded or folded.
        """
        run = _Run(self, self.initial())
        for number, data in enumerate(stored, 1):
            try:
                event = self.judge.read(data)
                self.judge.check_stored(event)
                state = self.judge.evolve(run.state, event)
                self.judge.check_snapshot(state)
            except Exception as error:
                raise _Found(self._unreadable(stored[:number], error)) from error
            violation = self.violation(state)
            if violation is not None:
                raise _Found(self._broken_by_history(stored[:number], state, violation))
            run.add(event, state)
        return tuple(run.happened)

    def carry_out(self, history: tuple[E, ...], tried: list[C]) -> None:
        """Carry out commands after a history.

        Raises:
            _Found: A rule or the invariant is broken.
        """
        self._last = history, tried
        run = _Run(self, self.initial())
        for event in history:
            run.add(event, self.judge.evolve(run.state, event))
        for command in tried:
            run.carry_out(command)

    def fewest(self, found: Breach) -> Breach:
        """Remove each command that a breach does not need; Hypothesis may stop before that."""
        history, tried = self._last
        without = self._again((), tried, found) if history else None
        if without is not None:
            history, found = (), without
        done = False
        while not done:
            done = True
            for index in reversed(range(len(tried))):
                fewer = [*tried[:index], *tried[index + 1 :]]
                without = self._again(history, fewer, found)
                if without is not None:
                    tried, found, done = fewer, without, False
        return found

    def _again(self, history: tuple[E, ...], tried: list[C], found: Breach) -> Breach | None:
        try:
            self.carry_out(history, tried)
        except _Found as again:
            return again.breach if again.breach.problem == found.problem else None
        return None

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
            what = mark(ACTUAL, [_raised(error)])
            reader = "be read" if isinstance(error, CodecError) else "be folded"
            problem = f"stored events cannot {reader}"
        return Breach(
            arguments=self.arguments,
            problem=problem,
            name=f"{snake(self.arguments.aggregate.name)}_reads_stored_events",
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
            _Found: A rule or the invariant is broken.
        """
        judge = self.check.judge
        step = CommandStep(
            arguments=self.check.arguments,
            given=tuple(self.happened),
            state=_as_it_is(self.state),
            command=_as_it_is(command),
        )
        try:
            decided = judge.decide(command, self.state)
        except Rejected:
            return
        except RuleBroken as broken:
            raise self._found(self._rule(step, broken)) from broken
        except Exception as error:
            raise self._found(self._bug(step, error)) from error
        step = evolve(step, decided=tuple(map(_as_it_is, decided)))
        for number, event in enumerate(decided, 1):
            try:
                after = judge.evolve_decided(self.state, event)
            except RuleBroken as broken:
                raise self._found(self._rule(step, broken)) from broken
            except Exception as error:
                raise self._found(self._bug(step, error)) from error
            try:
                judge.check_snapshot(after)
            except RuleBroken as broken:
                raise self._found(self._rule(step.up_to(number), broken)) from broken
            violation = self.check.violation(after)
            if violation is not None:
                breach = self._invariant(step.up_to(number), after, violation)
                raise self._found(breach)
            self.add(event, after)

    def add(self, event: E, after: S) -> None:
        """Add an event and the state after it."""
        self.happened.append(_as_it_is(event))
        self.state = after

    def _found(self, breach: Breach) -> _Found:
        return _Found(self.check.keep(breach, len(self.happened)))

    def _rule(self, step: CommandStep, broken: RuleBroken) -> Breach:
        command = type(step.command).__qualname__
        but = [*mark(ACTUAL, [broken.problem]), *mark(NOTE, broken.notes)]
        return Breach(
            arguments=step.arguments,
            problem=f"rule {broken.rule!r} is broken",
            name=f"{snake(command)}_keeps_the_rule_{broken.rule}",
            meaning=f"{command} keeps the rule {broken.rule!r}",
            passages=[*_passages(step), ("but", but)],
            body=step.body(_then(step, broken)),
        )

    def _bug(self, step: CommandStep, error: Exception) -> Breach:
        command = type(step.command).__qualname__
        name = type(error).__name__
        return Breach(
            arguments=step.arguments,
            problem=f"{command} raises {name}",
            name=f"{snake(command)}_does_not_raise_{snake(name)}",
            meaning=f"{command} is carried out or refused, and does not raise {name}",
            passages=[*_passages(step), ("but", mark(ACTUAL, [_raised(error)]))],
            body=step.body(None),
        )

    def _invariant(self, step: CommandStep, after: S, violation: Violation) -> Breach:
        command = type(step.command).__qualname__
        then = ("then", mark(SAME, map(wrapped, step.decided[: step.number])))
        return Breach(
            arguments=step.arguments,
            problem=f"{violation.name} does not hold after {command}",
            name=f"{snake(command)}_keeps_{snake(violation.name)}",
            meaning=f"After {command}, {violation.name} holds",
            passages=[*_passages(step), then, *violation.passages(after)],
            body=violation.body(step.body),
        )


def _search(
    check: _Check[C, E, S],
    histories: st.SearchStrategy[tuple[E, ...]],
    tried: st.SearchStrategy[list[C]],
    settings: hypothesis.settings | None,
) -> None:
    """Search for commands that break something.

    Raises:
        _Found: The search found a breach; the commands are shrunk.
    """

    def run(history: tuple[E, ...], tried: list[C]) -> None:
        check.carry_out(history, tried)

    chosen = settings or hypothesis.settings()
    hypothesis.settings(
        chosen,
        # An example stored for another bug may be larger than the smallest for this one.
        database=None,
        deadline=None,  # a run may take long if there are many commands
        report_multiple_bugs=False,
        # The explain phase is slow, and the counterexample is minimal without it.
        phases=[phase for phase in chosen.phases if phase is not Phase.explain],
        suppress_health_check=[*{*chosen.suppress_health_check, *_SUPPRESSED}],
    )(hypothesis.given(history=histories, tried=tried)(run))()


def _as_it_is(value: T) -> T:
    kept = copy_if_mutable(value)
    return value if kept is None else kept


def _passages(step: CommandStep) -> list[Passage]:
    given = [*map(wrapped, step.given)] or ["nothing"]
    return [
        ("given", mark(SAME, given)),
        ("state", mark(SAME, [wrapped(step.state)])),
        ("when", mark(SAME, [wrapped(step.command)])),
    ]


def _then(step: CommandStep, broken: RuleBroken) -> Then | None:
    """Return the expected outcome of a command once the rule is kept."""
    decided = step.decided
    if not decided:
        try:
            decided = tuple(step.arguments.aggregate.decide(step.command, _as_it_is(step.state)))
        except Rejected as refusal:
            return expecting("then_rejected", type(refusal))
        except Exception:  # noqa: BLE001 - the test shows it
            return None
    if not decided:
        return expecting("then_nothing")
    if broken.rule == "repeatable":  # the events differ each time
        return expecting("then_only", *dict.fromkeys(map(type, decided)))
    return expecting("then", *decided[: step.number])


def _raised(error: BaseException) -> str:
    """Return the text of an exception, with the place where it was raised."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    if traceback is None:
        return text
    code = traceback.tb_frame.f_code
    return f"{text} (in {code.co_name}, {code.co_filename}:{traceback.tb_lineno})"
