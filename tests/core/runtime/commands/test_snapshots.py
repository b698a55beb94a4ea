"""Snapshots: off the command's path, and never trusted when in doubt."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from eventhus import Aggregate, Application, Rejected, StreamId
from eventhus.errors import CodecError, CompositionError
from eventhus.ports import Snapshot
from eventhus_memory import MemoryStore
from tests.bank import (
    Account,
    AccountEvent,
    Deposit,
    Deposited,
    Open,
    Opened,
    Rename,
    Script,
    account,
    evolve,
)
from tests.core.hooks import Gate, at, fail_with
from tests.core.support import JsonCodec, Proxy, compose
from tests.core.waiting import settle

A = StreamId("Account", "a")


async def fill(app: Application, events: int, amount: int = 1) -> None:
    """Give an account so many events, each in a commit of its own."""
    for _ in range(events):
        await app.dispatch(Script(aggregate_id="a", decide=lambda _: [Deposited(amount)]))


def saved_by(store: Proxy) -> list[int]:
    """The versions that are saved from now on."""
    versions: list[int] = []

    async def note(snapshot: Snapshot) -> None:
        versions.append(snapshot.version)

    store.before["save_snapshot"] = note
    return versions


async def test_a_snapshot_is_taken_every_so_many_events() -> None:
    """Counted from the newest one."""
    store = Proxy()
    versions = saved_by(store)
    async with compose(store, snapshot_every=3) as app:
        await fill(app, 10)
    assert [3, 6, 9] == versions


async def test_a_commit_is_never_cut_by_a_snapshot() -> None:
    """It is taken at the first version at which it is due and a commit ends."""
    store = Proxy()
    versions = saved_by(store)
    async with compose(store, snapshot_every=3) as app:
        await fill(app, 2)
        four = Script(aggregate_id="a", decide=lambda _: [Deposited(1)] * 4)
        await app.dispatch(four)
        await fill(app, 3)
    assert [6, 9] == versions


async def test_without_being_asked_for_none_is_taken_or_looked_for() -> None:
    """``snapshot_every=None`` touches no snapshot."""
    store = Proxy()
    async with compose(store) as app:
        await fill(app, 10)
    assert 0 == store.calls["save_snapshot"] + store.calls["load_snapshot"]


async def test_the_count_goes_on_in_another_application() -> None:
    """A state that was folded from a snapshot counts from that snapshot."""
    store = Proxy()
    versions = saved_by(store)
    async with compose(store, snapshot_every=3) as app:
        await fill(app, 4)
    async with compose(store, snapshot_every=3) as app:
        await fill(app, 2)
    assert [3, 6] == versions


async def test_the_count_goes_on_when_the_state_was_confirmed_or_caught_up() -> None:
    """A changed entry of the cache still knows its snapshot."""
    store = Proxy()
    versions = saved_by(store)
    async with compose(store, snapshot_every=4) as app, compose(store.inner) as other:
        await fill(app, 4)
        await fill(other, 1)
        await app.state(account, "a")
        await fill(app, 1)
        await fill(other, 1)
        await fill(app, 1)
    assert [4, 8] == versions


async def test_nothing_is_taken_of_a_refused_or_needless_command() -> None:
    """Only events count."""
    store = Proxy()
    async with compose(store, snapshot_every=1) as app:
        await app.dispatch(Script(aggregate_id="a", decide=lambda _: ()))
        with pytest.raises(Rejected):
            await app.dispatch(Deposit(aggregate_id="a"))
    assert 0 == store.calls["save_snapshot"]


async def test_a_stuck_snapshot_store_delays_no_answer() -> None:
    """Neither that command nor the later ones wait."""
    store, gate = Proxy(), Gate()
    store.before["save_snapshot"] = gate
    async with compose(store, snapshot_every=2, workers=1) as app:
        await fill(app, 7)
        await settle()
        assert 3 == gate.waiting
        gate.opened.set()


async def test_leaving_waits_until_snapshots_are_saved() -> None:
    """The store is not closed under them."""
    store, gate = Proxy(), Gate()
    store.before["save_snapshot"] = gate

    async def run() -> None:
        async with compose(store, snapshot_every=1) as app:
            await fill(app, 3)

    running = asyncio.create_task(run())
    await gate.arrived.wait()
    await settle()
    assert not running.done()
    assert 0 == store.calls["__aexit__"]
    gate.opened.set()
    await running
    snapshot = await store.inner.load_snapshot(A)
    assert snapshot is not None
    assert 3 == snapshot.version


async def test_a_snapshot_that_could_not_be_saved_is_logged_and_does_no_harm(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The next one will do as well."""
    store = Proxy()
    store.before["save_snapshot"] = at([1], fail_with(ConnectionError("disk full")))
    async with compose(store, snapshot_every=2) as app:
        await fill(app, 4)
    (record,) = caplog.records
    assert (
        "snapshot of Account/a at version 2 could not be saved: ConnectionError"
        == record.getMessage()
    )
    assert record.exc_info is not None
    snapshot = await store.inner.load_snapshot(A)
    assert snapshot is not None
    assert 4 == snapshot.version


