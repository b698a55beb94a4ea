"""The store that fails when it is told to."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from eventhus import Application, ConcurrencyError, StreamId
from eventhus.errors import OutcomeUnknown, StoreUnavailable, TooManyConflicts
from eventhus.ports import Commit, EventData, Storage, StoredCommit
from eventhus.runtime.commands.executor import ATTEMPTS
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore
from eventhus_testing.conformance import StoreConformance
from eventhus_testing.doubles.clock import ManualClock
from eventhus_testing.doubles.faulty_store import FaultyStore
from eventhus_testing.doubles.ids import counted_ids
from examples.bank.account import (
    Account,
    CreateAccount,
    InsufficientFunds,
    PerformDeposit,
    PerformWithdrawal,
    account,
)

STREAM = StreamId("Account", "a1")
OPENED = EventData("AccountCreated", {"owner": "ann"})
DEPOSITED = EventData("DepositPerformed", {"amount": 5})
WITHDRAWN = EventData("WithdrawalPerformed", {"amount": 5})

open_account = CreateAccount(aggregate_id="a1", owner="ann")
deposit = PerformDeposit(aggregate_id="a1", amount=10)


class TestFaultyStore(StoreConformance):
    """Without faults, it is a store like the one behind it."""

    @pytest.fixture(autouse=True)
    def _no_logs(self) -> None:
        self.logs: dict[str, MemoryStore] = {}

    def store(self, bucket: str) -> FaultyStore:
        """A wrapper of its own, over the log of the bucket."""
        return FaultyStore(self.logs.setdefault(bucket, MemoryStore()))


def commit(id_: str, *events: EventData, expected: int | None = None) -> Commit:
    return Commit(
        id=id_,
        stream=STREAM,
        events=events or (OPENED,),
        expected_version=expected,
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def bank(store: Storage) -> Application:
    """The bank, whose retries wait for nobody."""
    return Application(
        bucket="bank",
        aggregates=[account],
        store=store,
        codec=CattrsCodec(),
        clock=ManualClock(jumps=True),
        new_id=counted_ids(),
    )


@pytest.fixture
def store() -> FaultyStore:
    """A faulty store, without faults yet."""
    return FaultyStore(MemoryStore())


async def appended(store: Storage, id_: str) -> StoredCommit | type[Exception]:
    """What comes of an append."""
    try:
        return await store.append(commit(id_))
    except Exception as error:  # noqa: BLE001 - the outcome
        return type(error)


async def test_a_call_fails(store: FaultyStore) -> None:
    """The n-th from here on, and as many behind it, without effect."""
    await store.append(commit("c0"))
    store.fails("append", at=2, times=2)
    outcomes = [await appended(store, f"c{number}") for number in range(1, 5)]
    assert [StoreUnavailable, StoreUnavailable] == outcomes[1:3]
    assert [2, 3] == [each.version for each in outcomes if isinstance(each, StoredCommit)]
    assert (3, 5) == (await store.head(), store.calls["append"])


async def test_a_call_fails_with_an_error_of_your_own(store: FaultyStore) -> None:
    """Another copy each time, as from a driver."""
    error = ConcurrencyError(STREAM, 1, 2)
    store.fails("head", error, times=2)
    raised = []
    for _ in range(2):
        with pytest.raises(ConcurrencyError, match="is at version 2, not 1") as info:
            await store.head()
        raised.append(info.value)
    assert error is not raised[0] is not raised[1] is not error


async def test_an_acknowledgement_is_lost(store: FaultyStore) -> None:
    """The commit is in the log, and its writer is told that nobody knows."""
    store.loses_acknowledgement("append")
    with pytest.raises(OutcomeUnknown, match="commit c1 of Account/a1"):
        await store.append(commit("c1"))
    assert 1 == await store.head()
    assert 1 == (await store.append(commit("c1"))).version


async def test_any_acknowledgement_is_lost(store: FaultyStore) -> None:
    """Of other methods the store is just not available, or raises what the test gives."""
    store.loses_acknowledgement("save_checkpoint")
    store.loses_acknowledgement("save_checkpoint", TimeoutError(), at=2)
    with pytest.raises(StoreUnavailable):
        await store.save_checkpoint("reader", 7)
    assert 7 == (await store.load_checkpoint("reader")).position
    with pytest.raises(TimeoutError):
        await store.save_checkpoint("reader", 8)


async def test_another_writer_gets_in_between(store: FaultyStore) -> None:
    """Its commit is really there, and the one that expected a version learns the true one."""
    await store.append(commit("c1"))
    store.conflicts(DEPOSITED, WITHDRAWN)
    with pytest.raises(ConcurrencyError, match="is at version 3, not 1"):
        await store.append(commit("c2", DEPOSITED, expected=1))
    assert [OPENED, DEPOSITED, WITHDRAWN] == list((await store.load(STREAM)).events)


async def test_a_call_is_held_up(store: FaultyStore) -> None:
    """Nothing happens until the test lets it go; others pass."""
    hold = store.delays("append")
    held = asyncio.create_task(store.append(commit("c1")))
    await hold.reached()
    assert 1 == (await store.append(commit("c2"))).version
    assert not held.done()
    hold.let_go()
    assert 2 == (await held).version


async def test_a_held_call_is_cancelled(store: FaultyStore) -> None:
    """It had no effect, and has none."""
    hold = store.delays("append")
    held = asyncio.create_task(store.append(commit("c1")))
    await hold.reached()
    held.cancel()
    await asyncio.wait([held])
    hold.let_go()
    assert 0 == await store.head()


async def test_faults_meet_in_one_call(store: FaultyStore) -> None:
    """They come about in the order in which they were asked for."""
    hold = store.delays("append")
    store.fails("append")
    held = asyncio.create_task(appended(store, "c1"))
    await hold.reached()
    hold.let_go()
    assert StoreUnavailable is await held


async def test_a_follower_loses_its_store(store: FaultyStore) -> None:
    """Of ``follow``, batches are counted."""
    for number in range(3):
        await store.append(commit(f"c{number}"))
    store.fails("follow", at=2)
    async with aclosing(store.follow(limit=1)) as batches:
        assert [1] == [event.position for event in await anext(batches)]
        with pytest.raises(StoreUnavailable):
            await anext(batches)


async def test_what_has_not_come_about(store: FaultyStore) -> None:
    """It tells which faults are left."""
    store.fails("append", times=2)
    store.delays("head", at=3)
    await appended(store, "c1")
    assert ["append: fails at calls 1 to 2", "head: delays at call 3"] == store.pending
    await appended(store, "c2")
    assert ["head: delays at call 3"] == store.pending


def test_nonsense_is_refused(store: FaultyStore) -> None:
    """A misspelt method would never fail."""
    with pytest.raises(ValueError, match=r"'apend' is no method of a store; it has .*'append'"):
        store.fails("apend")
    with pytest.raises(ValueError, match="counted from 1, found at=0, times=1"):
        store.fails("append", at=0)
    with pytest.raises(ValueError, match="at least one event"):
        store.conflicts()


async def test_what_is_not_of_the_port_is_the_stores_own() -> None:
    """It has the attributes of the store behind it, and no others."""
    store = FaultyStore(MemoryStore())
    assert isinstance(store.open("memory://", "bank"), MemoryStore)
    with pytest.raises(AttributeError, match="MemoryStore"):
        store.nothing  # type: ignore[attr-defined]  # noqa: B018


async def test_a_wrapped_wrapper() -> None:
    """The faults of both come about."""
    inner = FaultyStore(MemoryStore())
    outer = FaultyStore(inner)
    inner.fails("append")
    outer.fails("append", at=2)
    assert StoreUnavailable is await appended(outer, "c1")
    assert StoreUnavailable is await appended(outer, "c2")
    assert ([], []) == (inner.pending, outer.pending)


async def test_a_command_whose_acknowledgement_is_lost_is_executed_once(
    store: FaultyStore,
) -> None:
    """Sent again under its ``command_id``, it gets the answer that was lost."""
    async with bank(store) as app:
        await app.dispatch(open_account)
        store.loses_acknowledgement("append")
        with pytest.raises(OutcomeUnknown):
            await app.dispatch(deposit, command_id="deposit-1")
        committed = await app.dispatch(deposit, command_id="deposit-1")
        assert 2 == committed.version
        assert Account("ann", 10) == await app.state(account, "a1")


async def test_without_a_command_id_it_is_executed_twice(store: FaultyStore) -> None:
    """The fault is real: this is what the ``command_id`` is for."""
    async with bank(store) as app:
        await app.dispatch(open_account)
        store.loses_acknowledgement("append")
        with pytest.raises(OutcomeUnknown):
            await app.dispatch(deposit)
        await app.dispatch(deposit)
        assert Account("ann", 20) == await app.state(account, "a1")


async def test_a_command_is_decided_again_on_what_another_did(store: FaultyStore) -> None:
    """The other's withdrawal is seen, and what it leaves is not enough."""
    async with bank(store) as app:
        await app.dispatch(open_account)
        await app.dispatch(deposit)
        store.conflicts(WITHDRAWN)
        with pytest.raises(InsufficientFunds, match="balance 5"):
            await app.dispatch(PerformWithdrawal(aggregate_id="a1", amount=10))


async def test_a_command_that_loses_every_race(store: FaultyStore) -> None:
    """It gives up in the end, and the settable clock makes the pauses take no time."""
    async with bank(store) as app:
        await app.dispatch(open_account)
        store.conflicts(DEPOSITED, times=ATTEMPTS)
        with pytest.raises(TooManyConflicts):
            await app.dispatch(deposit)
        assert Account("ann", 5 * ATTEMPTS) == await app.state(account, "a1")
