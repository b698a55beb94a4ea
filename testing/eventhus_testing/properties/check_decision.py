"""Checks a decision against random commands."""

from __future__ import annotations

from functools import partial
from typing import Any, Generic

import hypothesis
from attrs import evolve, frozen

from eventhus import Decision
from eventhus.ports import Codec
from eventhus_testing.properties.breaches import as_it_is, check_invariant, finding_breaches
from eventhus_testing.properties.counterexample import UNKNOWN, CommandStep, SpecArguments
from eventhus_testing.properties.invariant import Invariant
from eventhus_testing.properties.search import check_steps
from eventhus_testing.properties.strategies import MAX_COMMANDS, commands, sequences
from eventhus_testing.properties.typed_values import Refinements
from eventhus_testing.rules.decider_checker import decider_checker
from eventhus_testing.rules.rules import ALL, Rules
from eventhus_testing.specs.story import C, E, S, Story
from eventhus_testing.values.defensive_copies import defensive_copy


def check_decision(
    decision: Decision[C, E, S],
    *,
    invariant: Invariant[tuple[E, ...]] | None = None,
    refine: Refinements | None = None,
    rules: Rules = ALL,
    codec: Codec | None = None,
    max_commands: int = MAX_COMMANDS,
    settings: hypothesis.settings | None = None,
) -> None:
    """Check the rules and an invariant of a decision against random commands.

    The commands have different boundaries, and each is decided on the events that its own boundary
    finds. The invariant is one of the whole history, so that it also finds a boundary that leaves
    out what a rule needs. Each step must keep the rules that ``spec`` checks.

    >>> from examples.courses.enrolment import enrolment
    >>> from examples.courses.test_properties import no_course_is_overbooked
    >>> check_decision(enrolment, invariant=no_course_is_overbooked, max_commands=10)

    A failure is shrunk to the smallest case and printed as a spec to paste.

    Args:
        decision: The decision to check.
        invariant: A predicate on the events so far, oldest first. It returns a bool, or asserts
            and returns ``None``.
        refine: Strategies for values in commands, as for ``commands``.
        rules: The rules, as for ``spec``.
        codec: Encodes events and states, as for ``spec``.
        max_commands: The largest number of commands in one run.
        settings: As for ``check_aggregate``.

    Raises:
        Counterexample: A rule or the invariant is broken. The text ends with a spec.
        TypeError: ``decision`` is something else, or the invariant returns anything but a bool or
            ``None``.
        NoStrategy: As for ``commands``.
    """
    __tracebackhide__ = True
    subject: object = decision
    if not isinstance(subject, Decision):
        raise TypeError(f"check_decision takes a Decision, not {subject!r}")
    check = _Check(
        SpecArguments(decider=decision, rules=rules, codec=codec),
        Story(
            checker=decider_checker(decision, rules, codec),
            state=defensive_copy(decision.initial),
        ),
        invariant,
    )
    tried = sequences(commands(decision, refine=refine), max_commands)
    check_steps(check.carry_out, tried, settings)


@frozen
class _Check(Generic[C, E, S]):
    """The subject of one check."""

    arguments: SpecArguments
    start: Story[C, E, S]
    invariant: Invariant[tuple[E, ...]] | None

    def carry_out(self, tried: list[C]) -> None:
        """Carry out commands, each within its own boundary.

        Raises:
            Found: A rule or the invariant is broken.
        """
        story = self.start
        for command in tried:
            story = self._with(story, command).going_on()

    def _with(self, story: Story[C, E, S], command: C) -> Story[C, E, S]:
        shown = as_it_is(command)
        done = finding_breaches(
            partial(story.with_command, command),
            self._step(story, shown, UNKNOWN),
            partial(_state_before, story, command),
        )
        last = done.steps[-1]
        if self.invariant is not None and last.events:
            step = evolve(self._step(story, shown, last.before), decided=last.events)
            check_invariant(self.invariant, done.history, step, "history")
        return done

    def _step(self, story: Story[C, E, S], command: C, state: Any) -> CommandStep:
        return CommandStep(
            arguments=self.arguments, given=story.history, state=state, command=command
        )


def _state_before(story: Story[Any, Any, Any], command: Any) -> Any:
    """Return the state that a command is decided on; ``UNKNOWN`` if its boundary fails."""
    try:
        return story.before(story.checker.boundary(command))
    except Exception:  # noqa: BLE001 - the breach tells
        return UNKNOWN
