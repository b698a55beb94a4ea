"""Commits to append, and ways to read them back, for the cases of stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from itertools import count
from time import perf_counter
from typing import Any

from attrs import evolve

from eventhus import Query, StreamId
from eventhus.ports import Commit, EventData, Page, Part, Storage, StoredCommit, StoredEvent

ACCOUNT = StreamId("Account", "a1")
OTHER = StreamId("Account", "a2")
CUSTOMER = StreamId("Customer", "a1")
NOW = datetime(2024, 2, 29, 12, 30, 15, 123456, UTC)

_numbers = count(1)


def new_events(size: int = 1) -> list[EventData]:
    """Return distinct events."""
    return [EventData("Deposited", {"amount": next(_numbers)}) for _ in range(size)]


def tagged(*tags: str, type_: str = "Deposited") -> EventData:
    """Return a new event with tags."""
    return EventData(type_, {"amount": next(_numbers)}, tags=frozenset(tags))


def part(
    stream: StreamId = ACCOUNT,
    *,
    size: int = 1,
    events: Sequence[EventData] = (),
    expected_version: int | None = None,
) -> Part:
    """Return a part with these events, or with ``size`` new ones."""
    return Part(stream=stream, events=events or new_events(size), expected_version=expected_version)


def commit_of(*parts: Part, **changes: Any) -> Commit:
    """Return a commit of some parts."""
    made = Commit(id=f"commit-{next(_numbers)}", parts=parts, recorded_at=NOW)
    return evolve(made, **changes)


def commit(
    stream: StreamId = ACCOUNT,
    *,
    size: int = 1,
    events: Sequence[EventData] = (),
    expected_version: int | None = None,
    **changes: Any,
) -> Commit:
    """Return a commit of one part: these events, or ``size`` new ones."""
    one = part(stream, size=size, events=events, expected_version=expected_version)
    return commit_of(one, **changes)


def expecting(given: Commit, version: int | None) -> Commit:
    """Return the same commit, whose parts expect another version."""
    return evolve(given, parts=[evolve(part, expected_version=version) for part in given.parts])


def first_version(stored: StoredCommit) -> int:
    """Return the version of the first event of a commit of one part."""
    [version] = stored.versions
    return version


def last_version(stored: StoredCommit) -> int:
    """Return the version of the last event of a commit of one part."""
    return first_version(stored) + len(stored.commit.events) - 1


def place(stored: StoredCommit) -> tuple[int, int]:
    """Return the version and the position of the first event of a commit of one part."""
    return first_version(stored), stored.position


def of_data(data: object) -> Commit:
    """Return a commit of one event with this data."""
    return commit(events=[EventData("Deposited", data)])  # type: ignore[arg-type]


def accounts(size: int) -> list[StreamId]:
    """Return so many streams."""
    return [StreamId("Account", f"s{number}") for number in range(size)]


async def filled(store: Storage) -> list[StoredEvent]:
    """Append twelve events to three streams, and return the answers.

    The seven of ACCOUNT are at versions 1, 2 to 5, and 6 to 7, one commit each.
    """
    log: list[StoredEvent] = []
    for stream, size in (
        (ACCOUNT, 1),
        (OTHER, 2),
        (ACCOUNT, 4),
        (CUSTOMER, 1),
        (ACCOUNT, 2),
        (OTHER, 2),
    ):
        log += (await store.append(commit(stream, size=size))).recorded()
    return log


def exact(value: Any) -> object:
    """Return data with the type of each part: 1 equals 1.0 and True, and -0.0 equals 0.0."""
    kind = type(value)
    if isinstance(value, dict):
        return kind, [(exact(key), exact(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return kind, [exact(inner) for inner in value]
    return kind, repr(value)


def answer(stored: StoredCommit | None) -> tuple[object, ...] | None:
    """Return the fields of a stored commit, to compare.

    Its events may come in any kind of sequence, and the version that its writer expected may be
    given as the one that it met.
    """
    if stored is None:
        return None
    given = stored.commit
    return given.id, given.command_id, tuple(stored.versions), stored.recorded()


async def every_way(store: Storage, given: Commit) -> dict[str, list[EventData]]:
    """Return the events of a stored commit, from each method of a store.

    The commit has one part and a ``command_id``.
    """
    assert given.command_id is not None
    size = len(given.events)
    again = await store.append(given)
    found = await store.find(given.command_id)
    assert found is not None
    before, after_version = again.position - 1, first_version(again) - 1
    loaded = await store.load(given.stream, after_version=after_version, limit=size)
    history = await store.history(given.stream, after_version=after_version, limit=size)
    read = await store.read(after=before, limit=size)
    backwards = await store.read_backwards(before=again.last_position + 1, limit=size)
    followed = await follow(store, again.last_position, after=before, limit=size)
    [whole] = await store.commits(after=before, limit=1)
    return {
        "append again": again.commit.events,
        "find": found.commit.events,
        "load": list(loaded.events),
        "history": [recorded.event for recorded in history],
        "read": [recorded.event for recorded in read.events],
        "read_backwards": [recorded.event for recorded in backwards.events][::-1],
        "follow": [recorded.event for recorded in followed],
        "commits": whole.commit.events,
    }


def same(expected: Sequence[object], actual: Sequence[object]) -> None:
    """Assert that two long sequences are equal, or show the first place where they differ.

    Where pytest shows all of a difference, as it does in CI, it compares each element with each
    other: for the hundreds of events of a log that takes hours.
    """
    __tracebackhide__ = True
    for index, (one, other) in enumerate(zip(expected, actual, strict=False)):
        assert (index, one) == (index, other)
    assert len(expected) == len(actual)


async def whole_log(store: Storage) -> list[StoredEvent]:
    """Return all events up to the head, and check that their positions have no gap."""
    log: list[StoredEvent] = []
    head = await store.head()
    while page := (await store.read(after=len(log))).events:
        log += page
        # Also keeps a store that does not look at its arguments from reading on for ever.
        assert [*range(1, len(log) + 1)] == [recorded.position for recorded in log]
    assert head <= len(log) <= await store.head()
    return log


async def follow(
    store: Storage,
    to: int,
    *,
    query: Query | None = None,
    after: int = 0,
    limit: int = 1000,
    pace: int = 0,
) -> list[StoredEvent]:
    """Return the events that a follower gets up to a position.

    Args:
        store: Where to follow.
        to: The position to end at, with the page that reaches it.
        query: Which events.
        after: The position to start after.
        limit: The maximum number of events in a page.
        pace: The number of turns of the event loop that it takes to handle a page.
    """
    async with aclosing(store.follow(query, after=after, limit=limit)) as pages:
        return await take(pages, to, limit=limit, pace=pace)


async def take(
    pages: AsyncIterator[Page], to: int, *, limit: int = 1000, pace: int = 0
) -> list[StoredEvent]:
    """Return the events that a follower gets next, up to a position. See ``follow``."""
    taken: list[StoredEvent] = []
    position = 0
    async for page in pages:
        assert len(page.events) <= limit
        assert position < page.position
        position = page.position
        taken += page.events
        if position >= to:
            return taken
        await turns(pace)
    raise AssertionError(f"the follower came to an end before position {to}")


async def turns(number: int) -> None:
    """Let the event loop turn, to choose a moment, never to wait for something."""
    for _ in range(number):
        await asyncio.sleep(0)


Moment = Callable[[], Awaitable[object]]
"""Returns at some moment after an operation was started."""


async def moments(store: Storage, *, few: bool = False) -> list[Moment]:
    """Return moments during an append: first turns of the event loop, then times by the clock.

    Nothing depends on what has happened at any of them: the later they are tried, the better.

    Args:
        store: The store whose operations are interrupted.
        few: Whether a selection is enough. It has each of the first turns, since a store in memory
            is done after them, however fast the machine is.
    """
    await store.append(commit(StreamId("Clock", "c1")))  # a first one may take longer
    started = perf_counter()
    await store.append(commit(StreamId("Clock", "c1")))
    took_s = perf_counter() - started
    by_turn = [partial(turns, number) for number in ((0, 1, 2, 3, 5, 8) if few else range(12))]
    return [*by_turn, *by_clock(took_s)[:: 4 if few else 1]]


def by_clock(took_s: float) -> list[Moment]:
    """Return moments during and after an operation of the given length."""
    return [partial(asyncio.sleep, took_s * step / 10) for step in range(1, 16)]


async def appended_once(
    store: Storage, given: Sequence[Commit], appending: Sequence[asyncio.Task[StoredCommit]]
) -> None:
    """Check and finish commits whose appends were cut short, each the first of its stream.

    One that is not there yet may land at any time until it is appended again.
    """
    for one, task in zip(given, appending, strict=True):
        there = await store.history(one.stream)
        answered = not task.cancelled() and task.exception() is None
        assert len(there) in ({len(one.events)} if answered else {0, len(one.events)})
        if answered:
            assert task.result().recorded() == list(there)
    await whole_log(store)  # is dense
    again = await asyncio.gather(*map(store.append, given))
    assert [1] * len(given) == [*map(first_version, again)]
    log = await whole_log(store)
    for one, stored in zip(given, again, strict=True):
        assert stored.recorded() == log[stored.position - 1 : stored.last_position]
        assert stored.recorded() == [recorded for recorded in log if recorded.stream == one.stream]
        assert one.events == [recorded.event for recorded in stored.recorded()]
