"""Describes how a command breaks a rule, or fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from attrs import evolve

from eventhus import Rejected
from eventhus_testing.matching.excerpts import wrapped
from eventhus_testing.properties.counterexample import (
    UNKNOWN,
    Body,
    Breach,
    CommandStep,
    Then,
    expecting,
    snake,
)
from eventhus_testing.properties.invariant import Invariant, Violation, violation_of
from eventhus_testing.properties.search import Found
from eventhus_testing.rules.rules import RuleBroken
from eventhus_testing.texts.page import ACTUAL, NOTE, SAME, Passage, mark
from eventhus_testing.values.defensive_copies import copy_if_mutable

T = TypeVar("T")


def rule_breach(step: CommandStep, broken: RuleBroken) -> Breach:
    """Describe a command that breaks a rule."""
    command = type(step.command).__qualname__
    but = [*mark(ACTUAL, [broken.problem]), *mark(NOTE, broken.notes)]
    return Breach(
        arguments=step.arguments,
        problem=f"rule {broken.rule!r} is broken",
        name=f"{snake(command)}_keeps_the_rule_{broken.rule}",
        meaning=f"{command} keeps the rule {broken.rule!r}",
        passages=[*passages_of(step), ("but", but)],
        body=step.body(_then(step, broken)),
    )


def bug_breach(step: CommandStep, error: Exception) -> Breach:
    """Describe a command that raises something else than a refusal."""
    command = type(step.command).__qualname__
    name = type(error).__name__
    return Breach(
        arguments=step.arguments,
        problem=f"{command} raises {name}",
        name=f"{snake(command)}_does_not_raise_{snake(name)}",
        meaning=f"{command} is carried out or refused, and does not raise {name}",
        passages=[*passages_of(step), ("but", mark(ACTUAL, [raised(error)]))],
        body=step.body(None),
    )


def invariant_breach(
    step: CommandStep, violation: Violation, shown: Sequence[Passage], body: Body
) -> Breach:
    """Describe a command after which the invariant does not hold.

    Args:
        step: The command and its events.
        violation: The violation.
        shown: The passages that show it.
        body: Returns the statements of the test.
    """
    command = type(step.command).__qualname__
    then = ("then", mark(SAME, map(wrapped, step.decided[: step.number])))
    return Breach(
        arguments=step.arguments,
        problem=f"{violation.name} does not hold",
        after=command,
        name=f"{snake(command)}_keeps_{snake(violation.name)}",
        meaning=f"After {command}, {violation.name} holds",
        passages=[*passages_of(step), then, *shown],
        body=body,
    )


def check_invariant(
    invariant: Invariant[T],
    value: T,
    step: CommandStep,
    subject: str,
    shown: Sequence[Passage] = (),
) -> None:
    """Check an invariant of the outcome of a command.

    Args:
        invariant: The invariant.
        value: The value that it is a predicate on.
        step: The command and its events.
        subject: The attribute of the outcome that has this value.
        shown: Further passages for a counterexample.

    Raises:
        Found: The invariant does not hold.
    """
    violation = violation_of(invariant, value)
    if violation is not None:
        body = violation.called_body(step.body, subject)
        breach = invariant_breach(step, violation, [*shown, *violation.verdict()], body)
        raise Found(breach, len(step.given))


def finding_breaches(
    carry_out: Callable[[], T], step: CommandStep, state: Callable[[], Any] | None = None
) -> T:
    """Carry out a command of a spec, and return the spec after it.

    Args:
        carry_out: Carries it out. A refusal is an outcome.
        step: The command and its earlier events.
        state: Returns the state that the command is decided on, if the step does not have it.

    Raises:
        Found: The command breaks a rule, or raises something else than a refusal.
    """
    try:
        return carry_out()
    except Exception as error:
        step = step if state is None else evolve(step, state=state())
        breach = (
            rule_breach(step, error) if isinstance(error, RuleBroken) else bug_breach(step, error)
        )
        raise Found(breach, len(step.given)) from error


def passages_of(step: CommandStep) -> list[Passage]:
    """Return the events before a command, the state if it is known, and the command."""
    passages: list[Passage] = [("given", mark(SAME, [*map(wrapped, step.given)] or ["nothing"]))]
    if step.state is not UNKNOWN:
        passages.append(("state", mark(SAME, [wrapped(step.state)])))
    return [*passages, ("when", mark(SAME, [wrapped(step.command)]))]


def _then(step: CommandStep, broken: RuleBroken) -> Then | None:
    """Return the expected outcome of a command once the rule is kept."""
    decided = step.decided
    if not decided:
        if step.state is UNKNOWN:
            return None
        try:
            decided = tuple(step.arguments.decider.decide(step.command, as_it_is(step.state)))
        except Rejected as refusal:
            return expecting("then_rejected", type(refusal))
        except Exception:  # noqa: BLE001 - the test shows it
            return None
    if not decided:
        return expecting("then_nothing")
    if broken.rule == "repeatable":  # the events differ each time
        return expecting("then_only", *dict.fromkeys(map(type, decided)))
    return expecting("then", *decided[: step.number])


def as_it_is(value: T) -> T:
    """Return a copy of a value that can change, and any other value itself."""
    kept = copy_if_mutable(value)
    return value if kept is None else kept


def raised(error: BaseException) -> str:
    """Return the text of an exception, with the place where it was raised."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    if traceback is None:
        return text
    code = traceback.tb_frame.f_code
    return f"{text} (in {code.co_name}, {code.co_filename}:{traceback.tb_lineno})"
