"""What the driver's errors mean to whoever uses a bus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import nats.errors
import nats.js.errors

from eventhus import EventhusError
from eventhus.errors import AccessDenied, BusUnavailable


class NotEncrypted(nats.errors.Error):
    """A server does not encrypt, and was to."""


class HungUp(nats.errors.Error):
    """A server ended the connection, and said why."""


@contextmanager
def translated(bucket: str) -> Iterator[None]:
    """Turn the driver's errors into this library's. None of them quotes a URL."""
    try:
        yield
    except (TimeoutError, nats.errors.Error, OSError) as error:
        raise typed(bucket, error) from error


def is_refusal(error: BaseException) -> bool:
    """Whether a server refused the credentials. While connecting, the driver only says it."""
    return isinstance(error, nats.errors.AuthorizationError) or (
        isinstance(error, nats.errors.Error) and "authorization" in str(error).lower()
    )


def typed(bucket: str, error: BaseException) -> EventhusError:
    """The error to raise in place of a driver's."""
    if is_refusal(error):
        return AccessDenied(bucket, "NATS refused the credentials; check them and the account")
    return BusUnavailable(bucket, describe(error))


def describe(error: BaseException) -> str:
    """What happened, in words that hold neither data nor credentials."""
    if isinstance(error, nats.js.errors.APIError):
        return f"JetStream answered {error.err_code or error.code}, {error.description}"
    if isinstance(error, nats.errors.NoRespondersError):
        return "JetStream is not enabled on the server, or not for this account"
    if is_refusal(error):
        return "the server refused the credentials"
    if isinstance(error, nats.errors.SlowConsumerError):
        return "a handler is too slow, and messages that nobody keeps are lost"
    if isinstance(error, HungUp):
        return f"the server ended the connection: {error}"
    if isinstance(error, NotEncrypted):
        return "the server does not encrypt, and tls was asked for"
    if isinstance(error, asyncio.TimeoutError):
        return "the server did not answer in time"
    return f"the connection failed with {type(error).__name__}"
