"""One command: load, fold, decide, append."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from eventhus import Committed, Metadata, Recorded, StreamId
from eventhus.errors import InvalidArgument, LogCorrupted
from eventhus.ports import (
    Commit,
    EventData,
    Part,
    Slice,
)
from eventhus.runtime.commands.repository import PAGE
from eventhus_memory import MemoryStore
from tests.bank import (
    Account,
    AlreadyOpen,
    Deposit,
    Deposited,
    InsufficientFunds,
    NotOpen,
    Open,
    Opened,
    Rename,
    Renamed,
    Scribble,
    Script,
    Withdraw,
    account,
)
from tests.core.support import FakeClock, Proxy, compose, stored_events

A = StreamId("Account", "a")


async def test_the_answer_tells_the_events_and_where_they_stand() -> None:
    """A commit of two events on a stream of one, in a log of two."""
    ids = iter(["c1", "c2", "c3"])
    async with compose(clock=FakeClock(), new_id=lambda: next(ids)) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await app.dispatch(Scribble(aggregate_id="n"))
        committed = await app.dispatch(
            Script(aggregate_id="a", decide=lambda _: [Deposited(1), Deposited(2)])
        )
    at = datetime(2026, 1, 2, 3, 4, 8, 678901, tzinfo=UTC)
    metadata = Metadata(correlation_id="c3")
    assert (
        Committed(
            stream=A,
            version=3,
            position=4,
            events=[
                Recorded(
                    stream=A,
                    version=2,
                    position=3,
                    id="c3-1",
                    event=Deposited(1),
                    recorded_at=at,
                    metadata=metadata,
                ),
                Recorded(
                    stream=A,
                    version=3,
                    position=4,
                    id="c3-2",
                    event=Deposited(2),
                    recorded_at=at,
                    metadata=metadata,
                ),
            ],
        )
        == committed
    )


async def test_the_answer_equals_the_history() -> None:
    async with compose() as app:
        answers = [
            await app.dispatch(Open(aggregate_id="a")),
            await app.dispatch(Deposit(aggregate_id="a")),
        ]
        assert [event for each in answers for event in each.events] == await app.history(
            account, "a"
        )


async def test_decide_sees_what_evolve_made_of_the_stored_events() -> None:
    """Cold, from the store, in order."""
    store = MemoryStore()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="a", owner="Ada"))
        await app.dispatch(Deposit(aggregate_id="a", amount=5))
        await app.dispatch(Withdraw(aggregate_id="a", amount=2))
    seen: list[Account] = []

    def spy(state: Account) -> Iterable[Any]:
        seen.append(state)
        return ()

    async with compose(store) as app:
        await app.dispatch(Script(aggregate_id="a", decide=spy))
    assert [Account(owner="Ada", balance=3)] == seen


async def test_aggregates_of_one_id_and_two_types_are_two_streams() -> None:
    """The type is a part of the stream's name, in the log and in the cache."""
    async with compose() as app:
        await app.dispatch(Open(aggregate_id="x"))
        committed = await app.dispatch(Scribble(aggregate_id="x"))
        assert (StreamId("Note", "x"), 1, 2) == (
            committed.stream,
            committed.version,
            committed.position,
        )


async def test_a_command_on_a_cached_state_costs_one_append_and_no_read() -> None:
    """The second, the third and the thousandth command on one aggregate cost the same."""
    store = Proxy()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="a"))
        store.calls.clear()
        for _ in range(999):
            await app.dispatch(Deposit(aggregate_id="a"))
        assert {"append": 999} == store.calls


async def test_the_first_command_costs_one_load_and_one_append() -> None:
    """No look for a snapshot or a command id that nobody asked for."""
    store = Proxy()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="z"))  # which looks for streams of a former name
        store.calls.clear()
        await app.dispatch(Open(aggregate_id="a"))
        assert {"load": 1, "append": 1, "events loaded": 0} == store.calls


