"""Leaving an application is bounded, and an event whose handler was cut off comes again."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from eventhus import Delivered, StreamId
from eventhus.adapter_support import tasks
from eventhus.ports import Message
from eventhus_memory import MemoryStore
from eventhus_nats import NatsBus
from eventhus_testing.servers import nats_server
from tests.adapters.nats.support import until
from tests.bank import Deposited
from tests.core.hooks import Gate
from tests.core.support import add, compose

LIMIT_S = 0.5
BOUND_S = LIMIT_S + 14.0  # 4 for the steps after the limit, the rest for a busy machine


async def test_an_event_whose_handler_was_cut_off_is_delivered_again(
    nats_url: str, nats_bucket: str
) -> None:
    store, gate = MemoryStore(), Gate()
    handled: list[Deposited] = []

    async def handle(delivered: Delivered[Deposited]) -> None:
        handled.append(delivered.event)

    app = compose(store, bus=NatsBus.open(nats_url, nats_bucket), shutdown_timeout_s=LIMIT_S)
    await app.__aenter__()
    await app.subscribe(gate, group="g")
    await add(app, 1)
    await gate.arrived.wait()
    async with asyncio.timeout(BOUND_S):
        await app.__aexit__(None, None, None)
    assert 0 == gate.waiting
    async with compose(store, bus=NatsBus.open(nats_url, nats_bucket)) as app:
        await app.subscribe(handle, group="g")
        await until(lambda: handled)
    assert [Deposited(1)] == handled


@pytest.mark.parametrize("hangs", [True, False])
async def test_an_application_is_left_in_time_when_nats_does_not_answer(
    nats_executable: Path, hangs: bool
) -> None:
    gate = Gate()
    if not hangs:
        gate.opened.set()
    with nats_server() as server:
        app = compose(bus=NatsBus.open(server.url, "bank"), shutdown_timeout_s=LIMIT_S)
        await app.__aenter__()
        await app.subscribe(gate, group="g")
        await add(app, 1)
        await gate.arrived.wait()
        server.pause()
        await add(app, 1)
        async with asyncio.timeout(BOUND_S):
            await app.__aexit__(None, None, None)
        server.resume()


async def test_no_request_drops_the_cancellation_of_the_relay(
    nats_url: str, nats_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that begins on an empty log looks at the last messages, one request after another."""
    monkeypatch.setattr(tasks, "AGAIN_S", 600.0)  # a dropped one would come again too late
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        stream = StreamId("Foreign", "f")
        messages = [Message(id=f"f{i}", stream=stream, type="F", body=b"{}") for i in range(250)]
        await (await bus.publisher()).publish(messages)
    random = Random(1)
    for _ in range(60):
        async with asyncio.timeout(BOUND_S):
            async with compose(bus=NatsBus.open(nats_url, nats_bucket)):
                # Any moment will do: none may be missed.
                await asyncio.sleep(random.uniform(0.0, 0.1))
