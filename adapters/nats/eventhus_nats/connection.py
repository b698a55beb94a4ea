"""One connection to NATS, which is made again whenever it breaks."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import nats.errors
import nats.js.errors
from attrs import field, frozen
from nats.aio.client import Client
from nats.js import JetStreamContext

from eventhus import EventhusError
from eventhus.errors import AccessDenied, CompositionError
from eventhus_nats.client import ReconnectingClient
from eventhus_nats.driver_errors import NotEncrypted, describe, is_refusal, translated, typed

CONNECT_S = 5.0  # for the first connection, over all servers
REQUEST_S = 5.0  # for an answer of JetStream
RECONNECT_S = 0.25  # between two attempts at one server
PENDING = 8 * 1024 * 1024  # bytes that wait for a connection that broke; then publishing fails
PING_S = 10.0  # a server that has answered two of them with nothing is gone

_logger = logging.getLogger(__name__)


@frozen(kw_only=True)
class Address:
    """Where the servers are and who we are to them. Shows nothing of either.

    Attributes:
        servers: Their URLs, without credentials.
        user: Who we are, with ``password``.
        token: What we show in place of that.
        credentials: The path of a file with what we show in place of both.
        tls: How to encrypt; ``None`` encrypts where the server demands it.
    """

    servers: Sequence[str] = field(repr=False)
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    credentials: Path | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)


class Connection:
    """A connection of one bucket's bus.

    Attributes:
        bucket: The name of the bucket.
        client: The driver's client.
        jetstream: The driver's JetStream.
        on_break: What to call when the connection has broken, before it is made again.
        on_reconnect: What to call when it has been made again.
    """

    def __init__(self, bucket: str, address: Address) -> None:
        self.bucket = bucket
        self.client: Client = ReconnectingClient()
        self.jetstream = JetStreamContext(self.client, timeout=REQUEST_S)
        self.on_break: set[Callable[[], None]] = set()
        self.on_reconnect: set[Callable[[], None]] = set()
        self._address = address
        self._is_connecting = False
        self._denied: str | None = None  # what the server said of a right that is missing
        self._told: str | None = None  # what was logged last, since the driver says it each time

    async def open(self) -> None:
        """Connect.

        Raises:
            AccessDenied: A server refused the credentials.
            BusUnavailable: No server answered.
            CompositionError: There is no credentials file, or the driver lacks what it needs.
        """
        self._check_credentials()
        self._is_connecting = True
        try:
            async with asyncio.timeout(CONNECT_S):
                await self.client.connect(
                    **self._options(),
                    name=f"eventhus {self.bucket}",
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=RECONNECT_S,  # type: ignore[arg-type]  # takes fractions
                    ping_interval=PING_S,  # type: ignore[arg-type]
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnected,
                    reconnected_cb=self._on_reconnected,
                    pending_size=PENDING,
                )
            self._check_privacy()
        except BaseException as error:
            await self._shut()
            if isinstance(error, Exception):
                raise self._typed(error) from None  # the driver's may quote the URL
            raise
        finally:
            self._is_connecting = False

    async def close(self) -> None:
        """Send what is still to be sent, as far as the server takes it, and disconnect."""
        try:
            if self.client.is_connected:
                await self.flush()
        except EventhusError as error:
            _logger.warning("the last words to NATS may be lost: %s", error)
        finally:  # also for whoever is cancelled meanwhile
            await self._shut()

    async def flush(self) -> None:
        """Return once the server has taken all that was sent.

        Raises:
            BusUnavailable: It did not in time.
        """
        with translated(self.bucket):
            # The driver has no time limit of its own while it looks for a server.
            async with asyncio.timeout(REQUEST_S):
                # The driver's ping overtakes what it has not written yet. By the time of its
                # answer all that is written, and the second one comes behind it.
                await self.client.flush()
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
            if self._denied is not None:  # which is why nobody answered
                raise AccessDenied(self.bucket, self._denied) from error
            raise typed(self.bucket, error) from error

    def _typed(self, error: Exception) -> Exception:
        if isinstance(error, ImportError):
            return CompositionError(
                f"a credentials file needs {error.name}; install nats-py[nkeys]"
            )
        if isinstance(error, nats.errors.Error | TimeoutError | OSError):
            return typed(self.bucket, error)
        return CompositionError(
            f"the driver does not accept the URL or the credentials for bucket {self.bucket!r}: "
            f"{type(error).__name__}; a URL has the form nats://user:password@host:4222, "
            f"percent-encoded"
        )

    def _options(self) -> dict[str, Any]:
        """Who we are, as the driver's arguments."""
        address = self._address
        options: dict[str, Any] = {"servers": list(address.servers)}
        if address.tls is not None:
            options["tls"] = address.tls
        if address.credentials is not None:
            options["user_credentials"] = str(address.credentials)
        # Asked for only when they are to be sent, which is the moment to look at who asks.
        for name in ("user", "password", "token"):
            secret = getattr(address, name)
            if secret is not None:
                options[name] = partial(self._unless_in_clear, secret)
        return options

    def _check_credentials(self) -> None:
        path = self._address.credentials
        if path is None:
            return
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CompositionError(
                f"the credentials file for the bus of bucket {self.bucket!r} cannot be read: "
                f"{type(error).__name__}"
            ) from error
        # In a file without these, the driver would look for them for ever.
        if any(part not in content for part in (b"BEGIN NATS USER JWT", b"BEGIN USER NKEY SEED")):
            raise CompositionError(
                f"the credentials file for the bus of bucket {self.bucket!r} is not one: it lacks "
                f"a user's JWT or seed; 'nsc generate creds' writes both"
            )

    def _unless_in_clear(self, secret: str) -> str:
        self._check_privacy()
        return secret

    def _check_privacy(self) -> None:
        if not self._is_as_private_as_asked():
            raise NotEncrypted

    def _is_as_private_as_asked(self) -> bool:
        # The driver encrypts if the server says so, whatever it was given, and has no public word
        # of what the server said.
        return self._address.tls is None or bool(self.client._server_info.get("tls_required"))  # noqa: SLF001

    async def _shut(self) -> None:
        client = self.client
        if not (client.is_connected or client.is_connecting or client.is_reconnecting):
            return  # there is nothing to close
        try:
            async with asyncio.timeout(REQUEST_S):
                await client.close()
        except (nats.errors.Error, TimeoutError, OSError) as error:
            _logger.warning("the connection to NATS broke while closing: %s", describe(error))

    async def _on_error(self, error: Exception) -> None:
        if self._is_connecting:
            # Asked again and again, the server will give the same answer. What this raises ends
            # the driver's attempts.
            if is_refusal(error) or isinstance(error, ssl.SSLError | NotEncrypted):
                raise error
            return
        if "permissions violation" in str(error).lower():
            self._denied = f"the user lacks a right: {str(error).removeprefix('nats: ')}"
            _logger.warning("NATS: %s", self._denied)
            return
        if (told := describe(error)) != self._told:
            _logger.warning("NATS: %s", told)
            self._told = told

    async def _on_disconnected(self) -> None:
        for call in [*self.on_break]:
            call()

    async def _on_reconnected(self) -> None:
        if not self._is_as_private_as_asked():
            _logger.error("NATS: %s; the connection is closed", describe(NotEncrypted()))
            await self.client.close()
            return
        self._denied = self._told = None
        _logger.info("connected to NATS again")
        for call in [*self.on_reconnect]:
            call()
