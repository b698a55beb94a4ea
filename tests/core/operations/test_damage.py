"""Documents that another program has damaged: each is a problem of its reader alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import evolve

from eventhus import Application, Delivered
from eventhus.errors import IncompatibleBucket
from eventhus.operations import Operations
from eventhus.ports import (
    Checkpoint,
    DamagedLease,
    DamagedRegistration,
    HeldLease,
    Registration,
)
from eventhus_memory import MemoryBus, MemoryStore
from tests.core.operations.cases import bank
from tests.core.readers import balances, welcome
from tests.core.support import Proxy, add
from tests.core.waiting import eventually_so

OTHERS = evolve(balances, name="others")
VIEWS = [balances, OTHERS]


class DamagedStore(MemoryStore):
    """A store some of whose documents cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.leases_of: set[str] = set()
        self.checkpoints_of: set[str] = set()
        self.groups_of: set[str] = set()
        self.registrations_of: set[str] = set()

    async def load_checkpoint(self, name: str) -> Checkpoint:
        if name in self.checkpoints_of:
            raise broken(name)
        return await super().load_checkpoint(name)

    async def load_group(self, group: str) -> Checkpoint | None:
        if group in self.groups_of:
            raise broken(group)
        return await super().load_group(group)

    async def leases(  # type: ignore[override]
        self, *, after: str | None = None, limit: int = 100
    ) -> Sequence[HeldLease | DamagedLease]:
        held = await super().leases(after=after, limit=limit)
        damaged = [DamagedLease(name=name, problem=broken(name).problem) for name in self.leases_of]
        return [*(each for each in held if each.name not in self.leases_of), *damaged]

    async def registrations(  # type: ignore[override]
        self,
    ) -> Sequence[Registration | DamagedRegistration]:
        whole = await super().registrations()
        return [
            *(each for each in whole if each.collection not in self.registrations_of),
            *(
                DamagedRegistration(collection=name, error=broken(name))
                for name in sorted(self.registrations_of)
            ),
        ]


def broken(name: str) -> IncompatibleBucket:
    """Return the error for a document."""
    return IncompatibleBucket("bank", f"document {name} is damaged")


async def pass_by(_: Delivered[Any]) -> None:
    """Handle every event."""


@asynccontextmanager
async def everything(store: MemoryStore, *, with_bus: bool) -> AsyncIterator[Application]:
    """Run readers of every kind, all of which have caught up with one event."""
    bus = MemoryBus() if with_bus else None
    async with bank(store, views=VIEWS, processes=[welcome], bus=bus) as app:
        if not with_bus:
            await app.subscribe(pass_by, group="mail", start="beginning")
            await app.subscribe(pass_by, group="news", start="beginning")
        await add(app, 1)

        async def have_caught_up() -> bool:
            readers = (await Operations(app).health()).readers
            return all(each.position == 1 for each in readers)

        await eventually_so(have_caught_up)
        yield app


@pytest.mark.parametrize(
    ("kind", "key", "label"),
    [
        ("leases_of", "view_others", "view others"),
        ("leases_of", "process_welcome", "process welcome"),
        ("leases_of", "relay", "relay"),
        ("leases_of", "group_mail", "group mail"),
        ("checkpoints_of", "process_welcome/version", "process welcome"),
        ("checkpoints_of", "relay", "relay"),
        ("checkpoints_of", "group_mail", "group mail"),
        ("groups_of", "mail", "group mail"),
        ("registrations_of", "view_others", "view others"),
        ("registrations_of", "process_welcome", "process welcome"),
    ],
)
async def test_damage_is_a_problem_of_its_reader_alone(kind: str, key: str, label: str) -> None:
    store = DamagedStore()
    async with everything(store, with_bus=label == "relay"):
        pass
    getattr(store, kind).add(key)
    async with bank(store, views=VIEWS, processes=[welcome]).watching() as app:
        operations = Operations(app, stalled_after_s=0)
        found = await operations.health()
        (problem,) = found.problems
        assert f"{label} cannot be read: document {key} is damaged" == problem
        assert (True, True, 1) == (found.is_live, found.is_ready, found.head)
        assert {1} == {each.position for each in found.readers if not each.problems}
        await add(app, 2)  # nobody works
        assert problem in (await operations.health()).problems


async def test_an_event_that_cannot_be_read_is_a_problem_of_those_that_wait_for_it() -> None:
    store = Proxy()
    async with bank(store, views=VIEWS) as app:
        await add(app, 1)
        for view in VIEWS:
            await app.caught_up(view)
    await store.save_checkpoint("view_others", 0, token=9)

    async def unreadable(*_: object) -> None:
        raise broken("2")

    async with bank(store, views=VIEWS).watching() as app:
        store.before["read"] = unreadable
        found = await Operations(app, stalled_after_s=0).health()
    (problem,) = found.problems
    assert "view others cannot be read: document 2 is damaged" == problem
    assert (True, 1) == (found.is_live, found.head)
    assert {"balances": 1, "others": 0} == {each.name: each.position for each in found.readers}


async def test_an_undeclared_reader_with_a_damaged_registration_is_listed() -> None:
    store = DamagedStore()
    store.registrations_of |= {"view_old.v2", "view_a.b", "view_old.vx", "other_old"}
    async with bank(store).watching() as app:
        (found,) = await Operations(app).readers()
        assert ("view", "old", 2, False) == (
            found.kind,
            found.name,
            found.version,
            found.is_declared,
        )
        (problem,) = found.problems
        assert "view old v2 cannot be read: document view_old.v2 is damaged" == problem


@pytest.mark.parametrize("key", ["view_others", "view_others.v3", "process_welcome"])
async def test_an_application_starts_unless_the_damaged_registration_is_of_its_own(
    key: str,
) -> None:
    store = DamagedStore()
    store.registrations_of.add(key)
    async with bank(store, views=[balances]) as app:
        await add(app, 1)
        await app.caught_up(balances)
        assert [] == [*await app.prune()]
    with pytest.raises(IncompatibleBucket, match=f"document {key} is damaged"):
        async with bank(store, views=VIEWS, processes=[welcome]):
            pass


async def test_the_doctor_finds_a_damaged_registration() -> None:
    store = DamagedStore()
    async with bank(store, views=VIEWS) as app:
        store.registrations_of.add("view_others")
        (found,) = [each for each in await Operations(app).doctor() if "readers" in each.name]
    assert "error" == found.status
    assert found.detail.startswith("view others cannot start: bucket 'bank' cannot be used: ")
