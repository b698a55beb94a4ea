"""Group load: the streams that wait to be read go out together, in one query."""

from __future__ import annotations

import asyncio

import pytest

from eventhus import StreamId
from eventhus.ports import EventData, Slice, Storage
from eventhus_mongo import MongoStore
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    CUSTOMER,
    OTHER,
    accounts,
    commit,
    filled,
)
from tests.adapters.mongo.support import Client, Commands

Page = tuple[StreamId, int, int]
"""A stream, the version to start behind, and the most events."""


async def stream_of(store: Storage, stream: StreamId) -> list[EventData]:
    """What a stream holds, from its history, which is long enough for a page."""
    return [recorded.event for recorded in await store.history(stream)]


async def load(store: Storage, *pages: Page) -> list[Slice]:
    """Load all at once."""
    return await asyncio.gather(
        *[store.load(stream, after_version=after, limit=limit) for stream, after, limit in pages]
    )


async def test_loads_that_wait_together_are_one_query(
    store: MongoStore, commands: Commands
) -> None:
    """Each caller gets its own stream."""
    streams = accounts(20)
    given = [commit(stream, size=2) for stream in streams]
    await asyncio.gather(*map(store.append, given))
    commands.forget()
    loaded = await load(store, *[(stream, 0, 1000) for stream in streams])
    assert [one.events for one in given] == [[*page.events] for page in loaded]
    assert [2] * 20 == [page.version for page in loaded]
    assert ["find"] == commands.names


async def test_a_query_has_a_most_of_streams(store: MongoStore, commands: Commands) -> None:
    """One is under way at a time. Each of two would be half full, and so the appends after them."""
    streams = accounts(110)
    given = [commit(stream) for stream in streams]
    await asyncio.gather(*map(store.append, given))
    commands.forget()
    loaded = await load(store, *[(stream, 0, 1000) for stream in streams])
    assert [one.events for one in given] == [[*page.events] for page in loaded]
    assert ["find"] * 3 == commands.names
    assert 1 == commands.most["find"]


async def test_a_load_alone_leaves_at_once(store: MongoStore, commands: Commands) -> None:
    """One caller alone pays one query."""
    await store.append(commit(size=3))
    commands.forget()
    assert 3 == (await store.load(ACCOUNT)).version
    assert 2 == len((await store.load(ACCOUNT, limit=2)).events)
    assert ["find"] * 2 == commands.names


@pytest.mark.parametrize("stream", [ACCOUNT, OTHER, CUSTOMER], ids=str)
async def test_every_page_of_a_stream_at_once(
    store: MongoStore, commands: Commands, stream: StreamId
) -> None:
    """Pages that begin or end amid a commit, or behind the end, in one group."""
    await filled(store)
    events = await stream_of(store, stream)
    ids = [recorded.id for recorded in await store.history(stream)]
    places = [recorded.position for recorded in await store.history(stream)]
    pages = [(stream, after, limit) for after in range(len(events) + 2) for limit in range(1, 8)]
    commands.forget()
    loaded = await load(store, *pages)
    for (_, after, limit), page in zip(pages, loaded, strict=True):
        expected = events[after : after + limit]
        assert expected == list(page.events)
        last = after + len(expected)
        assert (last if expected else 0) == page.version
        assert (places[last - 1] if expected else 0) == page.position
        assert (ids[last - 1] if expected else "") == page.event_id


async def test_a_page_that_begins_amid_a_commit(store: MongoStore) -> None:
    """The commit is found though its first version lies before the page."""
    await filled(store)  # versions 2 to 5 are one commit
    events = await stream_of(store, ACCOUNT)
    page = await store.load(ACCOUNT, after_version=3, limit=1)
    assert ([events[3]], 4) == ([*page.events], page.version)
    page = await store.load(ACCOUNT, after_version=3, limit=3)
    assert (events[3:6], 6) == ([*page.events], page.version)


async def test_one_id_under_two_types(store: MongoStore, commands: Commands) -> None:
    """They are two streams, also where one query finds both."""
    await filled(store)
    assert ACCOUNT.aggregate_id == CUSTOMER.aggregate_id
    events = [await stream_of(store, ACCOUNT), await stream_of(store, CUSTOMER)]
    commands.forget()
    loaded = await load(store, (ACCOUNT, 0, 1000), (CUSTOMER, 0, 1000))
    assert events == [[*page.events] for page in loaded]
    assert ["find"] == commands.names


async def test_different_pages_in_one_group(store: MongoStore, commands: Commands) -> None:
    """One query serves them, and none gets what another asked for."""
    await filled(store)
    account = await stream_of(store, ACCOUNT)
    other = await stream_of(store, OTHER)
    commands.forget()
    pages = [(ACCOUNT, 0, 1), (ACCOUNT, 1, 4), (ACCOUNT, 5, 1000), (OTHER, 0, 2), (OTHER, 2, 1)]
    loaded = await load(store, *pages)
    assert [account[:1], account[1:5], account[5:], other[:2], other[2:3]] == [
        [*page.events] for page in loaded
    ]
    assert ["find"] == commands.names


async def test_one_stream_wanted_by_many(store: MongoStore, commands: Commands) -> None:
    """It is in the query once, and each gets a page of its own."""
    await filled(store)
    events = await stream_of(store, ACCOUNT)
    commands.forget()
    loaded = await load(store, *[(ACCOUNT, 0, 1000)] * 20)
    assert [events] * 20 == [[*page.events] for page in loaded]
    assert ["find"] == commands.names


async def test_unknown_streams_in_a_group(store: MongoStore, commands: Commands) -> None:
    """They have no events, and those beside them have theirs."""
    await filled(store)
    commands.forget()
    nobody = StreamId("Account", "nobody")
    loaded = await load(store, (nobody, 0, 10), (ACCOUNT, 0, 10), (StreamId("No", "a1"), 0, 10))
    assert [0, 7, 0] == [page.version for page in loaded]
    assert ["find"] == commands.names


async def test_a_caller_who_leaves(store: MongoStore, commands: Commands) -> None:
    """Those who asked with it get their answers; who has left before is not asked for."""
    await filled(store)
    commands.forget()
    loading = [asyncio.create_task(store.load(stream)) for stream in (ACCOUNT, OTHER, CUSTOMER)]
    await asyncio.sleep(0)  # they wait now
    loading[1].cancel()
    assert [7, 1] == [(await loading[0]).version, (await loading[2]).version]
    (query,) = commands.named("find")
    assert "a1" in str(query["filter"])
    assert "a2" not in str(query["filter"])


async def test_a_loaded_stream_can_be_appended_to(
    store: MongoStore, mongo: Client, bucket: str, commands: Commands
) -> None:
    """A load proves where the stream ends, so an append needs no further query."""
    await filled(store)
    async with MongoStore(mongo, bucket) as other:
        await other.append(commit(OTHER))
        commands.forget()
        page = await other.load(ACCOUNT)
        stored = await other.append(commit(ACCOUNT, expected_version=page.version))
    assert (8, 14) == (stored.versions[0], stored.position)
    assert ["find", "insert"] == commands.names
