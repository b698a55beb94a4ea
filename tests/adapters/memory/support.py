"""What the tests of the bus share: messages, and waiting without a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from eventhus import StreamId
from eventhus.ports import EventBus, Message

T = TypeVar("T")

# Nothing here waits for the world, so whatever can happen has happened after a few turns of the
# event loop; what has not by then never will.
_TURNS = 2_000


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


async def publish(bus: EventBus, messages: Sequence[Message]) -> None:
    """Hand messages to a bus, by a publisher of their own."""
    await (await bus.publisher()).publish(messages)
