"""Calls that wait together go out together, and each gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from typing import Any, Generic, TypeAlias, TypeVar

from attrs import define

from eventhus.errors import EventhusError, IncompatibleBucket, StoreUnavailable
from eventhus_mongo.batching import Batcher
from eventhus_mongo.driver_errors import translating_errors

IN_FLIGHT = 2  # groups: the server works on one while the answer to the other is decoded

A = TypeVar("A")
R = TypeVar("R")


@define(eq=False)
class Call(Generic[A, R]):
    """A call that waits for its answer.

    Attributes:
        asked: The argument.
        done: The answer.
    """

    asked: A
    done: asyncio.Future[R]

    def answer(self, answer: R) -> None:
        """Answer the caller, unless it was cancelled."""
        if not self.done.done():
            self.done.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Answer the caller with an error, unless it was cancelled."""
        if not self.done.done():
            self.done.set_exception(error)


AnswerGroup: TypeAlias = Callable[[Sequence[Call[A, R]]], Awaitable[None]]
"""Answers every call of a group. May raise the driver's errors, which all unanswered calls get.

After an error that is about a document, each of them is answered alone.
"""


def _fail(calls: Sequence[Call[Any, Any]], error: EventhusError) -> None:
    """Answer every caller with an error of its own, since a traceback grows where it is raised."""
    for call in calls:
        own = copy(error)
        own.__cause__ = error.__cause__
        call.fail(own)


class GroupedCalls(Generic[A, R]):
    """Calls of one kind that are answered in groups.

    Args:
        bucket: The bucket, for errors.
        what: The kind of call in errors, such as ``loading``.
        answer: Answers a group.
        most: The most weight in a group of several calls.
        weight: The weight of a call.
    """

    def __init__(
        self,
        bucket: str,
        what: str,
        answer: AnswerGroup[A, R],
        *,
        most: int,
        weight: Callable[[A], float] = lambda _: 1,
    ) -> None:
        self._bucket = bucket
        self._what = what
        self._answer = answer
        self._batcher: Batcher[Call[A, R]] = Batcher(
            self._process,
            self._give_up,
            most=most,
            tasks=IN_FLIGHT,
            weight=lambda call: weight(call.asked),
            most_weight=most,
        )

    async def ask(self, asked: A) -> R:
        """Wait for the answer to a call.

        Raises:
            EventhusError: The driver's error, translated.
        """
        call = Call[A, R](asked, asyncio.get_running_loop().create_future())
        self._batcher.add(call)
        return await call.done

    async def each_alone(self, calls: Sequence[Call[A, R]]) -> None:
        """Answer the calls of a group one by one, each as a group of its own."""
        for call in calls:
            await self._process([call])

    def cut_off(self) -> None:
        """End the groups in flight."""
        self._batcher.cut_off()

    async def _process(self, calls: Sequence[Call[A, R]]) -> None:
        try:
            with translating_errors(self._bucket):
                await self._answer(calls)
        except IncompatibleBucket as error:  # of one document, which belongs to one of the calls
            open_ones = [call for call in calls if not call.done.done()]
            if len(calls) > 1:
                await self.each_alone(open_ones)
            else:
                _fail(open_ones, error)
        except EventhusError as error:
            _fail(calls, error)

    def _give_up(self, call: Call[A, R], error: BaseException) -> None:
        call.fail(StoreUnavailable(self._bucket, f"{self._what} ended with {type(error).__name__}"))
