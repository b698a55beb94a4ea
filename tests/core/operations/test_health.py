"""The health of a bucket: the problems that are reported, and states that are healthy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest
from attrs import evolve

from eventhus import Application, Committed, Recorded, StreamId, View
from eventhus.errors import (
    BusUnavailable,
    IncompatibleBucket,
    InvalidArgument,
    LeaseLost,
    NotRunning,
    StoreUnavailable,
)
from eventhus.middleware import Envelope, Handler
from eventhus.operations import Health, Operations, ReaderStatus
from eventhus.operations.app_parts import AppParts
from eventhus.ports import Commit, EventData, Part, Storage
from eventhus.runtime.clock import SystemClock
from eventhus.runtime.readers.leased_reader import HANDOVERS
from eventhus_memory import MemoryBus, MemoryStore
from tests.bank import Deposited, Scribble
from tests.core.finding import orders
from tests.core.hooks import Gate, fail_with
from tests.core.operations.cases import A, append, bank, leases_of
from tests.core.readers import balances, odd, welcome
from tests.core.support import FakeClock, Proxy, add
from tests.core.waiting import eventually, eventually_so, settle

FOLDING = "load_documents"  # the call with which a fold begins a batch


async def append_old_events(store: Storage, number: int = 3) -> None:
    """Append deposits that were committed years ago."""
    commit = Commit(
        id="old",
        parts=[
            Part(
                stream=StreamId("Account", "a"),
                events=[EventData("Deposited", {"amount": 1})] * number,
                expected_version=None,
            )
        ],
        recorded_at=datetime(2020, 1, 1, tzinfo=UTC),
    )
    await store.append(commit)


@asynccontextmanager
async def held(store: Proxy, call: str = FOLDING) -> AsyncIterator[Gate]:
    """Let every such call wait until the end of the block."""
    gate = Gate()
    store.before[call] = gate
    try:
        yield gate
    finally:
        store.before.pop(call)
        gate.opened.set()


def reader(health: Health, name: str) -> ReaderStatus:
    """Return one of the readers."""
    (found,) = [each for each in health.readers if each.name == name]
    return found


async def health_with(operations: Operations, problem: str) -> Health:
    """Return the health as soon as one of the problems contains a text."""
    found: list[Health] = []

    async def is_reported() -> bool:
        found.append(await operations.health())
        return problem in "; ".join(found[-1].problems)

    await eventually_so(is_reported)
    return found[-1]


async def relayed(app: Application) -> bool:
    """Return whether everything is published."""
    return not await app.relay_lag()


async def test_an_application_that_was_idle_for_long_is_healthy() -> None:
    async with bank(MemoryStore(), views=[balances], processes=[welcome], bus=MemoryBus()) as app:
        await add(app, 1)
        await app.caught_up(balances)
        await app.caught_up(welcome)
        await eventually_so(lambda: relayed(app))
        found = await Operations(app, stalled_after_s=0).health()
    assert (True, True, True, 1) == (
        found.is_healthy,
        found.is_live,
        found.is_ready,
        found.head,
    ), found.problems
    assert ["relay", "view", "process"] == [each.kind for each in found.readers]
    assert {True} == {each.is_declared for each in found.readers}
    assert {(1, 0, None)} == {(r.position, r.waiting, r.waiting_since) for r in found.readers}


async def test_a_view_that_is_being_built_is_healthy_but_not_ready() -> None:
    store = Proxy()
    await append_old_events(store)
    async with held(store) as gate, bank(store, views=[balances]) as app:
        await gate.arrived.wait()
        operations = Operations(app)
        found = await operations.health()
        assert ((), True, False) == (found.problems, found.is_live, found.is_ready)
        view = reader(found, "balances")
        assert (0, 3, 2020) == (
            view.position,
            view.waiting,
            view.waiting_since and view.waiting_since.year,
        )
        gate.opened.set()
        await app.caught_up(balances)
        assert (await operations.health()).is_ready


async def test_a_reader_that_is_frozen_here_asks_for_a_restart() -> None:
    store = Proxy()
    await append_old_events(store)
    async with held(store) as gate, bank(store, views=[balances]) as app:
        await gate.arrived.wait()
        found = await Operations(app, stalled_after_s=0).health()
        (problem,) = found.problems
        assert problem.startswith("view balances has stood at position 0 for 0 s while events wait")
        assert problem.endswith("this process holds its lease; restart the process")
        assert not found.is_live


async def test_a_leader_elsewhere_that_does_not_move_is_reported_with_its_owner() -> None:
    store = Proxy()
    await append_old_events(store)
    async with (
        held(store) as gate,
        bank(store, views=[balances]),
        bank(store.inner, views=[balances]) as standby,
    ):
        await gate.arrived.wait()
        found = await Operations(standby, stalled_after_s=0).health()
        owner = reader(found, "balances").owner
        (problem,) = found.problems
        assert owner is not None
        assert problem.endswith(f"look at the process that holds its lease as {owner}")
        assert found.is_live


async def test_a_view_that_nobody_follows_is_reported() -> None:
    store = MemoryStore()
    await append_old_events(store)
    async with bank(store, views=[balances], work=False) as app:
        found = await Operations(app, stalled_after_s=0).health()
        (problem,) = found.problems
        assert problem.endswith("nobody holds its lease; start a worker")
        assert (True, False) == (found.is_live, found.is_ready)


async def test_events_that_a_view_does_not_want_do_not_wait_for_it() -> None:
    store = MemoryStore()
    async with bank(store, views=[orders], work=False) as app:
        await app.dispatch(Scribble(aggregate_id="n"))
        found = await Operations(app, stalled_after_s=0).health()
        view = reader(found, "orders")
        assert (1, None, ()) == (view.waiting, view.waiting_since, found.problems)


async def test_a_parked_key_is_reported() -> None:
    async with bank(MemoryStore(), views=[orders]) as app:
        await add(app, 13, 1)
        await app.caught_up(orders)
        found = await Operations(app).health()
        assert ("view orders has 1 parked key",) == found.problems
        assert (1, True, True) == (
            reader(found, "orders").parked,
            found.is_live,
            found.is_ready,
        )


async def test_dead_letters_are_reported() -> None:
    async def refuse(_: Recorded[Any]) -> None:
        raise ValueError

    async with bank(MemoryStore()) as app:
        await app.subscribe(refuse, group="mail", attempts=1, start="beginning")
        await add(app, 1, 2)
        operations = Operations(app)
        found = await health_with(operations, "2 dead letters")
        assert ("group mail has 2 dead letters",) == found.problems
        assert (2, True) == (reader(found, "mail").dead_letters, found.is_live)


async def test_a_handler_that_hangs_is_reported_and_asks_for_no_restart() -> None:
    gate, opened, handled = Gate(), Gate(), asyncio.Event()
    opened.opened.set()

    async def hang(delivered: Recorded[Any]) -> None:
        if delivered.stream == A:
            await gate()
        handled.set()

    async with bank(MemoryStore()) as app:
        await app.subscribe(hang, group="mail", start="beginning")
        await app.subscribe(opened, group="other")
        await add(app, 1)
        await add(app, 1, aggregate_id="b")
        await gate.arrived.wait()
        await handled.wait()
        await settle()
        operations = Operations(app, stalled_after_s=0)
        found = await operations.health()
        (problem,) = [each for each in found.problems if "mail" in each]
        assert problem.startswith("group mail has stood at position 0 for 0 s while events wait")
        assert problem.endswith("this process holds its lease; restart the process")
        group = reader(found, "mail")
        assert (True, True, 1, 2) == (
            found.is_live,
            group.is_declared,
            group.waiting,  # the other one is handled
            group.head,
        )
        owners = {each.name: each.owner for each in await leases_of(operations)}
        assert owners["group_mail"] == group.owner
        assert group.moved_at is not None
        gate.opened.set()


async def test_a_group_that_waits_for_newer_code_has_no_error() -> None:
    """It stands still, which is enough."""
    store = MemoryStore()
    async with bank(store) as app:
        await app.subscribe(Gate(), group="mail", start="beginning")
        await append(store, A, EventData("OfNewerCode", {}), commit="c1")
        (member,) = AppParts(app).members
        await eventually(lambda: member._failure)  # noqa: SLF001 - which its condition hides
        found = await Operations(app, stalled_after_s=0).health()
        (problem,) = found.problems
        assert problem.startswith("group mail has stood at position 0")
        assert reader(found, "mail").error is None


async def test_stalled_after_s_must_be_a_duration() -> None:
    for wrong in (-1, float("inf"), float("nan")):
        with pytest.raises(InvalidArgument, match="stalled_after_s must be at least 0 and finite"):
            Operations(bank(MemoryStore()), stalled_after_s=wrong)


async def test_a_group_of_a_bus_is_judged_by_what_the_bus_tells() -> None:
    gate = Gate()
    async with bank(MemoryStore(), bus=MemoryBus()) as app:
        await app.subscribe(gate, group="mail")
        await add(app, 1)
        await gate.arrived.wait()
        group = reader(await Operations(app, stalled_after_s=0).health(), "mail")
        assert ("group", True, None, None) == (
            group.kind,
            group.is_declared,
            group.owner,
            group.moved_at,
        )
        gate.opened.set()


async def test_a_view_that_is_being_reset_has_not_ended() -> None:
    store = Proxy()
    async with bank(store, views=[balances]) as app:
        await add(app, 1)
        await app.caught_up(balances)
        async with held(store, "delete_documents") as gate:
            resetting = asyncio.create_task(app.reset(balances))
            await gate.arrived.wait()
            assert (await Operations(app).health()).is_live
        await resetting


async def test_a_lease_that_moves_on_is_a_failure_only_if_that_goes_on() -> None:
    store = Proxy()
    store.before["save_checkpoint"] = fail_with(LeaseLost("view_balances", 1))
    async with bank(store, views=[balances], clock=FakeClock()) as app:
        await add(app, 1)
        await health_with(Operations(app), "view balances fails in this process: LeaseLost")
        assert store.calls["save_checkpoint"] > HANDOVERS


class LostBus(MemoryBus):
    """A bus that is away."""

    async def publisher(self) -> Any:
        raise BusUnavailable("bank", "its server is gone")

    async def groups(self) -> Any:
        raise BusUnavailable("bank", "its server is gone")


async def test_a_relay_whose_bus_is_away_is_reported_and_asks_for_no_restart() -> None:
    async with bank(MemoryStore(), bus=LostBus(), shutdown_timeout_s=0.1) as app:
        await add(app, 1)
        operations = Operations(app, stalled_after_s=0)
        found = await health_with(operations, "relay fails")
        bus, relay = found.problems
        assert bus.startswith("the bus did not answer: BusUnavailable: the bus of bucket 'bank' is")
        assert relay.startswith("relay fails in this process: BusUnavailable: the bus of bucket")
        status = reader(found, "relay")
        assert (1, 0, True) == (status.waiting, status.position, found.is_live)


async def test_a_store_that_is_away_is_a_problem_and_not_an_error() -> None:
    store = Proxy()
    async with bank(store, views=[balances], bus=MemoryBus()) as app:
        await settle()
        away = fail_with(StoreUnavailable("bank", "its server is gone"))
        store.before = dict.fromkeys(("head", "leases"), away)
        found = await Operations(app).health()
        (problem,) = found.problems
        assert problem.startswith("the store did not answer: StoreUnavailable: the store of bucket")
        assert (None, (), True, False) == (
            found.head,
            found.readers,
            found.is_live,
            found.is_ready,
        )
        store.before = {}


@pytest.mark.parametrize("call", ["load_checkpoint", "select_documents"])
async def test_a_view_that_cannot_be_read_hides_no_other_reader(call: str) -> None:
    store, others = Proxy(), evolve(balances, name="others")

    async def damaged(collection: str, *_: object) -> None:
        if collection == "view_others":
            raise IncompatibleBucket("bank", "a document is damaged")

    async with bank(store, views=[balances, others]) as app:
        await add(app, 1)
        await app.caught_up(balances)
        await app.caught_up(others)
        operations = Operations(app)
        assert (await operations.health()).is_ready
        store.before[call] = damaged
        found = await operations.health()
        (problem,) = found.problems
        assert "view others cannot be read: a document is damaged" == problem
        assert (True, True, 1) == (found.is_live, found.is_ready, found.head)
        status = reader(found, "others")
        assert (None, None, 0) == (status.position, status.waiting, status.parked)
        assert 1 == reader(found, "balances").position
    async with bank(store, views=[balances]).watching() as app:
        undeclared = (await Operations(app).readers())[-1]
        assert ("others", False, (problem,)) == (
            undeclared.name,
            undeclared.is_declared,
            undeclared.problems,
        )


async def test_a_store_that_does_not_answer_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventhus.operations.health.ANSWER_S", 0.01)
    store = Proxy()
    async with bank(store) as app, held(store, "head"):
        found = await Operations(app).health()
        assert ("the store did not answer: it took longer than 0.008 s",) == found.problems


class HangingBus(MemoryBus):
    """A bus that tells nothing about its groups."""

    async def groups(self) -> Any:
        await asyncio.Event().wait()


class Slow(Proxy):
    """A store that lets other tasks run before each answer, as one on a network does."""

    async def _through(self, name: str, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return await super()._through(name, *args, **kwargs)


async def test_a_bus_that_hangs_does_not_hide_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventhus.operations.health.ANSWER_S", 1.0)
    async with bank(Slow(), views=[balances], bus=HangingBus()) as app:
        await add(app, 1)
        await app.caught_up(balances)
        await eventually_so(lambda: relayed(app))
        found = await Operations(app).health()
        assert ("the bus did not answer: it took longer than 0.8 s",) == found.problems
        assert (1, True, ["relay", "view"]) == (
            found.head,
            found.is_ready,
            [each.kind for each in found.readers],
        )


async def test_groups_that_the_store_cannot_list_are_a_problem() -> None:
    store = Proxy()
    store.before["groups"] = fail_with(StoreUnavailable("bank", "its server is gone"))
    async with bank(store) as app:
        found = await Operations(app).health()
        (problem,) = found.problems
        assert problem.startswith("the store did not answer: StoreUnavailable: ")


async def test_a_reader_that_has_ended_asks_for_a_restart() -> None:
    async with bank(MemoryStore(), views=[balances]) as app:
        await settle()
        (task,) = [each for each in asyncio.all_tasks() if "balances" in each.get_name()]
        task.cancel()
        await asyncio.wait([task])
        found = await Operations(app).health()
        assert ("view balances has ended in this process; restart the process",) == found.problems
        assert not found.is_live


async def test_a_reader_that_fails_here_says_why_and_asks_for_no_restart() -> None:
    def key(recorded: Recorded[Deposited]) -> str:
        raise KeyError("secret")

    broken: View[Any, int] = View(
        name="broken",
        initial=0,
        key=key,
        evolve=lambda value, _: value,
        events=[Deposited],
        view_type=int,
    )
    async with bank(MemoryStore(), views=[broken]) as app:
        await add(app, 1)
        operations = Operations(app, stalled_after_s=0)
        found = await health_with(operations, "broken fails")
        (problem,) = found.problems
        assert problem.startswith("view broken fails in this process: ReaderStopped: view broken")
        assert "secret" not in problem
        assert (True, problem.partition(": ")[2]) == (
            found.is_live,
            reader(found, "broken").error,
        )


async def test_an_application_stays_ready_once_its_views_have_caught_up() -> None:
    store = MemoryStore()
    await append_old_events(store)
    async with bank(store, views=[balances], work=False) as app:
        operations = Operations(app)
        assert not (await operations.health()).is_ready
        async with bank(store, views=[balances]) as worker:
            await worker.caught_up(balances)
        await add(app, 1)
        assert (await operations.health()).is_ready
        await add(app, 1)
        assert (await operations.health()).is_ready


async def test_health_is_not_known_before_the_application_is_entered() -> None:
    app = bank(MemoryStore())
    with pytest.raises(NotRunning):
        await Operations(app).health()


async def test_a_lease_belongs_to_the_version_of_a_process_that_is_in_charge() -> None:
    """All versions of a process share one lease."""
    store = MemoryStore()
    async with bank(store, processes=[welcome]) as older:
        await add(older, 1)
        await older.caught_up(welcome)
        async with bank(store, processes=[evolve(welcome, version=2)], work=False) as newer:
            found = {each.version: each for each in await Operations(newer).readers()}
            assert found[1].owner is not None
            assert (None, 1) == (found[2].owner, found[2].waiting)


class Later(SystemClock):
    """The clock of the machine, and a time that has passed besides."""

    passed_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.passed_s)


async def test_a_process_whose_commands_are_slow_is_healthy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its checkpoint moves once in 1,000 events, but it saves a value after each command."""
    store, clock, gates = Proxy(), Later(), [Gate(), Gate()]
    loop, slow = asyncio.get_running_loop(), iter(gates)
    monkeypatch.setattr(loop, "time", lambda: monotonic() + clock.passed_s)

    def hold(handle: Handler) -> Handler:
        async def held_up(envelope: Envelope) -> Committed:
            await next(slow)()
            return await handle(envelope)

        return held_up

    await append_old_events(store)
    async with bank(store, processes=[odd], middleware=[hold], clock=clock) as app:
        operations = Operations(app, stalled_after_s=10)
        await gates[0].arrived.wait()
        clock.passed_s = 20
        assert not (await operations.health()).is_live
        gates[0].opened.set()
        await gates[1].arrived.wait()
        found = await operations.health()
        (status,) = found.readers
        assert (0, None, (), True) == (
            status.position,
            status.moved_at,
            status.problems,
            found.is_live,
        )
        gates[1].opened.set()
        await app.caught_up(odd)


async def test_a_relay_is_shown_by_code_without_a_bus() -> None:
    store = MemoryStore()
    async with bank(store, bus=MemoryBus()) as app:
        await add(app, 1)
        await eventually_so(lambda: relayed(app))
    async with bank(store) as app:
        (relay,) = await Operations(app).readers()
        assert ("relay", False, 1) == (relay.kind, relay.is_declared, relay.position)
