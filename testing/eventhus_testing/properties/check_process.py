"""Checks a process against random histories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Generic, TypeVar

import hypothesis
from attrs import frozen
from hypothesis import strategies as st

from eventhus import CommandRefused, DeadlineReached, Process, Rejected
from eventhus.domain.process_events import PROCESS_EVENTS
from eventhus.ports import Codec
from eventhus_testing.matching.excerpts import wrapped
from eventhus_testing.properties.breaches import as_it_is, raised
from eventhus_testing.properties.counterexample import (
    Body,
    Breach,
    SpecArguments,
    Statement,
    Then,
    snake,
)
from eventhus_testing.properties.invariant import Invariant, Violation, violation_of
from eventhus_testing.properties.process_steps import (
    Drawn,
    Happens,
    Refuse,
    Step,
    Wait,
    resolved,
)
from eventhus_testing.properties.search import Found, check_steps
from eventhus_testing.properties.strategies import any_of, sequences, weighted
from eventhus_testing.properties.typed_values import Refinements
from eventhus_testing.python_source.imports import Imports
from eventhus_testing.python_source.layout import Chain
from eventhus_testing.rules.fold_checker import fold_checker
from eventhus_testing.rules.rules import ALL, RuleBroken, Rules
from eventhus_testing.specs import history
from eventhus_testing.specs.process_story import ProcessRun, ProcessStory
from eventhus_testing.texts.page import ACTUAL, NOTE, SAME, Passage, mark

E = TypeVar("E")
S = TypeVar("S")

MAX_STEPS = 30

_TIMES = [timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)]


def check_process(
    process: Process[E, S],
    *,
    invariant: Invariant[ProcessRun[S]] | None = None,
    refine: Refinements | None = None,
    refusals: Iterable[type[Rejected]] = (Rejected,),
    rules: Rules = ALL,
    codec: Codec | None = None,
    max_steps: int = MAX_STEPS,
    settings: hypothesis.settings | None = None,
) -> None:
    """Check the rules and an invariant of a process against random histories.

    Events happen to a few streams in any order. Time passes: up to a deadline, beyond it, or almost
    to it, while the process runs or is down. Commands of the process are refused. After every event
    the process must answer a repeated delivery, and one after a crash, in the same way: ``react``
    is called again, with the state as it is and as it was stored and loaded. Each step must keep
    the rules that ``spec`` checks, and the invariant must hold after it.

    A failure is shrunk to the smallest case and printed as a spec to paste.

    Args:
        process: The process to check.
        invariant: A predicate on everything that the process has seen and done. It returns a bool,
            or asserts and returns ``None``.
        refine: Strategies for values in events, as for ``commands``.
        refusals: The refusals that its commands may meet.
        rules: The rules, as for ``spec``.
        codec: Encodes events and states, as for ``spec``.
        max_steps: The largest number of steps in one run.
        settings: As for ``check_aggregate``.

    Raises:
        Counterexample: A rule or the invariant is broken. The text ends with a spec.
        TypeError: ``process`` is something else, or the invariant returns anything but a bool or
            ``None``.
        NoStrategy: As for ``commands``.
    """
    __tracebackhide__ = True
    subject: object = process
    if not isinstance(subject, Process):
        raise TypeError(f"check_process takes a Process, not {subject!r}")
    check = _Check(
        SpecArguments(decider=process, rules=rules, codec=codec),
        ProcessStory(process=process, checker=fold_checker(process, rules, codec)),
        invariant,
    )
    tried = sequences(_steps(process, refine or {}, tuple(refusals)), max_steps)
    check_steps(check.carry_out, tried, settings)


def _steps(
    process: Process[Any, Any], refine: Refinements, refusals: Sequence[type[Rejected]]
) -> st.SearchStrategy[Drawn]:
    classes = [cls for cls in process.events if cls not in PROCESS_EVENTS]
    streams = st.sampled_from([f"{process.name[0].lower()}{number}" for number in "12"])
    events = st.builds(Happens, streams, any_of(classes, refine))
    # Events count twice, because nothing else begins anything.
    steps: list[tuple[int, st.SearchStrategy[Drawn]]] = [(2, events)]
    if process.takes(DeadlineReached):
        times = st.none() | st.sampled_from(_TIMES)
        steps.append((1, st.builds(Wait, times, st.booleans(), st.booleans())))
    if process.takes(CommandRefused):
        steps.append((1, st.builds(Refuse, st.integers(0, 5), st.sampled_from(refusals))))
    return weighted(*steps)


@frozen
class _Check(Generic[E, S]):
    """The subject of one check."""

    arguments: SpecArguments
    start: ProcessStory[E, S]
    invariant: Invariant[ProcessRun[S]] | None

    def carry_out(self, tried: list[Drawn]) -> None:
        """Carry out steps.

        Raises:
            Found: A rule or the invariant is broken.
        """
        story = self.start
        steps: list[Step] = []
        for drawn in tried:
            step = resolved(drawn, story)
            if step is not None:
                steps.append(as_it_is(step))
                story = self._after(story, steps).going_on()

    def _after(self, story: ProcessStory[E, S], steps: Sequence[Step]) -> ProcessStory[E, S]:
        history_ = _History(self.arguments, story, tuple(steps))
        try:
            done = steps[-1].after(story)
        except RuleBroken as broken:
            raise Found(history_.breaks_a_rule(broken), len(steps)) from broken
        except Exception as error:
            raise Found(history_.raises(error), len(steps)) from error
        if self.invariant is not None:
            violation = violation_of(self.invariant, done.run)
            if violation is not None:
                raise Found(history_.violates(violation, done), len(steps))
        return done


@frozen
class _History:
    """The steps that lead to a breach, the last of which shows it."""

    arguments: SpecArguments
    story: ProcessStory[Any, Any]
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """Return the name of the process in the name of a test."""
        return snake(self.arguments.decider.name)

    def breaks_a_rule(self, broken: RuleBroken) -> Breach:
        """Describe a step that breaks a rule."""
        return Breach(
            arguments=self.arguments,
            problem=f"rule {broken.rule!r} is broken",
            name=f"{self.name}_keeps_the_rule_{broken.rule}",
            meaning=f"The process keeps the rule {broken.rule!r}",
            passages=self._passages(
                ("but", [*mark(ACTUAL, [broken.problem]), *mark(NOTE, broken.notes)])
            ),
            body=self._body(None),
        )

    def raises(self, error: Exception) -> Breach:
        """Describe a step in which the process raises an error."""
        name = type(error).__name__
        return Breach(
            arguments=self.arguments,
            problem=f"the process raises {name}",
            name=f"{self.name}_does_not_raise_{snake(name)}",
            meaning=f"The process does not raise {name}",
            passages=self._passages(("but", mark(ACTUAL, [raised(error)]))),
            body=self._body(None),
        )

    def violates(self, violation: Violation, done: ProcessStory[Any, Any]) -> Breach:
        """Describe a step after which the invariant does not hold."""
        sent = [*map(wrapped, done.sent)] or ["nothing"]
        return Breach(
            arguments=self.arguments,
            problem=f"{violation.name} does not hold",
            name=f"{self.name}_keeps_{snake(violation.name)}",
            meaning=f"Whatever happens, {violation.name} holds",
            passages=self._passages(("then", mark(SAME, sent)), *violation.verdict()),
            body=violation.called_body(self._body, "run"),
        )

    def _passages(self, *more: Passage) -> list[Passage]:
        given = history.passage("given", self.story.history.events)
        return [given, ("when", mark(SAME, [str(self.steps[-1])])), *more]

    def _body(self, then: Then | None) -> Body:
        def body(imports: Imports) -> Sequence[Statement]:
            *given, last = self.steps
            links = [self.arguments.spec(imports)]
            links += [step.link("given", imports) for step in given]
            links.append(last.link("when", imports))
            return [("", Chain([*links, then(imports)] if then else links))]

        return body
