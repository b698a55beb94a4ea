"""What the driver's errors mean to whoever uses a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
)

from eventhus import EventhusError
from eventhus.errors import AccessDenied, CompositionError, IncompatibleBucket, StoreUnavailable
from eventhus_mongo.documents import UnknownFormat

DUPLICATE_KEY = 11000
_UNAUTHORIZED = 13
_NO_CREDENTIALS = {18, 8000}  # AuthenticationFailed; AtlasError, which Atlas gives for the same
_PASSING = {
    6,  # HostUnreachable
    7,  # HostNotFound
    24,  # LockTimeout
    43,  # CursorNotFound
    50,  # MaxTimeMSExpired
    64,  # WriteConcernFailed
    89,  # NetworkTimeout
    91,  # ShutdownInProgress
    112,  # WriteConflict
    134,  # ReadConcernMajorityNotAvailableYet
    175,  # QueryPlanKilled
    189,  # PrimarySteppedDown
    202,  # NetworkInterfaceExceededTimeLimit
    246,  # SnapshotUnavailable
    262,  # ExceededTimeLimit
    9001,  # SocketException
    10107,  # NotWritablePrimary
    11600,  # InterruptedAtShutdown
    11602,  # InterruptedDueToReplStateChange
    13435,  # NotPrimaryNoSecondaryOk
    13436,  # NotPrimaryOrSecondary
}
"""MongoDB's error codes, from its ``error_codes.yml``, of conditions that go by themselves."""


def is_passing(error: PyMongoError) -> bool:
    """Whether the same operation may succeed a moment later."""
    if isinstance(error, ConnectionFailure | ExecutionTimeout | WriteConcernError):
        return True
    if isinstance(error, BulkWriteError):
        return bool(error.details.get("writeConcernErrors"))
    return isinstance(error, OperationFailure) and error.code in _PASSING


def typed(bucket: str, error: PyMongoError) -> EventhusError:
    """The error to raise in place of a driver's. It quotes neither documents nor credentials."""
    if isinstance(error, OperationFailure) and error.code in _NO_CREDENTIALS:
        return AccessDenied(
            bucket, "MongoDB refused the credentials; check the user, the password and authSource"
        )
    if isinstance(error, OperationFailure) and error.code == _UNAUTHORIZED:
        return AccessDenied(
            bucket,
            f"the user lacks a right; grant readWrite on database {bucket!r} ({_what(error)})",
        )
    if isinstance(error, ConfigurationError):
        return CompositionError(f"the store of bucket {bucket!r} cannot be set up: {error}")
    return StoreUnavailable(bucket, describe(error))


def describe(error: PyMongoError) -> str:
    """What happened, in words that hold no data."""
    if isinstance(error, ServerSelectionTimeoutError):
        return "no server could be reached that takes the operation"
    if error.timeout:
        return "the server did not answer in time"
    if isinstance(error, BulkWriteError):
        return "the write was not confirmed by a majority"
    return _what(error)


@contextmanager
def translated(bucket: str) -> Iterator[None]:
    """Turn the driver's errors, and documents of no known form, into this library's."""
    try:
        yield
    except UnknownFormat as unknown:
        raise IncompatibleBucket(bucket, str(unknown)) from None
    except OperationFailure as error:
        raise typed(bucket, error) from None  # its message may quote a document
    except PyMongoError as error:
        raise typed(bucket, error) from error


def _what(error: PyMongoError) -> str:
    if isinstance(error, OperationFailure) and error.details is not None:
        return f"MongoDB answered {error.details.get('codeName', 'with an error')} ({error.code})"
    return f"the connection failed with {type(error).__name__}"