async def test_a_refusal_on_a_loaded_state_costs_no_second_load() -> None:
    """The store has just given it, so it needs no confirmation."""
    store = Proxy()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="z"))
        store.calls.clear()
        with pytest.raises(NotOpen):
            await app.dispatch(Deposit(aggregate_id="a"))
        assert {"load": 1, "events loaded": 0} == store.calls


async def test_a_loaded_state_is_cached_even_if_the_command_is_refused() -> None:
    """Neither a refusal, nor a confirmed one, nor a bug sends the next command to the log again."""
    store = Proxy()

    def bug(_: Account) -> Iterable[Any]:
        raise ZeroDivisionError

    async with compose(store) as app, compose(store.inner) as other:
        for command, error in (
            (Open(aggregate_id="a"), AlreadyOpen),
            (Script(aggregate_id="b", decide=bug), ZeroDivisionError),
        ):
            await other.dispatch(Open(aggregate_id=command.aggregate_id))
            await other.dispatch(Deposit(aggregate_id=command.aggregate_id))
            store.calls.clear()
            with pytest.raises(error):
                await app.dispatch(command)
            await app.dispatch(Deposit(aggregate_id=command.aggregate_id))
            assert {"load": 1, "events loaded": 2, "append": 1} == store.calls
        await other.dispatch(Deposit(aggregate_id="a"))
        store.calls.clear()
        with pytest.raises(AlreadyOpen):
            await app.dispatch(Open(aggregate_id="a"))
        await app.dispatch(Deposit(aggregate_id="a"))
        assert {"load": 1, "events loaded": 1, "append": 1} == store.calls


async def test_without_a_cache_every_command_loads() -> None:
    """``cache_size=0`` remembers nothing."""
    store = Proxy()
    async with compose(store, cache_size=0) as app:
        await app.dispatch(Open(aggregate_id="z"))
        store.calls.clear()
        for _ in range(3):
            await app.dispatch(Rename(aggregate_id="a", owner="Bob"))
        assert {"load": 3, "events loaded": 2, "append": 1} == store.calls


async def test_the_state_unused_for_longest_is_forgotten() -> None:
    """A cache of two holds the two used last."""
    store = Proxy()
    async with compose(store, cache_size=2) as app:
        for each in ("a", "b", "a", "c"):  # forgets b
            await app.dispatch(Script(aggregate_id=each, decide=lambda _: [Opened("Ada")]))
        store.calls.clear()
        await app.dispatch(Deposit(aggregate_id="a"))
        await app.dispatch(Deposit(aggregate_id="c"))
        assert {"append": 2} == store.calls
        await app.dispatch(Deposit(aggregate_id="b"))
        assert {"append": 3, "load": 1, "events loaded": 1} == store.calls


async def test_a_refused_command_is_a_use_too() -> None:
    """A state that is often needed stays in the cache."""
    store = Proxy()
    async with compose(store, cache_size=2) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await app.dispatch(Open(aggregate_id="b"))
        with pytest.raises(AlreadyOpen):
            await app.dispatch(Open(aggregate_id="a"))
        await app.dispatch(Open(aggregate_id="c"))  # forgets b
        store.calls.clear()
        await app.dispatch(Deposit(aggregate_id="a"))
        assert {"append": 1} == store.calls


async def test_nothing_decided_is_an_answer_without_events() -> None:
    """The version and position are those of the aggregate's last event."""
    async with compose() as app:
        await app.dispatch(Open(aggregate_id="a", owner="Ada"))
        await app.dispatch(Scribble(aggregate_id="n"))
        unchanged = await app.dispatch(Rename(aggregate_id="a", owner="Ada"))
        assert Committed(stream=A, version=1, position=1, events=()) == unchanged


async def test_nothing_decided_on_a_new_aggregate_is_at_version_zero() -> None:
    """There is no event to stand anywhere."""
    store = MemoryStore()
    async with compose(store) as app:
        unchanged = await app.dispatch(Script(aggregate_id="a", decide=lambda _: ()))
    assert Committed(stream=A, version=0, position=0, events=()) == unchanged
    assert [] == await stored_events(store)


