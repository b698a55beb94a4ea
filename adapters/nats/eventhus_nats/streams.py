"""The JetStream streams of a bucket: created if they are missing, checked if they exist."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal, TypeAlias, get_args

import nats.js.errors
from attrs import frozen
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo

from eventhus.errors import CompositionError, IncompatibleBucket
from eventhus_nats.connection import Connection
from eventhus_nats.driver_errors import to_eventhus_error

Retention: TypeAlias = Literal["limits", "interest"]

DEFAULT_MAX_AGE = timedelta(days=7)
DEFAULT_DUPLICATE_WINDOW = timedelta(minutes=2)

# The shortest window that a server accepts: a letter that was discarded can be buried again.
_DEAD_WINDOW_S = 0.1

_MAX_REPLICAS = 5
_LEAST = timedelta(milliseconds=100)  # the shortest time that a server accepts

_NAME_IN_USE = 10058
_NO_PEERS = 10005  # from a cluster that is too small, or of which servers are down
_NO_REPLICAS = 10074  # from a server without a cluster
_SERVER_SIDE = 500  # from here on, the request is not to blame


@frozen(kw_only=True)
class StreamSettings:
    """The settings asked of a stream. ``None`` accepts any, and is a default for a new stream."""

    retention: Retention | None = None
    max_age: timedelta | None = None
    replicas: int | None = None
    duplicate_window: timedelta | None = None

    def check(self) -> None:
        """Check the settings, without a server.

        Raises:
            CompositionError: A setting is out of its range.
        """
        if self.retention is not None and self.retention not in get_args(Retention):
            raise CompositionError(
                f"retention must be 'limits' or 'interest', not {self.retention!r}"
            )
        if self.replicas is not None and not 1 <= self.replicas <= _MAX_REPLICAS:
            raise CompositionError(f"replicas must be 1 to {_MAX_REPLICAS}, not {self.replicas}")
        for name, time in (("max_age", self.max_age), ("duplicate_window", self.duplicate_window)):
            if time is not None and time < _LEAST:
                raise CompositionError(f"{name} must be at least {_LEAST}, not {time}")
        if self.max_age and self.duplicate_window and self.max_age < self.duplicate_window:
            raise CompositionError(
                f"duplicate_window {self.duplicate_window} is longer than max_age {self.max_age}: "
                f"a message that is gone is not recognised"
            )


def dead_stream(bucket: str) -> str:
    """Return the name of the stream that keeps the dead letters of a bucket."""
    return f"{bucket}_dead"


async def check_streams(
    connection: Connection, subjects: str, dead: str, want: StreamSettings
) -> None:
    """Check the streams of events and of dead letters, as far as they exist.

    Raises:
        IncompatibleBucket: A stream exists with other settings.
        BusUnavailable: The server did not answer.
    """
    await _find(connection, connection.bucket, subjects, want)
    await _find(connection, dead_stream(connection.bucket), dead, _of_dead_letters(want))


def _of_dead_letters(want: StreamSettings) -> StreamSettings:
    return StreamSettings(retention="limits", replicas=want.replicas)


async def ensure_streams(
    connection: Connection, subjects: str, dead: str, want: StreamSettings
) -> StreamInfo:
    """Create or check the stream of events and that of dead letters, with as many replicas.

    Returns:
        The server's description of the stream of events.

    Raises:
        IncompatibleBucket: A stream exists with other settings.
        CompositionError: The server refuses to create such a stream.
        BusUnavailable: It did not answer.
    """
    info = await _ensure(
        connection,
        connection.bucket,
        subjects,
        want,
        new=StreamConfig(
            max_age=DEFAULT_MAX_AGE.total_seconds(),
            duplicate_window=DEFAULT_DUPLICATE_WINDOW.total_seconds(),
        ),
    )
    await _ensure(
        connection,
        dead_stream(connection.bucket),
        dead,
        _of_dead_letters(want),
        new=StreamConfig(
            max_age=0,  # kept until somebody discards them
            duplicate_window=_DEAD_WINDOW_S,
            num_replicas=info.config.num_replicas,
        ),
    )
    return info


async def _ensure(
    connection: Connection, name: str, subjects: str, want: StreamSettings, *, new: StreamConfig
) -> StreamInfo:
    if (found := await _find(connection, name, subjects, want)) is not None:
        return found
    config = new.evolve(
        name=name,
        subjects=[subjects],
        storage=StorageType.FILE,
        retention=RetentionPolicy(want.retention or "limits"),
        num_replicas=want.replicas or new.num_replicas or 1,
    )
    if want.max_age is not None:
        config = config.evolve(max_age=want.max_age.total_seconds())
    if want.duplicate_window is not None:
        config = config.evolve(duplicate_window=want.duplicate_window.total_seconds())
    elif config.duplicate_window and config.max_age:
        # The server refuses a window that is longer than max_age.
        config = config.evolve(duplicate_window=min(config.duplicate_window, config.max_age))
    try:
        created: StreamInfo = await connection.ask(connection.jetstream.add_stream(config))
    except nats.js.errors.APIError as error:
        if error.err_code != _NAME_IN_USE:
            raise _refused(connection.bucket, name, error) from error
        # Another process was faster.
        created = await connection.ask(connection.jetstream.stream_info(name))
    _check(connection.bucket, name, created, subjects, want)
    return created


async def _find(
    connection: Connection, name: str, subjects: str, want: StreamSettings
) -> StreamInfo | None:
    """Return a stream after checking it; ``None`` if it does not exist."""
    try:
        found: StreamInfo = await connection.ask(connection.jetstream.stream_info(name))
    except nats.js.errors.NotFoundError:
        return None
    except nats.js.errors.APIError as error:
        raise to_eventhus_error(connection.bucket, error) from error
    _check(connection.bucket, name, found, subjects, want)
    return found


def _check(bucket: str, name: str, found: StreamInfo, subjects: str, want: StreamSettings) -> None:
    wrong = list(differences(found.config, subjects, want))
    if wrong:
        raise IncompatibleBucket(
            bucket,
            f"its JetStream stream {name} has {'; '.join(wrong)}; open the bus with the "
            f"stream's settings, or change the stream with 'nats stream edit {name}'",
        )


def differences(found: StreamConfig, subjects: str, want: StreamSettings) -> Iterator[str]:
    """Yield the settings because of which a bus refuses a stream."""
    if found.subjects != [subjects]:
        yield f"subjects {', '.join(found.subjects or ()) or 'none'}, not {subjects}"
    wanted: dict[str, Any] = {
        "retention": want.retention,
        "max_age": want.max_age and want.max_age.total_seconds(),
        "num_replicas": want.replicas,
        "duplicate_window": want.duplicate_window and want.duplicate_window.total_seconds(),
    }
    for name, value in wanted.items():
        has = getattr(found, name)
        has = getattr(has, "value", has)
        if value is not None and has != value:
            unit = " s" if name in {"max_age", "duplicate_window"} else ""
            yield (
                f"{name} {has:g}{unit}, not {value:g}{unit}"
                if unit
                else (f"{name} {has}, not {value}")
            )
    if found.no_ack:
        yield "no_ack true, so it never confirms that it stored a message"
    if found.storage != StorageType.FILE:
        yield "storage memory, which a restart empties; only a new stream can change that"
    yield from _discarding(found)


def _discarding(found: StreamConfig) -> Iterator[str]:
    """Yield the limits that discard unhandled messages. ``max_age`` is not among them."""
    limits = ["max_msgs_per_subject"]  # discards even with discard new
    if found.discard != DiscardPolicy.NEW:
        limits += ["max_msgs", "max_bytes"]
    for name in limits:
        limit = getattr(found, name) or -1
        if limit > 0:
            yield f"{name} {limit}, not -1, so it can discard messages that no group has handled"


def _refused(bucket: str, name: str, error: nats.js.errors.APIError) -> Exception:
    is_server_side = (error.code or _SERVER_SIDE) >= _SERVER_SIDE
    if error.err_code != _NO_REPLICAS and (is_server_side or error.err_code == _NO_PEERS):
        return to_eventhus_error(bucket, error)
    return CompositionError(
        f"NATS refuses the stream {name} of bucket {bucket!r}: {error.description}"
    )
