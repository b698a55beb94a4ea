"""Specs of transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import attrs
import pytest

from eventhus import Aggregate, Command, Transaction
from eventhus_testing import RuleBroken, like, spec
from eventhus_testing.reports.unchecked import unchecked_text
from eventhus_testing.specs.recording import opened
from examples.bank.account import (
    Account,
    AccountCreated,
    ChangeOwner,
    DepositPerformed,
    InsufficientFunds,
    PerformDeposit,
    PerformWithdrawal,
    WithdrawalPerformed,
    account,
)
from examples.bank.transfer import Transfer, transfer
from tests.testing.cart import TEA, ItemAdded, cart
from tests.testing.specs.flawed_domains import attentive, closing, emptied

BOTH = (
    spec(transfer)
    .given(account, "a1", AccountCreated("ann"), DepositPerformed(100))
    .given(account, "b1", AccountCreated("bob"))
)
THIRTY = Transfer(aggregate_id="a1", to="b1", amount=30)


def with_split(split: Callable[[Any], Iterator[Command]]) -> Any:
    return attrs.evolve(transfer, split=split)


def failure_of(check: Callable[[], object]) -> str:
    with pytest.raises(AssertionError) as failure:
        check()
    return str(failure.value)


def test_other_events_are_shown_with_the_whole_story() -> None:
    text = failure_of(lambda: BOTH.when(THIRTY).then(account, "b1", DepositPerformed(31)))
    assert text == (
        "Transfer: Transfer produced other events than expected in Account/b1 "
        "(- expected, + actual)\n"
        "\n"
        "given    Account/a1: AccountCreated(owner='ann')\n"
        "         Account/a1: DepositPerformed(amount=100)\n"
        "         Account/b1: AccountCreated(owner='bob')\n"
        "when     Transfer(aggregate_id='a1', to='b1', amount=30)\n"
        "then   - DepositPerformed(amount=31)\n"
        "       + DepositPerformed(amount=30)\n"
        "       ? amount: expected 31, actual 30"
    )


def test_an_aggregate_that_should_not_change_is_checked() -> None:
    outcome = BOTH.when(THIRTY).then(account, "c1")
    outcome.then(account, "a1", WithdrawalPerformed(30))
    outcome.then(account, "b1", DepositPerformed(30))
    text = failure_of(lambda: BOTH.when(THIRTY).then(account, "a1"))
    assert "- nothing" in text


def test_a_refusal_fails_the_check_of_events() -> None:
    too_much = Transfer(aggregate_id="a1", to="b1", amount=101)
    text = failure_of(lambda: BOTH.when(too_much).then(account, "a1", WithdrawalPerformed(101)))
    assert "was refused instead of accepted" in text
    assert "refused with InsufficientFunds" in text


def test_an_accepted_command_fails_the_check_of_a_refusal() -> None:
    text = failure_of(lambda: BOTH.when(THIRTY).then_rejected(InsufficientFunds))
    assert "was accepted instead of refused" in text
    assert "+ Account/b1: DepositPerformed(amount=30)" in text


def test_other_states_are_shown() -> None:
    text = failure_of(lambda: BOTH.when(THIRTY).then_state(account, "b1", Account("bob", 31)))
    assert "- Account/b1: Account(owner='bob', balance=31)" in text


def test_matchers_leave_open_what_does_not_matter() -> None:
    (
        BOTH.when(THIRTY)
        .then(account, "a1", like(WithdrawalPerformed))
        .then(account, "b1", DepositPerformed(0), ignoring={"amount"})
        .then_matching(account, "b1", lambda event: event.amount == 30)
        .then_state(account, "b1", like(Account, balance=30))
        .then_state_matching(account, "a1", lambda state: state.balance == 70)
    )
    failure_of(lambda: BOTH.when(THIRTY).then_matching(account, "b1", lambda event: False))
    failure_of(
        lambda: BOTH.when(THIRTY).then_state_matching(account, "a1", lambda s: s.balance == 0)
    )


def test_outcomes_can_be_read() -> None:
    outcome = BOTH.when(THIRTY)
    assert (DepositPerformed(30),) == outcome.events(account, "b1")
    assert 30 == outcome.state(account, "b1").balance
    assert Account() == outcome.state(account, "c1")
    assert ["a1", "b1"] == [stream.aggregate_id for stream in outcome.streams]
    assert outcome.refusal is None


def test_commands_for_one_aggregate_are_decided_one_after_another() -> None:
    def twice(command: Transfer) -> Iterator[Command]:
        for _ in range(2):
            yield PerformWithdrawal(aggregate_id="a1", amount=command.amount)

    subject = spec(with_split(twice)).given(account, "a1", AccountCreated("ann"))
    subject = subject.given(account, "a1", DepositPerformed(50))
    subject.when(THIRTY).then_rejected(InsufficientFunds, match="balance 20")


def test_events_are_stored_stream_by_stream() -> None:
    def there_and_back(command: Transfer) -> Iterator[Command]:
        yield PerformWithdrawal(aggregate_id="a1", amount=1)
        yield PerformDeposit(aggregate_id="b1", amount=2)
        yield PerformDeposit(aggregate_id="a1", amount=3)

    subject = spec(with_split(there_and_back)).given(account, "b1", AccountCreated("bob"))
    subject = subject.given(account, "a1", AccountCreated("ann"), DepositPerformed(50))
    outcome = subject.when(THIRTY)
    outcome.then(account, "a1", WithdrawalPerformed(1), DepositPerformed(3))
    outcome.then(account, "b1", DepositPerformed(2))


def test_nothing_may_happen() -> None:
    def keep_the_owner(command: Transfer) -> Iterator[Command]:
        yield ChangeOwner(aggregate_id="a1", owner="ann")

    subject = spec(with_split(keep_the_owner)).given(account, "a1", AccountCreated("ann"))
    subject.when(THIRTY).then_nothing()
    assert "- nothing" in failure_of(lambda: BOTH.when(THIRTY).then_nothing())


def test_split_must_be_repeatable() -> None:
    numbers = count(1)

    def moody(command: Transfer) -> Iterator[Command]:
        yield PerformDeposit(aggregate_id="a1", amount=next(numbers))

    with pytest.raises(RuleBroken, match="split returned different results") as broken:
        spec(with_split(moody)).given(account, "a1", AccountCreated("ann")).when(THIRTY)
    assert "repeatable" == broken.value.rule
    assert "when     Transfer(" in str(broken.value)


def test_the_aggregates_must_keep_the_rules() -> None:
    def closing(state: Account, event: Any) -> Any:
        return None

    careless = attrs.evolve(account, evolve=closing, state_type=Account)
    subject: Transaction[Transfer] = attrs.evolve(transfer, aggregates=[careless])
    with pytest.raises(RuleBroken) as broken:
        spec(subject).given(careless, "a1", AccountCreated("ann"))
    assert "evolvable" == broken.value.rule


def test_only_its_own_aggregates_events_and_commands_are_taken() -> None:
    stranger: Aggregate[Any, Any, Any] = cart
    foreign: Any = ItemAdded(TEA)
    outcome = BOTH.when(THIRTY)
    assert outcome.refusal is None
    with pytest.raises(TypeError, match="Cart is not an aggregate of Transfer"):
        spec(transfer).given(stranger, "c1", foreign)
    with pytest.raises(TypeError, match="not an event of Account"):
        spec(transfer).given(account, "a1", foreign)
    with pytest.raises(TypeError, match="not an event of Account"):
        outcome.then(account, "a1", foreign)
    with pytest.raises(TypeError, match="not a command of Transfer"):
        BOTH.when(foreign)
    with pytest.raises(TypeError, match="at least one command"):
        BOTH.when()


def test_a_missing_when_gets_a_hint() -> None:
    subject: Any = spec(transfer)
    with pytest.raises(AttributeError, match=r"call \.when\(\.\.\.\) first"):
        _ = subject.then_nothing


def test_each_aggregate_that_changed_needs_a_check() -> None:
    with opened() as recording:
        BOTH.when(THIRTY).then(account, "a1", WithdrawalPerformed(30))
        (entry,) = recording.unchecked
    text = unchecked_text([entry])
    assert "a when needs a then for each aggregate that changed" in text
    assert "? add .then(account, 'b1', DepositPerformed(amount=30))," in text


def test_checks_of_all_aggregates_are_enough() -> None:
    with opened() as recording:
        outcome = BOTH.when(THIRTY).then(account, "a1", WithdrawalPerformed(30))
        outcome.then_state(account, "b1", Account("bob", 30))
        BOTH.when(Transfer(aggregate_id="a1", to="a1", amount=1)).then_rejected(Exception)  # type: ignore[type-var]
        assert [] == recording.unchecked


def test_an_unchecked_refusal_and_a_spec_without_a_when_are_found() -> None:
    with opened() as recording:
        spec(transfer).given(account, "a1", AccountCreated("ann"))
        BOTH.when(Transfer(aggregate_id="a1", to="a1", amount=1))
        text = unchecked_text(recording.unchecked)
    assert "? add .then_rejected(SameAccount)," in text
    assert "nothing was done" in text


def test_an_answer_that_depends_on_another_aggregate_is_refused() -> None:
    text = failure_of(
        lambda: (
            spec(attrs.evolve(transfer, aggregates=[attentive]))
            .given(attentive, "a1", AccountCreated("ann"), DepositPerformed(30))
            .given(attentive, "b1", AccountCreated("bob"), DepositPerformed(5))
            .when(THIRTY)
        )
    )
    assert "rule 'independent' is broken (rules=Rules(independent=False) switches it off)" in text
    assert text.endswith(
        "but    + Account/b1 is decided differently if it is asked before the other aggregates; "
        "decide and evolve must depend on the state of their own aggregate alone\n"
        "       ? in order DepositPerformed(amount=31)\n"
        "       ? asked first DepositPerformed(amount=30)"
    )


def test_a_refused_command_must_not_leave_anything_behind() -> None:
    """The withdrawal was possible; the deposit was not, so that nothing has happened."""
    emptied.clear()
    text = failure_of(
        lambda: (
            spec(attrs.evolve(transfer, aggregates=[closing]))
            .given(closing, "a1", AccountCreated("ann"), DepositPerformed(30))
            .when(THIRTY)
        )
    )
    assert text.endswith(
        "but    + Account/a1 was decided on another state than its events lead to; evolve must "
        "depend on the state and the event alone\n"
        "       ? balance: decided on 30, events lead to 0"
    )


def test_a_run_has_the_states_before_and_after_the_when() -> None:
    outcome = BOTH.when(THIRTY).then(account, "a1", WithdrawalPerformed(30)).and_when(THIRTY)
    run = outcome.run
    assert run.states_before(account) == {"a1": Account("ann", 70), "b1": Account("bob", 30)}
    assert run.states(account) == {"a1": Account("ann", 40), "b1": Account("bob", 60)}
    with pytest.raises(TypeError, match="states: Cart is not an aggregate of Transfer"):
        run.states(cart)
    with pytest.raises(TypeError, match="states_before: Cart is not an aggregate of Transfer"):
        run.states_before(cart)


def test_a_run_after_a_refusal_has_the_same_states_twice() -> None:
    run = BOTH.when(Transfer(aggregate_id="a1", to="c1", amount=30)).run
    assert run.states(account) == run.states_before(account)
