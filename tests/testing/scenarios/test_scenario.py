"""Given-when-then for whole applications, in memory and on real servers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from textwrap import dedent
from typing import Any

import attrs
import pytest

from eventhus import Application, ConcurrencyError, Metadata
from eventhus.errors import CompositionError, InvalidArgument, OutcomeUnknown
from eventhus.middleware import Envelope, Handler
from eventhus.ports import EventData, MessageHandler
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryBus, MemoryStore
from eventhus_memory.bus import MemoryPublisher, MemorySubscription
from eventhus_mongo import MongoStore
from eventhus_nats import NatsBus
from eventhus_testing import like
from eventhus_testing.doubles.faulty_bus import FaultyBus
from eventhus_testing.doubles.faulty_store import FaultyStore
from eventhus_testing.doubles.in_memory import memory_application
from eventhus_testing.scenarios.scenario import AppScenario, scenario
from examples.bank.account import (
    Account,
    AccountCreated,
    AccountExists,
    AccountNotFound,
    ChangeOwner,
    CreateAccount,
    DepositPerformed,
    InsufficientFunds,
    OwnerChanged,
    PerformDeposit,
    PerformWithdrawal,
    WithdrawalPerformed,
    account,
)

create = CreateAccount(aggregate_id="a1", owner="ann")
deposit = PerformDeposit(aggregate_id="a1", amount=10)
withdraw = PerformWithdrawal(aggregate_id="a1", amount=30)


@pytest.fixture(params=["memory", "servers"])
def bank_app(request: pytest.FixtureRequest) -> Application:
    """The bank, in memory and on MongoDB and NATS."""
    if request.param == "memory":
        return memory_application(account, bucket="bank")
    bucket = request.getfixturevalue("mongo_bucket")
    request.getfixturevalue("nats_bucket")
    return Application.open(
        bucket=bucket,
        aggregates=[account],
        store=request.getfixturevalue("mongo_url"),
        bus=request.getfixturevalue("nats_url"),
    )


@pytest.fixture
def app() -> Application:
    """The bank, in memory."""
    return memory_application(account, bucket="bank")


async def test_a_whole_application(bank_app: Application) -> None:
    """A history, a command, and what comes of it in the log, the state and on the bus."""
    async with scenario(bank_app) as bank:
        await bank.given(account, "a1", AccountCreated("ann"), DepositPerformed(100))
        await bank.given(account, "a2", AccountCreated("bob"))
        await bank.when(withdraw)
        await bank.then(WithdrawalPerformed(30))
        await bank.then_state(account, "a1", Account("ann", 70))
        await bank.then_committed(version=3)
        await bank.then_published(WithdrawalPerformed(30))


async def test_it_goes_on(bank_app: Application) -> None:
    """Each ``then`` speaks of the last ``when``, and more can have happened in between."""
    async with scenario(bank_app) as bank:
        await bank.when(create)
        await bank.then(AccountCreated("ann"))
        await bank.when(withdraw)
        await bank.then_rejected(InsufficientFunds, match="balance 0")
        await bank.then_published()
        await bank.given(account, "a1", DepositPerformed(30))
        await bank.when(withdraw)
        await bank.then_published(WithdrawalPerformed(30))
        await bank.then_state(account, "a1", Account("ann", 0))


async def test_commands_in_a_row(app: Application) -> None:
    """Their events come together, also those of several aggregates."""
    async with scenario(app) as bank:
        other = CreateAccount(aggregate_id="a2", owner="bob")
        await bank.when(create, other, deposit)
        events = AccountCreated("ann"), AccountCreated("bob"), DepositPerformed(10)
        await bank.then(*events)
        await bank.then_published(*events)
        await bank.when(deposit, withdraw, deposit)
        await bank.then_rejected(InsufficientFunds)
        await bank.then_published(DepositPerformed(10))


async def test_not_everything_matters(app: Application) -> None:
    """Fields may be left open, as in specs."""
    async with scenario(app) as bank:
        await bank.when(create, deposit)
        await bank.then(like(AccountCreated), DepositPerformed(77), ignoring={"amount"})
        await bank.then_published(AccountCreated("ann"), like(DepositPerformed, amount=10))
        await bank.then_state(account, "a1", like(Account, balance=10))
        await bank.then_state(account, "a1", Account("bob", 10), ignoring={"owner"})
        with pytest.raises(AssertionError, match=r"- DepositPerformed\(amount=11, ...\)"):
            await bank.then(like(AccountCreated), like(DepositPerformed, amount=11))


async def test_nothing_happens(app: Application) -> None:
    """A command may be accepted and change nothing."""
    async with scenario(app) as bank:
        await bank.given(account, "a1", AccountCreated("ann"))
        await bank.when(ChangeOwner(aggregate_id="a1", owner="ann"))
        await bank.then_nothing()
        await bank.then_published()
        await bank.then_committed(version=1)


async def test_what_a_dispatch_may_say(app: Application) -> None:
    """Metadata is carried, and a command that comes twice gets its first answer."""
    async with scenario(app) as bank:
        metadata = Metadata(causation_id="mail-1", values={"user": "ann"})
        await bank.when(create, command_id="create-1", expected_version=0, metadata=metadata)
        await bank.then_committed(version=1, metadata=metadata)
        await bank.then_committed(metadata=Metadata("bank-000002", values={"user": "ann"}))
        await bank.when(create, command_id="create-1")
        await bank.then(AccountCreated("ann"))
        await bank.then_published()
        await bank.when(create)
        await bank.then_rejected(AccountExists)


async def test_history_is_like_any_other(app: Application) -> None:
    """It is in the log, dated by the application's clock, as one conversation."""
    async with app:
        async with scenario(app) as bank:
            await bank.given(account, "a1", AccountCreated("ann"), DepositPerformed(5))
        history = await app.history(account, "a1")
    assert [1, 2] == [recorded.version for recorded in history]
    assert {"bank-000002"} == {recorded.metadata.correlation_id for recorded in history}
    assert {2026} == {recorded.recorded_at.year for recorded in history}


