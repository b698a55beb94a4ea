"""Properties that every aggregate has, held against random commands."""

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
from eventhus_testing.properties.counterexample import (
    Breach,
    Ending,
    Step,
    Subject,
    expecting,
    snake,
    stored_body,
)
from eventhus_testing.properties.invariant import Invariant, Verdict, verdict_on
from eventhus_testing.properties.strategies import MAX_COMMANDS, commands, sequences
from eventhus_testing.properties.typed_values import Refinements
from eventhus_testing.rules.aggregate_checker import Referee, referee
from eventhus_testing.rules.rules import ALL, RuleBroken, Rules
from eventhus_testing.specs.story import C, E, S
from eventhus_testing.texts.page import ACTUAL, NOTE, SAME, Passage, mark
from eventhus_testing.values.comparing import before_it_changes

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
    """Carry out random commands, and see that nothing breaks, whatever they are.

    At every step, the rules hold that ``spec`` checks too: nothing is changed in place, ``decide``
    repeats itself, events and states survive the codec. The invariant holds after every event. A
    state that comes out of a snapshot, taken at any step, goes on as the one that went in.

    >>> from examples.bank.account import account
    >>> check_aggregate(account, invariant=lambda state: state.balance >= 0)

    What is found is made as small as possible, and printed as a spec to paste.

    Args:
        aggregate: What is checked.
        invariant: Whether a state may be: returns whether it holds, or asserts it and returns
            nothing.
        refine: Which values commands are made of, as for ``commands``.
        stored: A history as a store holds it, with events of every schema of the past. It is read
            through the upcasters, and random commands follow it or begin anew. Without one, only
            data of today's schemas is written and read again.
        rules: The rules, as for ``spec``.
        codec: Encodes events and states, as for ``spec``.
        max_commands: The most commands in one run.
        settings: Those of hypothesis, such as the number of runs; ``None`` takes those of its
            current profile, which are the same runs every time where ``CI`` is set. No run has
            a deadline.

    Raises:
        Counterexample: Something does not hold: an ``AssertionError`` that ends with a spec.
        NoStrategy: As for ``commands``.
    """
    __tracebackhide__ = True
    check = _Check(
        Subject(aggregate=aggregate, rules=rules, codec=codec),
        referee(aggregate, rules, codec),
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
        remark = "It is not found every time: the same commands lead to different outcomes."
        if found is None:
            raise
    if found is not None:
        raise found.counterexample(remark)


class _Found(Exception):
    """Something does not hold. Hypothesis looks at what it was caused by, and keeps to that."""

    def __init__(self, breach: Breach) -> None:
        self.breach = breach


@define
class _Check(Generic[C, E, S]):
    """What is checked, in every run."""

    subject: Subject
    judge: Referee[C, E, S]
    invariant: Invariant[S] | None
    smallest: Breach | None = None
    _size: int = 0
    _last: tuple[tuple[E, ...], list[C]] = ((), [])  # what was carried out: behind what, and what

    def initial(self) -> S:
        """The initial state, of which a run may break nothing but its own copy."""
        try:
            return copy.deepcopy(self.judge.aggregate.initial)
        except Exception:  # noqa: BLE001 - a lock, say
            return self.judge.aggregate.initial

    def read(self, stored: Sequence[EventData]) -> tuple[E, ...]:
        """A history, out of what is stored.

        Raises:
            _Found: It cannot be read, or evolve does not take it.
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
            verdict = self.verdict(state)
            if verdict is not None:
                raise _Found(self._broken_by_history(stored[:number], state, verdict))
            run.add(event, state)
        return tuple(run.happened)

    def carry_out(self, history: tuple[E, ...], tried: list[C]) -> None:
        """Carry out commands behind a history.

        Raises:
            _Found: Something does not hold.
        """
        self._last = history, tried
        run = _Run(self, self.initial())
        for event in history:
            run.add(event, self.judge.evolve(run.state, event))
        for command in tried:
            run.carry_out(command)

    def fewest(self, found: Breach) -> Breach:
        """What was found last, without what it does not need: hypothesis stops before that."""
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

    def verdict(self, state: S) -> Verdict | None:
        """Why the invariant does not hold, if it does not."""
        return None if self.invariant is None else verdict_on(self.invariant, state)

    def keep(self, breach: Breach, size: int) -> Breach:
        """Remember the smallest, for where hypothesis cannot find it again."""
        if self.smallest is None or size <= self._size:
            self.smallest, self._size = breach, size
        return breach

    def _unreadable(self, stored: Sequence[EventData], error: Exception) -> Breach:
        if isinstance(error, RuleBroken):
            problem = f"rule {error.rule!r} is broken by what is stored"
            what = [*mark(ACTUAL, [error.problem]), *mark(NOTE, error.notes)]
        else:
            what = mark(ACTUAL, [_raised(error)])
            reader = "be read" if isinstance(error, CodecError) else "be folded"
            problem = f"what is stored cannot {reader}"
        return Breach(
            subject=self.subject,
            problem=problem,
            name=f"{snake(self.subject.aggregate.name)}_reads_what_is_stored",
            meaning="What was stored in the past can still be read, and folded",
            story=[("stored", mark(SAME, map(repr, stored))), ("but", what)],
            body=stored_body(self.subject, stored, None),
        )

    def _broken_by_history(self, stored: Sequence[EventData], state: S, verdict: Verdict) -> Breach:
        return Breach(
            subject=self.subject,
            problem=f"{verdict.name} does not hold after what is stored",
            name=f"what_is_stored_keeps_{snake(verdict.name)}",
            meaning=f"After what was stored in the past, {verdict.name} holds",
            story=[("stored", mark(SAME, map(repr, stored))), *verdict.story(state)],
            body=verdict.body(lambda ending: stored_body(self.subject, stored, ending)),
        )


@define
class _Run(Generic[C, E, S]):
    """One sequence of commands, and what has come of it so far.

    What has happened is kept as it was: an aggregate that changes it in place is shown what it had.
    """

    check: _Check[C, E, S]
    state: S
    happened: list[E] = field(factory=list[E])

    def carry_out(self, command: C) -> None:
        """Carry out a command.

        Raises:
            _Found: Something does not hold.
        """
        judge = self.check.judge
        step = Step(
            subject=self.check.subject,
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
            verdict = self.check.verdict(after)
            if verdict is not None:
                breach = self._invariant(step.up_to(number), after, verdict)
                raise self._found(breach)
            self.add(event, after)

    def add(self, event: E, after: S) -> None:
        """Let an event have happened."""
        self.happened.append(_as_it_is(event))
        self.state = after

    def _found(self, breach: Breach) -> _Found:
        return _Found(self.check.keep(breach, len(self.happened)))

    def _rule(self, step: Step, broken: RuleBroken) -> Breach:
        command = type(step.command).__qualname__
        but = [*mark(ACTUAL, [broken.problem]), *mark(NOTE, broken.notes)]
        return Breach(
            subject=step.subject,
            problem=f"rule {broken.rule!r} is broken",
            name=f"{snake(command)}_keeps_the_rule_{broken.rule}",
            meaning=f"{command} keeps the rule {broken.rule!r}",
            story=[*_story(step), ("but", but)],
            body=step.body(_ending(step, broken)),
        )

    def _bug(self, step: Step, error: Exception) -> Breach:
        command = type(step.command).__qualname__
        name = type(error).__name__
        return Breach(
            subject=step.subject,
            problem=f"{command} raises {name}",
            name=f"{snake(command)}_does_not_raise_{snake(name)}",
            meaning=f"{command} is carried out or refused, and does not raise {name}",
            story=[*_story(step), ("but", mark(ACTUAL, [_raised(error)]))],
            body=step.body(None),
        )

    def _invariant(self, step: Step, after: S, verdict: Verdict) -> Breach:
        command = type(step.command).__qualname__
        then = ("then", mark(SAME, map(repr, step.decided[: step.number])))
        return Breach(
            subject=step.subject,
            problem=f"{verdict.name} does not hold after {command}",
            name=f"{snake(command)}_keeps_{snake(verdict.name)}",
            meaning=f"After {command}, {verdict.name} holds",
            story=[*_story(step), then, *verdict.story(after)],
            body=verdict.body(step.body),
        )


def _search(
    check: _Check[C, E, S],
    histories: st.SearchStrategy[tuple[E, ...]],
    tried: st.SearchStrategy[list[C]],
    settings: hypothesis.settings | None,
) -> None:
    """Let hypothesis look for commands that break something. Raises _Found for the fewest."""

    def run(history: tuple[E, ...], tried: list[C]) -> None:
        check.carry_out(history, tried)

    chosen = settings or hypothesis.settings()
    hypothesis.settings(
        chosen,
        # What it remembers it takes for small, though another bug may have made it so. The spec
        # that is printed is the better memory.
        database=None,
        deadline=None,  # a run is as long as its commands are many
        report_multiple_bugs=False,
        # It says which values do not matter, in words that are not ours, and takes its time.
        phases=[phase for phase in chosen.phases if phase is not Phase.explain],
        suppress_health_check=[*{*chosen.suppress_health_check, *_SUPPRESSED}],
    )(hypothesis.given(history=histories, tried=tried)(run))()


def _as_it_is(value: T) -> T:
    kept = before_it_changes(value)
    return value if kept is None else kept


def _story(step: Step) -> list[Passage]:
    given = [*map(repr, step.given)] or ["nothing"]
    return [
        ("given", mark(SAME, given)),
        ("state", mark(SAME, [repr(step.state)])),
        ("when", mark(SAME, [repr(step.command)])),
    ]


def _ending(step: Step, broken: RuleBroken) -> Ending | None:
    """What comes of a command: what it must come to, too, once a rule is kept."""
    decided = step.decided
    if not decided:
        try:
            decided = tuple(step.subject.aggregate.decide(step.command, _as_it_is(step.state)))
        except Rejected as refusal:
            return expecting("then_rejected", type(refusal))
        except Exception:  # noqa: BLE001 - the test shows it
            return None
    if not decided:
        return expecting("then_nothing")
    if broken.rule == "repeatable":  # and each time something else comes
        return expecting("then_only", *dict.fromkeys(map(type, decided)))
    return expecting("then", *decided[: step.number])


def _raised(error: BaseException) -> str:
    """An exception, and where it was raised."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    if traceback is None:
        return text
    code = traceback.tb_frame.f_code
    return f"{text} (in {code.co_name}, {code.co_filename}:{traceback.tb_lineno})"
