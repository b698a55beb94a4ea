"""Runs the checks of a diagnosis: side by side, within a time limit, and without raising."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeAlias

from eventhus.adapter_support.failure_log import summary
from eventhus.adapter_support.tasks import stop
from eventhus.ports.diagnosis import Finding

EXAMINATION_S = 10.0
"""The time limit for everything that an adapter checks, in seconds."""

Check: TypeAlias = Callable[[], Awaitable[Iterable[Finding]]]
"""Looks at one thing and returns its findings."""


async def examine(
    checks: Mapping[str, Check],
    *,
    within_s: float = EXAMINATION_S,
    describe: Callable[[BaseException], str] = summary,
) -> list[Finding]:
    """Run checks side by side and return their findings, in the order of the checks.

    A check that raises, or is not done in time, is a warning.

    Args:
        checks: The checks by name.
        within_s: The time limit, in seconds. Checks that are not done by then are cancelled.
        describe: Returns the text of an error, without credentials and data.
    """
    tasks = {name: asyncio.ensure_future(check()) for name, check in checks.items()}
    try:
        if tasks:
            await asyncio.wait(tasks.values(), timeout=within_s)
        in_time = {name for name, task in tasks.items() if task.done()}
    finally:
        await stop(*tasks.values())
    return [
        finding
        for name, task in tasks.items()
        for finding in (
            _findings(name, task, describe) if name in in_time else [_late(name, within_s)]
        )
    ]


def _findings(
    name: str,
    task: asyncio.Future[Iterable[Finding]],
    describe: Callable[[BaseException], str],
) -> Iterable[Finding]:
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if error is None:
        return task.result()
    return [
        Finding.warning(
            name,
            f"could not be checked: {describe(error)}",
            "try again; if it stays, look into the log of the server",
        )
    ]


def _late(name: str, within_s: float) -> Finding:
    return Finding.warning(
        name,
        f"could not be checked within {within_s:g} s",
        "try again when the server is less busy",
    )
