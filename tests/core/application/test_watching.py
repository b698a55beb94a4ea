"""Watching an application: it is entered, and takes part in nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eventhus import Recorded, View
from eventhus.errors import KeyParked, NotRunning
from eventhus_memory import MemoryStore
from tests.bank import Deposited
from tests.core.readers import balances, bank, welcome
from tests.core.support import Proxy, RecordingBus, add


def of_account(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def total(value: int, recorded: Recorded[Deposited]) -> int:
    return value + recorded.event.amount


def failing(value: int, recorded: Recorded[Deposited]) -> int:
    raise ArithmeticError


def totals(**changes: Any) -> View[Any, int]:
    options = {"name": "totals", "initial": 0, "key": of_account, "evolve": total, **changes}
    return View(**options)


async def test_an_application_that_works_only_looks_while_it_is_watched() -> None:
    proxy = Proxy(MemoryStore())
    bus = RecordingBus()
    app = bank(proxy, views=[balances], processes=[welcome], bus=bus)
    async with app.watching() as watched:
        assert watched is app
        await add(app, 5)
        waiting = asyncio.create_task(app.caught_up(balances))
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
    assert 0 == proxy.calls["acquire"]
    assert 0 == proxy.calls["register"]
    async with app:  # and works afterwards
        await app.caught_up(balances)
        found = await app.view(balances, "a")
    assert found is not None
    assert 5 == found.amount


async def test_code_that_would_be_refused_may_look() -> None:
    store = MemoryStore()
    async with bank(store, views=[totals(version=2)]):
        pass
    retired = totals()
    async with bank(store, views=[retired]).watching() as app:
        assert await app.view(retired, "a") is None


async def test_a_running_application_cannot_be_watched_through_the_same_object() -> None:
    async with bank(MemoryStore()) as app:
        with pytest.raises(NotRunning, match="already running"):
            async with app.watching():
                pass


async def test_watching_ends_when_it_is_left_by_an_error() -> None:
    app = bank(MemoryStore())
    with pytest.raises(ArithmeticError):
        async with app.watching():
            raise ArithmeticError
    with pytest.raises(NotRunning):
        await app.view(balances, "a")


async def test_a_watched_view_is_mended_from_where_its_version_began() -> None:
    """As in an application that was entered in the other way."""
    store = MemoryStore()
    async with bank(store) as app:
        await add(app, 1, 2)
    broken = totals(start="now", evolve=failing)
    async with bank(store, views=[broken]) as app:
        await add(app, 4)
        await app.caught_up(broken)
    mended = totals(start="now")
    async with bank(store, views=[mended]).watching() as app:
        with pytest.raises(KeyParked):
            await app.view(mended, "a")
        await app.retry(mended, "a")
        assert 4 == await app.view(mended, "a")
        await app.reset(mended)
        assert 2 == (await store.load_checkpoint("view_totals")).position
