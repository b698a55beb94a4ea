"""The one definition of "the handler failed"."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from eventhus.adapter_support.tasks import being_cancelled


async def handler_failure(handling: Awaitable[object]) -> BaseException | None:
    """Await a handler, and return what it failed with, or ``None`` if it returned.

    Handlers may raise anything, and a ``CancelledError`` of their own counts as a failure, too.

    Raises:
        asyncio.CancelledError: The current task itself is being cancelled.
        KeyboardInterrupt, SystemExit, GeneratorExit: The process or the task is to end.
    """
    try:
        await handling
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and being_cancelled():
            raise
        return error
    return None
