"""A view is built ahead of a deployment, by a process that does no other work."""

from __future__ import annotations

import asyncio

import pytest

from eventhus import BuildProgress
from eventhus.errors import InvalidArgument, NotRunning, ReaderStopped
from eventhus_memory import MemoryStore
from tests.core.hooks import Gate
from tests.core.readers import FILLED, SHOWN, Paged, balances, bank, open_accounts, shown
from tests.core.runtime.readers.test_parking import POISON, broken
from tests.core.support import FakeClock, Proxy, RecordingBus, add
from tests.core.waiting import eventually


@pytest.fixture
async def store() -> MemoryStore:
    filled = MemoryStore()
    await open_accounts(filled)
    return filled


async def test_a_build_folds_the_log_and_tells_its_progress(store: MemoryStore) -> None:
    """Nothing is left of it but the view: no lease, no task."""
    told: list[BuildProgress] = []
    async with bank(store, views=[balances], work=False) as app:
        assert dict.fromkeys(SHOWN) == await shown(app)
        await app.build(balances, on_progress=told.append)
        assert SHOWN == await shown(app)
        assert BuildProgress(label="view balances", position=FILLED, head=FILLED) == told[-1]
        assert await store.acquire("view_balances", "next", ttl_s=60) is not None
        await add(app, 9)
        assert SHOWN == await shown(app)


async def test_progress_stops_at_the_head_of_the_beginning(store: MemoryStore) -> None:
    told: list[BuildProgress] = []
    paged = Paged(store)
    async with bank(paged, views=[balances], work=False) as app:
        gate = Gate()
        paged.before["save_checkpoint"] = gate
        building = asyncio.create_task(app.build(balances, on_progress=told.append))
        await gate.arrived.wait()
        await add(app, *[1] * 10)
        gate.opened.set()
        await building
    assert {(each.position <= FILLED, each.head) for each in told} == {(True, FILLED)}


async def test_a_build_beside_a_reader_waits_for_it(store: MemoryStore) -> None:
    """The reader may run here or in another process."""
    async with (
        bank(store, views=[balances]) as working,
        bank(store, views=[balances], work=False) as app,
    ):
        for each in (working, app):
            await add(working, 1)
            await each.build(balances)
            assert await store.head() == (await store.load_checkpoint("view_balances")).position


async def test_an_interrupted_build_goes_on_where_it_was(store: MemoryStore) -> None:
    paged, gate = Paged(store), Gate()
    async with bank(paged, views=[balances], work=False) as app:
        calls = 0

        async def third(*_: object) -> None:
            nonlocal calls
            calls += 1
            if calls == 3:
                await gate()

        paged.before["save_documents"] = third
        building = asyncio.create_task(app.build(balances))
        await gate.arrived.wait()
        building.cancel()
        await asyncio.wait([building])
        assert building.cancelled()
    before = (await store.load_checkpoint("view_balances")).position
    assert 0 < before < FILLED
    again = Proxy(store)
    async with bank(again, views=[balances], work=False) as app:
        told: list[BuildProgress] = []
        await app.build(balances, on_progress=told.append)
        assert min(each.position for each in told) >= before
        assert SHOWN == await shown(app)


async def test_an_application_that_is_left_ends_a_build(store: MemoryStore) -> None:
    proxy, gate = Proxy(store), Gate()
    proxy.before["save_documents"] = gate
    async with bank(proxy, views=[balances], work=False) as app:
        building = asyncio.create_task(app.build(balances))
        await gate.arrived.wait()
        assert ["view balances"] == app._readers.unfinished  # noqa: SLF001
    with pytest.raises(NotRunning):
        await building


async def test_an_event_that_cannot_be_handled_ends_a_build(store: MemoryStore) -> None:
    async with bank(store, views=[broken], work=False, max_parked=0) as app:
        await add(app, POISON)
        with pytest.raises(ReaderStopped):
            await app.build(broken)


async def test_only_views_of_the_application_are_built(store: MemoryStore) -> None:
    async with bank(store, work=False) as app:
        with pytest.raises(InvalidArgument, match="balances is not a view or process"):
            await app.build(balances)


async def test_an_application_that_does_not_work_takes_no_lease(store: MemoryStore) -> None:
    """It dispatches, reads, and waits for the processes that work."""
    bus = RecordingBus()
    proxy = Proxy(store)
    async with bank(proxy, views=[balances], bus=bus, work=False) as web:
        waiting = asyncio.create_task(web.caught_up(balances))
        await add(web, 5)
        assert 0 == proxy.calls["acquire"]
        assert not waiting.done()
        async with bank(store, views=[balances], bus=bus):
            await waiting
            await web.caught_up(balances)
        assert 0 == proxy.calls["acquire"]
        found = await web.view(balances, "a")
        assert found is not None
        assert 11 == found.amount


async def test_a_wait_for_another_process_looks_soon_and_then_less_often(
    store: MemoryStore,
) -> None:
    clock = FakeClock()
    async with bank(store, views=[balances], work=False, clock=clock) as web:
        waiting = asyncio.create_task(web.caught_up(balances))
        await eventually(lambda: len(clock.sleeps_s) >= 6)
    with pytest.raises(NotRunning):
        await waiting
    assert [0.005, 0.01, 0.02, 0.04, 0.05, 0.05] == clock.sleeps_s[:6]


async def test_leaving_ends_a_wait_of_an_application_that_does_not_work(
    store: MemoryStore,
) -> None:
    async with bank(store, views=[balances], work=False) as web:
        waiting = asyncio.create_task(web.caught_up(balances))
        await asyncio.sleep(0)
    with pytest.raises(NotRunning, match="was left before view balances reached"):
        await waiting


async def test_a_reset_starts_nothing_in_an_application_that_does_not_work(
    store: MemoryStore,
) -> None:
    async with bank(store, views=[balances], work=False) as web:
        await web.build(balances)
        await web.reset(balances)
        assert 0 == (await store.load_checkpoint("view_balances")).position
        assert dict.fromkeys(SHOWN) == await shown(web)
        await web.build(balances)
        assert SHOWN == await shown(web)
