"""What type checkers see of the kit: inference without annotations, and misuse that is caught.

Nothing here runs. ``make check`` has mypy and pyright read it; each mistake is marked for both, and
a mark without a mistake is an error as well, so neither can stop seeing one unnoticed.
"""

from collections.abc import Iterator
from typing import assert_type

from attrs import frozen

import eventhus_testing
from eventhus import (
    Aggregate,
    Command,
    Decision,
    Metadata,
    Process,
    Query,
    Recorded,
    Rejected,
    Transaction,
    View,
)
from eventhus_testing import (
    AppScenario,
    Outcome,
    ProcessOutcome,
    ProcessSpec,
    Spec,
    TransactionOutcome,
    TransactionRun,
    TransactionSpec,
    ViewOutcome,
    ViewSpec,
    check_decision,
    check_transaction,
    like,
    memory_application,
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


def boundary(command: Deposit | Close) -> Query:
    return Query.of(Deposited, tags={command.aggregate_id})


def split(command: Write) -> Iterator[Command]:
    yield deposit


ledger = Decision(name="Ledger", initial=Account(), boundary=boundary, decide=decide, evolve=evolve)
writing = Transaction(name="Writing", aggregates=[account], split=split)
wrote = spec(writing).given(account, "a1", Deposited(1)).when(Write(aggregate_id="n"))


def what_is_inferred_of_decisions_and_transactions() -> None:
    """The same as of an aggregate."""
    assert_type(spec(ledger), Spec[Deposit | Close, Deposited | Closed, Account])
    assert_type(spec(ledger).when(deposit), Outcome[Deposit | Close, Deposited | Closed, Account])
    assert_type(spec(writing), TransactionSpec[Write])
    assert_type(wrote.then(account, "a1", Deposited(1)), TransactionOutcome[Write])
    assert_type(wrote.events(account, "a1"), tuple[Deposited | Closed, ...])
    assert_type(wrote.state(account, "a1"), Account)
    assert_type(wrote.run, TransactionRun)
    assert_type(wrote.run.states(account), dict[str, Account])
    assert_type(wrote.run.states_before(account), dict[str, Account])


def what_is_allowed_of_decisions_and_transactions() -> None:
    """Everything that belongs together."""
    spec(ledger).given(Deposited(1), Closed()).when(deposit).then(Deposited(1))
    wrote.then(account, "a1", like(Deposited), Closed()).then_state(account, "a1", Account(1))
    wrote.then_state_matching(account, "a1", lambda a: a.balance > 0).then_rejected(Overdrawn)
    check_decision(ledger, invariant=lambda history: len(history) < 9)
    check_transaction(writing, invariant=lambda run: len(run.states(account)) < 9)
    memory_application(account, decisions=[ledger], transactions=[writing])


def what_is_caught_of_decisions_and_transactions() -> None:
    """The parts that belong elsewhere."""
    spec(ledger).given(Written())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    spec(ledger).when(Write(aggregate_id="n"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    spec(ledger).when(deposit).then(Written())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    spec(ledger).when(deposit).then_state(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    spec(writing).given(account, "a1", Written())  # type: ignore[misc]  # pyright: ignore[reportArgumentType]
    spec(writing).given(balances, "a1", Deposited(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    spec(writing).when(deposit)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    wrote.then(account, "a1", Written())  # type: ignore[misc]  # pyright: ignore[reportArgumentType]
    wrote.then_state(account, "a1", 1)  # type: ignore[misc]  # pyright: ignore[reportArgumentType]
    wrote.then_rejected(ValueError)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
    check_transaction(account)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    check_transaction(writing, invariant=lambda run: run.state)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownLambdaType, reportUnknownMemberType]
    check_decision(account)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    memory_application(ledger)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


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
