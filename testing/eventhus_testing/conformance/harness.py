"""The surroundings of a case: its own event loop and bucket, and a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import cached_property, wraps
from inspect import signature
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

import pytest

from eventhus import new_id
from eventhus.ports import Storage

B = TypeVar("B", bound="Bucketed")
C = TypeVar("C", bound="Cases")
T = TypeVar("T")
P = ParamSpec("P")

one_store_and_two = pytest.mark.parametrize("stores", [1, 2], ids=["one store", "two stores"])
"""Runs a case with its writers on one store, and shared between two on the same log."""

_GRACE_S = 0.5  # for what was cancelled to end


class Bucketed:
    """Cases with a bucket each.

    Attributes:
        timeout_s: A case that has not ended after this many seconds fails.
    """

    timeout_s: ClassVar[float] = 30.0

    @cached_property
    def bucket(self) -> str:
        """The bucket of this case: under 40 lower-case ASCII letters, digits and ``_``."""
        # pytest makes an instance for each case, so no two ever share a bucket.
        return f"conformance_{new_id().lower()}"


class Cases(Bucketed):
    """Cases for a store. Each is a method that ``case`` made."""

    def store(self, bucket: str) -> Storage:
        """Make a store over ``bucket``, not entered. To be written by the subclass.

        Called again with the same bucket, it makes another store on the same log, or gives the
        same one where the object is the log.
        """
        raise NotImplementedError(f"write the method store(bucket) of {type(self).__qualname__}")


def case(
    test: Callable[Concatenate[C, Storage, P], Coroutine[Any, Any, None]],
) -> Callable[Concatenate[C, P], None]:
    """Turn an asynchronous method that takes an entered store into a plain one."""
    return with_entered("store", test)


def with_entered(
    name: str, test: Callable[Concatenate[B, T, P], Coroutine[Any, Any, None]]
) -> Callable[Concatenate[B, P], None]:
    """Turn an asynchronous method that takes an entered context manager into a plain one.

    It needs no plugin, and none that runs asynchronous tests takes it for one.

    Args:
        name: The method that makes an asynchronous context manager of a bucket, and what it is
            called among the arguments of ``test``.
        test: Is given it as its first argument.
    """

    @wraps(test)
    def run(self: B, /, *args: P.args, **kwargs: P.kwargs) -> None:
        __tracebackhide__ = True

        async def entered() -> None:
            __tracebackhide__ = True
            async with getattr(self, name)(self.bucket) as made:
                await test(self, made, *args, **kwargs)

        _run(entered(), self.timeout_s)

    # pytest would look for a fixture of that name.
    given = signature(test)
    remaining = [each for key, each in given.parameters.items() if key != name]
    run.__signature__ = given.replace(parameters=remaining)  # type: ignore[attr-defined]
    return run


def _run(work: Coroutine[Any, Any, None], timeout_s: float) -> None:
    # Not asyncio.run: it changes the thread's current event loop, which a plugin may use, and it
    # waits for ever for a task that does not heed its cancellation.
    __tracebackhide__ = True
    loop = asyncio.new_event_loop()
    try:
        failure = loop.run_until_complete(_failure(work, timeout_s))
        if failure is not None:
            # The loop would log every other task that failed with it, whenever that is collected.
            loop.set_exception_handler(lambda *_: None)
    finally:
        loop.close()
    if failure is not None:
        raise failure


async def _failure(work: Coroutine[Any, Any, None], timeout_s: float) -> BaseException | None:
    task = asyncio.create_task(work)
    in_time, _ = await asyncio.wait([task], timeout=timeout_s)
    await _end_all_others()
    raised = _raised(task)
    if in_time and not task.cancelled():
        return raised
    failure = AssertionError(
        "the case was cancelled, and not by itself"
        if in_time
        else f"the case did not end within {timeout_s:g} s; see above what it waited for"
    )
    failure.__cause__ = raised
    return failure


async def _end_all_others() -> None:
    for _ in range(2):  # a retry may take the first cancellation for a failure
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_GRACE_S)
    closing = asyncio.ensure_future(asyncio.get_running_loop().shutdown_asyncgens())
    await asyncio.wait([closing], timeout=_GRACE_S)


def _raised(task: asyncio.Task[None]) -> BaseException | None:
    try:
        return task.exception() if task.done() else None
    except asyncio.CancelledError as cancelled:
        return cancelled
