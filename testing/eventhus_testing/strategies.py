"""Hypothesis strategies for commands, events and histories, from the types alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from eventhus import Aggregate, Command, Rejected
from eventhus_testing.typed_values import NoStrategy, Refinements, TypedValues

C = TypeVar("C", bound=Command)
E = TypeVar("E")

__all__ = ["NoStrategy", "Refinements", "commands", "events", "histories"]

_IDS: Refinements = {Command: {"aggregate_id": st.just("a1")}}


def commands(
    aggregate: Aggregate[C, Any, Any], *, refine: Refinements | None = None
) -> st.SearchStrategy[C]:
    """Any command of an aggregate, with any values that its fields admit.

    Small numbers and few texts come more often than others, so that commands meet each other.
    All go to the aggregate ``"a1"``, unless ``refine`` says otherwise.

    Args:
        aggregate: Whose commands.
        refine: For a class a strategy of its own; or for some of its fields, by name. What is said
            of a class holds for its subclasses: ``{Command: {"aggregate_id": ids}}``.

    Raises:
        NoStrategy: The type of a field is not one that the codec handles either.
    """
    return _any_of(aggregate.commands, {**_IDS, **(refine or {})})


def events(
    aggregate: Aggregate[Any, E, Any], *, refine: Refinements | None = None
) -> st.SearchStrategy[E]:
    """Any event of an aggregate, be it one that ``decide`` would never produce.

    Args:
        aggregate: Whose events.
        refine: As for ``commands``.

    Raises:
        NoStrategy: As for ``commands``.
    """
    return _any_of(aggregate.events, refine or {})


def histories(
    aggregate: Aggregate[Any, E, Any],
    *,
    refine: Refinements | None = None,
    max_commands: int = 20,
) -> st.SearchStrategy[tuple[E, ...]]:
    """Any history that an aggregate can have: what ``decide`` makes of random commands.

    Args:
        aggregate: Whose history.
        refine: As for ``commands``.
        max_commands: The most commands that are tried; those that are refused add nothing.

    Raises:
        NoStrategy: As for ``commands``.
    """

    def history(tried: Sequence[Any]) -> tuple[E, ...]:
        happened: list[E] = []
        state = aggregate.initial
        for command in tried:
            try:
                decided = aggregate.decided(command, state)
            except Rejected:
                continue
            for event in decided:
                state = aggregate.evolve(state, event)
            happened += decided
        return tuple(happened)

    return st.lists(commands(aggregate, refine=refine), max_size=max_commands).map(history)


def _any_of(classes: Sequence[type[Any]], refine: Refinements) -> st.SearchStrategy[Any]:
    values = TypedValues(refine)
    return st.one_of([values.of(cls, cls.__qualname__) for cls in classes])