async def test_a_state_that_cannot_be_encoded_fails_no_command(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The command has long been answered."""

    class Choosy(JsonCodec):
        def encoder(self, as_type: Any) -> Callable[[Any], Any]:
            if as_type is not Account:
                return super().encoder(as_type)

            def refuse(_: Any) -> Any:
                raise CodecError("Account", "owner", "is a secret")

            return refuse

    async with compose(codec=Choosy(), snapshot_every=1) as app:
        await fill(app, 2)
    assert 2 == len(caplog.records)


async def test_a_load_reads_the_snapshot_and_the_events_behind_it_alone() -> None:
    """Three of twelve events: the one that proves the snapshot, and those after it."""
    store = Proxy()
    async with compose(store, snapshot_every=5) as app:
        await fill(app, 12, amount=2)
    async with compose(store, snapshot_every=5) as app:
        store.calls.clear()
        loaded = await app.load(account, "a")
        assert (Account(balance=24), 12, 12) == (loaded.state, loaded.version, loaded.position)
        assert {"load_snapshot": 1, "load": 1, "events loaded": 3} == store.calls


async def test_a_command_starts_from_the_snapshot_too() -> None:
    """And is appended right behind the stream's last event."""
    store = Proxy()
    async with compose(store, snapshot_every=5) as app:
        await fill(app, 5)
    async with compose(store, snapshot_every=5) as app:
        store.calls.clear()
        committed = await app.dispatch(Rename(aggregate_id="a", owner="Bob"))
        assert 6 == committed.version
        expected = {"load_snapshot": 1, "load": 1, "events loaded": 1, "append": 1}
        assert expected == store.calls


async def test_an_answer_without_events_from_a_snapshot_tells_its_version() -> None:
    """A snapshot remembers where in the log it stands."""
    store = MemoryStore()
    async with compose(store, snapshot_every=2) as app:
        await app.dispatch(Open(aggregate_id="first"))
        await fill(app, 2)
    async with compose(store, snapshot_every=2) as app:
        unchanged = await app.dispatch(Script(aggregate_id="a", decide=lambda _: ()))
    assert (2, 3) == (unchanged.version, unchanged.position)


def decide_new(command: Script, state: Any) -> Iterator[AccountEvent]:
    """Whatever the test wants decided."""
    yield from command.decide(state)


def revised(**changes: Any) -> Aggregate[Any, Any, Any]:
    """The account of tomorrow's program."""
    return attrs.evolve(account, **changes)


@attrs.frozen
class AccountOfTomorrow:
    """Another state over the same events."""

    total: int = 0


def evolve_tomorrow(state: AccountOfTomorrow, event: AccountEvent) -> AccountOfTomorrow:
    """Counts what was deposited, in cents."""
    amount = event.amount * 100 if isinstance(event, Deposited) else 0
    return AccountOfTomorrow(state.total + amount)


def evolve_in_cents(state: Account, event: AccountEvent) -> Account:
    """The same shape with another meaning, which only its author can know."""
    match event:
        case Deposited(amount):
            return attrs.evolve(state, balance=state.balance + amount * 100)
        case _:
            return evolve(state, event)


@pytest.mark.parametrize(
    ("tomorrow", "expected"),
    [
        pytest.param(
            Aggregate(
                name="Account",
                initial=AccountOfTomorrow(),
                decide=decide_new,
                evolve=evolve_tomorrow,
            ),
            AccountOfTomorrow(300),
            id="another state class",
        ),
        pytest.param(
            revised(evolve=evolve_in_cents, revision=2),
            Account(balance=300),
            id="another revision",
        ),
    ],
)
async def test_a_snapshot_made_by_other_rules_is_ignored(
    tomorrow: Aggregate[Any, Any, Any], expected: Any
) -> None:
    """The state is folded from the first event, and the next snapshot is one of the new rules."""
    store = Proxy()
    async with compose(store, snapshot_every=3) as app:
        await fill(app, 3)
    async with compose(store, aggregates=[tomorrow], snapshot_every=3) as app:
        store.calls.clear()
        assert expected == await app.state(tomorrow, "a")
        assert 3 == store.calls["events loaded"]
        await fill(app, 1)
    async with compose(store, aggregates=[tomorrow], snapshot_every=3) as app:
        store.calls.clear()
        assert 4 == (await app.load(tomorrow, "a")).version
        assert 1 == store.calls["events loaded"]


async def test_a_snapshot_that_cannot_be_decoded_is_ignored_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The line names the stream, and nothing of the data."""
    store = Proxy()
    async with compose(store, snapshot_every=2) as app:
        await fill(app, 2)
    good = await store.inner.load_snapshot(A)
    assert good is not None
    await store.inner.save_snapshot(attrs.evolve(good, data={"secret": "s3cret"}))
    async with compose(store, snapshot_every=2) as app:
        assert Account(balance=2) == await app.state(account, "a")
    (record,) = caplog.records
    assert logging.WARNING == record.levelno
    assert record.getMessage().startswith("snapshot of Account/a ignored")
    assert "s3cret" not in caplog.text


async def test_a_snapshot_ahead_of_a_restored_log_is_given_up() -> None:
    """The command finds that the log is shorter, and is decided on what the log holds."""
    store = Proxy()
    async with compose(store, snapshot_every=3) as app:
        await fill(app, 3)
    snapshot = await store.inner.load_snapshot(A)
    assert snapshot is not None
    restored = MemoryStore()
    await restored.save_snapshot(snapshot)
    async with compose(restored) as app:
        await app.dispatch(Open(aggregate_id="a", owner="Bob"))
    async with compose(restored, snapshot_every=3) as app:
        committed = await app.dispatch(
            Script(aggregate_id="a", decide=lambda state: [Opened(f"{state.owner} & Ada")])
        )
        assert [Opened("Bob & Ada")] == [each.event for each in committed.events]
        assert 2 == committed.version


async def test_a_codec_that_cannot_handle_the_state_is_found_when_composing() -> None:
    """Only where snapshots are asked for: without them, a state never leaves the program."""

    class EventsOnly(JsonCodec):
        def encoder(self, as_type: Any) -> Callable[[Any], Any]:
            if as_type is Account:
                raise CompositionError("Account: no encoder")
            return super().encoder(as_type)

    compose(codec=EventsOnly())
    with pytest.raises(CompositionError):
        compose(codec=EventsOnly(), snapshot_every=1)


@pytest.mark.parametrize("grown", [1, 4, 6])
async def test_a_snapshot_of_a_log_that_was_restored_is_ignored(grown: int) -> None:
    """The new log ends before, at or after the snapshot, which was made of other events."""
    lost, restored = MemoryStore(), MemoryStore()
    async with compose(lost, snapshot_every=4) as app:
        await fill(app, 4, amount=100)
    snapshot = await lost.load_snapshot(A)
    assert snapshot is not None
    await restored.save_snapshot(snapshot)
    async with compose(restored) as app:
        await fill(app, grown, amount=1)
    async with compose(restored, snapshot_every=100) as app:
        assert Account(balance=grown) == await app.state(account, "a")


async def test_the_log_tells_the_position_of_a_snapshot() -> None:
    """Waiting for a wrong one would never end."""
    store = MemoryStore()
    async with compose(store, snapshot_every=4) as app:
        await fill(app, 4)
        loaded = await app.load(account, "a")
    snapshot = await store.load_snapshot(A)
    assert snapshot is not None
    await store.save_snapshot(attrs.evolve(snapshot, position=2**40))
    async with compose(store, snapshot_every=100) as app:
        assert loaded == await app.load(account, "a")
