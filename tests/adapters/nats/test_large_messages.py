"""Messages in hand are bounded by their size, so that large ones overrun neither side."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from eventhus.ports import Message
from eventhus_nats import NatsBus
from eventhus_nats import consumer as consumer_module
from eventhus_nats import core_nats as core_module
from eventhus_nats import subscription as subscription_module
from eventhus_testing.conformance.bus.cases import Gate, Inbox, message, publish
from eventhus_testing.servers import nats_server
from eventhus_testing.servers.nats import NatsServer
from tests.adapters.nats.support import Tunnel, plain, until, until_so

SIZE = 3_000
BOUND = 32_000


@pytest.fixture(autouse=True)
def _bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "BATCH_BYTES", 8_000)
    monkeypatch.setattr(consumer_module, "_FRAME", 1_000)
    for module in (consumer_module, subscription_module, core_module):
        monkeypatch.setattr(module, "MAX_BYTES_IN_HAND", BOUND)


@pytest.fixture
def server(nats_executable: Path) -> Iterator[NatsServer]:
    """A server on which a pull request can be small."""
    with nats_server(configuration="max_payload: 4096") as server:
        yield server


def large(numbers: range) -> list[Message]:
    return [message("a", number, body=b"x" * SIZE) for number in numbers]


async def unacknowledged(jetstream: JetStreamContext) -> int:
    return (await jetstream.consumer_info("bank", "g")).num_ack_pending or 0


async def test_a_slow_handler_gets_no_more_than_fits(server: NatsServer) -> None:
    gate = Gate()
    async with NatsBus.open(server.url, "bank") as bus, plain(server.url) as (_, jetstream):
        await bus.subscribe(gate, group="g")
        await publish(bus, large(range(1, 41)))

        async def is_full() -> bool:
            return await unacknowledged(jetstream) * SIZE > BOUND - 8_000 - SIZE

        await until_so(is_full)
        await bus.subscribe(Inbox())  # a round trip: no other pull request is on its way
        assert await unacknowledged(jetstream) * SIZE <= BOUND
        gate.open.set()
        await until(lambda: len(gate.left) == 40)
        info = await jetstream.consumer_info("bank", "g")
    assert info.delivered is not None
    assert 40 == info.delivered.consumer_seq
    assert [each.id for each in large(range(1, 41))] == gate.left


async def test_messages_held_back_after_a_break_are_bounded(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New messages arrive before those that the break lost; they must not fill the memory."""
    monkeypatch.setattr(consumer_module, "ACK_WAIT_S", 2.0)
    monkeypatch.setattr(subscription_module, "ACK_WAIT_S", 2.0)
    inbox = Inbox()
    most = 0
    async with (
        Tunnel(server.url) as tunnel,
        NatsBus.open(server.url, "bank") as elsewhere,
        NatsBus.open(tunnel.url, "bank") as bus,
        plain(server.url) as (_, jetstream),
    ):
        await bus.subscribe(inbox, group="g")
        await publish(elsewhere, large(range(1, 2)))
        await until(lambda: inbox.messages)
        tunnel.is_lossy = True
        await publish(elsewhere, large(range(2, 4)))

        async def is_lost() -> bool:
            return await unacknowledged(jetstream) == 2

        await until_so(is_lost)
        tunnel.cut()
        await publish(elsewhere, large(range(4, 101)))
        await tunnel.restore()

        async def is_handled() -> bool:
            nonlocal most
            most = max(most, await unacknowledged(jetstream))
            return len(inbox.messages) == 100

        await until_so(is_handled)
    assert [each.id for each in large(range(1, 101))] == inbox.ids
    assert most * SIZE < 3 * BOUND


async def test_a_message_larger_than_a_pull_request_is_delivered(
    nats_executable: Path,
) -> None:
    """The server's limit may have been higher when the message was published."""
    inbox = Inbox()
    with nats_server(configuration="max_payload: 100000") as server:
        async with NatsBus.open(server.url, "bank") as bus:
            await (await bus.subscribe(Inbox(), group="g")).close()
            await publish(bus, [message("a", 1, body=b"x" * 90_000), message("a", 2)])
        file = server.directory / "nats.conf"
        file.write_text(file.read_text().replace("100000", "4096"))
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        async with NatsBus.open(server.url, "bank") as bus:
            await bus.subscribe(inbox, group="g")
            await until(lambda: len(inbox.messages) == 2)
    assert ["a-1", "a-2"] == inbox.ids


async def test_core_nats_holds_no_more_than_fits(server: NatsServer) -> None:
    gate = Gate()
    async with NatsBus.open(server.url, "bank", jetstream=False) as bus:
        subscription = await bus.subscribe(gate)
        assert isinstance(subscription, core_module.CoreNatsSubscription)
        await publish(bus, large(range(1, 41)))
        await until(lambda: subscription._bytes_in_hand >= BOUND)
        await asyncio.sleep(0)
        assert subscription._bytes_in_hand < BOUND + SIZE
        gate.open.set()
        await until(lambda: len(gate.left) == 40)
