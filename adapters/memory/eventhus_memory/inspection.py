"""Inspection of a log in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice

from eventhus.adapter_support import check_event_id, check_related_page, check_streams_page
from eventhus.domain.recorded import StreamId
from eventhus.ports import StoredCommit, StoredEvent, StreamEnd, split_event_id
from eventhus_memory.entries import Entry, recorded


class MemoryInspection:
    """The log in memory, and how an event, a conversation or a stream is found in it."""

    def __init__(self) -> None:
        super().__init__()
        self._log: list[Entry] = []
        self._streams: dict[StreamId, list[Entry]] = {}
        self._commits: dict[str, StoredCommit] = {}  # by commit id
        # By correlation id, in order, without the commits that have it as their own id.
        self._conversations: defaultdict[str, list[StoredCommit]] = defaultdict(list)
        self._names: list[tuple[str, str]] = []  # of the first streams, in order, once asked for

    def _add_to_conversation(self, stored: StoredCommit) -> None:
        correlation_id = stored.commit.metadata.correlation_id
        if correlation_id is not None and correlation_id != stored.commit.id:
            self._conversations[correlation_id].append(stored)

    async def find_event(self, event_id: str) -> StoredEvent | None:
        """See ``Inspection.find_event``."""
        check_event_id(event_id)
        place = split_event_id(event_id)
        if place is None or (stored := self._commits.get(place[0])) is None:
            return None
        position = stored.position + place[1]
        if position > stored.last_position:
            return None
        return recorded([self._log[position - 1]])[0]

    async def related(
        self, correlation_id: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[StoredEvent]:
        """See ``Inspection.related``."""
        check_related_page(correlation_id, after, limit)
        commits = [*self._conversations.get(correlation_id, ())]
        own = self._commits.get(correlation_id)
        if own is not None and own.commit.metadata.correlation_id == correlation_id:
            commits.append(own)
        commits.sort(key=lambda stored: stored.position)
        positions = (
            position
            for stored in commits
            for position in range(max(stored.position, after + 1), stored.last_position + 1)
        )
        return recorded([self._log[position - 1] for position in islice(positions, limit)])

    async def streams(
        self,
        *,
        stream_type: str | None = None,
        prefix: str = "",
        after: StreamId | None = None,
        limit: int = 100,
    ) -> Sequence[StreamEnd]:
        """See ``Inspection.streams``."""
        check_streams_page(stream_type, prefix, after, limit)
        if len(self._names) < len(self._streams):
            new = islice(self._streams, len(self._names), None)
            self._names += [(each.aggregate_type, each.aggregate_id) for each in new]
            self._names.sort()
        first = bisect_left(self._names, (stream_type or "", prefix))
        if after is not None:
            last = after.aggregate_type, after.aggregate_id
            first = max(first, bisect_right(self._names, last))
        ends: list[StreamEnd] = []
        for type_, id_ in islice(self._names, first, first + limit):
            if stream_type is not None and not (type_ == stream_type and id_.startswith(prefix)):
                break
            stream = StreamId(type_, id_)
            end = self._streams[stream][-1]
            ends.append(StreamEnd(stream=stream, version=end.version, position=end.position))
        return ends
