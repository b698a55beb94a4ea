"""Reading: a stream or the log, from any place, in pages of any size."""

from __future__ import annotations

import asyncio

import pytest

from eventhus import Query, StreamId
from eventhus.errors import InvalidArgument
from eventhus.ports import Slice, Storage, StoredEvent
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    CUSTOMER,
    OTHER,
    accounts,
    answer,
    commit,
    filled,
    place,
    same,
    take,
    whole_log,
)

EMPTY: tuple[object, ...] = ([], 0, 0, "", "")

STARTS = {
    "load": ("after_version", -1),
    "history": ("after_version", -1),
    "read": ("after", -1),
    "read_backwards": ("before", 0),
    "follow": ("after", -1),
    "commits": ("after", -1),
}


def parts(loaded: Slice) -> tuple[object, ...]:
    """Return the fields of a slice, to compare."""
    return (
        list(loaded.events),
        loaded.version,
        loaded.position,
        loaded.event_id,
        loaded.first_event_id,
    )


def as_slice(events: list[StoredEvent]) -> tuple[object, ...]:
    """Return the fields of the slice with these events."""
    if not events:
        return EMPTY
    first, last = events[0], events[-1]
    return (
        [recorded.event for recorded in events],
        last.version,
        last.position,
        last.id,
        first.id,
    )


def same_slice(events: list[StoredEvent], loaded: Slice) -> None:
    """Assert that a long slice has these events."""
    __tracebackhide__ = True
    same([recorded.event for recorded in events], loaded.events)
    assert as_slice(events)[1:] == parts(loaded)[1:]


