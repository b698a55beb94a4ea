"""Translation of the driver's errors into the errors of the port."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import nats.errors
import nats.js.errors

from eventhus.errors import AccessDenied, BusUnavailable, EventhusError


class NotEncrypted(nats.errors.Error):
    """Raised when a server does not encrypt although TLS was asked for."""


class HungUp(nats.errors.Error):
    """Raised when a server ends the connection and says why."""


@contextmanager
def translating_errors(bucket: str) -> Iterator[None]:
    """Raise the matching error of the port in place of the driver's. No message quotes a URL."""
    try:
        yield
    except (TimeoutError, nats.errors.Error, OSError) as error:
        raise to_eventhus_error(bucket, error) from error


def is_refusal(error: BaseException) -> bool:
    """Return whether a server refused the credentials.

    While the driver connects, it reports this only in the text of a general error.
    """
    return isinstance(error, nats.errors.AuthorizationError) or (
        isinstance(error, nats.errors.Error) and "authorization" in str(error).lower()
    )


def to_eventhus_error(bucket: str, error: BaseException) -> EventhusError:
    """Return the error to raise in place of a driver's."""
    if is_refusal(error):
        return AccessDenied(bucket, "NATS refused the credentials; check them and the account")
    return BusUnavailable(bucket, describe(error))


def describe(error: BaseException) -> str:
    """Return what happened, without data and without credentials."""
    if isinstance(error, nats.errors.NoRespondersError) or (
        # The driver makes this one of "no responders", without a code.
        isinstance(error, nats.js.errors.ServiceUnavailableError) and error.err_code is None
    ):
        return "JetStream is not enabled on the server, or not for this account"
    if isinstance(error, nats.js.errors.APIError):
        return f"JetStream answered {error.err_code or error.code}, {error.description}"
    if is_refusal(error):
        return "the server refused the credentials"
    if isinstance(error, nats.errors.SlowConsumerError):
        return "a handler is too slow, and the driver dropped messages that nothing else keeps"
    if isinstance(error, HungUp):
        return f"the server ended the connection: {error}"
    if isinstance(error, NotEncrypted):
        return "the server does not encrypt, and tls was asked for"
    if isinstance(error, asyncio.TimeoutError):
        return "the server did not answer in time"
    return f"the connection failed with {type(error).__name__}"
