"""Watching an application: it is entered, and takes part in nothing."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

import pytest

from eventhus import Recorded, View
from eventhus.errors import BusUnavailable, KeyParked, NotRunning
from eventhus.operations import Operations
from eventhus_memory import MemoryBus, MemoryStore
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


class AwayBus(MemoryBus):
    """A bus that cannot be reached at first."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = True
        self.entered = 0
        self.left = 0

    async def __aenter__(self) -> Self:
        if self.is_away:
            raise BusUnavailable("bank", "its server is gone")
        self.entered += 1
        await asyncio.sleep(0)  # the others come meanwhile
        return await super().__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.left += 1
        await super().__aexit__(exc_type, exc, traceback)


async def test_a_bus_that_is_away_hides_nothing_else_until_it_is_back() -> None:
    bus = AwayBus()
    async with bank(MemoryStore(), views=[balances], bus=bus).watching() as app:
        await add(app, 1)
        operations = Operations(app)
        health = await operations.health()
        assert 1 == health.head
        assert {"relay", "balances"} == {each.name for each in health.readers}
        (problem, *_) = health.problems
        assert "the bus did not answer: BusUnavailable" in problem
        assert ["balances"] == [each.name for each in await operations.readers("view")]
        with pytest.raises(BusUnavailable):
            await operations.readers()
        with pytest.raises(BusUnavailable):
            await app.dead_letters(group="mail")
        assert (0, 0) == (bus.entered, bus.left)

        bus.is_away = False
        await asyncio.gather(operations.readers(), operations.readers("group"))
        assert "the bus did not answer" not in "".join((await operations.health()).problems)
        assert (1, 0) == (bus.entered, bus.left)
    assert (1, 1) == (bus.entered, bus.left)


async def test_an_application_that_works_is_refused_while_its_bus_is_away() -> None:
    bus = AwayBus()
    with pytest.raises(BusUnavailable):
        async with bank(MemoryStore(), bus=bus):
            pass
    assert (0, 0) == (bus.entered, bus.left)
