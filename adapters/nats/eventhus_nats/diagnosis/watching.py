"""A connection that collects what the server denies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from eventhus.adapter_support import stop
from eventhus_nats.connection import Connection
from eventhus_nats.driver_errors import describe

ASK_S = 2.5  # for an answer, which a server that is well gives in milliseconds
_VIOLATION = "permissions violation"


class WatchingConnection(Connection):
    """A connection for a diagnosis, which logs nothing.

    Attributes:
        denials: What the server said about missing permissions, in lower case.
        obstacle: Why the last attempt to connect failed; empty if none did.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.bucket, connection.address)
        self.denials: list[str] = []
        self.obstacle = ""
        self._is_denied = asyncio.Event()

    async def ask(self, question: Awaitable[Any], *, within_s: float = ASK_S) -> Any:
        """See ``Connection.ask``."""
        return await super().ask(question, within_s=within_s)

    async def answer_unless_denied(self, subject: str) -> bytes | None:
        """Return the answer to a request; ``None`` if the user may not ask.

        Raises:
            BusUnavailable: Nobody answers.
        """
        asking = asyncio.ensure_future(self.ask(self.client.request(subject, timeout=ASK_S)))
        denied = asyncio.ensure_future(self._denial_of(subject))
        try:
            await asyncio.wait({asking, denied}, return_when=asyncio.FIRST_COMPLETED)
            return None if denied.done() else (await asking).data
        finally:
            await stop(asking, denied)

    async def _denial_of(self, subject: str) -> None:
        while not any(subject.lower() in text for text in self.denials):
            await self._is_denied.wait()
            self._is_denied.clear()

    async def _on_error(self, error: Exception) -> None:
        if self._is_connecting:
            self.obstacle = describe(error)
            await super()._on_error(error)
        text = str(error).lower()
        if _VIOLATION not in text:
            return  # what is asked for next fails, too
        self._denied = f"the user lacks a permission: {text.removeprefix('nats: ')}"
        self.denials.append(text)
        self._is_denied.set()
