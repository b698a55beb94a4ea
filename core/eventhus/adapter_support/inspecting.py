"""Checks of the arguments of inspection, shared by all stores."""

from eventhus.adapter_support.arguments import check_page
from eventhus.adapter_support.limits import (
    ID_BYTES,
    MESSAGE_ID_BYTES,
    NAME_BYTES,
    check_stream,
    check_text,
)
from eventhus.domain.recorded import StreamId
from eventhus.errors import InvalidArgument


def check_event_id(event_id: str) -> None:
    """Check the id of an event. ``find_event`` of every store calls this first.

    Raises:
        InvalidArgument: It is beyond its limit.
    """
    check_text("event_id", event_id, MESSAGE_ID_BYTES)


def check_related_page(correlation_id: str, after: int, limit: int) -> None:
    """Check the arguments of ``related``. Every store calls this first.

    Raises:
        InvalidArgument: The id is empty or beyond its limit, ``after`` is negative, or ``limit`` is
            below 1.
    """
    check_text("correlation_id", correlation_id, ID_BYTES)
    if not correlation_id:
        raise InvalidArgument("the correlation_id is empty; no event has an empty one")
    check_page(limit, after=after)


def check_streams_page(
    stream_type: str | None, prefix: str, after: StreamId | None, limit: int
) -> None:
    """Check the arguments of ``streams``. Every store calls this first.

    Raises:
        InvalidArgument: A name or an id is beyond its limit, there is a prefix without a type, or
            ``limit`` is below 1.
    """
    check_page(limit)
    check_text("prefix", prefix, ID_BYTES)
    if stream_type is not None:
        check_text("stream_type", stream_type, NAME_BYTES)
    elif prefix:
        raise InvalidArgument("a prefix of ids needs a stream_type; give both, or no prefix")
    if after is not None:
        check_stream(after)
