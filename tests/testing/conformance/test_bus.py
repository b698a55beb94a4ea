"""The conformance suite fails every bus that breaks a promise."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from types import TracebackType
from typing import Self

import pytest

from eventhus.ports import (
    DeadLetter,
    EventBus,
    Finding,
    GroupStatus,
    Message,
    MessageHandler,
    Start,
)
from eventhus_memory import MemoryBus
from eventhus_testing.conformance import BusConformance
from tests.testing.conformance.broken.buses import DEFECTS, Defect
from tests.testing.conformance.test_store import runs

# What memory cannot show: it is in the suite for buses that keep groups' places.
ELSEWHERE = {"test_a_group_keeps_its_place"}

CASES = sorted(name for name in dir(BusConformance) if name.startswith("test_"))


class Nothing:
    """A bus that agrees to everything and does nothing."""

    acknowledged = 0
    is_first = False

    async def publisher(self) -> Nothing:
        return self

    async def publish(self, messages: Sequence[Message]) -> None: ...

    async def published(self) -> AsyncGenerator[Message, None]:
        return
        yield  # makes it a generator

    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        start: Start = "now",
        unwanted: Collection[str] = (),
    ) -> Nothing:
        return self

    async def close(self) -> None: ...

    async def bury(self, message: Message, group: str) -> None: ...

    async def has_group(self, group: str) -> bool:
        return True

    async def groups(self) -> Sequence[GroupStatus]:
        return ()

    async def move(self, group: str, start: Start) -> None: ...

    async def delete_group(self, group: str) -> None: ...

    async def dead_letters(self, group: str, *, after: int = 0) -> AsyncGenerator[DeadLetter, None]:
        return
        yield  # makes it a generator

    async def discard(self, letter: DeadLetter, group: str) -> None: ...

    async def diagnose(self) -> Sequence[Finding]:
        return ()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Suite(BusConformance):
    """The suite over buses of one class, run without pytest."""

    timeout_s = 0.5  # what memory takes is over long before

    def __init__(self, make: Callable[[], EventBus]) -> None:
        self._make = make
        self._buses: dict[str, EventBus] = {}

    def bus(self, bucket: str) -> EventBus:
        return self._buses.setdefault(bucket, self._make())


def failures(case: str, make: Callable[[], EventBus]) -> list[BaseException]:
    """What the runs of a case raise that fail, each with a bus of its own."""
    raised: list[BaseException] = []
    for arguments in runs(getattr(Suite, case)):
        try:
            getattr(Suite(make), case)(**arguments)
        except BaseException as failure:  # noqa: BLE001 - whatever it raises is its failure
            raised.append(failure)
    return raised


def test_a_suite_without_a_bus() -> None:
    """The message says what to write."""
    with pytest.raises(NotImplementedError) as caught:
        BusConformance().bus("bucket")
    assert "write the method bus(bucket) of BusConformance" == str(caught.value)


def test_every_case_has_a_bus_that_needs_it() -> None:
    """A case that no defect is known to fail could be dropped, or looks at nothing."""
    assert {*CASES} == {defect.case for defect in DEFECTS} | ELSEWHERE


@pytest.mark.parametrize("case", sorted({*CASES} - ELSEWHERE))
def test_a_bus_that_does_nothing_is_caught(case: str) -> None:
    """By every case."""
    assert failures(case, Nothing)


@pytest.mark.parametrize("defect", DEFECTS, ids=str)
def test_a_broken_bus_is_caught(defect: Defect) -> None:
    """The case that looks at the broken promise fails, in one of its runs at least."""
    found = failures(defect.case, defect.bus)
    assert found, f"{defect.case} does not notice a bus that {defect.bus.__name__}"


@pytest.mark.parametrize("case", CASES)
def test_a_sound_bus_is_not_caught(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows shows something only if the bus that was broken passes when it is whole."""
    monkeypatch.setattr(Suite, "timeout_s", 30)
    assert [] == failures(case, MemoryBus)
