"""A log bus for any message: each is published as an event of the log."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from eventhus import StreamId, new_id
from eventhus.adapter_support import check_messages
from eventhus.ports import Commit, EventData, Message, Part, Storage, StoredEvent
from eventhus.runtime.clock import SystemClock
from eventhus.runtime.log_bus.bus import LogBus


def to_event(message: Message) -> EventData:
    return EventData(
        message.type,
        {
            "id": message.id,
            "body": message.body.decode("latin-1"),
            "headers": dict(message.headers),
        },
    )


def to_message(stored: StoredEvent) -> Message:
    data = stored.event.data
    return Message(
        id=data["id"],
        stream=stored.stream,
        type=stored.event.type,
        body=data["body"].encode("latin-1"),
        headers=data["headers"],
    )


class LogPublisher:
    """Appends all messages of one call in one commit."""

    def __init__(self, store: Storage) -> None:
        self._store = store
        self.acknowledged = 0
        self.is_first = False

    async def published(self) -> AsyncGenerator[Message, None]:
        kept: list[Message] = []
        for message in kept:
            yield message

    async def publish(self, messages: Sequence[Message]) -> None:
        check_messages(messages)
        by_stream: dict[StreamId, list[EventData]] = {}
        for message in messages:
            by_stream.setdefault(message.stream, []).append(to_event(message))
        if by_stream:
            parts = [
                Part(stream=stream, events=events, expected_version=None)
                for stream, events in by_stream.items()
            ]
            await self._store.append(
                Commit(id=new_id(), parts=parts, recorded_at=datetime.now(UTC))
            )
        self.acknowledged += len(messages)


class MessageLog(LogBus):
    """A log bus with a publisher, which enters its store itself."""

    def __init__(self, store: Storage) -> None:
        super().__init__(store, SystemClock(), new_id=new_id, to_message=to_message)
        self.log = store

    async def __aenter__(self) -> Self:
        await self.log.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await super().__aexit__(exc_type, exc, traceback)
        finally:
            await self.log.__aexit__(exc_type, exc, traceback)

    async def publisher(self) -> LogPublisher:
        return LogPublisher(self.log)
