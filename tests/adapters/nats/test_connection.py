"""Broken connections are restored, without lost or reordered messages."""

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from nats.js.errors import NotFoundError

from eventhus.errors import BusUnavailable
from eventhus_nats import NatsBus
from eventhus_nats import consumer as consumer_module
from eventhus_nats.connection import PING_S
from eventhus_nats.messages import UNREADABLE
from eventhus_testing.conformance.bus.cases import Gate, Inbox, message, messages, publish
from eventhus_testing.servers import nats_server
from tests.adapters.nats.support import Tunnel, plain, say_raw, until, until_so


async def test_messages_lost_in_a_break_are_handled_before_new_ones(
    nats_url: str, nats_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the member asks for more before it knows what it missed."""
    monkeypatch.setattr(consumer_module, "ACK_WAIT_S", 1.0)
    gate = Gate()

    async with (
        Tunnel(nats_url) as tunnel,
        NatsBus.open(nats_url, nats_bucket) as elsewhere,
        plain(nats_url) as (_, jetstream),
        NatsBus.open(tunnel.url, nats_bucket) as bus,
        AsyncExitStack() as at_last,
    ):
        at_last.callback(gate.open.set)  # leaving would wait for the handler

        async def all_given() -> object:
            return 310 == (await jetstream.consumer_info(nats_bucket, "g")).num_ack_pending

        await bus.subscribe(gate, group="g")
        await publish(elsewhere, messages("a", 300))
        await until(lambda: b'"version":300,' in tunnel.passed)
        tunnel.is_lossy = True
        await publish(elsewhere, messages("a", 10, after=300))
        await until_so(all_given)
        tunnel.cut()
        gate.open.set()
        await until(lambda: len(gate.left) == 300)  # there is room for more now
        await publish(elsewhere, messages("a", 5, after=310))
        await tunnel.restore()
        await until(lambda: len(gate.left) >= 315)
    assert [each.id for each in messages("a", 315)] == gate.left


async def test_an_error_that_ends_the_connection_is_logged_and_survived(
    nats_executable: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The driver alone would close for good."""
    inbox = Inbox()
    with nats_server(configuration="max_payload: 4096") as server:
        async with NatsBus.open(server.url, "bank") as bus:
            await bus.subscribe(inbox, group="g")
            running = bus._running
            assert running is not None
            await running.connection.client.publish("x", b"x" * 4000, headers={"y": "y" * 100})
            await until(lambda: "ended the connection: maximum payload" in caplog.text)

            async def published() -> bool:
                try:
                    await publish(bus, [message("a", 1)])
                except BusUnavailable:
                    return False
                return True

            await until_so(published)
            await until(lambda: inbox.messages)
    assert ["a-1"] == inbox.ids


async def test_each_outage_is_logged_once(
    nats_executable: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="eventhus_nats")

    def lines(text: str) -> int:
        return sum(text in record.getMessage() for record in caplog.records)

    with nats_server() as server:
        async with NatsBus.open(server.url, "bank", jetstream=False) as bus:
            running = bus._running
            assert running is not None
            client = running.connection.client
            for outage in (1, 2):
                await asyncio.to_thread(server.stop)
                [tried] = client._server_pool
                await until(lambda tried=tried: tried.reconnects >= 4)  # type: ignore[misc]
                await asyncio.to_thread(server.start)
                await until(lambda outage=outage: lines("connected to NATS again") == outage)  # type: ignore[misc]
                assert outage == lines("ConnectionRefusedError")


async def test_subscribe_returns_after_the_server_has_the_subscription(
    nats_executable: Path,
) -> None:
    """The driver's own ping overtakes the subscription."""
    with nats_server(arguments=["-DV"]) as server:
        async with NatsBus.open(server.url, "bank", jetstream=False) as bus:
            await bus.subscribe(Inbox())
            log = (server.directory / "log").read_text()
    assert log.index("[SUB bank.*") < log.rindex("<<- [PING]")


async def test_a_consumer_deleted_during_a_break_delivers_unacknowledged_messages_again(
    nats_url: str, nats_bucket: str
) -> None:
    """Otherwise a crash would lose them."""
    gate = Gate()
    async with (
        Tunnel(nats_url) as tunnel,
        NatsBus.open(nats_url, nats_bucket) as elsewhere,
        plain(nats_url) as (_, jetstream),
        NatsBus.open(tunnel.url, nats_bucket) as bus,
        AsyncExitStack() as at_last,
    ):
        at_last.callback(gate.open.set)  # leaving would wait for the handler
        await bus.subscribe(gate, group="g")
        await publish(elsewhere, messages("a", 3))
        await until(lambda: gate.entered and b'"version":3,' in tunnel.passed)
        tunnel.cut()
        await jetstream.delete_consumer(nats_bucket, "g")
        await tunnel.restore()

        async def outstanding(size: int) -> bool:
            try:
                info = await jetstream.consumer_info(nats_bucket, "g")
            except NotFoundError:
                return False
            assert info.delivered is not None
            return (size, 3) == (info.num_ack_pending, info.delivered.stream_seq)

        await until_so(lambda: outstanding(3))
        gate.open.set()
        await until_so(lambda: outstanding(0))
    assert ["a-1", "a-2", "a-3"] == gate.entered


@pytest.mark.parametrize("jetstream", [True, False])
@pytest.mark.parametrize(
    ("subject", "header"),
    [
        (b".\xff", b""),
        (b".a\x0bb", b""),
        (b".\x0c", b"NATS/1.0\r\na: \x0c\r\n\r\n"),
        (b".x", b"NATS/1.0 \xff\xff\xff\r\n\r\n"),
        (b".x", b"NATS/1.0 404 \xff\r\n\r\n"),
        (b".x", b"NATS/1.0\r\na: \xff\r\n\r\n"),
        (b".x", b"NATS/1.0 404\r\n\r\n"),
        (b".x", b"NATS/1.0"),
        (b".x", b"?"),
    ],
)
async def test_a_foreign_message_with_odd_bytes_is_handled_and_stops_nothing(
    nats_url: str, nats_bucket: str, subject: bytes, header: bytes, jetstream: bool
) -> None:
    inbox = Inbox()
    to = nats_bucket.encode() + subject
    async with NatsBus.open(nats_url, nats_bucket, jetstream=jetstream) as bus:
        await bus.subscribe(inbox, group="g")
        size = len(header)
        verb = b"HPUB %s %d %d" % (to, size, size + 2) if header else b"PUB %s 2" % to
        await say_raw(nats_url, verb + b"\r\n" + header + b"{}\r\n")
        await until(lambda: inbox.messages)
        await publish(bus, messages("a", 2))
        await until(lambda: len(inbox.of("a")) == 2)
    assert (UNREADABLE, b"{}") == (inbox.messages[0].stream.aggregate_type, inbox.messages[0].body)


def running_of(bus: NatsBus) -> Any:
    """The parts of a bus that is entered."""
    assert bus._running is not None
    return bus._running


async def test_leaving_that_is_cancelled_closes_the_connection(nats_executable: Path) -> None:
    """Even if the server does not answer."""
    before = asyncio.all_tasks()
    with nats_server() as server:
        bus = await NatsBus.open(server.url, "bank").__aenter__()
        running = running_of(bus)
        server.pause()
        leaving = asyncio.create_task(bus.__aexit__(None, None, None))
        await until(lambda: running.connection.client._pongs)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        server.resume()
        assert running.connection.client.is_closed
        await until(lambda: asyncio.all_tasks() == before)


async def test_a_server_that_answers_too_late_is_heard_again_at_once(
    nats_executable: Path,
) -> None:
    """Its late answer would end the driver's read loop: silence until the pings have failed."""
    with nats_server() as server:
        async with NatsBus.open(server.url, "bank") as bus:
            connection = running_of(bus).connection
            server.pause()
            try:
                with pytest.raises(BusUnavailable, match="did not answer in time"):
                    await connection.flush(within_s=0.1)
            finally:
                server.resume()
            async with asyncio.timeout(PING_S / 2):
                await connection.flush()
