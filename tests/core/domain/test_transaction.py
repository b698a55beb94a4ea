"""Transactions: how they are checked, and how they split a command."""

from collections.abc import Iterable
from typing import Any

import pytest

from eventhus import Command, Transaction
from eventhus.domain.catalog import Catalog
from eventhus.errors import CompositionError
from tests.bank import Deposit, Open, Scribble, Withdraw, account, note
from tests.transfers import Transfer, split, transfer

MOVE = Transfer(aggregate_id="a", to="b", amount=3)


def transaction(**changes: Any) -> Transaction[Any]:
    arguments: dict[str, Any] = {"name": "Transfer", "aggregates": [account], "split": split}
    return Transaction(**{**arguments, **changes})


def test_the_commands_are_read_from_the_annotation() -> None:
    assert (Transfer,) == transfer.commands


def test_each_command_comes_with_its_aggregate() -> None:
    assert (
        (account, Withdraw(aggregate_id="a", amount=3)),
        (account, Deposit(aggregate_id="b", amount=3)),
    ) == transfer.commands_for(MOVE)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "returned NoneType instead of commands"),
        ([], "returned no commands"),
        ([7], "int, which is not a command of its aggregates"),
        ([Scribble(aggregate_id="n")], "Scribble, which is not a command of its aggregates"),
        (Open(aggregate_id="a"), "returned Open instead of commands"),
    ],
)
def test_anything_but_commands_of_its_aggregates_is_refused(answer: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        transaction(split=lambda _: answer, commands=[Transfer]).commands_for(MOVE)


def test_split_must_be_a_plain_function() -> None:
    async def later(command: Transfer) -> Iterable[Command]:
        return []

    with pytest.raises(CompositionError, match="split is async"):
        transaction(split=later)


def test_split_must_name_its_commands() -> None:
    def anything(command: Command) -> Iterable[Command]:
        return []

    with pytest.raises(CompositionError, match="split is annotated with Command itself"):
        transaction(split=anything)


def test_only_aggregates_can_be_changed_together() -> None:
    with pytest.raises(CompositionError, match="found str"):
        transaction(aggregates=["Account"])


def test_the_aggregates_of_a_transaction_must_be_composed() -> None:
    with pytest.raises(CompositionError, match="Transfer is for Account"):
        Catalog([note], [], [transfer])


def test_a_transaction_is_the_route_of_its_commands() -> None:
    assert transfer is Catalog([account], [], [transfer]).routes[Transfer]
