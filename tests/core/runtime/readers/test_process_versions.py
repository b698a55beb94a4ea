"""Versions of a process: a new one goes on where the one before has come, and repeats nothing."""

import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from attrs import evolve

from eventhus import Application, Cancel, Command, Deadline, DeadlineReached, Process, Recorded
from eventhus.domain.start import Start
from eventhus.errors import CompositionError, KeyParked, StoreUnavailable, Superseded
from eventhus.middleware import Envelope, Handler
from eventhus.ports import Storage
from eventhus.runtime.readers.registering import collection_of
from eventhus_memory import MemoryStore
from eventhus_testing import ManualClock
from tests.bank import Deposited, Open, Opened, Scribble
from tests.core.hooks import Gate, at, fail_with
from tests.core.readers import Paged, bank, caught_up, crash, expire, first, interrupt
from tests.core.support import Proxy, add, stored_events
from tests.core.waiting import eventually, settle

POISON = 13


def key(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def version(number: int, react: Any = None, sums: Any = None) -> Process[Deposited, int]:
    """A version that multiplies the sum by its number, and writes down each deposit."""

    def total(state: int, recorded: Recorded[Deposited]) -> int:
        return state + number * recorded.event.amount

    def say(state: int, recorded: Recorded[Deposited]) -> Iterable[Command]:
        text = f"v{number} {key(recorded)} {recorded.event.amount}"
        return [Scribble(aggregate_id=key(recorded), text=text)]

    return Process(
        name="notes",
        version=number,
        initial=0,
        key=key,
        evolve=sums or total,
        react=react or say,
        events=[Deposited],
        state_type=int,
    )


one, two, three = version(1), version(2), version(3)


class Overheard:
    """Middleware that notes the commands of processes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, handle: Handler) -> Handler:
        async def handle_it(envelope: Envelope) -> Any:
            if isinstance(envelope.command, Scribble):
                self.texts.append(envelope.command.text)
            return await handle(envelope)

        return handle_it


async def written(store: Storage) -> list[str]:
    log = await stored_events(store)
    return sorted(str(each.event.data["text"]) for each in log if each.event.type == "Scribbled")


async def values(store: Storage, number: int) -> dict[str, Any]:
    collection = collection_of("process", "notes", number)
    found = await store.load_documents(collection, ["a", "b", "c"])
    return {name: document.data for name, document in found.items()}


async def begun(store: Storage) -> None:
    """Fill a log, and let version 1 handle it."""
    async with bank(store, processes=[one]) as app:
        await add(app, 1, 2)
        await add(app, 3, aggregate_id="b")
        await app.caught_up(one)


async def test_a_new_version_goes_on_where_the_one_before_has_come() -> None:
    """With states of its own, folded from the first event, and without repeating a command."""
    store, overheard = MemoryStore(), Overheard()
    await begun(store)
    async with bank(store) as app:
        await add(app, 4)
    async with bank(store, processes=[two], middleware=[overheard]) as app:
        await app.caught_up(two)
        await add(app, 5, aggregate_id="c")
        await app.caught_up(two)
    assert ["v2 a 4", "v2 c 5"] == overheard.texts
    assert ["v1 a 1", "v1 a 2", "v1 b 3", "v2 a 4", "v2 c 5"] == await written(store)
    assert {"a": 14, "b": 6, "c": 10} == await values(store, 2)
    assert {"a": 3, "b": 3} == await values(store, 1)


async def test_the_versions_after_it_repeat_nothing_either() -> None:
    store, overheard = MemoryStore(), Overheard()
    await begun(store)
    for process in (two, two, version(7)):
        async with bank(store, processes=[process], middleware=[overheard]) as app:
            await app.caught_up(process)
            await add(app, 4)
            await app.caught_up(process)
    assert ["v2 a 4", "v2 a 4", "v7 a 4"] == overheard.texts
    assert {"a": 7 * 15, "b": 21} == await values(store, 7)


async def test_a_new_process_may_begin_at_any_version() -> None:
    store = MemoryStore()
    async with bank(store) as app:
        await add(app, 1)
    async with bank(store, processes=[three]) as app:
        await app.caught_up(three)
    assert ["v3 a 1"] == await written(store)


async def test_an_older_version_does_not_come_back(caplog: pytest.LogCaptureFixture) -> None:
    """It would send again what the newer one has sent."""
    store, overheard = MemoryStore(), Overheard()
    await begun(store)
    async with bank(store, processes=[two]) as app:
        await add(app, 4)
        await app.caught_up(two)
    async with bank(store, processes=[one], middleware=[overheard]) as app:
        await app.caught_up(one, 3)
        with pytest.raises(Superseded) as caught:
            await app.caught_up(one)
        with pytest.raises(Superseded):
            await app.retry(one, "a")
    assert [] == overheard.texts
    assert (
        "version 2 of process notes has taken over from version 1, which must stop; deploy "
        "version 2, or give this code a higher one"
    ) == str(caught.value)
    assert caplog.records[0].getMessage().endswith("retrying in 0.05 s")


async def test_a_new_version_waits_until_the_older_one_is_gone() -> None:
    store, overheard = MemoryStore(), Overheard()
    clock = ManualClock(jumps=True)
    async with bank(store, processes=[two], middleware=[overheard], clock=clock) as newer:
        await newer.caught_up(two)
    store = MemoryStore()
    async with bank(store, processes=[one]) as older:
        await add(older, 1)
        await older.caught_up(one)
        async with bank(store, processes=[two], middleware=[overheard]) as newer:
            await settle()
            assert [] == overheard.texts
            await add(older, 2)
            await older.caught_up(one)
            await older.__aexit__(None, None, None)
            await add(newer, 3)
            await newer.caught_up(two)
            await older.__aenter__()
    assert ["v2 a 3"] == overheard.texts
    assert ["v1 a 1", "v1 a 2", "v2 a 3"] == await written(store)


@pytest.mark.parametrize(
    ("point", "handled", "left"),
    [("save_checkpoint", {"a": 2, "b": 3}, []), ("save_documents", {"a": 2}, ["v2 b 3"])],
)
async def test_what_a_crash_has_left_is_not_repeated(
    point: str, handled: dict[str, int], left: list[str]
) -> None:
    """The checkpoint of version 1 is behind the documents, and one of these behind its commands."""
    store, gate, overheard = Proxy(), Gate(), Overheard()
    async with bank(store.inner) as app:
        await add(app, 1, 2)
        await add(app, 3, aggregate_id="b")
    store.before[point] = at([1 if handled.get("b") else 3], gate)
    async with bank(store, processes=[one]) as app:
        await gate.arrived.wait()
        crash(store)
    found = await store.inner.load_documents("process_notes", ["a", "b"])
    assert handled == {name: document.position for name, document in found.items()}
    assert 0 == (await store.inner.load_checkpoint("process_notes")).position
    async with bank(store.inner, processes=[two], middleware=[overheard]) as app:
        await app.caught_up(two)
    assert left == overheard.texts  # under the id that the log holds
    assert ["v1 a 1", "v1 a 2", "v1 b 3"] == await written(store.inner)
    assert {"a": 6, "b": 6} == await values(store.inner, 2)


def raising(number: int, amount: int) -> Process[Deposited, int]:
    """A version that fails to react to a deposit of this amount."""

    def raises(state: int, recorded: Recorded[Deposited]) -> Iterable[Command]:
        if recorded.event.amount == amount:
            raise KeyError
        return version(number).reacted(key(recorded), state, recorded)  # type: ignore[return-value]

    return version(number, react=raises)


async def test_a_key_that_was_parked_is_handled_from_where_it_stopped() -> None:
    store, overheard = MemoryStore(), Overheard()
    broken = raising(1, POISON)
    async with bank(store, processes=[broken]) as app:
        await add(app, 1, POISON, 2)
        await add(app, 3, aggregate_id="b")
        await app.caught_up(broken)
    async with bank(store, processes=[two], middleware=[overheard]) as app:
        await app.caught_up(two)
        assert [] == await app.parked(two)
    assert ["v2 a 13", "v2 a 2"] == overheard.texts
    assert {"a": 32, "b": 6} == await values(store, 2)


async def test_an_event_of_the_past_that_parks_a_key_is_not_reacted_to_by_a_retry() -> None:
    store, overheard = MemoryStore(), Overheard()
    async with bank(store, processes=[one]) as app:
        await add(app, 1, POISON, 2)
        await app.caught_up(one)

    def fails(state: int, recorded: Recorded[Deposited]) -> int:
        return 1 // (recorded.event.amount - POISON)

    broken = version(2, sums=fails)
    async with bank(store, processes=[broken], middleware=[overheard]) as app:
        await app.caught_up(broken)
        await add(app, 4)
        await app.caught_up(broken)
        assert [("a", 2)] == [(each.key, each.position) for each in await app.parked(broken)]
        with pytest.raises(KeyParked):
            await app.retry(broken, "a")
    async with bank(store, processes=[two], middleware=[overheard]) as app:
        await app.retry(two, "a")
    assert ["v2 a 4"] == overheard.texts
    assert {"a": 40} == await values(store, 2)


async def test_a_retry_while_a_version_takes_over(caplog: pytest.LogCaptureFixture) -> None:
    """The document of the key says which events are past."""
    inner, overheard = MemoryStore(), Overheard()
    async with bank(inner, processes=[one]) as app:
        await add(app, POISON, 1)
        await add(app, 2, 3, 4, aggregate_id="b")
        await app.caught_up(one)

    def fails(state: int, recorded: Recorded[Deposited]) -> int:
        return 1 // (recorded.event.amount - POISON)

    broken = version(2, sums=fails)
    store, gate = Paged(inner), Gate()
    store.before["save_checkpoint"] = at([5], gate)
    async with bank(store, processes=[broken], middleware=[overheard]) as leader:
        await gate.arrived.wait()
        store.before.clear()
        with pytest.raises(KeyParked):
            await leader.retry(broken, "a")
        async with bank(inner, processes=[two], middleware=[overheard]) as other:
            await other.retry(two, "a")
        gate.opened.set()
        await leader.caught_up(broken)
    assert [] == overheard.texts


async def test_a_version_that_is_replaced_while_it_takes_over() -> None:
    """The next one asks the version before for what the one in between has not folded."""
    inner, overheard = MemoryStore(), Overheard()
    store, gate = Paged(inner), Gate()
    await begun(inner)
    async with bank(inner, processes=[one]) as app:
        await add(app, 5, 6, 7, aggregate_id="c")
        await app.caught_up(one)
    store.before["save_checkpoint"] = at([5], gate)
    async with bank(store, processes=[two], middleware=[overheard]):
        await gate.arrived.wait()
        crash(store)
    collection = "process_notes.v2"
    assert 0 < (await inner.load_checkpoint(collection)).position < await inner.head()
    async with bank(inner, processes=[three], middleware=[overheard]) as app:
        await app.caught_up(three)
        await add(app, 4)
        await app.caught_up(three)
    assert ["v3 a 4"] == overheard.texts
    assert {"a": 21, "b": 9, "c": 54} == await values(inner, 3)


@pytest.mark.parametrize("ways", ["it raises", "the process is killed"])
async def test_a_failure_anywhere_repeats_nothing(ways: str) -> None:
    steps = 0
    for step in count(1):
        store, gate, overheard = Paged(), Gate(), Overheard()
        await begun(store.inner)
        async with bank(store.inner) as app:
            await add(app, 4)
        unavailable = fail_with(StoreUnavailable("bank", "down"))
        met = interrupt(store, step, unavailable if ways == "it raises" else gate)
        async with bank(store, processes=[two], middleware=[overheard]) as app:
            if ways == "it raises":
                await caught_up(app, two)
            else:
                await first(gate.arrived.wait(), caught_up(app, two))
                crash(store)
        async with bank(store.inner, processes=[two], middleware=[overheard]) as app:
            await caught_up(app, two)
        assert (step, {"v2 a 4"}) == (step, {*overheard.texts})
        assert (step, ["v1 a 1", "v1 a 2", "v1 b 3", "v2 a 4"]) == (
            step,
            await written(store.inner),
        )
        assert {"a": 14, "b": 6} == await values(store.inner, 2)
        if not met():
            break
        steps = step
    assert steps > 50


async def test_a_paused_runner_of_the_older_version_cannot_move_its_checkpoint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "eventhus.runtime.readers.process_runner")
    inner, gate = MemoryStore(), Gate()
    await begun(inner)
    paused = Proxy(inner)
    paused.before["save_checkpoint"] = at([1], gate)
    async with bank(paused, processes=[one]) as older:
        await add(older, 4)
        await gate.arrived.wait()
        expire(inner)
        async with bank(inner, processes=[two]) as newer:
            await newer.caught_up(two)
        gate.opened.set()
        await eventually(lambda: any("no longer held" in each.message for each in caplog.records))
    assert 6 == (await inner.load_checkpoint("process_notes")).position
    assert "v1 a 4" in await written(inner)


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def timed(number: int) -> Process[Opened | Deposited, int]:
    def keep(state: int, recorded: Recorded[Opened | Deposited | DeadlineReached]) -> int:
        return state + 1

    def react(
        state: int, recorded: Recorded[Opened | Deposited | DeadlineReached]
    ) -> Iterator[Command | Deadline | Cancel]:
        match recorded.event:
            case Opened():
                yield Deadline("pay", after=HOUR if number == 1 else HOUR / 2)
            case Deposited():
                yield Cancel("pay")
            case DeadlineReached():
                yield Scribble(aggregate_id=key(recorded), text=f"v{number} {state}")

    return Process(name="timed", version=number, initial=0, key=key, evolve=keep, react=react)


async def test_the_deadlines_that_a_version_has_armed_are_kept_by_the_next() -> None:
    """They are reached at their time, unless the new version cancels them."""
    store, clock = MemoryStore(), ManualClock(NOON)

    def running(process: Process[Any, Any]) -> Application:
        return bank(store, processes=[process], clock=clock)

    timed_1 = timed(1)
    async with running(timed_1) as app:
        for each in ("open", "cancelled"):
            await app.dispatch(Open(aggregate_id=each))
        await app.caught_up(timed_1)
    async with running(timed(2)) as app:
        await add(app, 1, aggregate_id="cancelled")
        await app.dispatch(Open(aggregate_id="new"))
        for _ in range(4):
            await settle()
            clock.advance(HOUR / 4)
        await settle()
    reached = [
        (each.stream.aggregate_id, each.recorded_at - NOON)
        for each in await stored_events(store)
        if each.event.type == "eventhus:DeadlineReached"
    ]
    assert [("new", HOUR / 2), ("open", HOUR)] == reached
    assert ["v2 2", "v2 2"] == await written(store)


@pytest.mark.parametrize("number", [0, -1, "2", True, 1.0])
def test_a_version_is_a_number_from_1(number: Any) -> None:
    with pytest.raises(CompositionError, match="process notes: version must be an int from 1 to"):
        evolve(one, version=number)


async def test_names_of_versions_do_not_clash() -> None:
    store = MemoryStore()
    namesake = evolve(one, name="notes_v2")
    async with bank(store, processes=[two, namesake]) as app:
        await add(app, 1)
        await app.caught_up(two)
        await app.caught_up(namesake)
    found = [each.collection for each in await store.registrations()]
    assert ["process_notes.v2", "process_notes_v2"] == found


@pytest.mark.parametrize("start", ["now", 1])
async def test_a_version_begins_where_the_first_one_did(start: Start) -> None:
    """The states of the next one hold the events that the first one has handled."""
    store = MemoryStore()
    async with bank(store) as app:
        await add(app, 1)
    late = evolve(one, start=start)
    async with bank(store, processes=[late]) as app:
        await add(app, 2)
        await app.caught_up(late)
    later = evolve(two, start="now")
    async with bank(store, processes=[later]) as app:
        await app.caught_up(later)
    assert ["v1 a 2"] == await written(store)
    assert {"a": 4} == await values(store, 2)
