"""Leaving an application is bounded, and an event whose handler was cut off comes again."""

import asyncio
from pathlib import Path

import pytest

from eventhus import Delivered
from eventhus_memory import MemoryStore
from eventhus_nats import NatsBus
from eventhus_testing.servers import nats_server
from tests.adapters.nats.support import until
from tests.bank import Deposited
from tests.core.hooks import Gate
from tests.core.support import add, compose

LIMIT_S = 0.5
BOUND_S = LIMIT_S + 6.0  # 4 for the steps after the limit, the rest for a busy machine


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
