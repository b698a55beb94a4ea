"""Inspection: how people who operate a log find an event, a conversation or a stream in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from eventhus.domain.recorded import EventData, Recorded, StreamId


@frozen(kw_only=True)
class StreamEnd:
    """A stream and its last event.

    Attributes:
        stream: The stream.
        version: The version of its last event.
        position: The position of that event in the log.
    """

    stream: StreamId
    version: int
    position: int


class Inspection(Protocol):
    """Finds events and streams by what an error message, a log line or a colleague names.

    Every call reads about as much as it returns, however long the log is.
    """

    async def find_event(self, event_id: str) -> Recorded[EventData] | None:
        """Return the event with this id, or ``None`` if the log does not hold it.

        Raises:
            InvalidArgument: The id is beyond its limit.
        """
        ...

    async def related(
        self, correlation_id: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[Recorded[EventData]]:
        """Return the next events of one conversation: those that have this correlation id.

        Args:
            correlation_id: The conversation. The executor gives the commits that begin one their
                own id.
            after: Start after this position; 0 starts at the first event.
            limit: The maximum number of events, at least 1. A store may return fewer because of
                their size, but returns none only at the end.

        Returns:
            The events, in the order of the log.

        Raises:
            InvalidArgument: The id is empty or beyond its limit, ``limit`` is below 1, or
                ``after`` is negative.
        """
        ...

    async def streams(
        self,
        *,
        stream_type: str | None = None,
        prefix: str = "",
        after: StreamId | None = None,
        limit: int = 100,
    ) -> Sequence[StreamEnd]:
        """Return the next streams, in the order of their types, and then of their ids.

        Both are ordered by their code points, as Python and UTF-8 do. A stream that is created
        meanwhile is found if it comes after the page.

        Args:
            stream_type: Only streams of this type; ``None`` returns those of all types.
            prefix: Only streams whose ids begin with this text. It needs a ``stream_type``.
            after: Start after this stream, which may not exist; ``None`` starts at the first one.
            limit: The maximum number of streams, at least 1. Fewer means the end.

        Raises:
            InvalidArgument: A name or an id is beyond its limit, there is a ``prefix`` without a
                ``stream_type``, or ``limit`` is below 1.
        """
        ...
