"""Turns events of the log into messages, and reports those that no message can hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from logging import Logger
from typing import TypeAlias

from eventhus.adapter_support.limits import check_message
from eventhus.domain.process_events import RESERVED
from eventhus.errors import CodecError, InvalidArgument
from eventhus.ports.bus import Message
from eventhus.ports.store import StoredEvent
from eventhus.runtime.messaging.wire import to_message

ToMessage: TypeAlias = Callable[[StoredEvent], Message]


def stays_in_the_log(stored: StoredEvent, published: Collection[str]) -> bool:
    """Return whether an event belongs to the stream of a process that is not published."""
    aggregate_type = stored.stream.aggregate_type
    return aggregate_type.startswith(RESERVED) and aggregate_type not in published


def messages_of(
    events: Sequence[StoredEvent],
    logger: Logger,
    published: Collection[str],
    to_message: ToMessage = to_message,
) -> Iterator[tuple[StoredEvent, Message]]:
    """Yield the published events with their messages, and log an error if no message can hold one.

    Only an event that another program wrote into the store can be of that kind. It would otherwise
    keep every later event of every aggregate from the handlers.
    """
    for stored in events:
        if stays_in_the_log(stored, published):
            continue
        try:
            message = to_message(stored)
            check_message(message)
            yield stored, message
        except (CodecError, InvalidArgument) as error:
            logger.error(  # noqa: TRY400 - the error says all there is to say
                "event %s at position %d is not published: %s", stored.id, stored.position, error
            )
