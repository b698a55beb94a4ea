"""An application as a worker process, and the lag of its relay."""

import asyncio
import logging
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from eventhus.errors import NotRunning
from eventhus_memory import MemoryBus, MemoryStore
from tests.bank import Deposited, Opened
from tests.core.hooks import Gate, fail_with
from tests.core.readers import balances, welcome
from tests.core.support import Proxy, RecordingBus, add, compose
from tests.core.waiting import eventually, settle

ROOT = Path(__file__).parents[3]
WORKER = """
import asyncio, signal
from eventhus_memory import MemoryBus
from tests.core.support import Proxy, compose

async def entered():
    print("ready", flush=True)

async def left(*_):
    print("left", flush=True)

async def main():
    store = Proxy()
    store.before["acquire"] = entered_once
    store.after["__aexit__"] = left
    app = compose(store, bus=MemoryBus())
    if {inside}:
        async with app:
            await app.run()
    else:
        await app.run()
    print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, flush=True)

async def entered_once(*_):
    if not told:
        told.append(True)
        asyncio.get_running_loop().call_soon(lambda: print("ready", flush=True))

told = []
asyncio.run(main())
"""


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("inside", [False, True], ids=["alone", "inside async with"])
def test_a_worker_leaves_the_application_on_a_signal(sent: signal.Signals, inside: bool) -> None:
    command = [sys.executable, "-W", "error", "-c", WORKER.replace("{inside}", str(inside))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        try:
            assert "ready\n" == worker.stdout.readline()
            worker.send_signal(sent)
            assert "left\nTrue\n" == worker.stdout.read()
            assert 0 == worker.wait()
        finally:
            worker.kill()


WORKERS = """
import asyncio, signal
from eventhus_memory import MemoryBus
from tests.core.support import compose
from tests.core.waiting import settle

async def run(name):
    try:
        await compose(bus=MemoryBus()).run()
    finally:
        print(name, "ended", flush=True)

async def main():
    first, *others = [asyncio.create_task(run(name)) for name in ("one", "two", "three")]
    await settle()
    first.cancel()
    await settle()
    print("ready", flush=True)
    await asyncio.gather(*others)
    print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_ends_all_workers_of_an_event_loop(sent: signal.Signals) -> None:
    command = [sys.executable, "-W", "error", "-c", WORKERS]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as worker:
        try:
            assert worker.stdout is not None
            assert "one ended\n" == worker.stdout.readline()
            assert "ready\n" == worker.stdout.readline()
            worker.send_signal(sent)
            told, _ = worker.communicate(timeout=30)
            assert ["True", "three ended", "two ended"] == sorted(told.splitlines())
            assert 0 == worker.returncode
        finally:
            worker.kill()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first first", "last first"])
async def test_signal_handlers_are_restored_after_the_last_worker(order: tuple[int, int]) -> None:
    signals = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(each) for each in signals]
    workers = [asyncio.create_task(compose().run()) for _ in order]
    await settle()
    during = [signal.getsignal(each) for each in signals]
    assert before != during
    for number, expected in zip(order, (during, before), strict=True):
        workers[number].cancel()
        await asyncio.wait([workers[number]])
        assert expected == [signal.getsignal(each) for each in signals]


async def test_a_signal_received_by_another_thread_ends_all_workers() -> None:
    workers = [asyncio.create_task(compose().run()) for _ in range(2)]
    await settle()
    assert callable(signal.getsignal(signal.SIGTERM))  # or it would end the tests
    await asyncio.to_thread(signal.raise_signal, signal.SIGTERM)
    assert [None, None] == await asyncio.wait_for(asyncio.gather(*workers), 30)


async def test_a_worker_publishes_commits_of_other_applications() -> None:
    store, bus = MemoryStore(), RecordingBus()
    working = asyncio.create_task(compose(store, bus=bus).run())
    async with compose(store) as other:
        await add(other, 1, 2, 3)
        await eventually(lambda: len(bus.taken) == 3)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert 0 == bus.entered


async def test_run_inside_async_with_leaves_the_application_open() -> None:
    async with compose(bus=MemoryBus()) as app:
        working = asyncio.create_task(app.run())
        await asyncio.sleep(0)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        await add(app, 1)


def test_a_worker_in_another_thread_ends_by_cancellation() -> None:
    """Signals reach the main thread only."""
    ended: list[str] = []

    async def main() -> None:
        bus = RecordingBus()
        working = asyncio.create_task(compose(bus=bus).run())
        await eventually(lambda: bus.entered)
        working.cancel()
        try:
            await working
        except asyncio.CancelledError:
            ended.append("cancelled")

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join(30)
    assert ["cancelled"] == ended


async def test_relay_lag_counts_events_after_the_checkpoint() -> None:
    store, bus = Proxy(), RecordingBus()
    bus.before = fail_with(ConnectionError("down"))
    async with compose(store, bus=bus) as app, compose(store) as other:
        assert 0 == await app.relay_lag()
        await add(app, 1, 2, 3)
        assert (3, 3) == (await app.relay_lag(), await other.relay_lag())
        bus.before = None
        await eventually(lambda: len(bus.taken) == 3)
        while await other.relay_lag():  # noqa: ASYNC110
            await asyncio.sleep(0)
    with pytest.raises(NotRunning):
        await app.relay_lag()


async def test_relay_lag_is_never_negative() -> None:
    """The checkpoint may move after the head was read."""
    store = MemoryStore()
    await store.save_checkpoint("relay", 9)
    async with compose(store, bus=MemoryBus()) as app:
        assert 0 == await app.relay_lag()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            {"views": [balances], "processes": [welcome], "bus": MemoryBus()},
            "bucket bank started: view balances, process welcome, relay to MemoryBus",
        ),
        ({"bus": MemoryBus()}, "bucket bank started: relay to MemoryBus"),
        ({}, "bucket bank started: no views, processes or relay"),
    ],
    ids=["everything", "relay", "nothing"],
)
async def test_one_line_says_what_an_application_runs(
    options: dict[str, Any], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="eventhus")
    async with compose(**options):
        assert [("eventhus", logging.INFO, line)] == caplog.record_tuples


async def test_one_line_says_what_a_group_handles(caplog: pytest.LogCaptureFixture) -> None:
    async with compose(bus=MemoryBus()) as app:
        caplog.set_level(logging.INFO, logger="eventhus")
        await app.subscribe(Gate(), group="mailer", types=[Opened, Deposited], concurrency=4)
        await app.subscribe(Gate(), group="auditor")
        await app.subscribe(Gate())
        assert [
            "bucket bank: group mailer handles Deposited, Opened, 4 at once",
            "bucket bank: group auditor handles all events, 16 at once",
        ] == caplog.messages