async def test_a_refusal_travels_as_it_was_raised() -> None:
    """The very exception of the domain, and nothing is written."""
    store = MemoryStore()
    refusal = InsufficientFunds("the reason")

    def refuse(_: Account) -> Iterator[Any]:
        yield Deposited(1)  # decided before the refusal: not to be kept
        raise refusal

    async with compose(store) as app:
        with pytest.raises(InsufficientFunds) as caught:
            await app.dispatch(Script(aggregate_id="a", decide=refuse))
        assert refusal is caught.value
        assert Account() == await app.state(account, "a")
    assert [] == await stored_events(store)


async def test_a_refusal_on_a_stale_cache_is_decided_again() -> None:
    """The state in the store may allow the command."""
    store = MemoryStore()
    async with compose(store) as here, compose(store) as there:
        await here.dispatch(Open(aggregate_id="a"))
        await there.dispatch(Deposit(aggregate_id="a", amount=10))
        committed = await here.dispatch(Withdraw(aggregate_id="a", amount=10))
        assert 3 == committed.version


async def test_a_refusal_on_a_stale_cache_that_stands_is_reported() -> None:
    """The second decision counts: made on the state that the store holds."""
    store = MemoryStore()
    async with compose(store) as here, compose(store) as there:
        await here.dispatch(Open(aggregate_id="a"))
        await there.dispatch(Deposit(aggregate_id="a", amount=10))
        balances: list[int] = []

        def refuse(state: Account) -> Iterable[Any]:
            balances.append(state.balance)
            raise InsufficientFunds

        with pytest.raises(InsufficientFunds):
            await here.dispatch(Script(aggregate_id="a", decide=refuse))
        assert [0, 10] == balances


async def test_a_refusal_after_a_lost_race_costs_no_further_load() -> None:
    inner = MemoryStore()
    store = Proxy(inner)
    async with compose(store, clock=FakeClock()) as here, compose(inner) as there:
        await here.dispatch(Open(aggregate_id="a"))
        await here.dispatch(Deposit(aggregate_id="a", amount=10))
        await there.dispatch(Withdraw(aggregate_id="a", amount=10))
        store.calls.clear()
        with pytest.raises(InsufficientFunds):  # allowed on the cached state only
            await here.dispatch(Withdraw(aggregate_id="a", amount=10))
        assert {"append": 1, "load": 1, "events loaded": 1} == store.calls


async def test_nothing_decided_on_a_stale_cache_is_decided_again() -> None:
    """Another process may have changed what made the command needless."""
    store = MemoryStore()
    async with compose(store) as here, compose(store) as there:
        await here.dispatch(Open(aggregate_id="a", owner="Ada"))
        await there.dispatch(Rename(aggregate_id="a", owner="Bob"))
        committed = await here.dispatch(Rename(aggregate_id="a", owner="Ada"))
        assert [Renamed("Ada")] == [each.event for each in committed.events]


async def test_nothing_decided_on_a_stale_cache_tells_the_version_of_the_store() -> None:
    """Confirmed, with the version to expect next time."""
    store = MemoryStore()
    async with compose(store) as here, compose(store) as there:
        await here.dispatch(Open(aggregate_id="a", owner="Ada"))
        await there.dispatch(Deposit(aggregate_id="a"))
        unchanged = await here.dispatch(Rename(aggregate_id="a", owner="Ada"))
        assert Committed(stream=A, version=2, position=2, events=()) == unchanged


async def test_a_confirmed_refusal_costs_one_read_of_the_new_events() -> None:
    """The cached part of the stream is not read again, and the cache is brought forward."""
    store = Proxy()
    async with compose(store) as here, compose(store.inner) as there:
        await here.dispatch(Open(aggregate_id="a", owner="Ada"))
        await there.dispatch(Deposit(aggregate_id="a"))
        store.calls.clear()
        await here.dispatch(Rename(aggregate_id="a", owner="Ada"))
        assert {"load": 1, "events loaded": 1} == store.calls
        await here.dispatch(Deposit(aggregate_id="a"))
        assert {"load": 1, "events loaded": 1, "append": 1} == store.calls


