"""Hypothesis strategies for commands, events and histories, from the types alone."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any, TypeVar

from hypothesis import strategies as st

from eventhus import Aggregate, Command, Rejected
from eventhus_testing.properties.typed_values import Refinements, TypedValues

C = TypeVar("C", bound=Command)
E = TypeVar("E")

MAX_COMMANDS = 50


def commands(
    aggregate: Aggregate[C, Any, Any], *, refine: Refinements | None = None
) -> st.SearchStrategy[C]:
    """Commands of an aggregate, with values that the types of their fields admit.

    They are made of small numbers and few texts more often than of others, so that they have
    something to do with each other, and all go to one ``aggregate_id``. The validators of attrs
    are honoured, and so is what else a class refuses with ``ValueError`` or ``TypeError``.

    >>> from examples.bank.account import PerformDeposit, account
    >>> amounts = commands(account, refine={PerformDeposit: {"amount": st.integers(1, 100)}})

    Args:
        aggregate: Whose commands.
        refine: What you know better. For a class, or any type that a field has, a strategy for
            its values, or a dict with strategies for some of its fields. What is said of the
            fields of a class holds for its subclasses too:
            ``{Iban: ibans(), Command: {"aggregate_id": st.sampled_from(["a", "b"])}}``.

    Raises:
        NoStrategy: It is not known how to make values of some type, or ``refine`` names a field
            that does not exist. Names the class and field. Where a class refuses all that it is
            given, this is raised when values are drawn.
    """
    one_id = st.just(f"{aggregate.name[0].lower()}1")
    refine = {Command: {"aggregate_id": one_id}, **(refine or {})}
    return _any_of(aggregate.commands, refine)


def events(
    aggregate: Aggregate[Any, E, Any], *, refine: Refinements | None = None
) -> st.SearchStrategy[E]:
    """Events of an aggregate, be they such that ``decide`` would never produce.

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
    max_commands: int = MAX_COMMANDS,
) -> st.SearchStrategy[tuple[E, ...]]:
    """Histories that an aggregate can have: what ``decide`` answers to random commands.

    Args:
        aggregate: Whose histories.
        refine: As for ``commands``.
        max_commands: The most commands that are tried; those that are refused add nothing.

    Raises:
        NoStrategy: As for ``commands``.
    """

    def history(tried: Iterable[Any]) -> tuple[E, ...]:
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

    return sequences(commands(aggregate, refine=refine), max_commands).map(history)


def sequences(values: st.SearchStrategy[C], longest: int) -> st.SearchStrategy[list[C]]:
    """Lists of commands, longer ones than hypothesis makes by itself.

    Args:
        values: The commands.
        longest: How many there may be in one.
    """
    # How often a list is short, or empty, is up to hypothesis, and differs between its versions. Of
    # several lists joined into one, some are long, and each becomes shorter by itself.
    size = min(10, longest)
    few, number = st.lists(values, max_size=size), -(-longest // size) if size else 0
    return st.lists(few, min_size=number, max_size=number).map(
        lambda lists: [*chain.from_iterable(lists)][:longest]
    )


def _any_of(classes: Iterable[type[E]], refine: Refinements) -> st.SearchStrategy[E]:
    values = TypedValues(refine)
    return st.one_of([values.of(cls, cls.__qualname__) for cls in classes])
