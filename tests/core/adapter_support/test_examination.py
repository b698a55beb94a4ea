"""Running the checks of a diagnosis."""

import asyncio
from collections.abc import Iterable

import pytest

from eventhus.adapter_support import examine
from eventhus.errors import StoreUnavailable
from eventhus.ports import Finding

FINE = Finding.ok("a", "fine")


async def fine() -> Iterable[Finding]:
    return [FINE]


async def test_findings_come_in_the_order_of_the_checks() -> None:
    after = asyncio.Event()

    async def first() -> Iterable[Finding]:
        await after.wait()
        return [Finding.ok("first", "1"), Finding.error("first", "2", "mend it")]

    async def second() -> Iterable[Finding]:
        after.set()
        return [Finding.ok("second", "3")]

    found = await examine({"first": first, "second": second})
    assert ["1", "2", "3"] == [finding.detail for finding in found]
    assert ["ok", "error", "ok"] == [finding.status for finding in found]


async def test_no_checks_have_no_findings() -> None:
    assert [] == await examine({})


async def test_a_check_that_raises_is_a_warning() -> None:
    """Other checks go on. Its message may quote data, unless it is one of ours."""

    async def broken() -> Iterable[Finding]:
        raise KeyError("s3cret")

    async def away() -> Iterable[Finding]:
        raise StoreUnavailable("bank", "it is away")

    keyed, stored, found = await examine({"x": broken, "y": away, "a": fine})
    assert ("x", "warning", "could not be checked: KeyError") == (
        keyed.name,
        keyed.status,
        keyed.detail,
    )
    assert "it is away" in stored.detail
    assert FINE == found


async def test_a_description_of_errors_may_be_given() -> None:
    async def broken() -> Iterable[Finding]:
        raise KeyError

    (found,) = await examine({"x": broken}, describe=lambda error: f"a {type(error).__name__}")
    assert "could not be checked: a KeyError" == found.detail


async def test_a_check_that_takes_too_long_is_a_warning() -> None:
    """It is cancelled."""
    cancelled = asyncio.Event()

    async def hangs() -> Iterable[Finding]:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    late, found = await examine({"x": hangs, "a": fine}, within_s=0.01)
    assert ("x", "warning", "could not be checked within 0.01 s") == (
        late.name,
        late.status,
        late.detail,
    )
    assert FINE == found
    assert cancelled.is_set()


async def test_a_check_that_cancels_itself_is_a_warning() -> None:
    async def cancels() -> Iterable[Finding]:
        raise asyncio.CancelledError

    (found,) = await examine({"x": cancels})
    assert "could not be checked: CancelledError" == found.detail


async def test_a_cancelled_examination_cancels_its_checks() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def hangs() -> Iterable[Finding]:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    task = asyncio.create_task(examine({"x": hangs}))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()
