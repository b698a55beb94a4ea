"""Checks the health of a bucket within a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from attrs import frozen

from eventhus.adapter_support.failure_log import summary
from eventhus.adapter_support.handler_failure import handler_failure
from eventhus.operations.app_parts import AppParts
from eventhus.operations.readers import Looked, Readers, Surroundings
from eventhus.operations.values import Health

T = TypeVar("T")

ANSWER_S = 5.0
"""The time that the store and the bus have for their answers, all together."""

_FIRST = 0.8  # of that time: a bus that hangs must leave some of it to the store


@frozen
class _Answer(Generic[T]):
    """The answer of a store or a bus, or the reason why there is none."""

    value: T | None = None
    failure: BaseException | None = None


class HealthCheck:
    """The health check of a bucket, which remembers the views that have caught up.

    Args:
        parts: The application.
        readers: Looks at the readers.
        stalled_after_s: As for ``Operations``.
    """

    def __init__(self, parts: AppParts, readers: Readers, stalled_after_s: float) -> None:
        self._parts = parts
        self._readers = readers
        self._stalled_after_s = stalled_after_s
        self._first_head: int | None = None  # found by the first check of this process
        self._caught_up: set[tuple[str, int]] = set()

    async def look(self) -> Health:
        """Return the health, as ``Operations.health`` does."""
        self._parts.running()
        began_s = asyncio.get_running_loop().time()
        until_s = began_s + ANSWER_S * _FIRST
        stored, groups = await asyncio.gather(
            _answer(self._look_at_store, until_s), _answer(self._parts.groups, until_s)
        )
        problems: list[str] = []
        around, found = stored.value or (None, [])
        of_groups = _Answer[list[Looked]]()
        if around is not None:
            look = partial(self._readers.of_groups, around, groups.value or ())
            of_groups = await _answer(look, began_s + ANSWER_S)
        found += of_groups.value or []
        has_bus = self._parts.bus is not None
        of_store = stored.failure or of_groups.failure or (None if has_bus else groups.failure)
        if of_store is not None:
            problems.append(f"the store did not answer: {_cause(of_store)}")
        if has_bus and groups.failure is not None:
            problems.append(f"the bus did not answer: {_cause(groups.failure)}")
        return self._health(around, found, problems)

    async def _look_at_store(self) -> tuple[Surroundings, list[Looked]]:
        around = await self._readers.surroundings()
        return around, await self._readers.of_store(around, declared_only=True)

    def _health(
        self, around: Surroundings | None, found: Sequence[Looked], problems: Sequence[str]
    ) -> Health:
        now = self._parts.clock.now() if around is None else around.now
        head = None if around is None else around.head
        if head is not None:
            self._first_head = head if self._first_head is None else min(self._first_head, head)
        for each in found:
            position, status = each.status.position, each.status
            if status.kind == "view" and (position or 0) >= (self._first_head or 0):
                self._caught_up.add((status.name, status.version))
        views = {(view.name, view.version) for view in self._parts.views}
        stuck = [
            each
            for each in found
            if each.status.kind != "group"  # a handler that waits for another system is no reason
            and each.standing.needs_restart(now, self._stalled_after_s)
        ]
        return Health(
            at=now,
            is_live=not stuck and not any(each.has_ended for each in self._parts.conditions),
            is_ready=head is not None and views <= self._caught_up,
            head=head,
            readers=tuple(each.status for each in found),
            problems=(*problems, *(problem for each in found for problem in each.status.problems)),
        )


async def _answer(ask: Callable[[], Awaitable[T]], until_s: float) -> _Answer[T]:
    """Ask a store or a bus until a time of the event loop's clock."""
    value: T | None = None

    async def wait(_: None) -> None:
        nonlocal value
        async with asyncio.timeout_at(until_s):
            value = await ask()

    failure = await handler_failure(wait, None)
    return _Answer(value, failure)


def _cause(failure: BaseException) -> str:
    if isinstance(failure, TimeoutError):
        return f"it took longer than {ANSWER_S * _FIRST:g} s"
    return summary(failure)
