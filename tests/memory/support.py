"""What the tests of stores and buses share: commits, messages, and waiting without a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

from attrs import evolve

from eventhus import EventData, StreamId
from eventhus.ports import Commit, Message, StoredCommit, StoredEvent

T = TypeVar("T")

ACCOUNT = StreamId("Account", "a1")
NOW = datetime(2024, 2, 29, 12, 30, 15, 123456, UTC)

_numbers = count(1)

# Nothing here waits for the world, so whatever can happen has happened after a few turns of the
# event loop; what has not by then never will.
_TURNS = 2_000


def events(size: int = 1) -> list[EventData]:
    """Events that can be told apart."""
    return [EventData("Deposited", {"amount": next(_numbers)}) for _ in range(size)]


def commit(stream: StreamId = ACCOUNT, *, size: int = 1, **changes: Any) -> Commit:
    """A commit of ``size`` events that goes wherever the stream ends, unless told otherwise."""
    made = Commit(
        id=f"commit-{next(_numbers)}",
        stream=stream,
        events=changes.pop("events", None) or events(size),
        expected_version=None,
        recorded_at=NOW,
    )
    return evolve(made, **changes)


def of_data(data: object) -> Commit:
    """A commit of one event with any data."""
    return commit(events=[EventData("Deposited", data)])  # type: ignore[arg-type]


def data(stored: Sequence[StoredEvent]) -> list[Any]:
    """The bare data of stored events."""
    return [recorded.event.data for recorded in stored]


def answer(stored: StoredCommit | None) -> tuple[object, ...] | None:
    """All that a stored commit says, to compare: its events may come in any kind of sequence."""
    if stored is None:
        return None
    given = stored.commit
    return (given.id, given.stream, given.command_id, given.expected_version, stored.recorded())


def message(aggregate_id: str = "a", number: int = 1) -> Message:
    """The ``number``-th message of an aggregate, from 1."""
    return Message(
        id=f"{aggregate_id}-{number}",
        stream=StreamId("Account", aggregate_id),
        body=b'{"secret":true}',
        headers={"number": str(number)},
    )


def messages(aggregate_id: str, size: int) -> list[Message]:
    """An aggregate's first messages, in order."""
    return [message(aggregate_id, number) for number in range(1, size + 1)]


async def until(condition: Callable[[], object]) -> None:
    """Let the event loop turn until something is true.

    Raises:
        AssertionError: It will never be.
    """
    for _ in range(_TURNS):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("this never came true")


async def idle() -> None:
    """Let everything happen that can happen without the test doing more."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def soon(work: Coroutine[Any, Any, T]) -> T:
    """The result of what must come to its end by itself, where a deadlock would wait for ever.

    Raises:
        AssertionError: It did not end.
    """
    task = asyncio.create_task(work)
    try:
        await until(task.done)
    finally:
        task.cancel()  # does nothing to what is done
    return await task
