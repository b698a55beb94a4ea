"""One connection to NATS, which is made again whenever it breaks."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import nats.errors
from attrs import field, frozen
from nats.aio.client import Client
from nats.js import JetStreamContext

from eventhus import CompositionError, NotRunning
from eventhus_nats.failures import describe, translated, typed

CONNECT_S = 5.0  # for the first connection, over all servers
REQUEST_S = 5.0  # for an answer of JetStream
RECONNECT_S = 0.25  # between two attempts at one server
PING_S = 10.0  # a server that has answered two of them with nothing is gone

_logger = logging.getLogger(__name__)


@frozen(kw_only=True)
class Address:
    """Where the servers are and who we are to them. Shows nothing of either."""

    servers: Sequence[str] = field(repr=False)
    credentials: Path | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def options(self) -> dict[str, Any]:
        """The arguments of the driver."""
        options: dict[str, Any] = {"servers": list(self.servers)}
        if self.credentials is not None:
            options["user_credentials"] = str(self.credentials)
        if self.token is not None:
            options["token"] = self.token
        if self.tls is not None:
            options["tls"] = self.tls
        elif any(server.startswith("tls://") for server in self.servers):
            options["tls"] = ssl.create_default_context()
        return options


class Connection:
    """A connection of one bucket's bus.

    Attributes:
        bucket: The name of the bucket.
        client: The driver's client.
        jetstream: The driver's JetStream.
        on_reconnect: What to call when a connection that broke has been made again.
    """

    def __init__(self, bucket: str, address: Address) -> None:
        self.bucket = bucket
        self.client = Client()
        self.jetstream = JetStreamContext(self.client, timeout=REQUEST_S)
        self.on_reconnect: set[Callable[[], None]] = set()
        self._address = address
        self._first_problem: asyncio.Future[BaseException] | None = None

    async def open(self) -> None:
        """Connect.

        Raises:
            AccessDenied: A server refused the credentials.
            BusUnavailable: No server answered.
            CompositionError: The driver lacks what the credentials need.
        """
        refused: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._first_problem = refused
        connecting: asyncio.Future[Any] = asyncio.ensure_future(
            self.client.connect(
                **self._address.options(),
                name=f"eventhus {self.bucket}",
                max_reconnect_attempts=-1,
                reconnect_time_wait=RECONNECT_S,  # type: ignore[arg-type]  # it takes fractions
                ping_interval=PING_S,  # type: ignore[arg-type]
                error_cb=self._on_error,
                reconnected_cb=self._on_reconnected,
                # Nothing of an old connection may arrive late on a new one by more than it must.
                pending_size=8 * 1024 * 1024,
            )
        )
        try:
            both: list[asyncio.Future[Any]] = [connecting, refused]
            await asyncio.wait(both, timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                connecting.cancel()
                await asyncio.wait([connecting])
            self._check(connecting, refused)
        except BaseException:
            await self._shut()
            raise
        finally:
            self._first_problem = None
            connecting.cancel()
            refused.cancel()

    async def close(self) -> None:
        """Send what is still to be sent, as far as the server takes it, and disconnect."""
        try:
            async with asyncio.timeout(REQUEST_S):
                if self.client.is_connected:
                    await self.client.flush()
        except (nats.errors.Error, TimeoutError, OSError) as error:
            _logger.warning("the last words to NATS may be lost: %s", describe(error))
        await self._shut()

    async def flush(self) -> None:
        """Return once the server has taken all that was sent.

        Raises:
            BusUnavailable: It did not in time.
        """
        with translated(self.bucket):
            # The driver has no time limit of its own while it looks for a server.
            async with asyncio.timeout(REQUEST_S):
                await self.client.flush()

    async def ask(self, question: Awaitable[Any], *, within_s: float = REQUEST_S) -> Any:
        """Await an answer of JetStream, in bounded time.

        Raises:
            BusUnavailable: There was none.
            nats.js.errors.APIError: It was an error.
        """
        try:
            async with asyncio.timeout(within_s):
                return await question
        except nats.js.errors.APIError:
            raise
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise typed(self.bucket, error) from error

    def check_open(self) -> None:
        """Refuse to work without a connection.

        Raises:
            NotRunning: The bus was not entered, or was left.
        """
        if self.client.is_closed or not (self.client.is_connected or self.client.is_reconnecting):
            raise NotRunning(
                f"the bus of bucket {self.bucket!r} is used before async with entered it, or "
                f"after it was left"
            )

    def _check(
        self, connecting: asyncio.Future[Any], refused: asyncio.Future[BaseException]
    ) -> None:
        if connecting.cancelled():
            problem = refused.result() if refused.done() else TimeoutError()
            raise typed(self.bucket, problem)
        try:
            connecting.result()
        except ImportError as error:
            raise CompositionError(
                f"a credentials file needs {error.name}; install nats-py[nkeys]"
            ) from error
        except (TimeoutError, nats.errors.Error, OSError) as error:
            raise typed(self.bucket, error) from error
        except (ValueError, TypeError) as error:
            # What the driver says of a URL may quote its password.
            raise CompositionError(
                f"the driver does not accept the URL or the credentials for bucket "
                f"{self.bucket!r}: {type(error).__name__}; a URL has the form "
                f"nats://user:password@host:4222, percent-encoded"
            ) from None

    async def _shut(self) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                await self.client.close()
        except (nats.errors.Error, TimeoutError, OSError) as error:
            _logger.warning("the connection to NATS broke while closing: %s", describe(error))

    async def _on_error(self, error: Exception) -> None:
        first = self._first_problem
        if first is not None:
            # Asked again and again, the server will give the same answer.
            if (
                isinstance(error, nats.errors.AuthorizationError | ssl.SSLError)
                and not first.done()
            ):
                first.set_result(error)
            return
        _logger.warning("NATS: %s", describe(error))

    async def _on_reconnected(self) -> None:
        _logger.info("connected to NATS again")
        for call in [*self.on_reconnect]:
            call()
