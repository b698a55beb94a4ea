"""An outage is one line in the log; anything unexpected keeps its traceback."""

import logging
from typing import Any

import pytest

from eventhus import StreamId
from eventhus.adapter_support import summary, unexpected
from eventhus.adapter_support.failure_log import raised_in
from eventhus.errors import (
    BusUnavailable,
    CodecError,
    LeaseLost,
    NotRunning,
    OutcomeUnknown,
    PublisherReplaced,
    Rejected,
    StoreUnavailable,
)
from eventhus.ports import Message
from eventhus_memory import MemoryBus
from tests.bank import Open
from tests.core.hooks import fail_with
from tests.core.readers import balances
from tests.core.support import FakeClock, Proxy, RecordingBus, add, compose
from tests.core.waiting import eventually

OUTAGES = [
    StoreUnavailable("bank", "no server"),
    OutcomeUnknown("bank", "no server", StreamId("Account", "a"), "c"),
    BusUnavailable("bank", "no server"),
    LeaseLost("relay", 1),
    PublisherReplaced("bank"),
    NotRunning("the store was left"),
]


@pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
def test_an_outage_has_no_traceback_and_says_its_cause(error: Exception) -> None:
    assert unexpected(error) is None
    assert f"{type(error).__name__}: {error}" == summary(error)


def test_other_errors_keep_their_traceback_and_are_named() -> None:
    error = CodecError("Opened", "owner", "expected str")
    assert (error, "CodecError: Opened.owner: expected str") == (unexpected(error), summary(error))


@pytest.mark.parametrize("error", [ValueError("4111 1111"), Rejected("4111 1111")])
def test_a_summary_does_not_quote_errors_of_the_domain(error: Exception) -> None:
    assert (error, type(error).__name__) == (unexpected(error), summary(error))


def test_a_summary_is_one_line() -> None:
    assert "NotRunning: a\\nb" == summary(NotRunning("a\nb"))


def test_a_caller_can_name_more_outages() -> None:
    assert unexpected(TimeoutError(), TimeoutError) is None


def lines(caplog: pytest.LogCaptureFixture, text: str) -> set[tuple[str, bool]]:
    """The log lines that hold a text, and whether each has a traceback."""
    return {
        (each.getMessage(), each.exc_info is not None)
        for each in caplog.records
        if text in each.getMessage()
    }


AWAY = OUTAGES[0]


async def test_a_reader_logs_an_outage_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    store = Proxy()
    store.before["acquire"] = fail_with(AWAY)
    async with compose(store, views=[balances], clock=FakeClock()):
        await eventually(lambda: "view balances stopped" in caplog.text)
    line = f"view balances stopped at position 0: StoreUnavailable: {AWAY}; retrying in 0.05 s"
    assert (line, False) in lines(caplog, "view balances stopped")


async def test_a_relay_logs_an_outage_of_the_bus_in_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus = RecordingBus()
    bus.before = fail_with(OUTAGES[2])
    async with compose(bus=bus, clock=FakeClock()) as app:
        await add(app, 1)
        await eventually(lambda: "relay stopped" in caplog.text)
    line = f"relay stopped at position 0: BusUnavailable: {OUTAGES[2]}; retrying in 0.05 s"
    assert (line, False) in lines(caplog, "relay stopped")


async def test_a_lease_that_cannot_be_released_is_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Proxy()
    async with compose(store, views=[balances]):
        await eventually(lambda: store.calls["follow"] or store.calls["load_checkpoint"])
        store.before["release"] = fail_with(AWAY)
    line = (
        f"the lease of the view balances was not released and expires in 10 s: "
        f"StoreUnavailable: {AWAY}"
    )
    assert {(line, False)} == lines(caplog, "was not released")


async def test_a_snapshot_that_the_store_cannot_save_is_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Proxy()
    store.before["save_snapshot"] = fail_with(AWAY)
    async with compose(store, snapshot_every=1) as app:
        await app.dispatch(Open(aggregate_id="a"))
    line = f"snapshot of Account/a at version 1 could not be saved: StoreUnavailable: {AWAY}"
    assert {(line, False)} == lines(caplog, "could not be saved")


@pytest.mark.parametrize("error", [AWAY, ZeroDivisionError()], ids=["outage", "bug"])
async def test_handlers_that_fail_for_an_outage_are_logged_in_one_line(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    async def fail(_: Any) -> None:
        raise error

    async with compose(bus=MemoryBus(), clock=FakeClock()) as app:
        await app.subscribe(fail, group="g", attempts=2)
        await add(app, 1)
        await eventually(lambda: "dead letter" in caplog.text)
        await app.replay(fail, group="g")
    for text in ("attempt 1 of group g failed", "is a dead letter", "failed again"):
        [(line, has_traceback)] = lines(caplog, text)
        assert summary(error) in line
        assert has_traceback is (unexpected(error) is not None)


async def test_a_bus_that_cannot_bury_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    class Bus(MemoryBus):
        async def bury(self, message: Message, group: str) -> None:
            raise OUTAGES[2]

    async def fail(_: Any) -> None:
        raise ZeroDivisionError

    async with compose(bus=Bus(), clock=FakeClock()) as app:
        await app.subscribe(fail, group="g", attempts=1)
        await add(app, 1)
        await eventually(lambda: "could not be made a dead letter" in caplog.text)
    [*found] = lines(caplog, "could not be made")
    assert all(f"BusUnavailable: {OUTAGES[2]}" in line for line, _ in found)
    assert not any(has_traceback for _, has_traceback in found)


def test_the_place_that_raised_an_error_is_named_without_its_message() -> None:
    def divide() -> None:
        raise ZeroDivisionError("secret")

    with pytest.raises(ZeroDivisionError) as caught:
        divide()
    line = divide.__code__.co_firstlineno + 1
    assert f"{__name__}.{divide.__qualname__}, line {line}" == raised_in(caught.value)
    assert "" == raised_in(ZeroDivisionError())
