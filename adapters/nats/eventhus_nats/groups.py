"""The consumer groups of a bucket: how far they are, and how one is moved."""

from __future__ import annotations

from collections.abc import Mapping

import nats.js.errors
from nats.js.api import StreamInfo

from eventhus.adapter_support.limits import MOST_GROUPS, MOST_LETTERS
from eventhus.domain.names import is_name
from eventhus.errors import ReaderBusy
from eventhus.ports import GroupStatus
from eventhus_nats.connection import Connection
from eventhus_nats.consumer import Consumer, group_consumers, handled_by
from eventhus_nats.driver_errors import to_eventhus_error
from eventhus_nats.starting import position_at

_TRIES = 3  # to create a consumer before a new member does


async def describe_groups(
    connection: Connection, subjects: str, letters: Mapping[str, int]
) -> list[GroupStatus]:
    """Return the progress of the groups of a bucket, in the order of their names.

    Args:
        connection: The connection.
        subjects: The subjects of the stream.
        letters: The number of dead letters of each group that has some.

    Raises:
        BusUnavailable: The server did not answer.
    """
    try:
        found = await group_consumers(connection, most=MOST_GROUPS)
    except nats.js.errors.NotFoundError:  # nothing was ever published, and nobody subscribed
        found = []
    except nats.js.errors.APIError as error:
        raise to_eventhus_error(connection.bucket, error) from error
    consumers = {info.name: info for info in found}
    statuses: list[GroupStatus] = []
    for name in sorted(filter(is_name, {*consumers, *letters}))[:MOST_GROUPS]:
        info = consumers.get(name)
        position = waiting = None
        if info is not None:
            position = await position_at(connection, subjects, handled_by(info))
            waiting = (info.num_pending or 0) + (info.num_ack_pending or 0)
        statuses.append(
            GroupStatus(
                name=name,
                position=position,
                waiting=waiting,
                dead_letters=min(letters.get(name, 0), MOST_LETTERS),
            )
        )
    return statuses


async def delete_consumer(connection: Connection, group: str, stream: StreamInfo) -> None:
    """Delete the consumer of a group. The caller holds the group's lease.

    Raises:
        IncompatibleBucket: The consumer of this name cannot serve a group.
        BusUnavailable: The server did not answer.
    """
    await Consumer(connection, group, stream, after=0).ensure()  # which checks that it is a group's
    try:
        await connection.ask(connection.jetstream.delete_consumer(connection.bucket, group))
    except nats.js.errors.APIError as error:
        raise to_eventhus_error(connection.bucket, error) from error


async def move_consumer(
    connection: Connection, group: str, stream: StreamInfo, *, after: int
) -> None:
    """Make the consumer of a group begin after a sequence. The caller holds the group's lease.

    A server cannot move a consumer, so it is deleted and created again.

    Raises:
        ReaderBusy: New members keep creating it first.
        IncompatibleBucket: The consumer of this name cannot serve a group.
        BusUnavailable: The server did not answer.
    """
    moved = Consumer(connection, group, stream, after=after)
    await moved.ensure()  # which checks that it is a group's
    # A stream with retention by interest drops messages that no consumer waits for.
    interested = Consumer(connection, None, stream, after=min(after, moved.after))
    await interested.ensure()
    try:
        for _ in range(_TRIES):
            await connection.ask(connection.jetstream.delete_consumer(connection.bucket, group))
            moved = Consumer(connection, group, stream, after=after)
            await moved.ensure()
            if moved.after == after:
                return
        raise ReaderBusy(f"group {group}")
    except nats.js.errors.APIError as error:
        raise to_eventhus_error(connection.bucket, error) from error
    finally:
        await interested.remove()
