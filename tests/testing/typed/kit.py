"""What type checkers see of the kit: inference without annotations, and misuse that is caught.

Nothing here runs. ``make check`` has mypy and pyright read it; each mistake is marked for both, and
a mark without a mistake is an error as well, so neither can stop seeing one unnoticed.
"""

from collections.abc import Iterator
from typing import assert_type

from attrs import frozen

import eventhus_testing
from eventhus import Aggregate, Command, Metadata, Process, Recorded, Rejected, View
from eventhus_testing import (
    AppScenario,
    Outcome,
    ProcessOutcome,
    ProcessSpec,
    Spec,
    ViewOutcome,
    ViewSpec,
    like,
    spec,
)


@frozen(kw_only=True)
class Deposit(Command):
    amount: int


@frozen(kw_only=True)
class Close(Command):
    pass


@frozen
class Deposited:
    amount: int


@frozen
class Closed:
    pass


class Overdrawn(Rejected):
    cents = 0


@frozen
class Account:
    balance: int = 0


def decide(command: Deposit | Close, account: Account) -> Iterator[Deposited | Closed]:
    yield Closed()


def evolve(account: Account, event: Deposited | Closed) -> Account:
    return account


account = Aggregate(name="Account", initial=Account(), decide=decide, evolve=evolve)


@frozen(kw_only=True)
class Write(Command):
    pass


@frozen
class Written:
    pass


def by_id(recorded: Recorded[object]) -> str:
    return recorded.stream.aggregate_id


def fold(balance: int, recorded: Recorded[Deposited]) -> int:
    return balance + recorded.event.amount


def react(balance: int, recorded: Recorded[Deposited]) -> Iterator[Command]:
    yield Close(aggregate_id="a1")


balances = View(name="balances", initial=0, key=by_id, evolve=fold)
closing = Process(name="closing", initial=0, key=by_id, evolve=fold, react=react)

deposit = Deposit(aggregate_id="a1", amount=1)
given = spec(account).given(Deposited(1), Closed())
outcome = given.when(deposit)


def what_is_inferred() -> None:
    """Nothing needs an annotation."""
    assert_type(given, Spec[Deposit | Close, Deposited | Closed, Account])
    assert_type(outcome, Outcome[Deposit | Close, Deposited | Closed, Account])
    assert_type(outcome.and_when(deposit).then_nothing().state, Account)
    assert_type(outcome.events, tuple[Deposited | Closed, ...])
    assert_type(spec(balances), ViewSpec[Deposited, int])
    assert_type(spec(closing), ProcessSpec[Deposited, int])
    assert_type(spec(balances).given("a1", Deposited(1)), ViewSpec[Deposited, int])
    assert_type(spec(balances).when("a1", Deposited(1)), ViewOutcome[Deposited, int])
    assert_type(spec(closing).given("a1", Deposited(1)), ProcessSpec[Deposited, int])
    sent = spec(closing).when("a1", Deposited(1))
    assert_type(sent.then_nothing(), ProcessOutcome[Deposited, int])
    assert_type(like(Deposited, amount=1), Deposited)


def what_is_allowed() -> None:
    """Everything that belongs together."""
    given.given_state(Account(1)).given_commands(deposit).when(deposit, Close(aggregate_id="a1"))
    given.when_repeated(2, deposit).then(Deposited(1), like(Deposited)).then_only(Deposited, Closed)
    given.when_called(lambda account: [Deposited(account.balance)]).then_state(Account(1))
    outcome.then_state(like(Account, balance=1)).then_state_matching(lambda a: a.balance > 0)
    outcome.then_matching(lambda event: event.amount > 0)
    outcome.then(like(Deposited, amount=lambda amount: amount > 0))
    outcome.then_rejected(Overdrawn, match="x", where=lambda refusal: refusal.cents > 0)
    spec(balances).given("a1", Deposited(1)).when("a2", Deposited(1)).then_view("a1", 1)
    spec(balances).when("a1", Deposited(1)).then_no_view("a2").then_untouched("a2")
    spec(closing).given("a1", Deposited(1)).when("a2", Deposited(1)).then_commands(deposit)
    spec(closing).when("a1", Deposited(1)).then_state("a1", 1).then_no_state("a2")


def what_is_caught() -> None:
    """A wrong event, a foreign command, another state."""
    given.given(Written())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    given.given(deposit)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    given.given_state(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    given.given_commands(Write(aggregate_id="n"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    given.when(Write(aggregate_id="n"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    given.when(Deposited(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    given.when_repeated(2, Write(aggregate_id="n"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    given.when_called(lambda account: [Written()])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    given.then(Deposited(1))  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    outcome.and_when(Write(aggregate_id="n"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    outcome.then(Written())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    outcome.then(like(Written))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    outcome.then_only(Written)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    outcome.then_in_any_order(Written())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    outcome.then_containing(Written())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    outcome.then_state(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    outcome.then_rejected(ValueError)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    spec(balances).given("a1", Written())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    spec(balances).then_untouched("a1")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    spec(balances).then_view("a1", "1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    spec(closing).when("a1", Written())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    spec(closing).when("a1", Deposited(1)).then_state("a1", "1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    spec(closing).when("a1", Deposited(1)).then_commands(Deposited(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    eventhus_testing.at("noon")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    spec("account")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


async def what_is_allowed_of_an_application(bank: AppScenario) -> None:
    """An application has events of any class; its aggregates, views and processes have theirs."""
    await bank.given(account, "a1", Deposited(1), Closed())
    await bank.when(deposit, Write(aggregate_id="n"), metadata=Metadata())
    await bank.then(Deposited(1), like(Written))
    await bank.then_only(Deposited, Written)
    await bank.then_in_any_order(Written(), Deposited(1), ignoring={"amount"})
    await bank.then_containing(like(Deposited, amount=1), ignoring={"amount"})
    await bank.then_matching(Written(), lambda event: event.amount > 0)
    await bank.then_rejected(Overdrawn, match="x", where=lambda refusal: refusal.cents > 0)
    await bank.then_state(account, "a1", like(Account, balance=1))
    await bank.then_state_matching(account, "a1", lambda a: a.balance > 0)
    await bank.then_view(balances, "a1", 1)
    await bank.then_commands(closing, deposit)
    assert_type(bank.refusal, Rejected | None)


async def what_is_caught_of_an_application(bank: AppScenario) -> None:
    """What belongs elsewhere, and a word that is not awaited."""
    await bank.given(account, "a1", Written())  # type: ignore[misc]  # pyright: ignore[reportArgumentType]
    await bank.given(account, "a1", deposit)  # type: ignore[misc]  # pyright: ignore[reportArgumentType]
    await bank.when(Deposited(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await bank.then_only(Deposited(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await bank.then_in_any_order(Deposited(1), ignoring=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await bank.then_containing(Deposited(1), match="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await bank.then_matching(Deposited(1), ignoring={"amount"})  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await bank.then_rejected(ValueError)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    await bank.then_rejected(Overdrawn("x"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await bank.then_rejected(Overdrawn, where=lambda refusal: refusal.pence > 0)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownLambdaType, reportUnknownMemberType]
    await bank.then_state(account, "a1", "ann")  # type: ignore[misc]  # pyright: ignore[reportArgumentType]
    await bank.then_state_matching(balances, "a1", lambda a: a > 0)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportOperatorIssue, reportUnknownLambdaType]
    await bank.then_view(balances, "a1", "1")  # type: ignore[misc]  # pyright: ignore[reportArgumentType]
    await bank.then_commands(closing, Deposited(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    bank.then_nothing()  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]
