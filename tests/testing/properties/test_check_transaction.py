"""Random checks of transactions find broken invariants, broken rules and bugs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import attrs
import pytest
from attrs import frozen
from hypothesis import settings
from hypothesis import strategies as st

from eventhus import Command, Transaction
from eventhus_testing import (
    Counterexample,
    Refinements,
    RuleBroken,
    Rules,
    TransactionRun,
    check_transaction,
)
from eventhus_testing.properties.transaction_steps import Step
from examples.bank.account import PerformDeposit, PerformWithdrawal, account
from examples.bank.test_properties import money_is_conserved
from examples.bank.transfer import Transfer, split, transfer
from tests.testing.cart import AddItems, Cart, CartCommand, CartEvent, Item, cart
from tests.testing.properties.counterexamples import body, pasted
from tests.testing.specs.flawed_domains import attentive, closing, emptied

# A search stops at what it finds, so that only one that misses takes long.
MANY = settings(max_examples=3000, derandomize=True)
FEW = settings(max_examples=60, derandomize=True)
AMOUNTS = st.integers(1, 9)
SMALL: Refinements = {
    PerformDeposit: {"amount": AMOUNTS},
    PerformWithdrawal: {"amount": AMOUNTS},
    Transfer: {"amount": AMOUNTS},
}


def makes_money(command: Transfer) -> Iterator[Command]:
    withdrawal, deposit = split(command)
    yield withdrawal
    yield PerformDeposit(aggregate_id=deposit.aggregate_id, amount=command.amount + 1)


def between_two(command: Transfer) -> Iterator[Command]:
    yield PerformWithdrawal(aggregate_id=command.aggregate_id, amount=command.amount)
    if command.to != command.aggregate_id:
        yield PerformDeposit(aggregate_id=command.to, amount=command.amount)


generous = attrs.evolve(transfer, split=makes_money)
watching = attrs.evolve(transfer, aggregates=[attentive])


def test_money_that_is_made_is_found_and_the_test_fails_as_the_check_did() -> None:
    with pytest.raises(Counterexample) as found:
        check_transaction(
            generous, invariant=money_is_conserved, refine=SMALL, max_commands=30, settings=MANY
        )
    text = str(found.value)
    assert "Transfer: money_is_conserved does not hold after Transfer\n\ngiven    Account/" in text
    assert "\nthen     Account/" in text
    assert "\nstate    Account/" in text
    spec = found.value.spec
    assert "def test_transfer_keeps_money_is_conserved() -> None:\n" in spec
    assert 2 == spec.count('.given(account, "')
    assert "spec(generous)" in spec
    assert body(spec).endswith("\n    assert money_is_conserved(outcome.run)\n")
    with pytest.raises(AssertionError):
        pasted(spec)()


def test_random_transactions_are_carried_out_without_refined_values() -> None:
    """Otherwise most checks with the default settings would check nothing but refusals."""
    amounts: list[int] = []

    def counts(run: TransactionRun) -> None:
        changed = run.states(account).items() - run.states_before(account).items()
        amounts.append(len(changed))

    check_transaction(transfer, invariant=counts, settings=settings(derandomize=True))
    assert len(amounts) > 20
    assert {2} == {*amounts}


def test_a_command_that_names_one_aggregate_twice_is_found() -> None:
    """No id of the receiver is drawn from those of the senders."""
    with pytest.raises(Counterexample) as found:
        check_transaction(
            attrs.evolve(transfer, split=between_two),
            invariant=money_is_conserved,
            refine=SMALL,
            max_commands=30,
            settings=settings(MANY, max_examples=5000),
        )
    assert 1 == found.value.spec.count(".given(account, ")


@frozen(kw_only=True)
class Pack(Command):
    """Puts tea into a cart that has a name of its own."""


def puts_tea(command: Pack) -> Iterator[Command]:
    yield AddItems(aggregate_id=f"cart of {command.aggregate_id}", items=(Item("tea", 1),))


def test_histories_are_those_of_the_aggregates_that_split_names() -> None:
    def starts_empty(run: TransactionRun) -> bool:
        return not run.states_before(cart)

    packing = Transaction(name="Packing", aggregates=[cart], split=puts_tea)
    with pytest.raises(Counterexample, match="starts_empty does not hold after Pack") as found:
        check_transaction(packing, invariant=starts_empty, max_commands=30, settings=MANY)
    assert '.given(cart, "cart of p' in found.value.spec


def test_ids_with_a_strategy_are_kept() -> None:
    ids = st.sampled_from(["mine", "yours"])
    refine: Refinements = {
        **SMALL,
        Command: {"aggregate_id": ids},
        Transfer: {"amount": AMOUNTS, "to": ids},
    }
    seen: set[str] = set()

    def collects(run: TransactionRun) -> None:
        seen.update(run.states(account))

    check_transaction(transfer, invariant=collects, refine=refine, max_commands=30, settings=FEW)
    assert seen == {"mine", "yours"}


def test_commands_for_ids_that_cannot_be_are_left_out() -> None:
    nowhere: Refinements = {Transfer: {"to": st.just("")}}
    check_transaction(transfer, refine=nowhere, max_commands=10, settings=FEW)


@frozen(kw_only=True)
class Number(Command):
    """A command for aggregates whose ids are numbers."""

    def __attrs_post_init__(self) -> None:
        int(self.aggregate_id)


def test_a_command_whose_class_refuses_an_id_is_not_tried() -> None:
    step = Step((Number(aggregate_id="1"),), number=3)
    assert step.at(["a", "2"]) == Step((Number(aggregate_id="2"),))
    assert step.at(["2", "a"]) is None
    assert step.at([]) is None


def test_an_aggregate_that_decides_on_the_state_of_another_is_found() -> None:
    with pytest.raises(Counterexample, match="rule 'independent' is broken") as found:
        check_transaction(watching, refine=SMALL, max_commands=30, settings=MANY)
    with pytest.raises(RuleBroken):
        pasted(found.value.spec)()
    check_transaction(
        watching, rules=Rules(independent=False), refine=SMALL, max_commands=30, settings=FEW
    )


def test_an_aggregate_that_keeps_what_did_not_happen_is_found() -> None:
    emptied.clear()
    forgetting = attrs.evolve(transfer, aggregates=[closing])
    with pytest.raises(Counterexample, match="rule 'independent' is broken"):
        check_transaction(forgetting, refine=SMALL, max_commands=30, settings=MANY)


def test_a_split_that_changes_its_mind_is_found() -> None:
    numbers = count(1)

    def fickle(command: Transfer) -> Iterator[Command]:
        yield PerformDeposit(aggregate_id=command.to, amount=next(numbers))

    with pytest.raises(Counterexample, match="rule 'repeatable' is broken"):
        check_transaction(attrs.evolve(transfer, split=fickle), max_commands=10, settings=FEW)


def test_a_failing_split_is_a_bug() -> None:
    def broken(command: Transfer) -> Iterator[Command]:
        raise ZeroDivisionError

    with pytest.raises(Counterexample, match="Transfer raises ZeroDivisionError") as found:
        check_transaction(attrs.evolve(transfer, split=broken), max_commands=10, settings=FEW)
    assert "given    nothing\nwhen     Transfer(" in str(found.value)
    assert "def test_transfer_does_not_raise_zero_division_error() -> None:" in found.value.spec


def test_an_aggregate_that_breaks_a_rule_on_its_own_is_shown_without_the_transaction() -> None:
    def broken(command: CartCommand, state: Cart) -> Iterator[CartEvent]:
        if not isinstance(command, AddItems):
            raise ZeroDivisionError
        yield from cart.decide(command, state)

    packing = Transaction(
        name="Packing", aggregates=[attrs.evolve(cart, decide=broken)], split=puts_tea
    )
    with pytest.raises(Counterexample, match=r"^Cart: .* raises ZeroDivisionError") as found:
        check_transaction(packing, max_commands=10, settings=FEW)
    assert "# cart is the aggregate that was passed to check_aggregate" in found.value.spec


def test_an_invariant_may_assert() -> None:
    def nothing_happens(run: TransactionRun) -> None:
        raise AssertionError("it did")

    with pytest.raises(Counterexample, match="nothing_happens does not hold") as found:
        check_transaction(
            transfer, invariant=nothing_happens, refine=SMALL, max_commands=10, settings=MANY
        )
    assert "? it did" in str(found.value)


def test_only_transactions_are_checked() -> None:
    wrong: Any = cart
    with pytest.raises(TypeError, match="check_transaction takes a Transaction, not Aggregate"):
        check_transaction(wrong)
