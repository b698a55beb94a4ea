"""Work on data grows with its size and not faster.

Times are compared in a soak only, since other work on the machine would make the check unreliable.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import pytest

from eventhus import StreamId
from eventhus.adapter_support import check_plain_data
from eventhus.ports import Commit, EventData, Part, Storage
from eventhus.printable import printable
from eventhus.runtime.messaging.wire import from_message
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore
from eventhus_mongo import MongoStore
from eventhus_testing.conformance.bus.cases import message
from eventhus_testing.reports.words import in_words
from eventhus_testing.texts.printable import printable_lines

IS_SOAK = "EVENTHUS_SOAK" in os.environ
SIZE = 10_000 if IS_SOAK else 500
TOLERANCE = 3  # times linear

CODEC = CattrsCodec()
DECODERS = {
    "list": CODEC.decoder(list[int]),
    "set": CODEC.decoder(frozenset[str]),
    "dict": CODEC.decoder(dict[str, int]),
}

WORK: dict[str, Callable[[int], object]] = {
    "a list is decoded": lambda n: DECODERS["list"]([1] * n),
    "a set is decoded": lambda n: DECODERS["set"]([str(each) for each in range(n)]),
    "a dict is decoded": lambda n: DECODERS["dict"]({str(each): each for each in range(n)}),
    "data is checked": lambda n: check_plain_data({str(each): [each] for each in range(n)}),
    "a body is parsed": lambda n: from_message(
        message("a", published_at=datetime.now(UTC), body=_body(n))
    ),
    "unprintable text is escaped": lambda n: printable("\n" * n),
    "lines are escaped": lambda n: printable_lines("\x1b\n" * n),
    "a value is described": lambda n: in_words([["x"] * 10] * n),
}


def _body(size: int) -> bytes:
    head = b'{"aggregate_id":"a","aggregate_type":"A","version":1,"type":"T","data":{"a":['
    return head + b",".join([b"1"] * size) + b"]}}"


def shortest_s(work: Callable[[int], object], size: int) -> float:
    times = []
    for _ in range(5):
        started = perf_counter()
        work(size)
        times.append(perf_counter() - started)
    return min(times)


@pytest.mark.parametrize("name", WORK)
def test_work_on_data_is_linear(name: str) -> None:
    little, much = (shortest_s(WORK[name], size) for size in (SIZE, 4 * SIZE))
    assert not IS_SOAK or much <= 4 * TOLERANCE * little


@pytest.fixture(params=["memory", "mongo"])
def make(request: pytest.FixtureRequest) -> Callable[[], Any]:
    if request.param == "memory":
        return MemoryStore
    url, bucket = map(request.getfixturevalue, ("mongo_url", "mongo_bucket"))
    return lambda: MongoStore.open(url, bucket)


async def test_paging_through_one_large_commit_is_linear(make: Callable[[], Any]) -> None:
    async with make() as store:
        little = await _paged_s(store, SIZE)
        much = await _paged_s(store, 4 * SIZE)
    assert not IS_SOAK or much <= 4 * TOLERANCE * little


async def _paged_s(store: Storage, size: int) -> float:
    """Return the time that reading a commit in pages takes, by stream and by position."""
    stream = StreamId("Large", f"l{size}")
    stored = await store.append(
        Commit(
            id=f"c{size}",
            parts=[
                Part(
                    stream=stream,
                    events=[EventData("Noted", {"number": each}) for each in range(size)],
                    expected_version=0,
                )
            ],
            recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
    )
    reads: list[Callable[[int], Awaitable[Any]]] = [
        lambda after: store.load(stream, after_version=after, limit=100),
        lambda after: store.read(after=stored.position - 1 + after, limit=100),
    ]
    started = perf_counter()
    for read in reads:
        for after in range(0, size, 100):
            await read(after)
    return perf_counter() - started
