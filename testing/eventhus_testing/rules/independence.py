"""Checks that each aggregate of a transaction decides on its own events alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from eventhus import Aggregate, Command, Rejected, StreamId
from eventhus_testing.matching.difference import differences
from eventhus_testing.rules.rules import RuleBroken, alike, answer_text
from eventhus_testing.values.comparing import same
from eventhus_testing.values.defensive_copies import defensive_copy


@frozen(kw_only=True)
class Part:
    """The commands of a transaction for one aggregate, and how they were decided.

    Attributes:
        stream: The stream of the aggregate.
        aggregate: The aggregate.
        commands: The commands, in order.
        history: The earlier events of the stream.
        before: The state that the first command was decided on.
        after: The state after the events.
        events: The events, up to a refusal.
        refusal: The refusal of the last command that was decided, or ``None``.
    """

    stream: StreamId
    aggregate: Aggregate[Any, Any, Any]
    commands: Sequence[Command]
    history: Sequence[Any]
    before: Any
    after: Any
    events: tuple[Any, ...]
    refusal: Rejected | None


def check_independent(parts: Sequence[Part]) -> None:
    """Check that each aggregate decides the same if the last one is asked first.

    Its state is folded anew from the events of its stream, so a state that another aggregate or
    an earlier refused command has changed is found, too.

    Raises:
        RuleBroken: A state is not that of its events, or an answer depends on the order.
    """
    __tracebackhide__ = True
    for part in reversed(parts):
        state = defensive_copy(part.aggregate.initial)
        for event in part.history:
            state = part.aggregate.evolve(state, event)
        if not same(part.before, state):
            raise RuleBroken(
                "independent",
                f"{part.stream} was decided on another state than its events lead to; evolve must "
                f"depend on the state and the event alone",
                differences(part.before, state, words=("decided on", "events lead to")),
            )
        answer = part.events if part.refusal is None else part.refusal
        again = _answer(part, state)
        if not alike(answer, again):
            raise RuleBroken(
                "independent",
                f"{part.stream} is decided differently if it is asked before the other aggregates; "
                f"decide and evolve must depend on the state of their own aggregate alone",
                [f"in order {answer_text(answer)}", f"asked first {answer_text(again)}"],
            )


def _answer(part: Part, state: Any) -> tuple[Any, ...] | Rejected:
    events: list[Any] = []
    for command in part.commands:
        try:
            decided = tuple(part.aggregate.decide(command, state))
        except Rejected as refusal:
            return refusal
        for event in decided:
            state = part.aggregate.evolve(state, event)
        events += decided
    return tuple(events)
