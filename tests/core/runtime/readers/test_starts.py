"""Where views and processes begin is decided once, and kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from eventhus import Command, Process, Recorded, View
from eventhus.errors import InvalidArgument, KeyParked, LogChanged, StoreUnavailable
from eventhus_memory import MemoryStore
from tests.bank import Deposited, Scribble
from tests.core.hooks import fail_with
from tests.core.readers import bank, caught_up
from tests.core.support import Proxy, add


def of_account(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def total(value: int, recorded: Recorded[Deposited]) -> int:
    return value + recorded.event.amount


def totals(start: Any, version: int = 1) -> View[Any, int]:
    return View(
        name="totals", version=version, start=start, initial=0, key=of_account, evolve=total
    )


async def filled(*amounts: int) -> MemoryStore:
    """A store with one event for each amount."""
    store = MemoryStore()
    async with bank(store) as app:
        await add(app, *amounts)
    return store


@pytest.mark.parametrize(
    ("start", "value"), [("beginning", 15), (0, 15), (1, 14), (3, 8), (4, 0), ("now", 0)]
)
async def test_a_view_begins_after_its_start(start: Any, value: int) -> None:
    store = await filled(1, 2, 4, 8)
    async with bank(store, views=[totals(start)]) as app:
        view = totals_in(app)
        await app.caught_up(view)
        assert (value or None) == await app.view(view, "a")
        await add(app, 16)
        await app.caught_up(view)
        assert value + 16 == await app.view(view, "a")


def totals_in(app: Any) -> View[Any, int]:
    (view,) = app._readers._views  # noqa: SLF001 - made in the call that composed it
    assert isinstance(view, View)
    return view


async def test_now_is_when_the_first_application_was_entered() -> None:
    """A process that only reads decides it, too; a later one with another start does not."""
    store = await filled(1, 2)
    async with bank(store, views=[totals("now")], work=False) as app:
        await add(app, 4)
    for start in ("now", "beginning"):
        async with bank(store, views=[totals(start)]) as app:
            await app.caught_up(totals_in(app))
            assert 4 == await app.view(totals_in(app), "a")


async def test_an_empty_log_has_a_now() -> None:
    store = MemoryStore()
    async with bank(store, views=[totals("now")]) as app:
        await add(app, 4)
        await app.caught_up(totals_in(app))
        assert 4 == await app.view(totals_in(app), "a")


async def test_a_start_after_the_end_of_the_log_is_refused() -> None:
    """Nothing is registered, so another start may follow."""
    store = await filled(1, 2)
    with pytest.raises(InvalidArgument, match=r"view_totals starts after position 3, .* ends at 2"):
        await bank(store, views=[totals(3)]).__aenter__()
    async with bank(store, views=[totals(2)]) as app:
        await app.caught_up(totals_in(app))


async def test_a_reset_goes_back_to_the_start() -> None:
    store = await filled(1, 2)
    async with bank(store, views=[totals(1)]) as app:
        view = totals_in(app)
        await add(app, 4)
        await app.caught_up(view)
        await app.reset(view)
        await app.caught_up(view)
        assert 6 == await app.view(view, "a")


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("method", ["save_checkpoint", "delete_documents"])
async def test_a_reset_that_is_interrupted_leaves_nothing_out(method: str, side: str) -> None:
    """Whatever step it came to, the next process has every event in the view."""
    store = Proxy(await filled(1, 2, 4))
    async with bank(store, views=[totals("beginning")]) as app:
        await app.caught_up(totals_in(app))
        getattr(store, side)[method] = fail_with(StoreUnavailable("bank", "gone"))
        with pytest.raises(StoreUnavailable):
            await app.reset(totals_in(app))
        store.before.clear()
        store.after.clear()
    async with bank(store, views=[totals("beginning")]) as app:
        await app.caught_up(totals_in(app))
        assert 7 == await app.view(totals_in(app), "a")


async def test_a_retry_goes_back_to_the_start() -> None:
    """Events before it are no more folded than they were."""

    def failing(value: int, recorded: Recorded[Deposited]) -> int:
        if recorded.event.amount == 4:
            raise KeyError
        return total(value, recorded)

    store = await filled(1, 2, 4)
    broken = View(name="totals", start=1, initial=0, key=of_account, evolve=failing)
    async with bank(store, views=[broken]) as app:
        await app.caught_up(broken)
        with pytest.raises(KeyParked):
            await app.view(broken, "a")
    async with bank(store, views=[totals(1)]) as app:
        view = totals_in(app)
        await app.retry(view, "a")
        assert 6 == await app.view(view, "a")


async def test_a_start_belongs_to_one_history() -> None:
    """A log that was replaced before the first event was folded is noticed."""
    store, other = await filled(1, 2), await filled(1, 2, 4)
    async with bank(store, views=[totals("now")], work=False):
        (registration,) = await store.registrations()
    await other.register(registration)
    async with bank(other, views=[totals("now")]) as app:
        with pytest.raises(LogChanged):
            await app.caught_up(totals_in(app))
        await app.reset(totals_in(app))
        await app.caught_up(totals_in(app))
        assert 4 == await app.view(totals_in(app), "a")


async def test_a_process_begins_after_its_start() -> None:
    """It sends nothing because of earlier events, now or when it is started again."""

    def count(state: int, recorded: Recorded[Deposited]) -> int:
        return state + 1

    def say(state: int, recorded: Recorded[Deposited]) -> Iterable[Command]:
        return [Scribble(aggregate_id="notes", text=f"{state}: {recorded.event.amount}")]

    store = await filled(1, 2)
    for amount in (4, 8):
        noting = Process(
            name="noting", start="now", initial=0, key=of_account, evolve=count, react=say
        )
        async with bank(store, processes=[noting]) as app:
            await add(app, amount)
            await caught_up(app, noting)
    page = await store.read()
    texts = [each.event.data["text"] for each in page.events if each.event.type == "Scribbled"]
    assert ["1: 4", "2: 8"] == texts