async def test_an_acceptance_on_a_stale_cache_is_decided_again() -> None:
    """The version check of the append finds the cache out."""
    store = MemoryStore()
    async with compose(store) as here, compose(store) as there:
        await here.dispatch(Open(aggregate_id="a"))
        await here.dispatch(Deposit(aggregate_id="a", amount=10))
        await there.dispatch(Withdraw(aggregate_id="a", amount=10))
        with pytest.raises(InsufficientFunds):
            await here.dispatch(Withdraw(aggregate_id="a", amount=10))
        assert 0 == (await here.state(account, "a")).balance


@pytest.mark.parametrize("length", [PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 500])
async def test_a_stream_longer_than_a_page_is_folded_whole(length: int) -> None:
    """No event is left out or folded twice at the seam of two pages."""
    store = MemoryStore()
    await store.append(
        Commit(
            id="long",
            parts=[
                Part(
                    stream=A,
                    events=[EventData("Deposited", {"amount": n}) for n in range(length)],
                    expected_version=0,
                )
            ],
            recorded_at=datetime.now(UTC),
        )
    )
    async with compose(store) as app:
        loaded = await app.load(account, "a")
        assert (sum(range(length)), length, length) == (
            loaded.state.balance,
            loaded.version,
            loaded.position,
        )
        assert length + 1 == (await app.dispatch(Rename(aggregate_id="a", owner="Bob"))).version


class Holed(Proxy):
    """Has lost the second event of every stream."""

    async def load(self, *args: Any, **kwargs: Any) -> Slice:
        """See ``EventStore.load``."""
        page = await super().load(*args, **kwargs)
        return evolve(page, events=[*page.events[:1], *page.events[2:]])


async def test_a_stream_with_a_gap_is_never_trusted() -> None:
    """Neither a command nor a query answers from a state that misses an event."""
    store = Holed()
    async with compose(store.inner) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await app.dispatch(Deposit(aggregate_id="a"))
        await app.dispatch(Deposit(aggregate_id="a"))
    async with compose(store) as app:
        with pytest.raises(LogCorrupted) as caught:
            await app.dispatch(Deposit(aggregate_id="a"))
        assert (A, 2, 3) == (caught.value.stream, caught.value.expected, caught.value.actual)
        with pytest.raises(LogCorrupted):
            await app.load(account, "a")
        committed = await app.dispatch(Open(aggregate_id="b"))
        assert 1 == committed.version
    assert 4 == await store.inner.head()


async def test_a_log_that_was_restored_to_an_earlier_point_is_read_from_the_start() -> None:
    """The log is shorter than what the cache has seen of it, and a command finds that out."""
    store = Proxy()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="a", owner="Ada"))
        await app.dispatch(Deposit(aggregate_id="a", amount=5))
        store.inner = MemoryStore()
        async with compose(store.inner) as other:
            await other.dispatch(Open(aggregate_id="a", owner="Bob"))
        committed = await app.dispatch(Deposit(aggregate_id="a", amount=1))
        assert 2 == committed.version
        assert Account(owner="Bob", balance=1) == await app.state(account, "a")


async def test_a_query_that_lingers_does_not_take_the_cache_back() -> None:
    """A slow read of an older state meets a newer one in the cache, and loses."""
    store = Proxy()
    async with compose(store) as app, compose(store.inner, cache_size=0) as other:
        await other.dispatch(Open(aggregate_id="a"))
        read, go_on = asyncio.Event(), asyncio.Event()

        async def linger(*_: object) -> None:
            read.set()
            await go_on.wait()

        store.after["load"] = linger
        slow = asyncio.create_task(app.state(account, "a"))
        await read.wait()
        del store.after["load"]
        await app.dispatch(Deposit(aggregate_id="a", amount=7))
        go_on.set()
        assert 0 == (await slow).balance
        store.calls.clear()
        await app.dispatch(Deposit(aggregate_id="a", amount=7))
        assert {"append": 1} == store.calls


