"""Helpers of the tests of the NATS adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

from eventhus_nats import NatsBus
from tests.adapters.mongo.proxy import Proxy

POLL_S = 0.005
PATIENCE_S = 30  # far beyond what anything here takes


@asynccontextmanager
async def plain(url: str, **options: Any) -> AsyncIterator[tuple[Client, JetStreamContext]]:
    """A plain client of nats-py, to look at the server and to act as another program."""
    client = await nats.connect(url, **options)
    try:
        yield client, client.jetstream()
    finally:
        await client.close()


@asynccontextmanager
async def with_streams(url: str, bucket: str, **options: Any) -> AsyncIterator[NatsBus]:
    """A bus of a bucket whose streams exist."""
    async with NatsBus.open(url, bucket, **options) as bus:
        await bus.publisher()
        yield bus


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(POLL_S)


async def until_so(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait until an asynchronous condition holds. The driver may swallow a cancellation."""
    loop = asyncio.get_running_loop()
    too_late = loop.time() + PATIENCE_S
    while not await condition():
        assert loop.time() < too_late
        await asyncio.sleep(POLL_S)


async def heard(client: Client) -> None:
    """Wait until the server has everything that a client sent; its first ping may overtake it."""
    await client.flush()
    await client.flush()


async def say_raw(url: str, words: bytes) -> None:
    """Send raw protocol lines, and return once the server has processed them."""
    host = urlsplit(url)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    writer.write(b'CONNECT {"headers":true,"verbose":false}\r\n' + words + b"PING\r\n")
    async with asyncio.timeout(PATIENCE_S):
        while (said := await reader.readline()) != b"PONG\r\n":
            assert said.startswith(b"INFO")
    writer.close()
    await writer.wait_closed()


class Tunnel(Proxy):
    """A network between clients and a server, which can lose messages.

    Attributes:
        passed: The bytes that went from the server to clients.
        is_lossy: Whether bytes from the server are lost from now on.
    """

    def __init__(self, url: str) -> None:
        super().__init__(urlsplit(url).port or 4222)
        self.passed = bytearray()
        self.is_lossy = False

    @property
    def url(self) -> str:
        """The URL of the server through this network."""
        return f"nats://127.0.0.1:{self._port}"

    async def restore(self) -> None:
        """Accept connections, and lose nothing."""
        self.is_lossy = False
        await super().restore()

    async def _asks(
        self, client: asyncio.StreamReader, server: asyncio.StreamWriter, names: dict[int, str]
    ) -> None:
        while some := await client.read(1 << 16):
            server.write(some)
            await server.drain()

    async def _answers(
        self, server: asyncio.StreamReader, client: asyncio.StreamWriter, names: dict[int, str]
    ) -> None:
        while some := await server.read(1 << 16):
            if not self.is_lossy:
                self.passed += some
                client.write(some)
                await client.drain()
