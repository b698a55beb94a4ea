"""The events that the runtime records in the streams of processes."""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from eventhus.domain.deadlines import Armed, ArmedDeadline
from eventhus.domain.recorded import Recorded, StreamId

RESERVED: Final = "eventhus:"
"""The prefix of the runtime's own command ids, aggregate types and stored names of events.

A caller's own must not start with it: by guessing the id of a process's command, a caller could
stop that command from being carried out.
"""


@frozen
class DeadlineReached:
    """An armed deadline was reached. An event of the process's own stream.

    Take it in the annotation of ``react``, of ``evolve``, or of both.

    Attributes:
        name: The name of the deadline.
    """

    name: str


@frozen
class CommandRefused:
    """A command of the process was refused. An event of the process's own stream.

    Take it in the annotation of ``react``, of ``evolve``, or of both. Otherwise a refusal is logged
    as a warning.

    Attributes:
        command: The name of the command's class, such as ``"ShipOrder"``.
        refusal: The name of the refusal's class, such as ``"OutOfStock"``.
        aggregate_id: The ``aggregate_id`` of the command, which tells it from others of its class.
    """

    command: str
    refusal: str
    aggregate_id: str


@frozen
class DeadlineOvertaken:
    """A ``DeadlineReached`` came too late and does not count.

    Its deadline was cancelled, or armed again, by an event that was stored while it was being
    appended. No process gets either of the two events; a view that follows ``DeadlineReached``
    can follow this one, too.

    Attributes:
        name: The name of the deadline.
    """

    name: str


PROCESS_EVENTS: Final[tuple[type[Any], ...]] = (DeadlineReached, CommandRefused)
"""The classes that a process can take."""


def own_type(process: str) -> str:
    """Return the aggregate type of the streams of a process."""
    return f"{RESERVED}process/{process}"


def own_stream(process: str, key: str) -> StreamId:
    """Return the stream of one key of a process.

    Raises:
        InvalidArgument: The key is empty.
    """
    return StreamId(own_type(process), key)


def reached_by(recorded: Recorded[Any], armed: Armed) -> ArmedDeadline | None:
    """Return the armed deadline that a ``DeadlineReached`` is about.

    Returns:
        ``None`` for another event, or if the deadline was cancelled or armed again meanwhile.
    """
    if not isinstance(recorded.event, DeadlineReached):
        return None
    for each in armed:
        if (each.name, each.event_id) == (recorded.event.name, recorded.metadata.causation_id):
            return each
    return None


def without_reached(armed: Armed, recorded: Recorded[Any]) -> Armed:
    """Return the armed deadlines except the one that an event is about, if any."""
    reached = reached_by(recorded, armed)
    return armed if reached is None else tuple(each for each in armed if each is not reached)
