"""Views: every event has its effect once, whatever fails, and none is left out in silence."""

import asyncio
import logging
from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest
from attrs import evolve

from eventhus import Recorded, StreamId, View
from eventhus.errors import CodecError, InvalidArgument, ReaderStopped
from eventhus.ports import EventData, ViewDocument, ViewWrite
from eventhus.runtime.readers.leased_reader import retry_s
from eventhus_memory import MemoryStore
from eventhus_testing.conformance.store.samples import commit
from tests.bank import Deposit, Deposited, Opened, Renamed, Script, always
from tests.core.hooks import Gate, at, fail_with
from tests.core.readers import (
    FILLED,
    SHOWN,
    Balance,
    Paged,
    balances,
    bank,
    crash,
    expire,
    first,
    interrupt,
    open_accounts,
    shown,
    without_leases,
)
from tests.core.support import FakeClock, Proxy, add
from tests.core.waiting import eventually

DOWN = ConnectionError("down")
NAME = "view_balances"


def key(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def total(value: int, recorded: Recorded[Deposited]) -> int:
    return value + recorded.event.amount


totals = View(name="totals", initial=0, key=key, evolve=total)


async def test_a_view_shows_earlier_and_later_events() -> None:
    """By key, and a key whose value was deleted starts again from the beginning."""
    store = MemoryStore()
    await open_accounts(store)
    async with bank(store, views=[balances]) as app:
        await app.caught_up(balances)
        assert SHOWN == await shown(app)
        committed = await app.dispatch(Deposit(aggregate_id="a", amount=100))
        await app.caught_up(balances, committed)
        assert Balance("owner of a", 106, 5) == await app.view(balances, "a")
    assert FILLED + 1 == (await store.load_checkpoint(NAME)).position


async def test_a_view_is_shown_the_events_that_it_is_made_of() -> None:
    """Other events need not be readable, and other aggregates need not be known."""
    store, seen = MemoryStore(), list[Recorded[Any]]()

    def look(value: int, recorded: Recorded[Deposited]) -> int:
        seen.append(recorded)
        return value

    view = View(name="looks", initial=0, key=key, evolve=look)
    elsewhere = StreamId("Elsewhere", "x")
    await store.append(commit(stream=elsewhere, events=[EventData("Unheard", {})]))
    await store.append(commit(events=[EventData("Renamed", {"of": "another shape"})]))
    async with bank(store, views=[view]) as app:
        await app.dispatch(
            Script(aggregate_id="a", decide=always(Opened("x"), Deposited(2), Renamed("y")))
        )
        await app.caught_up(view)
    assert [(4, Deposited(2))] == [(each.position, each.event) for each in seen]
    assert 5 == (await store.load_checkpoint("view_looks")).position


async def test_a_batch_is_read_and_written_once() -> None:
    """However many events of a key it holds."""
    store = Proxy()
    await open_accounts(store.inner)
    async with bank(store, views=[balances]) as app:
        await app.caught_up(balances)
    assert [1, 1, 1] == [
        store.calls[name] for name in ("load_documents", "save_documents", "save_checkpoint")
    ]


async def test_a_long_log_lets_others_have_their_turn() -> None:
    """Also on a store that never waits for anything."""
    store = Paged()
    async with bank(store) as app:
        await add(app, *[1] * 100)
    async with bank(store, views=[totals]) as app:
        catching_up = asyncio.create_task(app.caught_up(totals))
        positions = set[int]()
        while not catching_up.done():
            positions.add((await store.inner.load_checkpoint("view_totals")).position)
            await asyncio.sleep(0)
        assert 100 == await app.view(totals, "a")
    assert len(positions) > 40


@pytest.mark.parametrize("ways", ["it raises", "the process is killed"])
async def test_a_failure_anywhere_loses_and_repeats_nothing(ways: str) -> None:
    """At every call of the store, before it or after it; the log is read in six batches."""
    steps = 0
    for step in count(1):
        store, gate = Paged(), Gate()
        await open_accounts(store.inner)
        met = interrupt(store, step, fail_with(DOWN) if ways == "it raises" else gate)
        async with bank(store, views=[balances]) as app:
            if ways == "it raises":
                await app.caught_up(balances)
            else:
                await first(gate.arrived.wait(), app.caught_up(balances, FILLED))
                crash(store)
        async with bank(store.inner, views=[balances]) as app:
            await app.caught_up(balances)
            assert (step, SHOWN) == (step, await shown(app))
        if not met():
            break
        steps = step
    assert steps > 40


class HalfWrites(Proxy):
    """The first time, only the first of the documents is saved."""

    async def save_documents(self, collection: str, writes: Any) -> frozenset[str]:
        """See ``ViewStore.save_documents``."""
        if self.calls["save_documents"] == 0:
            await super().save_documents(collection, writes[:1])
            raise DOWN
        return await super().save_documents(collection, writes)


async def test_a_write_of_which_a_part_has_happened() -> None:
    """The other part follows, and the first is not folded again."""
    store = HalfWrites()
    await open_accounts(store.inner)
    async with bank(store, views=[balances]) as app:
        await app.caught_up(balances)
        assert SHOWN == await shown(app)


async def test_a_deletion_before_the_checkpoint(caplog: pytest.LogCaptureFixture) -> None:
    """Read again, the events before it do not bring the value back to life."""
    store = Proxy()
    await open_accounts(store.inner)
    store.before["save_checkpoint"] = at([1], fail_with(DOWN))
    async with bank(store, views=[balances]) as app:
        await app.caught_up(balances)
        assert await app.view(balances, "c") is None
        await add(app, 1, aggregate_id="c")
        await app.caught_up(balances)
        assert Balance(amount=1, events=1) == await app.view(balances, "c")
    (record,) = caplog.records
    assert (
        "view balances stopped at position 0: ConnectionError; retrying in 0.05 s"
        == record.getMessage()
    )


async def test_one_of_many_projects() -> None:
    """The others read what it has written, and wait for it."""
    store = MemoryStore()
    stores = [Proxy(store) for _ in range(3)]
    apps = [bank(each, views=[balances]) for each in stores]
    async with apps[0], apps[1], apps[2]:
        for app in apps:
            await add(app, 1)
            for each in apps:
                await each.caught_up(balances)
            assert await shown(apps[0]) == await shown(app)
    assert [True, False, False] == [each.calls["save_documents"] > 0 for each in stores]


async def test_another_takes_over() -> None:
    """At once where the one before ended in good order."""
    store = MemoryStore()
    async with bank(store, views=[balances]) as second:
        async with bank(store, views=[balances]) as first_:
            await open_accounts(store)
            await first_.caught_up(balances)
        await add(second, 5)
        await second.caught_up(balances)
        assert Balance("owner of a", 11, 5) == await second.view(balances, "a")


@pytest.mark.parametrize("ahead", [0, 1], ids=["as far", "further"])
async def test_a_projector_that_was_paused(ahead: int, caplog: pytest.LogCaptureFixture) -> None:
    """It does not know that its lease ran out; what it would write has been written."""
    caplog.set_level(logging.INFO, "eventhus.runtime.readers.projector")
    inner, gate = MemoryStore(), Gate()
    paused = Proxy(inner)
    await open_accounts(inner)
    paused.before["save_documents"] = at([1], gate)
    async with bank(paused, views=[balances]) as app:
        await gate.arrived.wait()
        expire(inner)
        async with bank(inner, views=[balances]) as other:
            if ahead:
                await add(other, 5)
            await other.caught_up(balances)
            expected = await shown(other)
            gate.opened.set()
            await eventually(lambda: caplog.records)
        assert expected == await shown(app)
    (record,) = caplog.records
    assert (logging.INFO, True) == (record.levelno, "no longer held" in record.getMessage())


async def test_a_projector_that_was_paused_comes_between_values_and_checkpoint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It must not move the checkpoint over what it could not write: the other might crash now."""
    inner, pause, crashing = MemoryStore(), Gate(), Gate()
    paused, other = Proxy(inner), Paged(inner)
    await open_accounts(inner)
    paused.before["save_documents"] = at([1], pause)
    other.before["save_checkpoint"] = crashing
    caplog.set_level(logging.INFO, "eventhus.runtime.readers.projector")
    async with bank(paused, views=[balances], clock=Stopped()):
        await pause.arrived.wait()
        expire(inner)
        async with bank(other, views=[balances]):
            await crashing.arrived.wait()
            pause.opened.set()
            await eventually(lambda: caplog.records)
            assert 0 == (await inner.load_checkpoint(NAME)).position
            crash(other)
    async with bank(inner, views=[balances]) as app:
        await app.caught_up(balances)
        assert SHOWN == await shown(app)


class Stopped(FakeClock):
    """A clock that never wakes a sleeper."""

    async def sleep(self, seconds: float) -> None:
        """See ``Clock.sleep``."""
        await asyncio.Event().wait()


async def test_two_projectors_at_once() -> None:
    """Whatever the leases say, each value is what its events make of it."""
    inner = MemoryStore()
    stores = without_leases(
        inner,
        before=["load_documents", "save_documents"],
        after=["load_checkpoint", "save_checkpoint"],
    )
    async with bank(stores[0], views=[balances]) as one, bank(stores[1], views=[balances]) as two:
        await open_accounts(inner)
        for app in (one, two):
            await app.caught_up(balances, FILLED)
            assert SHOWN == await shown(app)


def stuck(problem: str, stream: str = "Account/a", version: int = 3) -> str:
    """Return the message about an event that cannot be handled."""
    return (
        f"view stuck stopped at {stream}, version {version}: {problem}; "
        f"it continues once the running code can handle that event"
    )


def _raises(total: Balance, recorded: Recorded[Deposited]) -> Balance:
    if recorded.event.amount == 3:
        raise KeyError("secret")
    return evolve(total, amount=total.amount + recorded.event.amount)


def _no_key(recorded: Recorded[Any]) -> Any:
    return 7 if recorded.event == Deposited(3) else "a"


def _key_raises(recorded: Recorded[Any]) -> str:
    if recorded.event == Deposited(3):
        raise ZeroDivisionError("secret")
    return "a"


def _half(recorded: Recorded[Any]) -> str:
    return "\ud800" if recorded.event == Deposited(3) else "a"


def _fine(total: Balance, recorded: Recorded[Deposited]) -> Balance:
    return evolve(total, amount=total.amount + recorded.event.amount)


NO_KEY = "WrongAnswer: a key must be a str of whole Unicode characters"
STOPS: dict[str, tuple[Any, Any, str]] = {
    "evolve raises": (key, _raises, "KeyError was raised"),
    "key raises": (_key_raises, _fine, "ZeroDivisionError was raised"),
    "key gives no text": (_no_key, _fine, NO_KEY),
    "key gives half a character": (_half, _fine, NO_KEY),
}


@pytest.mark.parametrize("stop", STOPS)
async def test_an_event_that_a_view_cannot_take(
    stop: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It stops there, is heard of, and goes on once the code was mended."""
    store, clock = MemoryStore(), FakeClock()
    key_of, evolve_with, problem = STOPS[stop]
    view = View(name="stuck", initial=Balance(), key=key_of, evolve=evolve_with, events=[Deposited])
    async with bank(store) as app:
        await add(app, 1, 2, 3, 4)
    async with bank(store, views=[view], clock=clock, max_parked=0) as app:
        await app.caught_up(view, 2)
        for position in (3, 4):
            with pytest.raises(ReaderStopped) as caught:
                await app.caught_up(view, position)
            assert (stuck(problem), 3) == (str(caught.value), caught.value.position)
            assert caught.value.__cause__ is not None
        assert Balance(amount=3) == await app.view(view, "a")
        await eventually(lambda: len(clock.sleeps_s) >= 4)
    assert 2 == (await store.load_checkpoint("view_stuck")).position
    assert [retry_s(n) for n in range(1, 5)] == clock.sleeps_s[:4]
    record = caplog.records[0]
    assert f"{stuck(problem)}; retrying in 0.05 s" == record.getMessage()
    assert (logging.ERROR, "eventhus.runtime.readers.projector") == (record.levelno, record.name)

    mended = View(name="stuck", initial=Balance(), key=key, evolve=_fine)
    async with bank(store, views=[mended]) as app:
        await app.caught_up(mended)
        assert Balance(amount=10) == await app.view(mended, "a")


async def test_an_event_that_cannot_be_decoded() -> None:
    """It is not skipped, although the later events could be decoded."""
    store = MemoryStore()
    view = View(name="stuck", initial=Balance(), key=key, evolve=_fine)
    stream = StreamId("Account", "a")
    data: list[Any] = [{"amount": 1}, {"amount": 2}, {"amount": "secret"}, {"amount": 4}]
    await store.append(commit(stream, events=[EventData("Deposited", each) for each in data]))
    async with bank(store, views=[view]) as app:
        with pytest.raises(ReaderStopped) as caught:
            await app.caught_up(view)
        assert isinstance(caught.value.__cause__, CodecError)
        assert str(caught.value).startswith(stuck("Deposited.amount: ").partition(";")[0])
        assert "secret" not in str(caught.value)
        assert Balance(amount=3) == await app.view(view, "a")


async def test_a_value_that_does_not_fit_its_type() -> None:
    """The event that led to it is named, and everything before it is shown."""

    def unfit(value: Balance, recorded: Recorded[Deposited]) -> Balance:
        amount: Any = "much" if recorded.event.amount == 3 else 1
        return evolve(value, amount=amount)

    store = MemoryStore()
    view = View(name="stuck", initial=Balance(), key=key, evolve=unfit)
    async with bank(store) as app:
        await add(app, 1, 2, 3)
    async with bank(store, views=[view], max_parked=0) as app:
        with pytest.raises(ReaderStopped, match=r"Account/a, version 3: Balance\.amount: "):
            await app.caught_up(view)
        assert Balance(amount=1) == await app.view(view, "a")
    assert 2 == (await store.load_checkpoint("view_stuck")).position


class Narrow(Proxy):
    """Keeps no value with an amount above 5."""

    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        """See ``ViewStore.save_documents``."""
        if any(write.document.data["amount"] > 5 for write in writes):
            raise InvalidArgument("too large")
        return await super().save_documents(collection, writes)


async def test_a_value_that_the_store_does_not_keep() -> None:
    """The first event that makes it so stops the view, whatever follows in its batch."""
    store = Narrow()
    view = View(name="stuck", initial=Balance(), key=key, evolve=_fine)
    async with bank(store) as app:
        await add(app, 1, 2)
        await add(app, 4, aggregate_id="b")
        await add(app, 3, 9)
        await add(app, 5, aggregate_id="c")
    async with bank(store, views=[view], max_parked=0) as app:
        with pytest.raises(ReaderStopped) as caught:
            await app.caught_up(view)
        assert stuck("InvalidArgument was raised") == str(caught.value)
        assert 4 == caught.value.position
        assert isinstance(caught.value.__cause__, InvalidArgument)
        assert Balance(amount=3) == await app.view(view, "a")
        assert Balance(amount=4) == await app.view(view, "b")
        assert await app.view(view, "c") is None
    assert 3 == (await store.load_checkpoint("view_stuck")).position
    async with bank(store.inner, views=[view]) as app:
        await app.caught_up(view)
        assert Balance(amount=15) == await app.view(view, "a")


async def test_a_batch_that_the_store_does_not_keep_at_once() -> None:
    """Where every event alone is taken, nothing is in the way."""
    store = Proxy()
    store.before["save_documents"] = at([1], fail_with(InvalidArgument("too much")))
    await open_accounts(store)
    async with bank(store, views=[balances]) as app:
        await app.caught_up(balances)
        assert SHOWN == await shown(app)


async def test_values_of_another_shape() -> None:
    """They are not guessed at."""
    store = MemoryStore()
    await store.save_documents(
        "view_balances",
        [
            ViewWrite(
                document=ViewDocument(key="a", position=1, data={"saldo": "secret"}), replaces=0
            )
        ],
    )
    async with bank(store, views=[balances]) as app:
        with pytest.raises(
            CodecError, match="in the collection view_balances; the values of a view"
        ) as caught:
            await app.view(balances, "a")
        assert "secret" not in str(caught.value)
        await add(app, 1)
        with pytest.raises(
            ReaderStopped, match=r"version 1: Balance.*in the collection view_balances"
        ):
            await app.caught_up(balances)


async def test_the_trouble_of_a_store_is_waited_out() -> None:
    """It says nothing about the view."""
    store = Proxy()
    store.before["load_documents"] = at(range(1, 6), fail_with(DOWN))
    async with bank(store, views=[totals]) as app:
        await add(app, 1, 2)
        await app.caught_up(totals)
        assert 3 == await app.view(totals, "a")


async def test_an_adapter_that_cancels_itself() -> None:
    """Is a failure like any other."""

    async def cancel(*_: object) -> None:
        raise asyncio.CancelledError

    store = Proxy()
    store.before["save_documents"] = at([1], cancel)
    async with bank(store, views=[totals]) as app:
        await add(app, 1, 2)
        await app.caught_up(totals)
        assert 3 == await app.view(totals, "a")
