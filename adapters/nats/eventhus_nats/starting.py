"""Finds the message of a JetStream stream at which a new group begins."""

from __future__ import annotations

import logging
from typing import Literal

import nats.js.errors
from attrs import frozen
from nats.js.api import StreamInfo

from eventhus.adapter_support import message_position
from eventhus_nats.connection import Connection
from eventhus_nats.driver_errors import to_eventhus_error

_FOREIGN = 64  # messages without a position in a row, after which the place counts as too late

_logger = logging.getLogger(__name__)


@frozen
class _Kept:
    """A message that the stream keeps.

    Attributes:
        sequence: Its place in the stream.
        position: The position of its event in the log; ``None`` if it does not say.
    """

    sequence: int
    position: int | None

    def comes_by(self, position: int) -> bool:
        """Return whether its event is known to come at or before a position."""
        return self.position is not None and self.position <= position


async def sequence_before(
    connection: Connection, subjects: str, stream: StreamInfo, start: Literal["beginning"] | int
) -> int:
    """Return the sequence after which a new group begins.

    A position is found by bisection. Positions rise along the stream, except that a relay may have
    gone back and published some events again. Whichever of their messages is found, all events
    after the position come after it. Among many messages of other programs, which tell no position,
    it may find an earlier place, and some events come that were not asked for.

    Args:
        connection: The connection.
        subjects: The subjects of the stream.
        stream: The state of the stream.
        start: As for ``MessageSource.subscribe``.

    Raises:
        BusUnavailable: The server did not answer.
    """
    position = 0 if start == "beginning" else start
    before, end = max(0, stream.state.first_seq - 1), stream.state.last_seq + 1
    first = await _next(connection, subjects, before)
    if first is not None and first.position is not None and first.position > position + 1:
        _logger.warning(
            "stream %s begins with the event at position %d, and a new group asked for those "
            "after %d; read the earlier ones from the log, or publish them again",
            connection.bucket,
            first.position,
            position,
        )
    while start != "beginning" and end - before > 1:
        middle = (before + end) // 2
        found = await _next(connection, subjects, middle - 1)
        for _ in range(_FOREIGN):
            if found is None or found.position is not None:
                break
            found = await _next(connection, subjects, found.sequence)
        if found is not None and found.sequence < end and found.comes_by(position):
            before = found.sequence
        else:
            end = middle
    return before


async def position_at(connection: Connection, subjects: str, sequence: int) -> int | None:
    """Return the position of the event in a message; ``None`` if it is gone or does not say.

    Raises:
        BusUnavailable: The server did not answer.
    """
    found = await _next(connection, subjects, sequence - 1) if sequence else None
    return found.position if found is not None and found.sequence == sequence else None


async def _next(connection: Connection, subjects: str, after: int) -> _Kept | None:
    """Return the first message after a sequence, or ``None`` if there is none."""
    try:
        raw = await connection.ask(
            connection.jetstream.get_msg(
                connection.bucket, seq=after + 1, subject=subjects, next=True
            )
        )
    except nats.js.errors.NotFoundError:
        return None
    except nats.js.errors.APIError as error:
        raise to_eventhus_error(connection.bucket, error) from error
    return _Kept(raw.seq, message_position(raw.headers or {}))
