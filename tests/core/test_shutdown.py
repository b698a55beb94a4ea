"""Leaving an application takes a limited time, and the log says what it waits for."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from eventhus import Application
from eventhus import shutdown as module
from eventhus.errors import CompositionError
from eventhus.runtime.readers import leased_reader
from eventhus.shutdown import Shutdown
from eventhus_memory import MemoryBus
from tests.bank import Open
from tests.core.hooks import Gate, Hook
from tests.core.readers import balances, welcome
from tests.core.support import Proxy, RecordingBus, add, compose
from tests.core.virtual_time import let_time_pass_at_once
from tests.core.waiting import eventually, settle

LIMIT_S = 10.0


@pytest.fixture(autouse=True)
async def _impatient(caplog: pytest.LogCaptureFixture) -> None:
    let_time_pass_at_once(asyncio.get_running_loop())
    caplog.set_level(logging.INFO, logger=module.__name__)


async def never(*_: object) -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def left_in_time(app: Application) -> AsyncIterator[Application]:
    """The application, which must be left soon after its limit."""
    await app.__aenter__()
    try:
        yield app
    finally:
        async with asyncio.timeout(LIMIT_S + 5):
            await app.__aexit__(None, None, None)


def about(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    """The log lines about a step, without their times and repeats."""
    lines = [
        f"{each.levelname} {each.getMessage().split(': ', 1)[1].split(' for ')[0]}"
        for each in caplog.records
        if each.name == module.__name__ and text in each.getMessage()
    ]
    return list(dict.fromkeys(lines))


NOTICES = ["INFO waiting", "WARNING waiting", "WARNING gave up waiting"]


async def test_a_hung_handler_is_named_and_given_up(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    async with left_in_time(compose(bus=MemoryBus(), shutdown_timeout_s=LIMIT_S)) as app:
        await app.subscribe(gate, group="mailer", concurrency=2)
        await add(app, 1)
        await add(app, 1, aggregate_id="b")
        await eventually(lambda: gate.waiting == 2)
    await settle()
    assert NOTICES == about(caplog, "2 handlers of group mailer")
    assert 0 == gate.waiting


async def test_a_handler_that_ignores_cancellation_is_given_up() -> None:
    released, running = asyncio.Event(), asyncio.Event()

    async def stubborn(_: object) -> None:
        running.set()
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    async with left_in_time(compose(bus=MemoryBus(), shutdown_timeout_s=LIMIT_S)) as app:
        await app.subscribe(stubborn)
        await add(app, 1)
        await running.wait()
    released.set()
    await settle()


async def test_a_hung_command_is_counted_and_given_up(caplog: pytest.LogCaptureFixture) -> None:
    store = Proxy()
    store.before["append"] = never
    async with left_in_time(compose(store, shutdown_timeout_s=LIMIT_S)) as app:
        hanging = asyncio.create_task(app.dispatch(Open(aggregate_id="a")))
        await eventually(lambda: store.calls["append"])
    hanging.cancel()
    assert NOTICES == about(caplog, "1 command")
    assert 1 == store.calls["__aexit__"]


async def test_hung_snapshots_are_counted_and_given_up(caplog: pytest.LogCaptureFixture) -> None:
    store = Proxy()
    store.before["save_snapshot"] = never
    app = compose(store, snapshot_every=1, shutdown_timeout_s=LIMIT_S)
    async with left_in_time(app):
        await app.dispatch(Open(aggregate_id="a"))
    assert NOTICES == about(caplog, "1 snapshot of Account")


async def test_hung_readers_are_named_and_given_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leased_reader, "RELEASE_S", 2 * LIMIT_S)
    store = Proxy()
    app = compose(store, views=[balances], processes=[welcome], shutdown_timeout_s=LIMIT_S)
    async with left_in_time(app):
        await eventually(lambda: store.calls["acquire"] == 2)
        store.before["release"] = never
    assert NOTICES == about(caplog, "view balances, process welcome")


async def test_the_positions_of_a_hung_relay_are_named(caplog: pytest.LogCaptureFixture) -> None:
    bus = RecordingBus()

    async def stop_at_2(message: Any) -> None:
        if message.headers["Eventhus-Position"] == "2":
            await never()

    bus.before = stop_at_2
    async with left_in_time(compose(bus=bus, shutdown_timeout_s=LIMIT_S)) as app:
        await add(app, 1)
        await eventually(lambda: bus.taken)
        while await app.relay_lag():  # noqa: ASYNC110
            await asyncio.sleep(0)
        await add(app, 1, 1)
    assert NOTICES == about(caplog, "the relay, which has published 1 of 3 events")


@pytest.mark.parametrize("hung", ["bus", "store"])
async def test_a_bus_or_a_store_that_does_not_close_is_given_up(
    hung: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Bus(MemoryBus):
        async def __aexit__(self, *_: object) -> None:
            if hung == "bus":
                await never()

    store = Proxy()
    if hung == "store":
        store.before["__aexit__"] = never
    async with left_in_time(compose(store, bus=Bus(), shutdown_timeout_s=LIMIT_S)):
        pass
    assert NOTICES == about(caplog, f"the {hung}")
    assert 1 == store.calls["__aexit__"]


async def test_everything_is_given_up_within_one_limit() -> None:
    store, bus = Proxy(), RecordingBus()
    app = compose(store, bus=bus, views=[balances], snapshot_every=1, shutdown_timeout_s=LIMIT_S)
    hang: Hook = never
    async with left_in_time(app):
        await add(app, 1)
        await eventually(lambda: bus.taken)
        for name in ("append", "head", "release", "__aexit__", "save_snapshot"):
            store.before[name] = hang
        hanging = asyncio.create_task(app.dispatch(Open(aggregate_id="b")))
        await settle()
        began = asyncio.get_running_loop().time()
    took_s = asyncio.get_running_loop().time() - began
    hanging.cancel()
    assert took_s < 5 * LIMIT_S  # one limit for each of them would be more


async def test_leaving_says_nothing_when_it_is_quick(caplog: pytest.LogCaptureFixture) -> None:
    async with compose(bus=MemoryBus(), views=[balances]) as app:
        await add(app, 1)
    assert [] == [each for each in caplog.records if each.name == module.__name__]


async def test_an_error_of_a_step_reaches_the_caller() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Shutdown("bank", 1).step(lambda: "it", fail)


async def test_cancelling_the_caller_cancels_the_step() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        try:
            await never()
        finally:
            ended.set()

    leaving = asyncio.create_task(Shutdown("bank", 100).step(lambda: "it", hang))
    await begun.wait()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert ended.is_set()


@pytest.mark.parametrize("timeout_s", [0, -1, float("inf"), float("nan")])
def test_a_limit_must_be_positive_and_finite(timeout_s: float) -> None:
    with pytest.raises(CompositionError) as caught:
        compose(shutdown_timeout_s=timeout_s)
    assert f"shutdown_timeout_s must be above 0 and finite, found {timeout_s}" == str(caught.value)


async def test_a_step_that_fails_after_it_was_given_up_is_not_logged_by_asyncio(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It was reported as given up; "Task exception was never retrieved" would say nothing more."""
    released = asyncio.Event()

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await never()
        await released.wait()
        raise ConnectionError("gone")

    await Shutdown("bank", 0.01).step(lambda: "the store", stubborn)
    released.set()
    await settle()
    gc.collect()
    assert "never retrieved" not in caplog.text
