"""Deadlines of processes: reached once, never before their time, and not after a cancellation."""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from attrs import evolve, frozen

from eventhus import (
    Application,
    Cancel,
    Command,
    Deadline,
    DeadlineOvertaken,
    DeadlineReached,
    Metadata,
    Process,
    Query,
    Recorded,
    StreamId,
    View,
)
from eventhus.errors import CodecError, KeyParked, LogChanged, StoreUnavailable
from eventhus.ports import Commit, EventData, Part, Storage, StoredEvent, ViewWrite
from eventhus_memory import MemoryStore
from eventhus_testing import ManualClock
from tests.bank import (
    Deposit,
    Deposited,
    Open,
    Opened,
    Rename,
    Renamed,
    Scribble,
    Script,
    Withdrawn,
    always,
)
from tests.core.hooks import Gate, at, fail_with
from tests.core.readers import Paged, bank, crash, first, interrupt, without_leases
from tests.core.support import Proxy, RecordingBus
from tests.core.waiting import eventually, settle

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
COLLECTION = "process_dunning"

Followed = Opened | Deposited | Withdrawn | Renamed


@frozen
class Dunning:
    reached: tuple[str, ...] = ()


def account_of(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def note_reached(state: Dunning, recorded: Recorded[Followed | DeadlineReached]) -> Dunning:
    match recorded.event:
        case DeadlineReached(name):
            return Dunning((*state.reached, name))
        case _:
            return state


def dun(
    state: Dunning, recorded: Recorded[Followed | DeadlineReached]
) -> Iterator[Command | Deadline | Cancel]:
    """Ask for a deposit within half an hour. The owner's name may set another deadline."""
    account = account_of(recorded)
    match recorded.event:
        case Opened():
            yield Deadline("deposit", after=30 * MINUTE)
        case Deposited():
            yield Cancel("deposit")
        case Renamed(owner):
            yield Deadline("deposit", at=NOON + int(owner) * MINUTE)
        case Withdrawn():
            yield Deadline("refill", after=30 * MINUTE)
        case DeadlineReached(name):
            yield Scribble(aggregate_id=account, text=name)


dunning: Process[Followed, Dunning] = Process(
    name="dunning", initial=Dunning(), key=account_of, evolve=note_reached, react=dun
)


def app_of(
    store: Storage, clock: ManualClock, process: Process[Any, Any] = dunning, **options: Any
) -> Application:
    return bank(store, processes=[process], clock=clock, **options)


async def passing(clock: ManualClock, by: timedelta) -> None:
    """Let time pass, and everything that follows from it."""
    await settle()
    clock.advance(by)
    await settle()


async def named(store: Storage, name: str) -> list[StoredEvent]:
    return [each for each in (await store.read()).events if each.event.type == name]


async def reached(store: Storage) -> list[tuple[str, str, timedelta]]:
    """Return the reached deadlines in the log: key, name, and the time since noon."""
    return [
        (each.stream.aggregate_id, each.event.data["name"], each.recorded_at - NOON)
        for each in await named(store, "eventhus:DeadlineReached")
    ]


async def written(store: Storage) -> list[str]:
    return [
        f"{each.stream.aggregate_id} {each.event.data['text']}"
        for each in await named(store, "Scribbled")
    ]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


async def test_a_deadline_is_reached_at_its_time(clock: ManualClock) -> None:
    """Not a microsecond before. It is an event that the process handles as any other."""
    store = MemoryStore()
    async with app_of(store, clock) as app:
        await app.dispatch(Open(aggregate_id="a"), metadata=Metadata("talk", "x", {"user": "u"}))
        await passing(clock, 30 * MINUTE - timedelta(microseconds=1))
        assert [] == await reached(store)
        await app.dispatch(Open(aggregate_id="later"))
        await passing(clock, timedelta(microseconds=1))
        assert [("a", "deposit", 30 * MINUTE)] == await reached(store)
        assert ["a deposit"] == await written(store)
        await passing(clock, timedelta(minutes=29))
        assert 1 == len(await reached(store))
        (stored,) = await named(store, "eventhus:DeadlineReached")
        (opened, _) = await named(store, "Opened")
    assert StreamId("eventhus:process/dunning", "a") == stored.stream
    assert Metadata("talk", opened.id, {"user": "u"}) == stored.metadata
    document = (await store.load_documents(COLLECTION, ["a"]))["a"]
    assert ({"reached": ["deposit"]}, ()) == (document.data, document.deadlines)


async def test_a_cancelled_deadline_is_never_reached(clock: ManualClock) -> None:
    store = MemoryStore()
    async with app_of(store, clock) as app:
        for each in ("a", "b"):
            await app.dispatch(Open(aggregate_id=each))
        await app.dispatch(Deposit(aggregate_id="a"))
        await passing(clock, timedelta(days=1))
    assert [("b", "deposit", timedelta(days=1))] == await reached(store)


@pytest.mark.parametrize(("minutes", "expected"), [(45, 45), (10, 10), (-5, 0)])
async def test_arming_again_replaces_a_deadline(
    clock: ManualClock, minutes: int, expected: int
) -> None:
    """By a later one, an earlier one, or one in the past, which is reached at once, and once."""
    store = MemoryStore()
    async with app_of(store, clock) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await settle()
        await app.dispatch(Rename(aggregate_id="a", owner=str(minutes)))
        for _ in range(60):
            await passing(clock, MINUTE)
    assert [("a", "deposit", expected * MINUTE)] == await reached(store)
    assert ["a deposit"] == await written(store)


async def test_deadlines_are_reached_after_an_outage(clock: ManualClock) -> None:
    """At once, and by the process that holds the lease then; those of one key in their order."""
    store = MemoryStore()
    async with app_of(store, clock) as app:
        await app.dispatch(Open(aggregate_id="a", owner="x"))
        await app.dispatch(Open(aggregate_id="b"))
        await app.dispatch(Deposit(aggregate_id="b", amount=2))
        await app.caught_up(dunning)
    clock.advance(timedelta(days=2))
    async with app_of(store, clock) as app:
        await settle()
        assert [("a", "deposit", timedelta(days=2))] == await reached(store)
        await app.caught_up(dunning)
    async with app_of(store, clock):
        await passing(clock, timedelta(days=1))
    assert 1 == len(await reached(store))


async def test_a_cancellation_in_the_log_comes_first(clock: ManualClock) -> None:
    """Although the deadline passed before the process could handle the cancellation."""
    store = MemoryStore()
    async with app_of(store, clock) as app:
        for each in ("a", "b"):
            await app.dispatch(Open(aggregate_id=each))
        await app.caught_up(dunning)
    async with bank(store) as app:
        await app.dispatch(Deposit(aggregate_id="a"))
    clock.advance(timedelta(days=1))
    reading, gate = Proxy(store), Gate()
    reading.before["follow"] = gate
    async with app_of(reading, clock) as app:
        await settle()
        assert [] == await reached(store)
        gate.opened.set()
        await settle()
        await app.caught_up(dunning)
    assert [("b", "deposit", timedelta(days=1))] == await reached(store)
    assert ["b deposit"] == await written(store)
    assert [] == await named(store, "eventhus:DeadlineOvertaken")


async def test_a_clock_that_is_set_back_makes_no_deadline_early(clock: ManualClock) -> None:
    """Its event is recorded at the time that was compared with it."""
    store = Proxy()

    async def set_back(*_: object) -> None:
        clock.set(NOON)

    async with app_of(store, clock) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await app.caught_up(dunning)
        store.before["read"] = set_back
        await passing(clock, 30 * MINUTE)
    assert NOON == clock.now()
    assert [("a", "deposit", 30 * MINUTE)] == await reached(store.inner)


async def withdraw(app: Application, aggregate_id: str = "a") -> None:
    await app.dispatch(Script(aggregate_id=aggregate_id, decide=always(Withdrawn(1))))


async def overtaken_store(clock: ManualClock) -> MemoryStore:
    """A store where a deadline was cancelled while the event that it was reached was appended."""
    store = MemoryStore()
    paused, gate = Proxy(store), Gate()
    async with app_of(paused, clock) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await app.caught_up(dunning)
        paused.before["append"] = at([1], gate)
        await passing(clock, timedelta(days=1))
        async with bank(store) as other:
            await other.dispatch(Deposit(aggregate_id="a"))
        gate.opened.set()
        await settle()
        await app.caught_up(dunning)
    return store


async def test_a_cancellation_overtakes_a_deadline(clock: ManualClock) -> None:
    """The log holds the event, and tells that it does not count; nothing follows from it."""
    store = await overtaken_store(clock)
    names = [each.event.type for each in (await store.read()).events]
    assert [
        *("Opened", "Deposited", "eventhus:DeadlineReached", "eventhus:DeadlineOvertaken"),
    ] == names
    document = (await store.load_documents(COLLECTION, ["a"]))["a"]
    assert ({"reached": []}, (), 3) == (document.data, document.deadlines, document.position)


async def test_a_retry_leaves_overtaken_deadlines_out(clock: ManualClock) -> None:
    """It folds the past without reacting, so that the log must tell which deadlines counted."""
    store = await overtaken_store(clock)

    def raises(state: Dunning, recorded: Recorded[Followed | DeadlineReached]) -> Any:
        if isinstance(recorded.event, Withdrawn):
            raise KeyError("secret")
        return dun(state, recorded)

    broken = evolve(dunning, react=raises)
    async with app_of(store, clock, broken) as app:
        await withdraw(app)
        await app.caught_up(broken)
        assert 1 == len(await app.parked(broken))
    async with app_of(store, clock) as app:
        await app.retry(dunning, "a")
        await app.caught_up(dunning)
    document = (await store.load_documents(COLLECTION, ["a"]))["a"]
    assert {"reached": []} == document.data
    assert ["refill"] == [each.name for each in document.deadlines]


async def many(app: Application) -> None:
    """Open accounts, let the deadlines of some pass, and cancel those of others."""
    for each in "abc":
        await app.dispatch(Open(aggregate_id=each))
    await app.dispatch(Deposit(aggregate_id="b"))
    await withdraw(app, "b")
    await withdraw(app, "c")


MANY = {("a", "deposit"), ("b", "refill"), ("c", "deposit"), ("c", "refill")}
"""The deadlines that are reached after ``many``."""


async def all_reached(app: Application, store: Storage, clock: ManualClock) -> None:
    """Let time pass until the deadlines of ``many`` have been reached and handled."""
    while len(await reached(store)) < len(MANY):
        await clock.sleep(60)
    await app.caught_up(dunning)


@pytest.mark.parametrize("begin", range(1, 5))  # the whole takes long
@pytest.mark.parametrize("ways", ["it raises", "the process is killed"])
async def test_a_failure_anywhere_reaches_each_deadline_once(ways: str, begin: int) -> None:
    """At every call of the store, before it or after it."""
    steps = 0
    for step in count(begin, 4):
        store, gate, clock = Paged(), Gate(), ManualClock(NOON, jumps=True)
        async with bank(store.inner, clock=clock) as app:
            await many(app)
        unavailable = fail_with(StoreUnavailable("bank", "down"))
        met = interrupt(store, step, unavailable if ways == "it raises" else gate)
        async with app_of(store, clock) as app:
            if ways == "it raises":
                await all_reached(app, store.inner, clock)
            else:
                await first(gate.arrived.wait(), all_reached(app, store.inner, clock))
                crash(store)
        async with app_of(store.inner, clock) as app:
            await all_reached(app, store.inner, clock)
        found = await reached(store.inner)
        assert (step, sorted(MANY)) == (step, sorted((key, name) for key, name, _ in found))
        assert min(after for _, _, after in found) >= 30 * MINUTE
        expected = sorted(f"{key} {name}" for key, name in MANY)
        assert (step, expected) == (step, sorted(await written(store.inner)))
        if not met():
            break
        steps = step
    assert steps > 50


async def test_two_at_once_reach_each_deadline_once(clock: ManualClock) -> None:
    """Whatever the leases say."""
    inner, jumping = MemoryStore(), ManualClock(NOON, jumps=True)
    stores = without_leases(
        inner,
        before=["load_documents", "save_documents", "append", "load_armed"],
        after=["load_checkpoint", "save_checkpoint", "load_armed", "append"],
    )
    async with bank(inner, clock=jumping) as app:
        await many(app)
    async with app_of(stores[0], jumping) as one, app_of(stores[1], jumping) as two:
        await all_reached(one, inner, jumping)
        await all_reached(two, inner, jumping)
    found = await reached(inner)
    assert sorted(MANY) == sorted((key, name) for key, name, _ in found)
    assert sorted(f"{key} {name}" for key, name in MANY) == sorted(await written(inner))


async def test_many_deadlines_at_once(clock: ManualClock) -> None:
    """More than are looked up at a time."""
    store = MemoryStore()
    keys = [f"{number:03}" for number in range(250)]
    async with app_of(store, clock) as app:
        for each in keys:
            await app.dispatch(Open(aggregate_id=each))
        await passing(clock, timedelta(days=1))
        await eventually(lambda: 750 == len(store._log))  # noqa: SLF001
    assert keys == sorted(key for key, _, _ in await reached(store))
    assert 250 == len(await written(store))


async def test_a_reaction_may_cancel_another_deadline_that_is_due(clock: ManualClock) -> None:
    """Those of one key are reached one after another."""

    def react(
        state: int, recorded: Recorded[Opened | DeadlineReached]
    ) -> Iterator[Deadline | Cancel]:
        match recorded.event:
            case Opened():
                yield Deadline("block", after=2 * MINUTE)
                yield Deadline("warn", after=MINUTE)
                yield Deadline("close", after=3 * MINUTE)
            case DeadlineReached("warn"):
                yield Cancel("block")
            case DeadlineReached():
                pass

    def keep(state: int, recorded: Recorded[Opened]) -> int:
        return state

    three = Process(name="dunning", initial=0, key=account_of, evolve=keep, react=react)
    store = MemoryStore()
    async with app_of(store, clock, three) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await app.caught_up(three)
    clock.advance(timedelta(days=1))
    async with app_of(store, clock, three):
        await settle()
    assert ["warn", "close"] == [name for _, name, _ in await reached(store)]
    assert [] == await named(store, "eventhus:DeadlineOvertaken")


async def test_a_deadline_in_the_past_cannot_follow_from_a_reached_one(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It would be reached without end, so it parks its key."""

    def react(
        state: int, recorded: Recorded[Opened | DeadlineReached]
    ) -> Iterator[Deadline | Cancel]:
        yield Deadline("loop", at=NOON)

    def keep(state: int, recorded: Recorded[Opened]) -> int:
        return state

    loop = Process(name="dunning", initial=0, key=account_of, evolve=keep, react=react)
    store = MemoryStore()
    async with app_of(store, clock, loop) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await settle()
        assert ["WrongAnswer"] == [each.error for each in await app.parked(loop)]
        await passing(clock, timedelta(days=1))
    assert 1 == len(await reached(store))
    assert 1 == len(caplog.records)


def raising(cls: type) -> Process[Followed, Dunning]:
    """The process with a bug in its reaction to events of this class."""

    def raises(state: Dunning, recorded: Recorded[Followed | DeadlineReached]) -> Any:
        if isinstance(recorded.event, cls):
            raise KeyError("secret")
        return dun(state, recorded)

    return evolve(dunning, react=raises)


async def test_the_deadlines_of_a_parked_key_wait_for_it(clock: ManualClock) -> None:
    """They are reached once it is mended, wherever that happens, if they still stand then."""
    store = MemoryStore()
    broken = raising(Withdrawn)
    async with app_of(store, clock, broken) as app:
        for each in ("a", "b"):
            await app.dispatch(Open(aggregate_id=each))
            await withdraw(app, each)
        await app.dispatch(Deposit(aggregate_id="b"))
        await passing(clock, timedelta(days=1))
        assert [] == await reached(store)
        async with bank(store, processes=[dunning], clock=clock) as other:  # stands by
            for each in ("a", "b"):
                await other.retry(dunning, each)
        await passing(clock, timedelta(seconds=10))
    found = [(key, name) for key, name, _ in await reached(store)]
    assert [("a", "deposit"), ("b", "refill"), ("a", "refill")] == found


async def test_a_reached_deadline_that_parks_its_key_is_handled_by_a_retry(
    clock: ManualClock,
) -> None:
    store = MemoryStore()
    async with app_of(store, clock, raising(DeadlineReached)) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await passing(clock, timedelta(days=1))
    assert [] == await written(store)
    async with app_of(store, clock) as app:
        await app.retry(dunning, "a")
        await passing(clock, timedelta(days=1))
    assert ["a deposit"] == await written(store)
    assert 1 == len(await reached(store))


async def test_a_skipped_deadline_is_not_due_for_ever(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    store, process = Proxy(), raising(DeadlineReached)
    async with app_of(store, clock, process) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await passing(clock, timedelta(days=1))
        await app.skip(process, "a", 2, why="a test")
        caplog.clear()
        await passing(clock, timedelta(days=1))
    document = (await store.load_documents(COLLECTION, ["a"]))["a"]
    assert (None, ()) == (document.parked, document.deadlines)
    assert [] == caplog.records
    assert [] == await written(store.inner)


async def test_a_failing_retry_keeps_deadlines_as_they_were(clock: ManualClock) -> None:
    """So that the next one arms those that the first one would have armed, and no others."""
    store = MemoryStore()
    broken = raising(Withdrawn)
    async with app_of(store, clock, broken) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await withdraw(app)
        await app.dispatch(Deposit(aggregate_id="a"))
        await app.dispatch(Rename(aggregate_id="a", owner="7"))
        await app.caught_up(broken)
    still = raising(Renamed)
    async with app_of(store, clock, still) as app:
        with pytest.raises(KeyParked, match="position 4"):
            await app.retry(still, "a")
        document = (await store.load_documents(COLLECTION, ["a"]))["a"]
        assert ["refill"] == [each.name for each in document.deadlines]
    async with app_of(store, clock) as app:
        await app.retry(dunning, "a")
        document = (await store.load_documents(COLLECTION, ["a"]))["a"]
    assert ["deposit", "refill"] == [each.name for each in document.deadlines]


async def test_a_deadline_that_was_reached_before_is_dropped(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A document of an earlier time, as from a backup, does not keep the timer busy for ever."""
    store = MemoryStore()
    async with app_of(store, clock) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await app.caught_up(dunning)
        before = (await store.load_documents(COLLECTION, ["a"]))["a"]
        await passing(clock, timedelta(days=1))
        now = (await store.load_documents(COLLECTION, ["a"]))["a"]
        restored = evolve(now, deadlines=before.deadlines, revision=1)
        write = ViewWrite(document=restored, replaces=now.position)
        assert not await store.save_documents(COLLECTION, [write])
        await passing(clock, timedelta(seconds=10))
        document = (await store.load_documents(COLLECTION, ["a"]))["a"]
    assert (2, ()) == (document.revision, document.deadlines)
    assert 1 == len(await reached(store))
    (warning,) = caplog.records
    assert (
        "process dunning: deadline 'deposit' of key 'a' was still armed after it was reached; "
        "dropped it"
    ) == warning.getMessage()


async def test_the_arming_event_must_be_in_the_log(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    async with app_of(store, clock) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await app.caught_up(dunning)
        now = (await store.load_documents(COLLECTION, ["a"]))["a"]
        for position in (1, 7):
            caplog.clear()
            deadlines = [evolve(now.deadlines[0], event_id="other-1", position=position)]
            changed = evolve(now, deadlines=deadlines, revision=now.revision + 1)
            write = ViewWrite(
                document=changed, replaces=now.position, replaces_revision=now.revision
            )
            assert not await store.save_documents(COLLECTION, [write])
            now = changed
            await passing(clock, 30 * MINUTE)
            assert isinstance(_error(caplog.records), LogChanged)
    assert [] == await reached(store)


def _error(records: Sequence[logging.LogRecord]) -> BaseException | None:
    return records[0].exc_info[1] if records[0].exc_info else None


async def test_processes_without_deadlines_ask_for_none(clock: ManualClock) -> None:
    def keep(state: int, recorded: Recorded[Opened]) -> int:
        return state

    silent = Process(name="silent", initial=0, key=account_of, evolve=keep, react=lambda *_: [])
    store = Proxy()
    async with app_of(store, clock, silent) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await passing(clock, timedelta(days=1))
        await app.caught_up(silent)
    assert 0 == store.calls["load_armed"]


async def test_views_and_followers_may_read_reached_deadlines(clock: ManualClock) -> None:
    """Those of every process, each in the stream of its process."""

    def number(total: int, recorded: Recorded[DeadlineReached | DeadlineOvertaken]) -> int:
        return total + 1

    def stream(recorded: Recorded[Any]) -> str:
        return f"{recorded.stream}"

    def count_opened(total: int, recorded: Recorded[Opened]) -> int:
        return total + 1

    numbers = View(name="numbers", initial=0, key=stream, evolve=number)
    accounts = View(name="accounts", initial=0, key=account_of, evolve=count_opened)
    other = evolve(dunning, name="other")
    async with bank(processes=[dunning, other], views=[numbers, accounts], clock=clock) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await passing(clock, timedelta(days=1))
        await app.caught_up(numbers)
        await app.caught_up(accounts)
        assert 1 == await app.view(numbers, "eventhus:process/dunning/a")
        assert 1 == await app.view(numbers, "eventhus:process/other/a")
        assert 1 == await app.view(accounts, "a")
        events = [each.event async for each in app.events(Query.of(DeadlineReached))]
        assert [DeadlineReached("deposit")] * 2 == events
        own = StreamId("eventhus:process/other", "a")
        (only,) = [each async for each in app.events(stream=own)]
        assert b'"data":{"name":"deposit"}' in app.wire(only)


def answer_nothing(
    state: Dunning, recorded: Recorded[Followed | DeadlineReached]
) -> Iterator[Deadline]:
    if isinstance(recorded.event, Opened):
        yield Deadline("deposit", after=MINUTE)


@pytest.mark.parametrize("publish", [False, True])
async def test_own_events_are_published_if_the_process_says_so(
    clock: ManualClock, publish: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The relay does not take it for a loss of the bus that the log ends with others."""
    store, bus = MemoryStore(), RecordingBus()
    process = evolve(dunning, publish=publish, react=answer_nothing)
    async with app_of(store, clock, process, bus=bus) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await passing(clock, timedelta(days=1))
    expected = ["Opened", "eventhus:DeadlineReached"]
    assert expected[: 1 + publish] == [each.type for each in bus.taken]
    assert 2 == (await store.load_checkpoint("relay")).position
    bus.kept = bus.taken[:1]
    caplog.clear()
    async with app_of(store, clock, process, bus=bus):
        await settle()
    assert publish == any("the bus has lost" in each.getMessage() for each in caplog.records)
    assert expected[1:] * publish == [each.type for each in bus.taken[1 + publish :]]


@pytest.mark.parametrize("publish", [False, True])
async def test_own_events_reach_handlers_of_the_log_if_the_process_says_so(
    clock: ManualClock, publish: bool
) -> None:
    handled: list[str] = []

    async def handle(recorded: Recorded[Any]) -> None:
        handled.append(type(recorded.event).__name__)

    process = evolve(dunning, publish=publish, react=answer_nothing)
    async with app_of(MemoryStore(), clock, process) as app:
        await app.subscribe(handle, group="all", start="beginning")
        await app.dispatch(Open(aggregate_id="a"))
        await passing(clock, timedelta(days=1))
        await settle()
    assert ["Opened", "DeadlineReached"][: 1 + publish] == handled


def own(name: str, data: dict[str, Any], number: int = 1) -> Commit:
    """A commit to a stream of the process, as another program may write one."""
    part = Part(
        stream=StreamId("eventhus:process/dunning", "a"),
        events=[EventData(f"eventhus:{name}", data)],
        expected_version=None,
    )
    return Commit(id=f"own-{number}", parts=[part], recorded_at=NOON, metadata=Metadata())


async def test_many_own_events_at_the_end_of_the_log_are_no_loss_of_the_bus(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """More than are read at a time; nothing is published again because of them."""
    store, bus = MemoryStore(), RecordingBus()
    async with app_of(store, clock, bus=bus) as app:
        await app.dispatch(Rename(aggregate_id="a", owner="7"))
        for number in range(1001):
            await store.append(own("DeadlineReached", {"name": "x"}, number))
    assert ["Renamed"] == [each.type for each in bus.taken]
    bus.kept = bus.taken[:]
    async with bank(store, bus=bus):
        await settle()
    assert ["Renamed"] == [each.type for each in bus.taken]
    assert not any("the bus has lost" in each.getMessage() for each in caplog.records)


@pytest.mark.parametrize("data", [{"name": 5}, {"names": "x"}, {}])
async def test_an_own_event_of_another_form_is_refused(
    clock: ManualClock, data: dict[str, Any]
) -> None:
    store = MemoryStore()
    await store.append(own("DeadlineReached", data))
    async with bank(store) as app:
        with pytest.raises(CodecError):
            [each async for each in app.events()]
