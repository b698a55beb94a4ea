"""A network between a client and a server that loses what the test wants it to lose."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

Rule = Callable[[str], Awaitable[bool]]
"""Takes the name of a command; whether its message goes on. If not, the connection is cut."""

_HEADER = struct.Struct("<iiii")  # length, id, the id that it answers, kind
_OP_MSG = 2013
_COMMAND = 16 + 4 + 1 + 4 + 1  # behind header, flags, kind of section, length, type of first key


async def _goes_on(_: str) -> bool:
    return True


class Proxy:
    """Passes messages on between clients and one server, and counts connections as either's end.

    Attributes:
        asked: Decides on what a client sends, before the server has it.
        answered: Decides on what the server answers, after it has done what was asked.
    """

    def __init__(self, port: int) -> None:
        self.asked: Rule = _goes_on
        self.answered: Rule = _goes_on
        self._server_port = port
        self._connections: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Leads to the server through here, whatever else it knows of."""
        return f"mongodb://127.0.0.1:{self._port}/?directConnection=true"

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cut()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def restore(self) -> None:
        """Take connections, and let all messages pass."""
        self.asked = self.answered = _goes_on
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """End all connections and take no more, as where a server is gone."""
        assert self._listener is not None
        self._listener.close()
        for connection in self._connections:
            connection.cancel()

    def lose_answers(self, command: str, times: int = 1) -> None:
        """The server does what it is told, and the next answers to this command get lost."""
        left = times

        async def rule(name: str) -> bool:
            nonlocal left
            if name != command or left == 0:
                return True
            left -= 1
            return False

        self.answered = rule

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        names: dict[int, str] = {}  # of the commands that were asked, by the id of the message
        with suppress(OSError, asyncio.CancelledError):
            server = await asyncio.open_connection("127.0.0.1", self._server_port)
            ways = [
                asyncio.create_task(self._asks(reader, server[1], names)),
                asyncio.create_task(self._answers(server[0], writer, names)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.wait(ways)
                server[1].transport.abort()
        writer.transport.abort()
        self._connections.discard(task)

    async def _asks(
        self, client: asyncio.StreamReader, server: asyncio.StreamWriter, names: dict[int, str]
    ) -> None:
        while message := await _message(client):
            _, number, _, kind = _HEADER.unpack_from(message)
            if kind == _OP_MSG:
                names[number] = message[_COMMAND : message.index(0, _COMMAND)].decode()
                if not await self.asked(names[number]):
                    return
            server.write(message)
            await server.drain()

    async def _answers(
        self, server: asyncio.StreamReader, client: asyncio.StreamWriter, names: dict[int, str]
    ) -> None:
        while message := await _message(server):
            _, _, number, _ = _HEADER.unpack_from(message)
            if number in names and not await self.answered(names.pop(number)):
                return
            client.write(message)
            await client.drain()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """The next message; empty where there is none any more."""
    try:
        header = await reader.readexactly(_HEADER.size)
        (length, *_) = _HEADER.unpack(header)
        return header + await reader.readexactly(length - _HEADER.size)
    except (asyncio.IncompleteReadError, OSError):
        return b""
