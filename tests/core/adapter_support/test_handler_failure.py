"""The one definition of "the handler failed"."""

import asyncio
from collections.abc import Awaitable

import pytest

from eventhus.adapter_support import handler_failure


async def raising(error: BaseException) -> None:
    raise error


class NotAnException(BaseException):
    """An error as some libraries raise it, to get past ``except Exception``."""


@pytest.mark.parametrize("error", [ValueError(), NotAnException(), asyncio.CancelledError()])
async def test_the_error_of_a_handler_is_returned(error: BaseException) -> None:
    assert error is await handler_failure(raising, error)


async def test_a_handler_that_returns_has_not_failed() -> None:
    assert await handler_failure(asyncio.sleep, 0) is None


async def test_a_handler_that_raises_before_it_is_awaited_has_failed() -> None:
    def handler(message: object) -> Awaitable[None]:
        raise ValueError

    assert isinstance(await handler_failure(handler, 1), ValueError)


@pytest.mark.parametrize("error", [GeneratorExit(), KeyboardInterrupt(), SystemExit()])
def test_the_end_of_the_process_passes_through(error: BaseException) -> None:
    with pytest.raises(type(error)):
        handler_failure(raising, error).send(None)


async def test_cancelling_the_task_passes_through() -> None:
    async def handler(message: object) -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(handler_failure(handler, 1))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
