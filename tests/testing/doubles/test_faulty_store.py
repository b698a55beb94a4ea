"""Tests of ``FaultyStore``."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime

import pytest
from attrs import evolve

from eventhus import Application, ConcurrencyError, Query, StreamId
from eventhus.errors import ConditionFailed, OutcomeUnknown, StoreUnavailable, TooManyConflicts
from eventhus.ports import (
    Commit,
    Condition,
    EventData,
    Part,
    Storage,
    StoredCommit,
)
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
OTHER = StreamId("Account", "a2")
OPENED = EventData("AccountCreated", {"owner": "ann"})
DEPOSITED = EventData("DepositPerformed", {"amount": 5})
WITHDRAWN = EventData("WithdrawalPerformed", {"amount": 5})

open_account = CreateAccount(aggregate_id="a1", owner="ann")
deposit = PerformDeposit(aggregate_id="a1", amount=10)


class TestFaultyStore(StoreConformance):
    """The contract of stores, for a ``FaultyStore`` without faults."""

    @pytest.fixture(autouse=True)
    def _no_logs(self) -> None:
        self.logs: dict[str, MemoryStore] = {}

    def store(self, bucket: str) -> FaultyStore:
        """Return a new wrapper around the store of the bucket."""
        return FaultyStore(self.logs.setdefault(bucket, MemoryStore()))


def commit(id_: str, *events: EventData, expected: int | None = None) -> Commit:
    return Commit(
        id=id_,
        parts=[Part(stream=STREAM, events=events or (OPENED,), expected_version=expected)],
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def bank(store: Storage) -> Application:
    """Return a bank whose retries take no time."""
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
    """Return a store without faults."""
    return FaultyStore(MemoryStore())


async def appended(store: Storage, id_: str) -> StoredCommit | type[Exception]:
    """Append a commit, and return the result or the type of the error."""
    try:
        return await store.append(commit(id_))
    except Exception as error:  # noqa: BLE001 - the outcome
        return type(error)


async def test_failing_calls_have_no_effect_and_later_ones_succeed(store: FaultyStore) -> None:
    await store.append(commit("c0"))
    store.fails("append", at=2, times=2)
    outcomes = [await appended(store, f"c{number}") for number in range(1, 5)]
    assert [StoreUnavailable, StoreUnavailable] == outcomes[1:3]
    assert [(2,), (3,)] == [each.versions for each in outcomes if isinstance(each, StoredCommit)]
    assert (3, 5) == (await store.head(), store.calls["append"])


async def test_a_given_error_is_copied_for_each_call(store: FaultyStore) -> None:
    error = ConcurrencyError(STREAM, 1, 2)
    store.fails("head", error, times=2)
    raised = []
    for _ in range(2):
        with pytest.raises(ConcurrencyError, match="is at version 2, not 1") as info:
            await store.head()
        raised.append(info.value)
    assert error is not raised[0] is not raised[1] is not error


async def test_an_append_without_acknowledgement_is_committed_and_its_outcome_unknown(
    store: FaultyStore,
) -> None:
    store.loses_acknowledgement("append")
    with pytest.raises(OutcomeUnknown, match="commit c1 of Account/a1"):
        await store.append(commit("c1"))
    assert 1 == await store.head()
    assert 1 == (await store.append(commit("c1"))).position


async def test_other_calls_without_acknowledgement_take_effect_and_raise(
    store: FaultyStore,
) -> None:
    store.loses_acknowledgement("save_checkpoint")
    store.loses_acknowledgement("save_checkpoint", TimeoutError(), at=2)
    with pytest.raises(StoreUnavailable):
        await store.save_checkpoint("reader", 7)
    assert 7 == (await store.load_checkpoint("reader")).position
    with pytest.raises(TimeoutError):
        await store.save_checkpoint("reader", 8)


async def test_a_conflicting_commit_is_stored_and_its_version_reported(store: FaultyStore) -> None:
    await store.append(commit("c1"))
    store.conflicts(DEPOSITED, WITHDRAWN)
    with pytest.raises(ConcurrencyError, match="is at version 3, not 1"):
        await store.append(commit("c2", DEPOSITED, expected=1))
    assert [OPENED, DEPOSITED, WITHDRAWN] == list((await store.load(STREAM)).events)


async def test_a_conflict_in_another_stream_leaves_the_expected_version(store: FaultyStore) -> None:
    store.conflicts(DEPOSITED, stream=OTHER)
    await store.append(commit("c1", expected=0))
    assert [OTHER, STREAM] == [each.stream for each in (await store.read()).events]


async def test_a_conflict_in_any_stream_of_a_commit_refuses_it(store: FaultyStore) -> None:
    store.conflicts(DEPOSITED, stream=OTHER)
    both = [Part(stream=each, events=[OPENED], expected_version=0) for each in (STREAM, OTHER)]
    with pytest.raises(ConcurrencyError, match="Account/a2 is at version 1, not 0"):
        await store.append(evolve(commit("c1"), parts=both))
    assert 1 == await store.head()


async def test_a_conflict_that_matches_fails_the_condition(store: FaultyStore) -> None:
    condition = Condition(query=Query.of("AccountCreated", tags={"owner:ada"}), after=0)
    store.conflicts(OPENED, stream=OTHER)
    await store.append(evolve(commit("c1"), condition=condition))
    store.conflicts(evolve(OPENED, tags=frozenset({"owner:ada"})), stream=OTHER)
    with pytest.raises(ConditionFailed, match="the event at position 3 matches its condition"):
        await store.append(evolve(commit("c2"), condition=condition))


async def test_a_held_call_waits_until_released_and_others_pass(store: FaultyStore) -> None:
    hold = store.delays("append")
    held = asyncio.create_task(store.append(commit("c1")))
    await hold.reached()
    assert 1 == (await store.append(commit("c2"))).position
    assert not held.done()
    hold.release()
    assert 2 == (await held).position


async def test_a_cancelled_held_call_has_no_effect(store: FaultyStore) -> None:
    hold = store.delays("append")
    held = asyncio.create_task(store.append(commit("c1")))
    await hold.reached()
    held.cancel()
    await asyncio.wait([held])
    hold.release()
    assert 0 == await store.head()


async def test_faults_of_one_call_take_effect_in_order(store: FaultyStore) -> None:
    hold = store.delays("append")
    store.fails("append")
    held = asyncio.create_task(appended(store, "c1"))
    await hold.reached()
    hold.release()
    assert StoreUnavailable is await held


async def test_faults_of_follow_count_pages(store: FaultyStore) -> None:
    for number in range(3):
        await store.append(commit(f"c{number}"))
    store.fails("follow", at=2)
    async with aclosing(store.follow(limit=1)) as pages:
        assert [1] == [event.position for event in (await anext(pages)).events]
        with pytest.raises(StoreUnavailable):
            await anext(pages)


async def test_pending_lists_the_faults_that_have_not_taken_effect(store: FaultyStore) -> None:
    store.fails("append", times=2)
    store.delays("head", at=3)
    await appended(store, "c1")
    assert ["append: fails at calls 1 to 2", "head: delays at call 3"] == store.pending
    await appended(store, "c2")
    assert ["head: delays at call 3"] == store.pending


def test_invalid_faults_are_refused(store: FaultyStore) -> None:
    with pytest.raises(ValueError, match=r"'apend' is not a method of a store; .*'append'"):
        store.fails("apend")
    with pytest.raises(ValueError, match="at least 1, found at=0, times=1"):
        store.fails("append", at=0)
    with pytest.raises(ValueError, match="at least one event"):
        store.conflicts()


async def test_attributes_outside_the_port_come_from_the_wrapped_store() -> None:
    store = FaultyStore(MemoryStore())
    assert isinstance(store.open("memory://", "bank"), MemoryStore)
    with pytest.raises(AttributeError, match="MemoryStore"):
        store.nothing  # type: ignore[attr-defined]  # noqa: B018


async def test_nested_faulty_stores_inject_the_faults_of_both() -> None:
    inner = FaultyStore(MemoryStore())
    outer = FaultyStore(inner)
    inner.fails("append")
    outer.fails("append", at=2)
    assert StoreUnavailable is await appended(outer, "c1")
    assert StoreUnavailable is await appended(outer, "c2")
    assert ([], []) == (inner.pending, outer.pending)


async def test_a_command_resent_with_its_id_is_executed_once(
    store: FaultyStore,
) -> None:
    async with bank(store) as app:
        await app.dispatch(open_account)
        store.loses_acknowledgement("append")
        with pytest.raises(OutcomeUnknown):
            await app.dispatch(deposit, command_id="deposit-1")
        committed = await app.dispatch(deposit, command_id="deposit-1")
        assert 2 == committed.version
        assert Account("ann", 10) == await app.state(account, "a1")


async def test_a_command_resent_without_an_id_is_executed_twice(store: FaultyStore) -> None:
    """The opposite of the test above, which shows that the fault is real."""
    async with bank(store) as app:
        await app.dispatch(open_account)
        store.loses_acknowledgement("append")
        with pytest.raises(OutcomeUnknown):
            await app.dispatch(deposit)
        await app.dispatch(deposit)
        assert Account("ann", 20) == await app.state(account, "a1")


async def test_a_command_that_meets_a_conflict_is_decided_on_the_new_state(
    store: FaultyStore,
) -> None:
    async with bank(store) as app:
        await app.dispatch(open_account)
        await app.dispatch(deposit)
        store.conflicts(WITHDRAWN)
        with pytest.raises(InsufficientFunds, match="balance 5"):
            await app.dispatch(PerformWithdrawal(aggregate_id="a1", amount=10))


async def test_a_command_that_loses_every_race_gives_up(store: FaultyStore) -> None:
    async with bank(store) as app:
        await app.dispatch(open_account)
        store.conflicts(DEPOSITED, times=ATTEMPTS)
        with pytest.raises(TooManyConflicts):
            await app.dispatch(deposit)
        assert Account("ann", 5 * ATTEMPTS) == await app.state(account, "a1")
