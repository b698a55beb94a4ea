"""A connection to NATS that reconnects for ever."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext

from eventhus.adapter_support import keeping_cancellations
from eventhus.errors import AccessDenied, CompositionError, EventhusError
from eventhus_nats.address import Address
from eventhus_nats.client import ReconnectingClient
from eventhus_nats.driver_errors import (
    NotEncrypted,
    describe,
    is_refusal,
    to_eventhus_error,
    translating_errors,
)

CONNECT_S = 5.0  # for the first connection, over all servers
REQUEST_S = 5.0  # for an answer of JetStream
RECONNECT_S = 0.25  # between two attempts at one server
PENDING = 8 * 1024 * 1024  # bytes buffered while the connection is down; then publishing fails
PING_S = 10.0  # between two pings; after two without an answer the connection counts as broken

_logger = logging.getLogger(__name__)


class Connection:
    """The connection of one bucket's bus.

    Attributes:
        bucket: The name of the bucket.
        address: The servers and the credentials.
        client: The driver's client.
        jetstream: The driver's JetStream context.
        on_break: Callbacks for when the connection breaks, before it reconnects.
        on_reconnect: Callbacks for when it has reconnected.
    """

    def __init__(self, bucket: str, address: Address) -> None:
        self.bucket = bucket
        self.client: Client = ReconnectingClient()
        self.jetstream = JetStreamContext(self.client, timeout=REQUEST_S)
        self.on_break: set[Callable[[], None]] = set()
        self.on_reconnect: set[Callable[[], None]] = set()
        self.address = address
        self._is_connecting = False
        self._denied: str | None = None  # what the server said about a missing permission
        self._last_logged: str | None = None  # the driver reports each attempt of an outage

    async def open(self) -> None:
        """Connect.

        Raises:
            AccessDenied: A server refused the credentials.
            BusUnavailable: No server answered.
            CompositionError: The credentials file is missing or is not one, or the driver lacks a
                library for it.
        """
        self._check_credentials()
        self._is_connecting = True
        try:
            async with asyncio.timeout(CONNECT_S):
                await self.client.connect(
                    **self._options(),
                    name=f"eventhus {self.bucket}",
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=RECONNECT_S,  # type: ignore[arg-type]  # it takes fractions
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
                raise self._to_eventhus_error(error) from None  # the driver's may quote the URL
            raise
        finally:
            self._is_connecting = False

    async def close(self, *, within_s: float = REQUEST_S) -> None:
        """Flush what is still buffered, as far as the server takes it, and disconnect.

        Args:
            within_s: The time limit of each of the two, in seconds.
        """
        try:
            if self.client.is_connected:
                await self.flush(within_s=within_s)
        except EventhusError as error:
            _logger.warning("the last messages to NATS may be lost: %s", error)
        finally:  # also when this is cancelled
            await self._shut(within_s)

    async def flush(self, *, within_s: float = REQUEST_S) -> None:
        """Return once the server has everything that was sent.

        Raises:
            BusUnavailable: It did not answer in time.
        """
        with translating_errors(self.bucket):
            # While it reconnects, the driver has no time limit of its own.
            async with asyncio.timeout(within_s):
                # The driver's ping overtakes what it has not written yet. Once the first one is
                # answered all of that is written, and the second one comes after it.
                await self.client.flush()
                await self.client.flush()

    async def ask(self, question: Awaitable[Any], *, within_s: float = REQUEST_S) -> Any:
        """Await an answer of JetStream, for a limited time.

        Raises:
            BusUnavailable: There was no answer in time.
            AccessDenied: There was none because the user lacks a permission.
            nats.js.errors.APIError: The answer was an error.
        """
        try:
            with keeping_cancellations():
                async with asyncio.timeout(within_s):
                    return await question
        except nats.js.errors.APIError:
            raise
        except (nats.errors.Error, TimeoutError, OSError) as error:
            if self._denied is not None:  # which is why there was no answer
                raise AccessDenied(self.bucket, self._denied) from error
            raise to_eventhus_error(self.bucket, error) from error

    def _to_eventhus_error(self, error: Exception) -> Exception:
        if isinstance(error, ImportError):
            return CompositionError(
                f"a credentials file needs {error.name}; install nats-py[nkeys]"
            )
        if isinstance(error, nats.errors.Error | TimeoutError | OSError):
            return to_eventhus_error(self.bucket, error)
        return CompositionError(
            f"the driver does not accept the URL or the credentials for bucket {self.bucket!r}: "
            f"{type(error).__name__}; a URL has the form nats://user:password@host:4222, "
            f"percent-encoded"
        )

    def _options(self) -> dict[str, Any]:
        """Return the servers and credentials as arguments of the driver."""
        address = self.address
        options: dict[str, Any] = {"servers": list(address.servers)}
        if address.tls is not None:
            options["tls"] = address.tls
        if address.credentials is not None:
            options["user_credentials"] = str(address.credentials)
        # The driver calls these when it is about to send them: the moment to check encryption.
        for name in ("user", "password", "token"):
            secret = getattr(address, name)
            if secret is not None:
                options[name] = partial(self._unless_in_clear, secret)
        return options

    def _check_credentials(self) -> None:
        path = self.address.credentials
        if path is None:
            return
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CompositionError(
                f"the credentials file for the bus of bucket {self.bucket!r} cannot be read: "
                f"{type(error).__name__}"
            ) from error
        # Without these in the file, the driver would search for them for ever.
        if any(part not in content for part in (b"BEGIN NATS USER JWT", b"BEGIN USER NKEY SEED")):
            raise CompositionError(
                f"the credentials file for the bus of bucket {self.bucket!r} is not one: it lacks "
                f"the JWT or the seed of a user; 'nsc generate creds' writes both"
            )

    def _unless_in_clear(self, secret: str) -> str:
        self._check_privacy()
        return secret

    def _check_privacy(self) -> None:
        if not self._is_as_private_as_asked():
            raise NotEncrypted

    def _is_as_private_as_asked(self) -> bool:
        # The driver encrypts only if the server says so, even if it was given TLS, and does not
        # tell in public what the server said.
        return self.address.tls is None or bool(self.client._server_info.get("tls_required"))  # noqa: SLF001

    async def _shut(self, within_s: float = REQUEST_S) -> None:
        client = self.client
        if not (client.is_connected or client.is_connecting or client.is_reconnecting):
            return  # there is nothing to close
        try:
            async with asyncio.timeout(within_s):
                await client.close()
        except (nats.errors.Error, TimeoutError, OSError) as error:
            _logger.warning("the connection to NATS broke while closing: %s", describe(error))

    async def _on_error(self, error: Exception) -> None:
        if self._is_connecting:
            # The server would answer the next attempt alike. Raising ends the driver's attempts.
            if is_refusal(error) or isinstance(error, ssl.SSLError | NotEncrypted):
                raise error
            return
        if "permissions violation" in str(error).lower():
            self._denied = f"the user lacks a permission: {str(error).removeprefix('nats: ')}"
            _logger.warning("NATS: %s", self._denied)
            return
        if (description := describe(error)) != self._last_logged:
            _logger.warning("NATS: %s", description)
            self._last_logged = description

    async def _on_disconnected(self) -> None:
        for call in [*self.on_break]:
            call()

    async def _on_reconnected(self) -> None:
        if not self._is_as_private_as_asked():
            _logger.error("NATS: %s; the connection is closed", describe(NotEncrypted()))
            await self.client.close()
            return
        self._denied = self._last_logged = None
        _logger.info("connected to NATS again")
        for call in [*self.on_reconnect]:
            call()
