"""Appends to the streams of a process: one for each of its keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from eventhus.domain.process_events import RESERVED, own_stream
from eventhus.domain.recorded import Recorded, StreamId
from eventhus.ports.clock import Clock
from eventhus.ports.store import Commit, EventStore, Part, StoredCommit
from eventhus.runtime.commands.observed import observed_append
from eventhus.runtime.observing import Observing
from eventhus.runtime.serializer import EventSerializer


class OwnStreams:
    """The streams of one process.

    Args:
        process: The name of the process.
        store: Holds the log.
        serializer: Encodes the events.
        clock: Tells when an event is recorded.
        new_id: Makes the ids of commits.
        observing: Is told of each append, if given.
    """

    def __init__(
        self,
        process: str,
        *,
        store: EventStore,
        serializer: EventSerializer,
        clock: Clock,
        new_id: Callable[[], str],
        observing: Observing | None = None,
    ) -> None:
        self._process = process
        self._store = store
        self._serializer = serializer
        self._clock = clock
        self._new_id = new_id
        self._observing = observing

    def command_id(self, cause: str, *parts: str) -> str:
        """Return a command id of the process.

        Args:
            cause: The id of the event that it is about.
            parts: Distinguish it from the other ids for that event.
        """
        return "/".join([f"{RESERVED}{self._process}", cause, *parts])

    def of(self, key: str) -> StreamId:
        """Return the stream of a key, which is not empty."""
        return own_stream(self._process, key)

    async def append(
        self,
        key: str,
        event: object,
        *,
        cause: Recorded[Any],
        command_id: str,
        at: datetime | None = None,
    ) -> StoredCommit:
        """Append an event to the stream of a key, unless the log holds the command id.

        Args:
            key: The key.
            event: An event of processes.
            cause: The event that caused it.
            command_id: Makes sure that the log holds the event once.
            at: When it is recorded; now by default.

        Raises what ``EventStore.append`` does.
        """
        part = Part(
            stream=self.of(key),
            events=[self._serializer.encode(event)],
            expected_version=None,
        )
        commit = Commit(
            id=self._new_id(),
            parts=[part],
            recorded_at=at or self._clock.now(),
            metadata=cause.caused(),
            command_id=command_id,
        )
        if self._observing is None:
            return await self._store.append(commit)
        return await observed_append(self._store, commit, self._observing)

    async def has(self, command_id: str) -> bool:
        """Return whether the log holds a commit with this command id."""
        return await self._store.find(command_id) is not None
