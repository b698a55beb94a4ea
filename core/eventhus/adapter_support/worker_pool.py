"""The worker loop that every bus runs for a subscription."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from eventhus.adapter_support.handler_failure import handler_failure
from eventhus.adapter_support.stream_queues import StreamQueues
from eventhus.ports.bus import Message, MessageHandler

Handled: TypeAlias = Callable[[Message, BaseException | None], Awaitable[None]]
"""Takes a message and the error of its handler; ``None`` if it returned."""


class WorkerPool:
    """Tasks that take messages from stream queues and call a handler, one message per task.

    Args:
        handler: Called with each message.
        concurrency: The number of tasks, and so of messages that are handled at once.
        handled: Awaited after each call of the handler. It must settle the message in the queues,
            with ``done`` or ``give_back``.
        may_begin: Called before each message, also after a worker has waited for one. A worker that
            gets ``False`` leaves the message in its queue and ends.
    """

    def __init__(
        self,
        handler: MessageHandler,
        concurrency: int,
        *,
        handled: Handled,
        may_begin: Callable[[], bool] = lambda: True,
    ) -> None:
        self._handler = handler
        self._concurrency = concurrency
        self._handled = handled
        self._may_begin = may_begin
        self._is_stopped = False
        self._workers: set[asyncio.Task[None]] = set()
        self._in_progress: dict[asyncio.Task[None], Message] = {}

    @property
    def workers(self) -> frozenset[asyncio.Task[None]]:
        """The tasks that ``start`` made."""
        return frozenset(self._workers)

    @property
    def in_progress(self) -> list[Message]:
        """The messages that handlers have begun and not finished."""
        return [*self._in_progress.values()]

    @property
    def is_over(self) -> bool:
        """Return whether every worker has ended."""
        return all(worker.done() for worker in self._workers)

    def start(self, queues: StreamQueues) -> None:
        """Start the workers on ``queues``. A pool that is over can be started again."""
        self._is_stopped = False
        self._workers = {asyncio.create_task(self._work(queues)) for _ in range(self._concurrency)}

    def stop(self) -> None:
        """Begin no more messages: idle workers end now, the others after their message."""
        self._is_stopped = True
        for worker in self._workers - self._in_progress.keys():
            worker.cancel()

    def abandon(self) -> None:
        """Cancel every worker, whatever its handler is doing."""
        self._is_stopped = True
        for worker in self._workers:
            worker.cancel()

    async def wait(self) -> None:
        """Return once every worker has ended, except the one that calls this, if any."""
        if others := self._workers - {asyncio.current_task()}:
            await asyncio.wait(others)

    async def _work(self, queues: StreamQueues) -> None:
        task = asyncio.current_task()
        assert task is not None
        while self._is_willing():
            message = await queues.take()
            if not self._is_willing():
                queues.give_back(message)
                return
            self._in_progress[task] = message
            try:
                await self._handled(message, await handler_failure(self._handler, message))
            finally:
                del self._in_progress[task]
            await asyncio.sleep(0)  # a handler that never waits must not block the event loop

    def _is_willing(self) -> bool:
        return not self._is_stopped and self._may_begin()
