"""What the tests of the NATS adapter share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

from tests.adapters.mongo.proxy import Proxy

SOME_S = 0.005
PATIENCE_S = 30  # far beyond what anything here takes


@asynccontextmanager
async def plain(url: str, **options: Any) -> AsyncIterator[tuple[Client, JetStreamContext]]:
    """A client of nats-py's, to look at what is on the server and to speak for strangers."""
    client = await nats.connect(url, **options)
    try:
        yield client, client.jetstream()
    finally:
        await client.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is true, which may take a server some time."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(SOME_S)


async def until_so(condition: Callable[[], Awaitable[object]]) -> None:
    """As ``until``, where a server has to be asked. The driver may swallow a cancellation."""
    loop = asyncio.get_running_loop()
    too_late = loop.time() + PATIENCE_S
    while not await condition():
        assert loop.time() < too_late
        await asyncio.sleep(SOME_S)


async def heard(client: Client) -> None:
    """Wait until the server has all that a client said: its ping may overtake the rest once."""
    await client.flush()
    await client.flush()


async def say_raw(url: str, words: bytes) -> None:
    """Say to the server what no client would, and return once it has taken it."""
    host = urlsplit(url)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    writer.write(b'CONNECT {"headers":true,"verbose":false}\r\n' + words + b"PING\r\n")
    async with asyncio.timeout(PATIENCE_S):
        while (said := await reader.readline()) != b"PONG\r\n":
            assert said.startswith(b"INFO")
    writer.close()
    await writer.wait_closed()


class Tunnel(Proxy):
    """A network between clients and a server, which can lose what is on its way.

    Attributes:
        passed: All that the server said and clients heard.
        is_lossy: Whether what the server says is lost from now on.
    """

    def __init__(self, url: str) -> None:
        super().__init__(urlsplit(url).port or 4222)
        self.passed = bytearray()
        self.is_lossy = False

    @property
    def url(self) -> str:
        """Leads to the server through here."""
        return f"nats://127.0.0.1:{self._port}"

    async def restore(self) -> None:
        """Take connections, and lose nothing."""
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
