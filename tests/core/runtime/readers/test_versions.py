"""Versions of a view stand side by side; a version that was built otherwise is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from attrs import frozen

from eventhus import Aggregate, Application, Recorded, View, ViewVersion
from eventhus.errors import (
    InvalidArgument,
    NotRunning,
    ReaderBusy,
    VersionRetired,
    ViewChanged,
)
from eventhus_memory import MemoryStore
from tests.bank import Deposited, Renamed, Withdrawn, account
from tests.core.readers import Paged, balances, bank, expire
from tests.core.support import add
from tests.core.waiting import settle


def of_account(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def total(value: int, recorded: Recorded[Deposited]) -> int:
    return value + recorded.event.amount


def totals(
    version: int = 1,
    *,
    evolve: Callable[[Any, Recorded[Any]], Any] = total,
    events: tuple[type, ...] = (Deposited,),
    view_type: type = int,
    name: str = "totals",
) -> View[Any, Any]:
    return View(
        name=name,
        version=version,
        initial=0,
        key=of_account,
        evolve=evolve,
        events=events,
        view_type=view_type,
    )


def doubled(value: int, recorded: Recorded[Deposited]) -> int:
    return value + 2 * recorded.event.amount


async def built(store: Any, *views: View[Any, Any]) -> None:
    """Run an application with some views until each has caught up."""
    async with bank(store, views=views) as app:
        for view in views:
            await app.caught_up(view)


async def test_two_versions_are_folded_and_read_side_by_side() -> None:
    """Old and new code run at once on one store, and each sees the events of both."""
    store = MemoryStore()
    old, new = totals(), totals(2, evolve=doubled)
    async with bank(store, views=[old]) as older, bank(store, views=[new]) as newer:
        await add(older, 1, 2)
        await add(newer, 4)
        for app, view, value in ((older, old, 7), (newer, new, 14)):
            await app.caught_up(view)
            assert value == await app.view(view, "a")
    names = {"view_totals", "view_totals.v2"}
    assert names == {*store._documents} == {*store._leases} == {*store._checkpoints}  # noqa: SLF001


async def test_a_view_with_the_name_of_a_version_is_another_view() -> None:
    store = MemoryStore()
    ones = [totals(2), totals(name="totals_v2", evolve=doubled)]
    async with bank(store, views=ones) as app:
        await add(app, 3)
        for view, value in zip(ones, (3, 6), strict=True):
            await app.caught_up(view)
            assert value == await app.view(view, "a")
        assert [] == [*await app.prune()]
    async with bank(store, views=[totals(3)]) as app:
        assert [ViewVersion("totals", 2)] == [*await app.prune()]
        assert ["view_totals.v3", "view_totals_v2"] == [
            each.collection for each in await store.registrations()
        ]


@frozen
class Wide:
    amount: int = 0


CHANGES: list[tuple[View[Any, Any], str]] = [
    (
        totals(events=(Deposited, Withdrawn)),
        r"events \(Deposited\), and is declared with \(Deposited; Withdrawn\); raise.* to 2",
    ),
    (totals(events=(Withdrawn,)), r"events \(Deposited\), and is declared with \(Withdrawn\)"),
    (totals(view_type=float), r"values \(int\), and is declared with \(float\)"),
    (totals(view_type=Wide), r"values \(int\), and is declared with \(Wide; Wide: amount: int\)"),
]


@pytest.mark.parametrize("work", [True, False])
@pytest.mark.parametrize(("changed", "message"), CHANGES)
async def test_a_version_that_was_built_from_something_else_is_refused(
    changed: View[Any, Any], message: str, work: bool
) -> None:
    """Nothing has started, and the version that is there goes on with the code that built it."""
    store = MemoryStore()
    await built(store, totals())
    app = bank(store, views=[balances, changed], work=work)
    with pytest.raises(ViewChanged, match=message):
        await app.__aenter__()
    with pytest.raises(NotRunning):
        await app.view(changed, "a")
    await built(store, totals())


async def test_the_next_version_is_above_all_that_are_there() -> None:
    store = MemoryStore()
    await built(store, totals())
    await built(store, totals(4))
    with pytest.raises(ViewChanged, match="raise its version to 5"):
        await built(store, totals(view_type=float))


async def test_an_event_may_get_another_name() -> None:
    """As long as its former one is known."""
    store = MemoryStore()
    await built(store, totals())
    renamed: Aggregate[Any, Any, Any] = Aggregate(
        name="Account",
        initial=account.initial,
        decide=account.decide,
        evolve=account.evolve,
        names={Deposited: "MoneyIn"},
        aliases={"Deposited": Deposited},
    )
    async with bank(store, aggregates=[renamed], views=[totals()]) as app:
        await add(app, 5)
        await app.caught_up(totals_of(app))
    swapped: Aggregate[Any, Any, Any] = Aggregate(
        name="Account",
        initial=account.initial,
        decide=account.decide,
        evolve=account.evolve,
        names={Deposited: "MoneyIn", Renamed: "Deposited"},
    )
    with pytest.raises(ViewChanged, match=r"\(Deposited\), and is declared with \(MoneyIn\)"):
        await bank(store, aggregates=[swapped], views=[totals()]).__aenter__()


def totals_of(app: Application) -> View[Any, Any]:
    (view,) = app._readers._views  # noqa: SLF001 - made in the call that composed it
    return view


async def test_a_lower_version_that_is_there_goes_on() -> None:
    """Old code is started again while the new version is built."""
    store = MemoryStore()
    await built(store, totals())
    await built(store, totals(3))
    await built(store, totals())


async def test_a_lower_version_that_is_not_there_is_refused() -> None:
    store = MemoryStore()
    await built(store, totals())
    await built(store, totals(3))
    with pytest.raises(VersionRetired, match=r"version 2 of view totals .* holds version 3"):
        await built(store, totals(2))
    assert 2 == len(await store.registrations())


async def test_pruning_deletes_older_versions_only() -> None:
    """The declared one, later ones and those of other views stay; so it may be done again."""
    store = MemoryStore()
    for version in (1, 2, 3, 4):
        await built(store, totals(version))
    await built(store, balances)
    async with bank(store, views=[totals(3)]) as app:
        await add(app, 1)
        assert [ViewVersion("totals", 1), ViewVersion("totals", 2)] == [*await app.prune()]
        assert [] == [*await app.prune()]
        await app.caught_up(totals_of(app))
        assert 1 == await app.view(totals_of(app), "a")
    assert ["view_balances", "view_totals.v3", "view_totals.v4"] == [
        each.collection for each in await store.registrations()
    ]
    with pytest.raises(VersionRetired, match="holds version 4"):
        await built(store, totals())


async def test_pruning_by_name_deletes_a_view_that_nobody_declares() -> None:
    store = MemoryStore()
    await built(store, totals(), balances)
    await built(store, totals(2))
    async with bank(store, views=[balances], work=False) as app:
        with pytest.raises(InvalidArgument, match="view balances is part of this application"):
            await app.prune("totals", "balances")
        assert [1, 2] == [each.version for each in await app.prune("totals", "nobody")]
    assert ["view_balances"] == [each.collection for each in await store.registrations()]
    await built(store, totals())  # from the first event, although its checkpoint was further


async def test_a_pruned_version_that_comes_again_is_built_anew() -> None:
    store = MemoryStore()
    async with bank(store, views=[totals()]) as app:
        await add(app, 1, 2)
        await app.caught_up(totals_of(app))
    async with bank(store, work=False) as app:
        await app.prune("totals")
    async with bank(store, views=[totals()]) as app:
        await app.caught_up(totals_of(app))
        assert 3 == await app.view(totals_of(app), "a")


async def test_a_version_that_is_being_followed_is_not_pruned() -> None:
    store = MemoryStore()
    async with bank(store, views=[totals()]) as older, bank(store, views=[totals(2)]) as newer:
        await add(older, 1)
        await older.caught_up(totals_of(older))
        with pytest.raises(ReaderBusy, match="view totals"):
            await newer.prune()
        assert 1 == await older.view(totals_of(older), "a")


async def test_a_stand_by_of_a_pruned_version_stops() -> None:
    """It would otherwise build the version again, for nobody."""
    store = MemoryStore()
    await built(store, totals())
    await built(store, totals(2))
    async with bank(store) as app:
        await add(app, 1, 2)
    pruning = await store.acquire("view_totals", "pruning", ttl_s=60)
    assert pruning is not None
    async with bank(store, views=[totals()]) as older:
        waiting = asyncio.create_task(older.caught_up(totals_of(older)))
        await settle()
        await store.save_checkpoint("view_totals", 0, token=pruning.token)
        await store.drop_collection("view_totals")
        await store.release(pruning)
        with pytest.raises(VersionRetired, match=r"version 1 .* which holds version 2"):
            await waiting
    assert "view_totals" not in store._documents  # noqa: SLF001


async def test_a_paused_leader_of_a_pruned_version_moves_no_checkpoint() -> None:
    """Its token is older than that of the process that pruned it."""
    store = MemoryStore()
    await built(store, totals())
    lease = await store.acquire("view_totals", "paused", ttl_s=0.001)
    assert lease is not None
    expire(store)
    async with bank(Paged(store), views=[totals(2)], work=False) as app:
        await app.prune()
    assert 0 == (await store.load_checkpoint("view_totals")).position
    with pytest.raises(Exception, match="lease"):
        await store.save_checkpoint("view_totals", 9, token=lease.token)
