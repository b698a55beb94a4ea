"""What the tests of the NATS adapter share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Self
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

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


class Tunnel:
    """A network between clients and a server, which can lose what is on its way.

    Attributes:
        passed: All that the server said and clients heard.
        is_lossy: Whether what the server says is lost from now on.
    """

    def __init__(self, url: str) -> None:
        self.passed = bytearray()
        self.is_lossy = False
        self._server = urlsplit(url)
        self._port = 0
        self._listener: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Leads to the server through here."""
        return f"nats://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def restore(self) -> None:
        """Take connections, and lose nothing."""
        self.is_lossy = False
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End all connections and take no more."""
        assert self._listener is not None
        self._listener.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        server = await asyncio.open_connection(self._server.hostname, self._server.port)
        ways = {
            asyncio.create_task(self._pass(reader, server[1])),
            asyncio.create_task(self._pass(server[0], writer, self.passed)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
            server[1].transport.abort()
            writer.transport.abort()
            self._connections.discard(task)

    async def _pass(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        heard: bytearray | None = None,
    ) -> None:
        with suppress(OSError):
            while some := await source.read(1 << 16):
                if heard is not None:
                    if self.is_lossy:
                        continue
                    heard += some
                target.write(some)
                await target.drain()