class Reading(Cases):
    """``load``, ``history``, ``read``, ``head`` and ``find``."""

    @case
    async def test_an_empty_log_and_its_first_event(self, store: Storage) -> None:
        """Asking for what is not there is no error, and does not hide what comes."""
        assert 0 == await store.head()
        assert [] == list((await store.read()).events)
        assert [] == list(await store.history(ACCOUNT))
        assert EMPTY == parts(await store.load(ACCOUNT))
        assert await store.find("k") is None
        first = await store.append(commit(command_id="k"))
        assert 1 == await store.head()
        assert first.recorded() == list((await store.read()).events)
        assert first.recorded() == list(await store.history(ACCOUNT))
        assert as_slice(first.recorded()) == parts(await store.load(ACCOUNT))
        assert answer(first) == answer(await store.find("k"))

    @case
    async def test_reading_on_from_any_position(self, store: Storage) -> None:
        """The events right behind the position, in order, as many as asked for or to the end."""
        log = await filled(store)
        for after in (*range(14), 1000):
            for limit in (1, 2, 7, 12, 1000):
                expected = log[after : after + limit]
                same(expected, list((await store.read(after=after, limit=limit)).events))

    @case
    async def test_the_largest_page_beyond_every_event(self, store: Storage) -> None:
        """A place and a limit of 62 bits are numbers like others, though they add up to more."""
        await filled(store)
        most = 2**62 - 1
        assert [] == list((await store.read(after=most, limit=most)).events)
        assert [] == list((await store.read(Query.of(), after=most, limit=most)).events)
        assert [] == list((await store.read_backwards(before=1, limit=most)).events)
        assert [] == list(await store.commits(after=most, limit=most))
        assert [] == list(await store.history(ACCOUNT, after_version=most, limit=most))
        assert EMPTY == parts(await store.load(ACCOUNT, after_version=most, limit=most))
        assert [] == list(await store.load_letters("g", after=most, limit=most))
        with pytest.raises(InvalidArgument):
            await store.read(after=most + 1, limit=most + 1)

    @case
    async def test_loading_on_from_any_version(self, store: Storage) -> None:
        """The stream's events right behind the version, also from amid a commit.

        What is loaded to fold a state is the same without envelopes, and tells where the last is.
        """
        own = [recorded for recorded in await filled(store) if recorded.stream == ACCOUNT]
        for after in (*range(9), 1000):
            for limit in (1, 2, 7, 1000):
                expected = own[after : after + limit]
                history = await store.history(ACCOUNT, after_version=after, limit=limit)
                same(expected, list(history))
                loaded = await store.load(ACCOUNT, after_version=after, limit=limit)
                assert as_slice(expected) == parts(loaded)

    @case
    async def test_a_thousand_events_unless_told_otherwise(self, store: Storage) -> None:
        """They start with the first one, and nothing but the end makes them fewer."""
        log = [*(await store.append(commit(OTHER))).recorded()]
        log += (await store.append(commit(size=1200))).recorded()
        same(log[:1000], list((await store.read()).events))
        same(log[1:1001], list(await store.history(ACCOUNT)))
        same_slice(log[1:1001], await store.load(ACCOUNT))
        same(log[1001:], list(await store.history(ACCOUNT, after_version=1000)))
        same_slice(log[1001:], await store.load(ACCOUNT, after_version=1000))
        same(log[:1150], list((await store.read(limit=1150)).events))
        same(log[1:1151], list(await store.history(ACCOUNT, limit=1150)))

    @case
    async def test_reading_changes_nothing(self, store: Storage) -> None:
        """A stream that was asked for in vain does not exist because of it."""
        log = await filled(store)
        never = StreamId("Account", "never")
        assert [] == list(await store.history(never))
        assert EMPTY == parts(await store.load(never))
        assert log == await whole_log(store)
        first = await store.append(commit(never, expected_version=0))
        assert (1, 13) == place(first)
        assert [*log, *first.recorded()] == await whole_log(store)

    @case
    async def test_the_same_id_under_two_types(self, store: Storage) -> None:
        """The type is part of a stream's name: neither stream sees the other."""
        account = await store.append(commit(ACCOUNT, expected_version=0))
        customer = await store.append(commit(CUSTOMER, size=2, expected_version=0))
        assert (1, 2) == place(customer)
        for stored in (account, customer):
            stream = stored.commit.stream
            assert stored.recorded() == list(await store.history(stream))
            assert as_slice(stored.recorded()) == parts(await store.load(stream))

    @case
    async def test_streams_do_not_mix(self, store: Storage) -> None:
        """Each has its own events and versions, also where many are loaded at once."""
        streams = accounts(200)
        for size in (1, 2):
            given = [commit(stream, size=size) for stream in streams]
            await asyncio.gather(*map(store.append, given))
        log = await whole_log(store)
        own: dict[StreamId, list[StoredEvent]] = {stream: [] for stream in streams}
        for recorded in log:
            own[recorded.stream].append(recorded)
        assert {3} == {len(history) for history in own.values()}
        histories = await asyncio.gather(*map(store.history, streams))
        same(list(own.values()), [list(history) for history in histories])
        slices = await asyncio.gather(*map(store.load, streams))
        same([*map(as_slice, own.values())], [*map(parts, slices)])

    @case
    async def test_concurrent_loads_of_one_stream_get_their_own_pages(self, store: Storage) -> None:
        """Each gets the part that it asked for."""
        own = [recorded for recorded in await filled(store) if recorded.stream == ACCOUNT]
        wanted = [(after, limit) for after in range(9) for limit in (1, 3, 1000)]
        slices = await asyncio.gather(
            *[store.load(ACCOUNT, after_version=after, limit=limit) for after, limit in wanted]
        )
        expected = [as_slice(own[after : after + limit]) for after, limit in wanted]
        same(expected, [*map(parts, slices)])

    @pytest.mark.parametrize(
        ("method", "argument", "value"),
        [
            (method, argument, value)
            for method, start in STARTS.items()
            for argument, value in (("limit", 0), ("limit", -1), start)
        ],
    )
    @case
    async def test_an_invalid_page_is_refused(
        self, store: Storage, method: str, argument: str, value: int
    ) -> None:
        """No events, or some before the first: a mistake that is named, when following at first."""
        await filled(store)
        stream = [ACCOUNT] if method in ("load", "history") else []
        page = getattr(store, method)(*stream, **{argument: value})
        with pytest.raises(InvalidArgument, match=rf"\b{argument}\b"):
            await (take(page, 1) if method == "follow" else page)
