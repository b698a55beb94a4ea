"""Runs a check over many hostile inputs, so that each can be repeated by its number."""

from __future__ import annotations

import asyncio
import logging
import os
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from random import Random, SystemRandom

from eventhus.errors import EventhusError
from tests.fuzz.hostile import CANARY, Hostile

INPUTS = int(os.environ.get("EVENTHUS_FUZZ_INPUTS", "4000"))
"""The number of inputs of all tests together, about."""

SEED = os.environ.get("EVENTHUS_FUZZ_SEED") or str(SystemRandom().randrange(10**9))
"""The inputs follow from it. ``<seed>:<number>`` gives only the input of that number."""

LONGEST_TEXT = 50_000  # escaped; 4,100 characters as they are
BOUND_S = 30  # of one operation, far beyond what it takes


def for_each(kind: str, share: float, check: Callable[[Hostile], object]) -> None:
    """Call a check with many inputs.

    Args:
        kind: The name of the test, so that no two tests have the same inputs.
        share: The part of all inputs that this test gets. Slow tests get a small one.
        check: Raises if something does not hold.
    """
    for seed, hostile in _sources(kind, share):
        with _naming(seed):
            check(hostile)


async def for_each_awaited(
    kind: str, share: float, check: Callable[[Hostile], Awaitable[object]]
) -> None:
    """Await a check of many inputs, one after the other, as ``for_each`` does."""
    for seed, hostile in _sources(kind, share):
        with _naming(seed):
            await check(hostile)


def _sources(kind: str, share: float) -> Iterator[tuple[str, Hostile]]:
    seed, _, only = SEED.partition(":")
    for number in [int(only)] if only else range(max(1, round(INPUTS * share))):
        yield f"{seed}:{number}", Hostile(Random(f"{seed}:{kind}:{number}"))


@contextmanager
def _naming(seed: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(f"EVENTHUS_FUZZ_SEED={seed} repeats this input")
        raise


def refused(error: BaseException) -> None:
    """Check an error: it is typed, and nothing that a log shows of it holds data or breaks lines.

    Raises:
        AssertionError: It is not.
    """
    if not isinstance(error, EventhusError):
        name = type(error).__name__
        raise AssertionError(f"an error that is not typed: {name}") from error  # noqa: TRY004
    if CANARY in (shown := "".join(traceback.format_exception(error))):
        raise AssertionError(f"an error that quotes data: {shown[-2000:]}") from error
    text = str(error)
    if not text.isprintable():
        raise AssertionError(f"an error that is not one printable line: {text[:500]!r}") from error
    if len(text) > LONGEST_TEXT:
        raise AssertionError(f"an error of {len(text):,} characters: {text[:500]}") from error


def attempt(call: Callable[[], object]) -> object:
    """Call a function that may refuse its input, and return the answer, or the error."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - any: that is the question
        refused(error)
        return error


async def attempted(operation: Awaitable[object]) -> object:
    """Await an operation that may refuse its input, and return the answer, or the error."""
    try:
        async with asyncio.timeout(BOUND_S):
            return await operation
    except Exception as error:  # noqa: BLE001 - any: that is the question
        refused(error)
        return error


class _Watch(logging.Handler):
    """Keeps what is wrong with the lines of a log."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.getMessage().isprintable():
            self.wrong.append(f"a line that can be forged: {record.getMessage()!r}")
        if CANARY in self.format(record):
            self.wrong.append(f"data in the log: {self.format(record)}")


@contextmanager
def watched_logs() -> Iterator[None]:
    """Check that every message is one printable line, and that no traceback holds data."""
    watch = _Watch()
    logging.getLogger().addHandler(watch)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(watch)
    assert watch.wrong[:3] == []
