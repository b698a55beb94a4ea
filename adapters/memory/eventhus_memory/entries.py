"""The entries of a log in memory."""

from __future__ import annotations

from collections.abc import Sequence
from marshal import loads
from typing import NamedTuple

from eventhus.domain.recorded import EventData, StreamId, unchecked_event_data, unchecked_recorded
from eventhus.ports import StoredCommit, StoredEvent, event_id


class Entry(NamedTuple):
    """A stored event: its data as bytes, so that no caller holds a reference into the log."""

    commit: StoredCommit
    number: int  # in the commit, from 0
    stream: StreamId
    version: int
    event: EventData
    data: bytes

    @property
    def position(self) -> int:
        """The position of the event."""
        return self.commit.position + self.number


def data_of(entries: Sequence[Entry]) -> list[EventData]:
    """Return the bare events, with data of their own."""
    return [
        unchecked_event_data(event.type, loads(data), event.schema, event.tags)
        for _, _, _, _, event, data in entries
    ]


def recorded(entries: Sequence[Entry]) -> list[StoredEvent]:
    """Return the events in their envelopes."""
    return [
        unchecked_recorded(
            stream=entry.stream,
            version=entry.version,
            position=entry.position,
            id=event_id(entry.commit.commit.id, entry.number),
            event=event,
            recorded_at=entry.commit.commit.recorded_at,
            metadata=entry.commit.commit.metadata,
        )
        for entry, event in zip(entries, data_of(entries), strict=True)
    ]