async def test_a_command_without_metadata_starts_a_conversation() -> None:
    """The correlation id is the id of the commit."""
    async with compose(new_id=lambda: "c1") as app:
        committed = await app.dispatch(Open(aggregate_id="a"))
        assert Metadata(correlation_id="c1") == committed.events[0].metadata


@pytest.mark.parametrize("metadata", [Metadata(), Metadata("talk")])
@pytest.mark.parametrize("commit_id", ["", None, 5, b"c1", "\ud800"])
async def test_a_commit_id_that_is_not_text_is_refused(commit_id: Any, metadata: Metadata) -> None:
    store = MemoryStore()
    async with compose(store, new_id=lambda: commit_id) as app:
        with pytest.raises(InvalidArgument, match="new_id"):
            await app.dispatch(Open(aggregate_id="a"), metadata=metadata)
    assert 0 == await store.head()


async def test_metadata_is_carried_by_every_event() -> None:
    """The caller's ids and pairs are kept as they are."""
    metadata = Metadata("talk", "cause", {"user": "ada"})
    async with compose() as app:
        await app.dispatch(
            Script(aggregate_id="a", decide=lambda _: [Opened("Ada"), Deposited(1)]),
            metadata=metadata,
        )
        assert [metadata] * 2 == [each.metadata for each in await app.history(account, "a")]


async def test_metadata_without_a_correlation_id_keeps_the_rest() -> None:
    """Only the missing id is filled in."""
    async with compose(new_id=lambda: "c1") as app:
        committed = await app.dispatch(
            Open(aggregate_id="a"), metadata=Metadata(None, "cause", {"user": "ada"})
        )
        assert Metadata("c1", "cause", {"user": "ada"}) == committed.events[0].metadata


async def test_a_command_caused_by_an_event_continues_its_conversation() -> None:
    """Same correlation id and pairs, and the event's id as the cause."""
    ids = iter(["c1", "c2", "c3"])
    async with compose(new_id=lambda: next(ids)) as app:
        first = (await app.dispatch(Open(aggregate_id="a"))).events[0]
        second = (
            await app.dispatch(Deposit(aggregate_id="a"), metadata=first.caused({"k": "v"}))
        ).events[0]
        third = (await app.dispatch(Deposit(aggregate_id="a"), metadata=second.caused())).events[0]
    assert Metadata("c1", "c1-1", {"k": "v"}) == second.metadata
    assert Metadata("c1", "c2-1", {"k": "v"}) == third.metadata


async def test_metadata_does_not_change_with_the_callers_dict() -> None:
    """The log is history, whatever becomes of the values that went into it."""
    pairs = {"user": "ada"}
    async with compose() as app:
        await app.dispatch(Open(aggregate_id="a"), metadata=Metadata(values=pairs))
        pairs["user"] = "eve"
        (only,) = await app.history(account, "a")
        assert {"user": "ada"} == only.metadata.values


async def test_changes_of_an_answer_do_not_reach_the_log() -> None:
    """The pairs that are handed out are not those that are kept."""
    async with compose() as app:
        await app.dispatch(Open(aggregate_id="a"), metadata=Metadata(values={"user": "ada"}))
        (first,) = await app.history(account, "a")
        values: Any = first.metadata.values
        with suppress(TypeError):  # cannot be changed at all: as good
            values["user"] = "eve"
        (again,) = await app.history(account, "a")
        assert {"user": "ada"} == again.metadata.values


async def test_the_next_decision_starts_from_the_state_after_the_commit() -> None:
    """The cache holds what the events made of the state, not what it was."""
    async with compose() as app:
        await app.dispatch(Open(aggregate_id="a"))
        with pytest.raises(AlreadyOpen):
            await app.dispatch(Open(aggregate_id="a"))
