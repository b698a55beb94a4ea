"""Given-when-then for whole applications, in memory and on real servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from eventhus import Application, Metadata
from eventhus.errors import CompositionError, InvalidArgument, OutcomeUnknown
from eventhus.middleware import Envelope, Handler
from eventhus.ports import EventData, MessageHandler
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryBus, MemoryStore
from eventhus_memory.bus import MemorySubscription
from eventhus_mongo import MongoStore
from eventhus_nats import NatsBus
from eventhus_testing import like
from eventhus_testing.doubles.faulty_bus import FaultyBus
from eventhus_testing.doubles.faulty_store import FaultyStore
from eventhus_testing.doubles.in_memory import memory_application
from eventhus_testing.scenarios.scenario import scenario
from examples.bank.account import (
    Account,
    AccountCreated,
    AccountExists,
    ChangeOwner,
    CreateAccount,
    DepositPerformed,
    InsufficientFunds,
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


async def test_a_scenario_checks_events_state_version_and_messages(bank_app: Application) -> None:
    async with scenario(bank_app) as bank:
        await bank.given(account, "a1", AccountCreated("ann"), DepositPerformed(100))
        await bank.given(account, "a2", AccountCreated("bob"))
        await bank.when(withdraw)
        await bank.then(WithdrawalPerformed(30))
        await bank.then_state(account, "a1", Account("ann", 70))
        await bank.then_committed(version=3)
        await bank.then_published(WithdrawalPerformed(30))


async def test_checks_refer_to_the_last_when(bank_app: Application) -> None:
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


async def test_several_commands_share_one_outcome(app: Application) -> None:
    async with scenario(app) as bank:
        other = CreateAccount(aggregate_id="a2", owner="bob")
        await bank.when(create, other, deposit)
        events = AccountCreated("ann"), AccountCreated("bob"), DepositPerformed(10)
        await bank.then(*events)
        await bank.then_published(*events)
        await bank.when(deposit, withdraw, deposit)
        await bank.then_rejected(InsufficientFunds)
        await bank.then_published(DepositPerformed(10))


async def test_fields_can_be_ignored(app: Application) -> None:
    async with scenario(app) as bank:
        await bank.when(create, deposit)
        await bank.then(like(AccountCreated), DepositPerformed(77), ignoring={"amount"})
        await bank.then_published(AccountCreated("ann"), like(DepositPerformed, amount=10))
        await bank.then_state(account, "a1", like(Account, balance=10))
        await bank.then_state(account, "a1", Account("bob", 10), ignoring={"owner"})
        with pytest.raises(AssertionError, match=r"- DepositPerformed\(amount=11, ...\)"):
            await bank.then(like(AccountCreated), like(DepositPerformed, amount=11))


async def test_a_command_without_events_is_accepted(app: Application) -> None:
    async with scenario(app) as bank:
        await bank.given(account, "a1", AccountCreated("ann"))
        await bank.when(ChangeOwner(aggregate_id="a1", owner="ann"))
        await bank.then_nothing()
        await bank.then_published()
        await bank.then_committed(version=1)


async def test_when_passes_command_id_version_and_metadata_on(app: Application) -> None:
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


async def test_given_events_are_recorded_by_the_application_in_one_commit(app: Application) -> None:
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
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        **rest: Any,
    ) -> MemorySubscription:
        """Subscribe and keep the subscription."""
        self.made.append(
            await super().subscribe(handler, group=group, concurrency=concurrency, **rest)
        )
        return self.made[-1]


async def test_a_running_application_is_neither_entered_nor_exited() -> None:
    bus = WatchedBus()
    async with memory_application(account, bus=bus) as app:
        for aggregate_id in ("a1", "a2"):
            async with scenario(app) as bank:
                await bank.when(CreateAccount(aggregate_id=aggregate_id, owner="ann"))
                await bank.then_published(AccountCreated("ann"))
        assert [True, True] == [all(task.done() for task in each.workers) for each in bus.made]
        await app.dispatch(deposit)
        assert Account("ann", 10) == await app.state(account, "a1")


async def test_an_application_without_a_bus_refuses_only_then_published() -> None:
    app = Application(bucket="bank", aggregates=[account], store=MemoryStore(), codec=CattrsCodec())
    async with scenario(app) as bank:
        await bank.when(create)
        await bank.then(AccountCreated("ann"))
        with pytest.raises(CompositionError, match="no bus"):
            await bank.then_published(AccountCreated("ann"))


async def test_redelivery_and_reordering_do_not_affect_then_published() -> None:
    bus = FaultyBus(MemoryBus())
    bus.repeats()
    bus.loses_acknowledgement()
    bus.reorders()
    async with scenario(memory_application(account, bus=bus)) as bank:
        await bank.when(create, CreateAccount(aggregate_id="a2", owner="bob"), deposit)
        await bank.then_published(
            AccountCreated("ann"), AccountCreated("bob"), DepositPerformed(10)
        )


async def test_faults_can_be_injected_before_real_servers(
    mongo_url: str, mongo_bucket: str, nats_url: str, nats_bucket: str
) -> None:
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


async def test_errors_of_a_when_propagate_and_need_no_check() -> None:
    store = FaultyStore(MemoryStore())
    store.loses_acknowledgement("append", at=2)

    async def work() -> None:
        async with scenario(memory_application(account, store=store)) as bank:
            await bank.when(create)
            await bank.then(AccountCreated("ann"))
            await bank.when(deposit)

    with pytest.raises(OutcomeUnknown):
        await work()


async def test_invalid_arguments_raise_type_error(app: Application) -> None:
    async with scenario(app) as bank:
        with pytest.raises(TypeError, match=r"^then checks the outcome of a when"):
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


async def test_the_memory_application_fixture_takes_the_same_arguments(
    memory_application: Callable[..., Application],
) -> None:
    seen: list[object] = []

    def look(handle: Handler) -> Handler:
        async def looking(envelope: Envelope) -> Any:
            seen.append(envelope.command)
            return await handle(envelope)

        return looking

    async with memory_application(account, middleware=[look]) as app:
        committed = await app.dispatch(create)
    assert ([create], "test-000002-1") == (seen, committed.events[0].id)


async def test_foreign_aggregates_and_ambiguous_options_are_refused(app: Application) -> None:
    stranger = attrs.evolve(account, name="Stranger")
    async with scenario(app) as bank:
        with pytest.raises(InvalidArgument, match="Stranger is not an aggregate of application"):
            await bank.given(stranger, "a1", AccountCreated("ann"))
        with pytest.raises(TypeError, match="apply to a single command"):
            await bank.when(create, deposit, command_id="x")
        await bank.given(account, "a1", AccountCreated("ann"))
        await bank.when(ChangeOwner(aggregate_id="a1", owner="ann"))
        with pytest.raises(AssertionError, match="'no event'"):
            await bank.then_committed(metadata=Metadata())
