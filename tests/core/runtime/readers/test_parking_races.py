"""Parked keys of a view when processes crash, pause and race each other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

from eventhus import Application, View
from eventhus.errors import InvalidArgument, KeyParked, LeaseLost, ReaderBusy
from eventhus.runtime.readers import leased_reader
from eventhus_memory import MemoryStore
from tests.core.hooks import Gate, at
from tests.core.readers import Paged, bank, crash, expire, first, interrupt, interrupted_retry
from tests.core.runtime.readers.test_parking import (
    DOWN,
    NAME,
    POISON,
    broken,
    mended,
    parked_store,
    totals,
    whereabouts,
)
from tests.core.support import Proxy, add
from tests.core.waiting import settle


@pytest.mark.parametrize("error", [DOWN, None], ids=["it raises", "the process is killed"])
async def test_a_retry_that_is_interrupted_anywhere_loses_nothing(error: Exception | None) -> None:
    """At every call of the store, before it or after it, while another process follows the log."""
    steps = 0
    for step in count(1):
        store = await parked_store(4, 5)
        async with bank(store, views=[mended]) as leader:
            await leader.caught_up(mended)
            met, finished = await interrupted_retry(leader, mended, store, step, error)
            if await leader.parked(mended):
                assert not finished
                await leader.retry(mended, "a")
            await add(leader, 7)
            await leader.caught_up(mended)
            value = await leader.view(mended, "a")
            assert (step, 1 + POISON + 4 + 5 + 6 + 7) == (step, value)
        if not met:
            break
        steps = step
    assert steps > 8


async def test_parking_that_is_interrupted_anywhere_loses_and_repeats_nothing() -> None:
    steps = 0
    for step in count(1):
        store, gate = Paged(), Gate()
        async with bank(store.inner) as app:
            await add(app, 1, POISON, 4)
            await add(app, 2, aggregate_id="b")
            await add(app, 5)
        met = interrupt(store, step, gate)
        async with bank(store, views=[broken]) as app:
            await first(gate.arrived.wait(), app.caught_up(broken, 5))
            crash(store)
        async with bank(store.inner, views=[broken]) as app:
            await app.caught_up(broken)
            assert (step, 2) == (step, await app.view(broken, "b"))
            assert [("a", 2, "KeyError")] == await whereabouts(app, broken)
        async with bank(store.inner, views=[mended]) as app:
            await app.retry(mended, "a")
            assert (step, 1 + POISON + 4 + 5) == (step, await app.view(mended, "a"))
        if not met():
            break
        steps = step
    assert steps > 12


@asynccontextmanager
async def held_retry(
    store: MemoryStore, view: View[Any, int], leading: View[Any, int]
) -> AsyncIterator[tuple[Application, Callable[[], Awaitable[None]]]]:
    """Retry the key a beside a leader, and hold that before it writes.

    Yields:
        The leader, and a function that lets the retry write and awaits it.
    """
    proxy, gate = Proxy(store), Gate()
    async with bank(store, views=[leading]) as leader:
        await leader.caught_up(leading)
        async with bank(proxy, views=[view]) as app:
            proxy.before["save_documents"] = at([1], gate)
            retrying = asyncio.create_task(app.retry(view, "a"))
            await gate.arrived.wait()

            async def go_on() -> None:
                gate.opened.set()
                await retrying

            yield leader, go_on


async def test_events_that_come_during_a_retry_are_not_lost() -> None:
    """The leader has passed over them when the retry wants to write."""
    store = await parked_store(4)
    async with held_retry(store, mended, mended) as (leader, go_on):
        await add(leader, 5, 6)
        await leader.caught_up(mended)
        assert [("a", 2, "KeyError")] == await whereabouts(leader, mended)
        await go_on()
        assert 1 + POISON + 4 + 5 + 6 == await leader.view(mended, "a")


async def test_a_leader_does_not_park_a_key_again_that_was_retried_meanwhile() -> None:
    """It has loaded the parked document, and finds another one when it wants to write."""
    store = await parked_store(4)
    proxy, gate = Proxy(store), Gate()
    async with bank(proxy, views=[mended]) as leader:
        await leader.caught_up(mended)
        async with bank(store, views=[mended]) as app:
            proxy.before["save_documents"] = at([1], gate)
            await add(app, 5)
            await gate.arrived.wait()
            await app.retry(mended, "a")
            assert 1 + POISON + 4 == await app.view(mended, "a")
            gate.opened.set()
            await app.caught_up(mended)
            assert 1 + POISON + 4 + 5 == await app.view(mended, "a")
            assert [] == await app.parked(mended)


async def test_a_failed_retry_follows_the_document_that_the_leader_has_moved() -> None:
    store = await parked_store(4)
    async with held_retry(store, totals(4), broken) as (leader, go_on):
        await add(leader, 5)
        await leader.caught_up(broken)
        with pytest.raises(KeyParked):
            await go_on()
        assert [("a", 4, "KeyError")] == await whereabouts(leader, broken)
    assert 5 == (await store.load_documents(NAME, ["a"]))["a"].position


async def test_a_retry_ends_if_the_key_is_not_parked_any_more() -> None:
    """As after a reset that comes in between."""
    store = await parked_store(4)
    async with held_retry(store, mended, mended) as (leader, go_on):
        await store.delete_documents(NAME)
        with pytest.raises(InvalidArgument, match="is not parked"):
            await go_on()
        assert await leader.view(mended, "a") is None


async def test_two_retries_of_one_view_run_one_after_the_other() -> None:
    """In one process, and in two, where the second one waits for the lease of the first."""
    store = await parked_store(4)
    proxy, gate = Proxy(store), Gate()
    async with bank(proxy, views=[mended]) as app, bank(store, views=[mended]) as other:
        await settle()
        proxy.before["read"] = gate
        retries = [asyncio.create_task(app.retry(mended, "a")) for _ in range(2)]
        await gate.arrived.wait()
        with pytest.raises(ReaderBusy, match="another process is working on view totals"):
            await other.retry(mended, "a")
        await settle()
        assert 1 == gate.waiting
        gate.opened.set()
        await retries[0]
        with pytest.raises(InvalidArgument, match="is not parked"):
            await retries[1]
        assert 1 + POISON + 4 == await other.view(mended, "a")


async def test_a_retry_that_outlives_its_lease_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = await parked_store(4)
    proxy, gate = Proxy(store), Gate()
    async with bank(proxy, views=[mended]) as app:
        await settle()
        monkeypatch.setattr(leased_reader, "LEASE_S", 0.06)
        monkeypatch.setattr(leased_reader, "STANDBY_S", 0.01)
        proxy.before["save_documents"] = gate
        retrying = asyncio.create_task(app.retry(mended, "a"))
        await gate.arrived.wait()
        expire(store)
        other = await store.acquire(f"{NAME}/retry", "other", ttl_s=60)
        assert other is not None
        with pytest.raises(LeaseLost):
            await retrying
        assert [("a", 2, "KeyError")] == await whereabouts(app, mended)


async def test_an_old_checkpoint_neither_unparks_a_key_nor_repeats_its_events() -> None:
    store = await parked_store(4)
    await store.save_checkpoint(NAME, 0, token=99)
    async with bank(store, views=[mended]) as app:
        await app.caught_up(mended)
        assert [("a", 2, "KeyError")] == await whereabouts(app, mended)
        await app.retry(mended, "a")
        await store.save_checkpoint(NAME, 0, token=199)
    async with bank(store, views=[mended]) as app:
        await app.caught_up(mended)
        assert 1 + POISON + 4 == await app.view(mended, "a")
        assert 4 == (await store.load_checkpoint(NAME)).position
