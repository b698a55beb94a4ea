"""Inspecting: an event by its id, a conversation, and the streams by their names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

import pytest

from eventhus import Metadata, StreamId
from eventhus.errors import InvalidArgument
from eventhus.ports import Commit, EventData, Storage, StoredEvent, StreamEnd
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.limits import LONG_ID, LONG_NAME
from eventhus_testing.conformance.store.names import ALIKE, HOSTILE
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    CUSTOMER,
    NOW,
    OTHER,
    accounts,
    answer,
    commit,
    commit_of,
    filled,
    part,
    same,
    whole_log,
)

TALK = "talk-1"
LARGE_CHARACTERS = 5 * 1024 * 1024


def talk(correlation_id: str | None) -> Metadata:
    """Return the metadata of a commit of a conversation."""
    return Metadata(correlation_id=correlation_id)


async def conversation(
    store: Storage, correlation_id: str = TALK, *, limit: int = 1000
) -> list[StoredEvent]:
    """Return a conversation, read page by page."""
    found: list[StoredEvent] = []
    while page := await store.related(
        correlation_id, after=found[-1].position if found else 0, limit=limit
    ):
        assert len(page) <= limit
        found += page
        positions = [each.position for each in found]
        # Also keeps a store that returns a page again from being read for ever.
        assert sorted({*positions}) == positions
    return found


async def listed(
    store: Storage, stream_type: str | None = None, prefix: str = "", *, limit: int = 1000
) -> list[StreamEnd]:
    """Return streams, read page by page."""
    found: list[StreamEnd] = []
    after: StreamId | None = None
    while True:
        page = await store.streams(stream_type=stream_type, prefix=prefix, after=after, limit=limit)
        assert len(page) <= limit
        found += page
        if len(page) < limit:
            return found
        assert after is None or _name(after) < _name(page[-1].stream)
        after = page[-1].stream


def ends(log: Sequence[StoredEvent]) -> list[StreamEnd]:
    """Return the ends of all streams of a log, in order."""
    last = {each.stream: each for each in log}
    return [
        StreamEnd(stream=stream, version=last[stream].version, position=last[stream].position)
        for stream in sorted(last, key=_name)
    ]


def _name(stream: StreamId) -> tuple[str, str]:
    return stream.aggregate_type, stream.aggregate_id


async def appended(store: Storage, commits: Iterable[Commit]) -> list[StoredEvent]:
    """Append commits, and return their events."""
    log: list[StoredEvent] = []
    for each in commits:
        log += (await store.append(each)).recorded()
    return log


async def talked(store: Storage) -> list[StoredEvent]:
    """Append a conversation between other commits, and return its eleven events."""
    begun = commit(size=3, id=TALK, metadata=talk(TALK))
    log = (await store.append(begun)).recorded()
    await store.append(commit(OTHER, size=2))
    await store.append(commit(CUSTOMER, id="talk-2", metadata=talk("talk-2")))
    log += (await store.append(commit(OTHER, metadata=talk(TALK)))).recorded()
    await store.append(commit(size=2, metadata=talk("talk-2")))
    await store.append(commit(id="talk-3", metadata=talk(None)))
    several = commit_of(part(OTHER, size=4), part(CUSTOMER, size=3), metadata=talk(TALK))
    return log + (await store.append(several)).recorded()


class Inspecting(Cases):
    """``find_event``, ``related`` and ``streams``."""

    @case
    async def test_an_event_is_found_by_its_id(self, store: Storage) -> None:
        """Each event of each commit, whatever the commit's id looks like."""
        log = await filled(store)
        ids = ["a", "a-1", "a-1-1", "-", "--1", "a-", "1", *HOSTILE.values()]
        log += await appended(
            store, [commit_of(part(OTHER, size=2), part(CUSTOMER), id=id_) for id_ in ids]
        )
        same(log, [await store.find_event(each.id) for each in log])

    @pytest.mark.parametrize(
        "event_id",
        [
            *("", "-", "1", "a", "a-", "a-0", "a-3", "a-01", "a-1 ", "a-+1", "a-1_0", "a--1"),
            *("A-1", "-1", "a-1-1", "a-x", f"a-{2**70}", "b-1", "a-\u0661"),
        ],
    )
    @case
    async def test_an_id_that_no_event_has_finds_none(self, store: Storage, event_id: str) -> None:
        """Also if its beginning or its number would lead to one."""
        await store.append(commit(size=2, id="a"))
        assert await store.find_event("a-2") is not None
        assert await store.find_event(event_id) is None

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 1000])
    @case
    async def test_a_conversation_is_found(self, store: Storage, limit: int) -> None:
        """All its events, of all streams, in the order of the log, in pages of any size."""
        log = await talked(store)
        same(log, await conversation(store, limit=limit))
        for after in range(log[-1].position + 2):
            expected = [each for each in log if each.position > after][:limit]
            same(expected, await store.related(TALK, after=after, limit=limit))

    @case
    async def test_a_conversation_may_be_named_by_any_text(self, store: Storage) -> None:
        """Also one that is no commit's id, and conversations differ when the text does."""
        names = [*HOSTILE.values(), *{each.aggregate_id for each in ALIKE}, "x" * 1024]
        log = await appended(store, [commit(metadata=talk(name)) for name in names])
        for name in names:
            expected = [each for each in log if each.metadata.correlation_id == name]
            same(expected, await conversation(store, name))

    @case
    async def test_a_commit_belongs_to_the_conversation_of_its_metadata(
        self, store: Storage
    ) -> None:
        """Its own id names one only if the metadata says so."""
        log = await talked(store)
        stray = commit(id="stray", metadata=talk("talk-2"))
        await store.append(stray)
        assert [] == await conversation(store, "talk-3")
        assert [] == await conversation(store, "stray")
        whole = await whole_log(store)
        expected = [each for each in whole if each.metadata.correlation_id == "talk-2"]
        assert 4 == len(expected)
        same(expected, await conversation(store, "talk-2"))
        same(log, await conversation(store))

    @case
    async def test_a_correlation_id_is_kept_as_it_is(self, store: Storage) -> None:
        """That of another commit, its own one, or none."""
        given = [
            commit(id="a", metadata=talk("a"), command_id="1"),
            commit(id="b", metadata=talk(None), command_id="2"),
            commit(id="c", metadata=talk("a"), command_id="3"),
            commit(id="d", metadata=Metadata("d", "a-1", {"k": "v"}), command_id="4"),
            commit(id="e", metadata=Metadata(None, "a-1", {"k": "v"}), command_id="5"),
        ]
        stored = [await store.append(each) for each in given]
        log = [each for one in stored for each in one.recorded()]
        assert ["a", None, "a", "d", None] == [each.metadata.correlation_id for each in log]
        same(log, await whole_log(store))
        same(log, await store.history(ACCOUNT))
        same([*map(answer, stored)], [*map(answer, await store.commits())])
        found = [await store.find(each.command_id or "") for each in given]
        same([*map(answer, stored)], [*map(answer, found)])

    @case
    async def test_a_large_conversation_is_read_whole(self, store: Storage) -> None:
        """A page may be shorter than asked for, and the pages hold every event."""
        large = EventData("Noted", {"text": "x" * LARGE_CHARACTERS})
        await appended(store, [commit(events=[large], metadata=talk(TALK)) for _ in range(5)])
        await store.append(commit(id=TALK, metadata=talk(TALK)))
        found = await conversation(store)
        assert [1, 2, 3, 4, 5, 6] == [each.position for each in found]

    @case
    async def test_streams_are_listed_in_order(self, store: Storage) -> None:
        """By type, then by id, each with its last event, whatever the names look like."""
        names = [*ALIKE, *(StreamId(text, text) for text in HOSTILE.values())]
        given = [commit(stream, size=1 + number % 3) for number, stream in enumerate(names)]
        several = commit_of(*[part(each, size=2) for each in names[::3]])
        log = await appended(store, [*given, several])
        same(ends(log), await listed(store))
        for stream_type in ("a", "A", "$", "none"):
            expected = [each for each in ends(log) if each.stream.aggregate_type == stream_type]
            same(expected, await listed(store, stream_type))

    @pytest.mark.parametrize("limit", [1, 2, 3, 1000])
    @case
    async def test_streams_are_listed_page_by_page(self, store: Storage, limit: int) -> None:
        """A page begins after a stream, which may not exist."""
        assert [] == await listed(store, limit=limit)
        names = [StreamId(type_, id_) for type_ in ("B", "A", "C") for id_ in ("b", "a", "ab", "c")]
        expected = ends(await appended(store, map(commit, names)))
        same(expected, await listed(store, limit=limit))
        for after in [*names, StreamId("A", "aa"), StreamId("AA", "x"), StreamId("0", "x")]:
            for stream_type in (None, "A", "B", "BB"):
                rest = [
                    each
                    for each in expected
                    if _name(each.stream) > _name(after)
                    and stream_type in (None, each.stream.aggregate_type)
                ]
                page = await store.streams(stream_type=stream_type, after=after, limit=limit)
                same(rest[:limit], page)

    @pytest.mark.parametrize("limit", [1, 2, 1000])
    @case
    async def test_streams_are_found_by_a_prefix(self, store: Storage, limit: int) -> None:
        """The beginning of their ids, in one type."""
        ids = ["a", "ab", "ab1", "ab2", "ac", "b", "AB", "é", "é1", "e\u0301", "a*b", "ü"]
        names = [StreamId(stream_type, id_) for stream_type in ("A", "B") for id_ in ids]
        log = ends(await appended(store, map(commit, names)))
        for prefix in ("", "a", "b", "ab", "ab2", "ab22", "é", "e", "a*", "A", "\uffff"):
            expected = [
                each
                for each in log
                if each.stream.aggregate_type == "B" and each.stream.aggregate_id.startswith(prefix)
            ]
            same(expected, await listed(store, "B", prefix, limit=limit))

    @case
    async def test_streams_of_any_length_are_listed_once(self, store: Storage) -> None:
        """Many streams, one of many commits among them, and one that has just grown."""
        long = StreamId("Account", "s150-long")
        given = [commit(long) for _ in range(300)]
        given.append(commit_of(*[part(each) for each in accounts(300)]))
        given.append(commit_of(part(long, size=3), part(CUSTOMER, size=2)))
        log = await appended(store, given)
        for limit in (1000, 152, 7):
            same(ends(log), await listed(store, limit=limit))
        [end] = await store.streams(stream_type="Account", prefix="s150-", limit=1)
        assert (long, 303, 603) == (end.stream, end.version, end.position)

    @case
    async def test_a_restored_log_is_inspected_like_the_first_one(self, store: Storage) -> None:
        """Conversations that begin and end in different calls, too."""
        log = await talked(store)
        commits = await store.commits()
        async with self.store(f"{self.bucket}b") as elsewhere:
            assert [] == await conversation(elsewhere)
            for stored in commits:
                await elsewhere.restore([stored])
            same(log, await conversation(elsewhere))
            same(await listed(store), await listed(elsewhere))
            for each in await whole_log(store):
                assert each == await elsewhere.find_event(each.id)

    @case
    async def test_other_buckets_are_not_inspected(self, store: Storage) -> None:
        """Whatever they have in common."""
        log = await talked(store)
        async with self.store(f"{self.bucket}b") as elsewhere:
            assert await elsewhere.find_event(log[0].id) is None
            assert [] == await conversation(elsewhere)
            assert [] == await listed(elsewhere)
            mine = (await elsewhere.append(commit(OTHER, metadata=talk(TALK)))).recorded()
            same(mine, await conversation(elsewhere))
            same(ends(mine), await listed(elsewhere))
        same(log, await conversation(store))

    @case
    async def test_an_invalid_inspection_is_refused(self, store: Storage) -> None:
        """Ids and names beyond their limits, pages of no events, a prefix of all types."""
        half = "a\ud800"
        asked: list[Callable[[], Awaitable[object]]] = [
            lambda: store.find_event("x" * 513),
            lambda: store.find_event(half),
            lambda: store.related(""),
            lambda: store.related(LONG_ID),
            lambda: store.related(half),
            lambda: store.related(TALK, after=-1),
            lambda: store.related(TALK, after=2**63),
            lambda: store.related(TALK, limit=0),
            lambda: store.streams(stream_type=LONG_NAME),
            lambda: store.streams(stream_type="A", prefix=LONG_ID),
            lambda: store.streams(stream_type="A", prefix=half),
            lambda: store.streams(prefix="a"),
            lambda: store.streams(after=StreamId("A", LONG_ID)),
            lambda: store.streams(limit=0),
        ]
        for ask in asked:
            with pytest.raises(InvalidArgument):
                await ask()

    @case
    async def test_an_inspected_event_is_whole(self, store: Storage) -> None:
        """Its data, its schema, its tags and its envelope."""
        event = EventData("Noted", {"a": [1, {"$b": None}]}, 3, tags=frozenset({"x", "y"}))
        metadata = Metadata(TALK, "cause", {"user": "u1"})
        stored = await store.append(commit(events=[event], metadata=metadata))
        expected = stored.recorded()[0]
        assert NOW == expected.recorded_at
        assert expected == await store.find_event(expected.id)
        same([expected], await conversation(store))
