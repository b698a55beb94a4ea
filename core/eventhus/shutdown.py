"""Leaving an application: one time limit, and a log line for everything that it waits for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Any

NOTICE_S = 1.0  # a step that takes longer is logged
REMINDER_S = 5.0  # between two more lines about the same step
LATE_S = 0.2  # for a step that begins after the time limit, to close what it can
CUT_OFF_S = 0.4  # for a step to end once it is cancelled

_logger = logging.getLogger(__name__)


class Shutdown:
    """The steps of leaving an application, under one time limit that begins with the first step.

    A step that is not done at the limit is cancelled. The later steps still run, each for a moment,
    so that connections are closed. Nothing acknowledged is lost: commits are stored, events that
    were not published or handled are published and delivered later.

    Args:
        bucket: The name of the application, for the log.
        timeout_s: The time limit in seconds.
    """

    def __init__(self, bucket: str, timeout_s: float) -> None:
        self._bucket = bucket
        self._timeout_s = timeout_s
        self._deadline: float | None = None  # by the event loop's clock

    def add(
        self,
        stack: AsyncExitStack,
        waits_for: Callable[[], str],
        action: Callable[[], Coroutine[Any, Any, object]],
    ) -> None:
        """Have a stack run a step when it is left. The arguments are those of ``step``."""
        stack.push_async_callback(self.step, waits_for, action)

    async def enter(
        self,
        stack: AsyncExitStack,
        waits_for: Callable[[], str],
        resource: AbstractAsyncContextManager[Any, None],
    ) -> None:
        """Enter a resource, and have a stack leave it in a step."""
        await resource.__aenter__()

        async def leave(
            exc_type: type[BaseException] | None,
            exc: BaseException | None,
            traceback: TracebackType | None,
        ) -> None:
            await self.step(waits_for, lambda: resource.__aexit__(exc_type, exc, traceback))

        stack.push_async_exit(leave)

    async def step(
        self, waits_for: Callable[[], str], action: Callable[[], Coroutine[Any, Any, object]]
    ) -> None:
        """Run one step in a task of its own, and give it up at the time limit.

        Raises the error of the step. If the caller is cancelled, the step is, too.

        Args:
            waits_for: Describes the work that the step is waiting for at this moment.
            action: Does the work.
        """
        now = asyncio.get_running_loop().time
        if self._deadline is None:
            self._deadline = now() + self._timeout_s
        end = max(self._deadline, now() + LATE_S)
        task = asyncio.ensure_future(action())
        try:
            is_done = await self._is_done(task, waits_for, end)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task], timeout=max(CUT_OFF_S, end - now()))
            raise
        if is_done:
            task.result()
            return
        _logger.warning(
            "leaving bucket %s: gave up waiting for %s after %g s",
            self._bucket,
            waits_for(),
            self._timeout_s,
        )
        task.cancel()
        await asyncio.wait([task], timeout=CUT_OFF_S)
        task.add_done_callback(_retrieve)

    async def _is_done(
        self, task: asyncio.Future[object], waits_for: Callable[[], str], end: float
    ) -> bool:
        """Wait until the step is done or ``end`` has come, and log what it waits for."""
        now = asyncio.get_running_loop().time
        began, wait_s, level = now(), NOTICE_S, logging.INFO
        while True:
            left_s = end - now()
            await asyncio.wait([task], timeout=min(wait_s, max(0.0, left_s)))
            if task.done():
                return True
            left_s = end - now()
            if left_s <= 0:
                return False
            _logger.log(
                level,
                "leaving bucket %s: waiting for %s for %.1f s, at most %.1f s more",
                self._bucket,
                waits_for(),
                now() - began,
                left_s,
            )
            wait_s, level = REMINDER_S, logging.WARNING


def _retrieve(task: asyncio.Future[object]) -> None:
    """Keep asyncio from logging an error that comes after the step was given up."""
    if not task.cancelled():
        task.exception()
