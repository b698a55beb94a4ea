"""Batches of concurrent calls: those that wait while one batch is under way form the next one.

A call of the driver costs more than what it carries, so a process with many callers would otherwise
be bound by its calls. Source of the idea: group commit, DeWitt et al., "Implementation Techniques
for Main Memory Database Systems", SIGMOD 1984.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, Generic, Protocol, TypeVar

TURNS = 2  # of the event loop: a caller that waits for another caller's answer is back after two


class Waiting(Protocol):
    """A call that waits for its answer."""

    @property
    def done(self) -> asyncio.Future[Any]:
        """The answer; cancelled if the caller was."""
        ...


W = TypeVar("W", bound=Waiting)


class Batcher(Generic[W]):
    """Collects waiting calls and processes them batch by batch.

    Args:
        process: Settles every call of a batch, or puts it back.
        give_up: Settles one call after ``process`` has raised: a bug, or the end of the event loop.
            Without it the caller would wait for ever.
        most: The most calls in a batch.
        tasks: The most batches under way at once.
        weight: The weight of a call.
        most_weight: The most weight in a batch of several calls.
    """

    def __init__(
        self,
        process: Callable[[list[W]], Awaitable[None]],
        give_up: Callable[[W, BaseException], None],
        *,
        most: int,
        tasks: int = 1,
        weight: Callable[[W], float] = lambda _: 0,
        most_weight: float = inf,
    ) -> None:
        self._process = process
        self._give_up = give_up
        self._most = most
        self._most_tasks = tasks
        self._weight = weight
        self._most_weight = most_weight
        self._queue: deque[W] = deque()
        self._running = 0  # tasks that take from the queue; a task may be done a bit later
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, waiting: W) -> None:
        """Add a call to the end of the queue."""
        self._queue.append(waiting)
        if self._running < self._most_tasks:
            self._running += 1
            task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def put_back(self, waiting: W) -> None:
        """Put a call of the current batch back to the head of the queue."""
        self._queue.appendleft(waiting)

    async def drain(self) -> None:
        """Wait until no call waits any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def cut_off(self) -> None:
        """End the batches in flight, and give up every call."""
        for task in self._tasks:
            task.cancel()

    async def _run(self) -> None:
        """Process batches until nothing waits."""
        batch: list[W] = []
        try:
            while True:
                # Callers that were just answered go first: what they ask for next is then in this
                # batch. Otherwise each batch would hold only a part of them.
                for _ in range(TURNS):
                    await asyncio.sleep(0)
                batch = self._take()
                if not batch:
                    return
                await self._process(batch)
        except BaseException as error:
            for waiting in (*batch, *self._queue):
                self._give_up(waiting, error)
            self._queue.clear()
            raise
        finally:
            self._running -= 1

    def _take(self) -> list[W]:
        batch: list[W] = []
        weight = 0.0
        while self._queue and len(batch) < self._most:
            waiting = self._queue[0]
            if waiting.done.done():  # its caller was cancelled
                self._queue.popleft()
                continue
            weight += self._weight(waiting)
            if batch and weight > self._most_weight:
                break
            batch.append(self._queue.popleft())
        return batch
