"""What a bus has in hand of a group: a queue of messages for each stream, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections import deque

from eventhus.domain.recorded import StreamId
from eventhus.ports.bus import Message


class StreamQueues:
    """Messages in hand: those of one stream one after the other, those of others side by side.

    Of a stream the first message is taken, and the others wait until that one is done.
    """

    def __init__(self) -> None:
        self._queues: dict[StreamId, deque[Message]] = {}
        self._ready: asyncio.Queue[StreamId] = asyncio.Queue()  # of which nothing is taken

    def __bool__(self) -> bool:
        """Whether any message is in hand."""
        return bool(self._queues)

    def add(self, message: Message) -> None:
        """Take a message in hand, behind those of its stream."""
        queue = self._queues.get(message.stream)
        if queue is None:
            self._queues[message.stream] = deque([message])
            self._ready.put_nowait(message.stream)
        else:
            queue.append(message)

    async def take(self) -> Message:
        """The next message of the stream that has been ready for longest, once there is one."""
        return self._queues[await self._ready.get()][0]

    def done(self, message: Message) -> None:
        """A message that was taken is done: the next one of its stream may be taken."""
        queue = self._queues[message.stream]
        queue.popleft()
        if queue:
            self._ready.put_nowait(message.stream)
        else:
            del self._queues[message.stream]

    def give_back(self, message: Message) -> None:
        """The message that was taken, or another in its place, may be taken again."""
        self._queues[message.stream][0] = message
        self._ready.put_nowait(message.stream)
