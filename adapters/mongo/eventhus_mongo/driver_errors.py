"""Translates the driver's errors into this library's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bson.errors import BSONError
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
UNAUTHORIZED = 13
_NO_CREDENTIALS = {18, 8000}  # AuthenticationFailed; AtlasError, which Atlas uses for the same
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
"""Error codes of conditions that pass by themselves, from MongoDB's ``error_codes.yml``."""


def is_passing(error: PyMongoError) -> bool:
    """Return whether the same operation may succeed a moment later."""
    if isinstance(error, ConnectionFailure | ExecutionTimeout | WriteConcernError):
        return True
    if isinstance(error, BulkWriteError):
        return bool(error.details.get("writeConcernErrors"))
    return isinstance(error, OperationFailure) and error.code in _PASSING


def to_eventhus_error(bucket: str, error: PyMongoError) -> EventhusError:
    """Return the error to raise in place of a driver's. It quotes no document or credential."""
    if isinstance(error, OperationFailure) and error.code in _NO_CREDENTIALS:
        return AccessDenied(
            bucket, "MongoDB refused the credentials; check the user, the password and authSource"
        )
    if isinstance(error, OperationFailure) and error.code == UNAUTHORIZED:
        return AccessDenied(
            bucket,
            f"the user lacks a right; grant readWrite on database {bucket!r} ({_what(error)})",
        )
    if isinstance(error, ConfigurationError):
        return CompositionError(f"the store of bucket {bucket!r} cannot be set up: {error}")
    return StoreUnavailable(bucket, describe(error))


def describe(error: PyMongoError) -> str:
    """Describe what happened, without data."""
    if isinstance(error, ServerSelectionTimeoutError):
        return "no suitable server could be reached"
    if error.timeout:
        return "the server did not answer in time"
    if isinstance(error, BulkWriteError):
        return "the write was not confirmed by a majority"
    return _what(error)


@contextmanager
def translating_errors(bucket: str) -> Iterator[None]:
    """Turn the driver's errors, and documents of an unknown form, into this library's errors."""
    try:
        yield
    except UnknownFormat as unknown:
        raise IncompatibleBucket(bucket, str(unknown)) from None
    except BSONError as error:
        raise IncompatibleBucket(
            bucket, f"a document is not valid BSON ({type(error).__name__}); repair it"
        ) from None
    except OperationFailure as error:
        raise to_eventhus_error(bucket, error) from None  # its message may quote a document
    except PyMongoError as error:
        raise to_eventhus_error(bucket, error) from error


def _what(error: PyMongoError) -> str:
    if isinstance(error, OperationFailure) and error.details is not None:
        return f"MongoDB answered {error.details.get('codeName', 'with an error')} ({error.code})"
    return f"the connection failed with {type(error).__name__}"
