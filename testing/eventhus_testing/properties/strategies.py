"""Hypothesis strategies for commands, events and histories, derived from types."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any, TypeVar

from hypothesis import strategies as st

from eventhus import Aggregate, Command, Decision, Transaction
from eventhus.domain.decider import Decider
from eventhus_testing.properties.model import Model
from eventhus_testing.properties.typed_values import Refinements, TypedValues

C = TypeVar("C", bound=Command)
E = TypeVar("E")

MAX_COMMANDS = 50


def commands(
    subject: Decider[C, Any, Any] | Transaction[C], *, refine: Refinements | None = None
) -> st.SearchStrategy[C]:
    """Return a strategy for the commands of an aggregate, a decision or a transaction.

    Fields get values of their types. Small numbers and a few texts are drawn more often than
    others, so that commands concern each other. All commands of an aggregate have the same
    ``aggregate_id``; those of a decision or a transaction have one of four.
    Values that a class refuses with ``ValueError`` or ``TypeError`` are discarded.

    >>> from examples.bank.account import PerformDeposit, account
    >>> amounts = commands(account, refine={PerformDeposit: {"amount": st.integers(1, 100)}})

    Args:
        subject: The aggregate, the decision or the transaction.
        refine: Strategies that take precedence. For a class, or any type of a field, give a
            strategy for its values or a dict of strategies for some of its fields. Those for
            the fields of a class apply to its subclasses too:
            ``{Iban: ibans(), Command: {"aggregate_id": st.sampled_from(["a", "b"])}}``.

    Raises:
        NoStrategy: No strategy for a type is known, or ``refine`` names a field that does not
            exist. The message names the class and the field. If a class refuses all drawn
            values, the error is raised while drawing.
    """
    letter = subject.name[0].lower()
    numbers = "1" if isinstance(subject, Aggregate) else "1234"
    ids = st.sampled_from([f"{letter}{number}" for number in numbers])
    return any_of(subject.commands, {Command: {"aggregate_id": ids}, **(refine or {})})


def events(
    subject: Decider[Any, E, Any], *, refine: Refinements | None = None
) -> st.SearchStrategy[E]:
    """Return a strategy for the events that an aggregate or a decision declares.

    They include ones that ``decide`` never returns.

    Args:
        subject: The aggregate or the decision.
        refine: As for ``commands``.

    Raises:
        NoStrategy: As for ``commands``.
    """
    return any_of(subject.events, refine or {})


def histories(
    subject: Aggregate[Any, E, Any] | Decision[Any, E, Any],
    *,
    refine: Refinements | None = None,
    max_commands: int = MAX_COMMANDS,
) -> st.SearchStrategy[tuple[E, ...]]:
    """Return a strategy for histories that can happen: the events of random commands.

    Args:
        subject: The aggregate or the decision.
        refine: As for ``commands``.
        max_commands: The maximum number of commands. Refused ones add no events.

    Raises:
        NoStrategy: As for ``commands``.
    """

    def history(tried: Iterable[Any]) -> tuple[E, ...]:
        model = Model()
        for command in tried:
            _, model = model.after(subject, command)
        return tuple(event for _, event in model.log)

    return sequences(commands(subject, refine=refine), max_commands).map(history)


def sequences(values: st.SearchStrategy[E], longest: int) -> st.SearchStrategy[list[E]]:
    """Return a strategy for lists that are longer than those of ``st.lists``.

    Args:
        values: The items.
        longest: The maximum length.
    """
    # Versions of Hypothesis differ in how often a list is short or empty. Joining several lists
    # makes some long ones, and each of them shrinks on its own.
    size = min(10, longest)
    few, number = st.lists(values, max_size=size), -(-longest // size) if size else 0
    return st.lists(few, min_size=number, max_size=number).map(
        lambda lists: [*chain.from_iterable(lists)][:longest]
    )


def weighted(*choices: tuple[int, st.SearchStrategy[E]]) -> st.SearchStrategy[E]:
    """Return a strategy that draws from each of several as often as its weight says.

    ``st.one_of`` draws from a strategy that it is given twice as often as from the others.

    Args:
        choices: The weights and the strategies.
    """
    strategies = [strategy for weight, strategy in choices for _ in range(weight)]
    return st.sampled_from(range(len(strategies))).flatmap(strategies.__getitem__)


def any_of(classes: Iterable[type[E]], refine: Refinements) -> st.SearchStrategy[E]:
    """Return a strategy for instances of some classes.

    Raises:
        NoStrategy: As for ``commands``.
    """
    values = TypedValues(refine)
    return st.one_of([values.of(cls, cls.__qualname__) for cls in classes])
