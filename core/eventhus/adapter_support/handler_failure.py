"""The one definition of "the handler failed"."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from eventhus.adapter_support.tasks import being_cancelled

T = TypeVar("T")


async def handler_failure(
    handler: Callable[[T], Awaitable[object]], message: T
) -> BaseException | None:
    """Call a handler, and return the error that it raised, or ``None`` if it returned.

    Handlers may raise anything, and a ``CancelledError`` of their own counts as a failure, too.

    Raises:
        asyncio.CancelledError: The current task itself is being cancelled.
        KeyboardInterrupt, SystemExit, GeneratorExit: The process or the task is to end.
    """
    try:
        await handler(message)
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and being_cancelled():
            raise
        return error
    return None
