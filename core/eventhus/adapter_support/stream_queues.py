"""One queue of messages per stream, so that each stream keeps its order."""

from __future__ import annotations

import asyncio
from collections import deque

from eventhus.domain.recorded import StreamId
from eventhus.ports.bus import Message


class StreamQueues:
    """The messages that a bus holds for one group, queued by stream.

    At most one message of a stream is taken at a time; the later ones wait until it is done.
    Messages of different streams can be taken side by side.
    """

    def __init__(self) -> None:
        self._queues: dict[StreamId, deque[Message]] = {}
        self._ready: asyncio.Queue[StreamId] = asyncio.Queue()  # streams with no message taken

    def __bool__(self) -> bool:
        """Return whether there are messages, including those that are taken."""
        return bool(self._queues)

    def __len__(self) -> int:
        """Return the number of messages, including those that are taken."""
        return sum(map(len, self._queues.values()))

    def add(self, message: Message) -> None:
        """Append a message to the queue of its stream."""
        queue = self._queues.get(message.stream)
        if queue is None:
            self._queues[message.stream] = deque([message])
            self._ready.put_nowait(message.stream)
        else:
            queue.append(message)

    async def take(self) -> Message:
        """Wait for a ready stream and return its first message, without removing it.

        Streams are served in the order in which they became ready.
        """
        return self._queues[await self._ready.get()][0]

    def done(self, message: Message) -> None:
        """Remove a taken message, so that the next one of its stream can be taken."""
        queue = self._queues[message.stream]
        queue.popleft()
        if queue:
            self._ready.put_nowait(message.stream)
        else:
            del self._queues[message.stream]

    def give_back(self, message: Message) -> None:
        """Replace a taken message with ``message``, which can be taken again."""
        self._queues[message.stream][0] = message
        self._ready.put_nowait(message.stream)
