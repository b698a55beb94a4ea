"""Helpers of the tests of the bus: messages, and waiting without a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from eventhus import StreamId
from eventhus.ports import EventBus, Message

T = TypeVar("T")

# Nothing here waits for anything outside the process, so after a few turns of the event loop
# everything that can happen has happened.
_TURNS = 2_000


def message(aggregate_id: str = "a", number: int = 1) -> Message:
    """Return the ``number``-th message of an aggregate, from 1."""
    return Message(
        id=f"{aggregate_id}-{number}",
        stream=StreamId("Account", aggregate_id),
        body=b'{"secret":true}',
        headers={"number": str(number)},
    )


def messages(aggregate_id: str, size: int) -> list[Message]:
    """Return an aggregate's first messages, in order."""
    return [message(aggregate_id, number) for number in range(1, size + 1)]


async def until(condition: Callable[[], object]) -> None:
    """Run the event loop until a condition holds.

    Raises:
        AssertionError: It does not after many turns.
    """
    for _ in range(_TURNS):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("this never came true")


async def idle() -> None:
    """Run the event loop until nothing more can happen by itself."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def soon(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of work that must end by itself.

    Raises:
        AssertionError: It did not end, as in a deadlock.
    """
    task = asyncio.create_task(work)
    try:
        await until(task.done)
    finally:
        task.cancel()  # does nothing if it is done
    return await task


async def publish(bus: EventBus, messages: Sequence[Message]) -> None:
    """Publish messages with a new publisher."""
    await (await bus.publisher()).publish(messages)