class WatchedBus(MemoryBus):
    """A bus that remembers its subscriptions."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[MemorySubscription] = []

    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> MemorySubscription:
        """As any."""
        self.made.append(await super().subscribe(handler, group=group, concurrency=concurrency))
        return self.made[-1]


async def test_an_application_that_is_running() -> None:
    """It is not entered twice, goes on when the scenario ends, and delivers to it no more."""
    bus = WatchedBus()
    async with memory_application(account, bus=bus) as app:
        for aggregate_id in ("a1", "a2"):
            async with scenario(app) as bank:
                await bank.when(CreateAccount(aggregate_id=aggregate_id, owner="ann"))
                await bank.then_published(AccountCreated("ann"))
        assert [True, True] == [all(task.done() for task in each.workers) for each in bus.made]
        await app.dispatch(deposit)
        assert Account("ann", 10) == await app.state(account, "a1")


async def test_without_a_bus() -> None:
    """Everything but the bus can be spoken of."""
    app = Application(bucket="bank", aggregates=[account], store=MemoryStore(), codec=CattrsCodec())
    async with scenario(app) as bank:
        await bank.when(create)
        await bank.then(AccountCreated("ann"))
        with pytest.raises(CompositionError, match="no bus"):
            await bank.then_published(AccountCreated("ann"))


async def test_over_a_bus_that_does_its_worst() -> None:
    """Repeats and another order of aggregates make no difference."""
    bus = FaultyBus(MemoryBus())
    bus.repeats()
    bus.loses_acknowledgement()
    bus.reorders()
    async with scenario(memory_application(account, bus=bus)) as bank:
        await bank.when(create, CreateAccount(aggregate_id="a2", owner="bob"), deposit)
        await bank.then_published(
            AccountCreated("ann"), AccountCreated("bob"), DepositPerformed(10)
        )


async def test_faults_in_front_of_real_servers(
    mongo_url: str, mongo_bucket: str, nats_url: str, nats_bucket: str
) -> None:
    """They stand in front of any store and any bus, which stay what they are."""
    store = FaultyStore(MongoStore.open(mongo_url, mongo_bucket))
    bus = FaultyBus(NatsBus.open(nats_url, nats_bucket))
    bus.repeats()
    bus.reorders()
    async with scenario(
        memory_application(account, bucket=mongo_bucket, store=store, bus=bus)
    ) as bank:
        await bank.given(account, "a1", AccountCreated("ann"))
        store.loses_acknowledgement("append")
        with pytest.raises(OutcomeUnknown):
            await bank.when(deposit, command_id="deposit-1")
        await bank.when(deposit, command_id="deposit-1")
        await bank.then(DepositPerformed(10))
        await bank.then_published()
        store.conflicts(EventData("DepositPerformed", {"amount": 5}))
        await bank.when(PerformWithdrawal(aggregate_id="a1", amount=10))
        await bank.then(WithdrawalPerformed(10))
        await bank.then_published(DepositPerformed(5), WithdrawalPerformed(10))
        await bank.then_state(account, "a1", Account("ann", 5))
    assert [] == store.pending


async def test_another_exception_travels() -> None:
    """It is no outcome, and an unchecked ``when`` does not hide it."""
    store = FaultyStore(MemoryStore())
    store.loses_acknowledgement("append", at=2)

    async def work() -> None:
        async with scenario(memory_application(account, store=store)) as bank:
            await bank.when(create)
            await bank.then(AccountCreated("ann"))
            await bank.when(deposit)

    with pytest.raises(OutcomeUnknown):
        await work()


async def test_another_exception_can_be_expected(app: Application) -> None:
    """It leaves nothing to check, and is told like the rest."""

    async def work(bank: AppScenario) -> None:
        await bank.when(create)
        await bank.then(AccountCreated("ann"))
        with pytest.raises(ConcurrencyError):
            await bank.when(deposit, expected_version=7)
        with pytest.raises(TypeError, match="put one before it"):
            await bank.then_nothing()
        await bank.when(deposit)
        await bank.then_nothing()

    await shows(
        """
        bank: PerformDeposit produced other events than expected (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
        then     AccountCreated(owner='ann')
        when     PerformDeposit(aggregate_id='a1', amount=10)
        then     raised ConcurrencyError: Account/a1 is at version 1, not 7; load it again and decide on its new state
        when     PerformDeposit(aggregate_id='a1', amount=10)
        then   - nothing
               + DepositPerformed(amount=10)
        """,  # noqa: E501
        app,
        work,
    )


Work = Callable[[AppScenario], Coroutine[Any, Any, None]]


async def shows(text: str, app: Application, work: Work) -> None:
    """Assert that a scenario fails with exactly this text, which is indented for reading."""
    with pytest.raises(AssertionError) as failure:
        async with scenario(app, patience_s=0.01) as bank:
            await work(bank)
    assert dedent(text).strip() == str(failure.value)


async def test_other_events(app: Application) -> None:
    """What was done stands above, by aggregate, and what differs is named."""

    async def work(bank: AppScenario) -> None:
        await bank.given(account, "a1", AccountCreated("ann"), DepositPerformed(100))
        await bank.when(deposit)
        await bank.then(DepositPerformed(10))
        await bank.when(withdraw)
        await bank.then(WithdrawalPerformed(40))

    await shows(
        """
        bank: PerformWithdrawal produced other events than expected (- expected, + actual)

        given    Account/a1: AccountCreated(owner='ann')
                 Account/a1: DepositPerformed(amount=100)
        when     PerformDeposit(aggregate_id='a1', amount=10)
        then     DepositPerformed(amount=10)
        when     PerformWithdrawal(aggregate_id='a1', amount=30)
        then   - WithdrawalPerformed(amount=40)
               + WithdrawalPerformed(amount=30)
               ? amount: expected 40, actual 30
        """,
        app,
        work,
    )


async def test_too_many_and_too_few_events(app: Application) -> None:
    """What both have in common is not marked."""

    async def work(bank: AppScenario) -> None:
        await bank.when(create, deposit, ChangeOwner(aggregate_id="a1", owner="bob"))
        await bank.then(AccountCreated("ann"), OwnerChanged("bob"))

    await shows(
        """
        bank: ChangeOwner produced other events than expected (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
                 PerformDeposit(aggregate_id='a1', amount=10)
                 ChangeOwner(aggregate_id='a1', owner='bob')
        then     AccountCreated(owner='ann')
               + DepositPerformed(amount=10)
                 OwnerChanged(owner='bob')
        """,
        app,
        work,
    )


async def test_a_refusal_that_nobody_expected(app: Application) -> None:
    """Its reason is shown, and it is the cause of the failure."""

    async def work(bank: AppScenario) -> None:
        await bank.when(deposit)
        await bank.then(DepositPerformed(10))

    await shows(
        """
        bank: PerformDeposit was refused instead of accepted (- expected, + actual)

        when     PerformDeposit(aggregate_id='a1', amount=10)
        then   - DepositPerformed(amount=10)
               + refused with AccountNotFound: there is no account a1
        """,
        app,
        work,
    )


@pytest.mark.parametrize(
    ("reason", "match", "happened", "expected"),
    [
        (AccountExists, None, "for another reason", "AccountExists"),
        (AccountNotFound, "a2", "with another message", "AccountNotFound, matching 'a2'"),
    ],
)
async def test_another_refusal(
    app: Application, reason: Any, match: str | None, happened: str, expected: str
) -> None:
    """Another class and another message are told apart."""

    async def work(bank: AppScenario) -> None:
        await bank.when(deposit)
        await bank.then_rejected(reason, match=match)

    await shows(
        f"""
        bank: PerformDeposit was refused {happened} than expected (- expected, + actual)

        when     PerformDeposit(aggregate_id='a1', amount=10)
        then   - refused with {expected}
               + refused with AccountNotFound: there is no account a1
        """,
        app,
        work,
    )


async def test_accepted_instead_of_refused(app: Application) -> None:
    """What happened instead is shown; nothing is a thing, too."""

    async def work(bank: AppScenario) -> None:
        await bank.when(create, ChangeOwner(aggregate_id="a1", owner="ann"))
        await bank.then(AccountCreated("ann"))
        await bank.when(ChangeOwner(aggregate_id="a1", owner="ann"))
        await bank.then_rejected(AccountExists)

    await shows(
        """
        bank: ChangeOwner was accepted instead of refused (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
                 ChangeOwner(aggregate_id='a1', owner='ann')
        then     AccountCreated(owner='ann')
        when     ChangeOwner(aggregate_id='a1', owner='ann')
        then   - refused with AccountExists
               + nothing
        """,
        app,
        work,
    )


async def test_nothing_instead_of_something(app: Application) -> None:
    """Nothing is a thing, too."""

    async def work(bank: AppScenario) -> None:
        await bank.given(account, "a1", AccountCreated("ann"))
        await bank.when(ChangeOwner(aggregate_id="a1", owner="ann"))
        await bank.then(OwnerChanged("ann"))

    await shows(
        """
        bank: ChangeOwner produced other events than expected (- expected, + actual)

        given    Account/a1: AccountCreated(owner='ann')
        when     ChangeOwner(aggregate_id='a1', owner='ann')
        then   - OwnerChanged(owner='ann')
               + nothing
        """,
        app,
        work,
    )


async def test_another_state(app: Application) -> None:
    """Of the aggregate that was asked for."""

    async def work(bank: AppScenario) -> None:
        await bank.when(create)
        await bank.then_state(account, "a1", Account("bob"))

    await shows(
        """
        bank: CreateAccount led to another state than expected (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
        then     AccountCreated(owner='ann')
        state  - Account/a1: Account(owner='bob', balance=0)
               + Account/a1: Account(owner='ann', balance=0)
               ? owner: expected 'bob', actual 'ann'
        """,
        app,
        work,
    )


async def test_another_version(app: Application) -> None:
    """Where the aggregate stands after the last command."""

    async def work(bank: AppScenario) -> None:
        await bank.when(create, deposit)
        await bank.then_committed(version=3)

    await shows(
        """
        bank: PerformDeposit led elsewhere than expected (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
                 PerformDeposit(aggregate_id='a1', amount=10)
        then     AccountCreated(owner='ann')
                 DepositPerformed(amount=10)
               - version: 3
               + version: 2
        """,
        app,
        work,
    )


async def test_other_metadata(app: Application) -> None:
    """Ids that are not given do not count; what is given must be."""

    async def work(bank: AppScenario) -> None:
        await bank.when(create, metadata=Metadata("talk", values={"user": "ann"}))
        await bank.then_committed(metadata=Metadata(values={"user": "ann"}))
        await bank.then_committed(metadata=Metadata("tolk", values={"user": "ann"}))

    await shows(
        """
        bank: CreateAccount led elsewhere than expected (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
        then     AccountCreated(owner='ann')
               - metadata: Metadata(correlation_id='tolk', causation_id=None, values=mappingproxy({'user': 'ann'}))
               + metadata: Metadata(correlation_id='talk', causation_id=None, values=mappingproxy({'user': 'ann'}))
               ? correlation_id: expected 'tolk', actual 'talk'
        """,  # noqa: E501
        app,
        work,
    )


async def test_not_committed(app: Application) -> None:
    """A refusal is no commit."""

    async def work(bank: AppScenario) -> None:
        await bank.when(deposit)
        await bank.then_committed()

    await shows(
        """
        bank: PerformDeposit was refused instead of accepted (- expected, + actual)

        when     PerformDeposit(aggregate_id='a1', amount=10)
        then   - committed
               + refused with AccountNotFound: there is no account a1
        """,
        app,
        work,
    )


async def test_other_events_on_the_bus(app: Application) -> None:
    """Those that the bus carried are compared."""

    async def work(bank: AppScenario) -> None:
        await bank.when(create)
        await bank.then_published()

    await shows(
        """
        bank: CreateAccount published other events than expected (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
        bus    - nothing
               + AccountCreated(owner='ann')
        """,
        app,
        work,
    )


class DeafBus(MemoryBus):
    """A bus that takes messages and gives nothing."""

    async def publisher(self) -> MemoryPublisher:
        """One that reaches nobody."""
        return MemoryPublisher({})


async def test_what_does_not_come_over_the_bus() -> None:
    """It is waited for, and not for ever."""

    async def work(bank: AppScenario) -> None:
        await bank.when(create)
        await bank.then_published(AccountCreated("ann"))

    await shows(
        """
        bank: CreateAccount published too little (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
        bus    ? 1 of the events did not come over the bus within 0.01 s
        """,
        memory_application(account, bucket="bank", bus=DeafBus()),
        work,
    )


UNCHECKED = """
    bank: CreateAccount was not looked at (- expected, + actual)

    when     CreateAccount(aggregate_id='a1', owner='ann')
    then     AccountCreated(owner='ann')
           ? nothing was said of what came of it; put a then behind each when
    """


async def test_a_when_without_a_then(app: Application) -> None:
    """At the end, it is an error."""

    async def work(bank: AppScenario) -> None:
        await bank.when(create)

    await shows(UNCHECKED, app, work)


async def test_a_when_without_a_then_before_another(app: Application) -> None:
    """And before the next command; that is not dispatched."""

    async def work(bank: AppScenario) -> None:
        await bank.when(create)
        await bank.when(deposit)

    await shows(UNCHECKED, app, work)


async def test_misuse(app: Application) -> None:
    """What cannot be meant is a TypeError, which says what is."""
    async with scenario(app) as bank:
        with pytest.raises(TypeError, match=r"^then speaks of what came of a when"):
            await bank.then(AccountCreated("ann"))
        with pytest.raises(TypeError, match="at least one command"):
            await bank.when()
        with pytest.raises(TypeError, match="at least one event"):
            await bank.given(account, "a1")
        with pytest.raises(TypeError, match=r"^given: CreateAccount\(.* of Account; give single"):
            await bank.given(account, "a1", create)  # type: ignore[misc]
        await bank.when(create)
        with pytest.raises(TypeError, match=r"^then: .* of application bank; give single"):
            await bank.then([AccountCreated("ann")])
        with pytest.raises(TypeError, match=r"^then_published: "):
            await bank.then_published("AccountCreated")
        await bank.then_committed()


async def test_the_fixture(memory_application: Callable[..., Application]) -> None:
    """It composes what the function of the same name does."""
    seen: list[object] = []

    def look(handle: Handler) -> Handler:
        async def looking(envelope: Envelope) -> Any:
            seen.append(envelope.command)
            return await handle(envelope)

        return looking

    async with memory_application(account, middleware=[look]) as app:
        committed = await app.dispatch(create)
    assert ([create], "test-000002-1") == (seen, committed.events[0].id)


async def test_what_a_scenario_refuses(app: Application) -> None:
    """What would say nothing, or something else than it seems."""
    stranger = attrs.evolve(account, name="Stranger")
    async with scenario(app) as bank:
        with pytest.raises(InvalidArgument, match="Stranger is not an aggregate of application"):
            await bank.given(stranger, "a1", AccountCreated("ann"))
        with pytest.raises(TypeError, match="that of a single command"):
            await bank.when(create, deposit, command_id="x")
        await bank.given(account, "a1", AccountCreated("ann"))
        await bank.when(ChangeOwner(aggregate_id="a1", owner="ann"))
        with pytest.raises(AssertionError, match="'no event'"):
            await bank.then_committed(metadata=Metadata())
