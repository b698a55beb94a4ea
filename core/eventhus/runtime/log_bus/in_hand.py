"""The events that were read from the log and are not handled."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from attrs import frozen

from eventhus.domain.recorded import StreamId
from eventhus.ports.bus import Message
from eventhus.ports.checkpoints import Checkpoint


@frozen
class _Pending:
    """An event that is not handled.

    Attributes:
        before: The last place that was read before it.
        number: How many events were read before it.
        size_bytes: The size of its message.
    """

    before: Checkpoint
    number: int
    size_bytes: int


class EventsInHand:
    """Knows which events are handled, so that a checkpoint can tell.

    Events of one stream are handled in order. Those of different streams are not, so there may be
    events that are handled after one that is not.

    Args:
        start: The place to go on from.

    Attributes:
        last: The last place that was read.
        size_bytes: The size of the messages of the events, all together.
    """

    def __init__(self, start: Checkpoint) -> None:
        self.last = Checkpoint(start.position, start.event_id)
        self.size_bytes = 0
        self._before = deque(start.done)  # ranges that were handled before, after ``last``
        self._pending: dict[int, _Pending] = {}  # by position, in ascending order
        self._streams: dict[StreamId, deque[int]] = {}
        self._read = 0

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def ahead(self) -> int:
        """The number of events that were read since the first one that is not handled."""
        first = next(iter(self._pending.values()), None)
        return 0 if first is None else self._read - first.number

    def was_handled(self, position: int) -> bool:
        """Return whether an event was handled before this process went on from the checkpoint."""
        first = next((first for first, last in self._before if last >= position), position + 1)
        return first <= position

    def add(self, message: Message, place: Checkpoint) -> None:
        """Add the next event that was read, as a message."""
        size_bytes = len(message.body)
        self._pending[place.position] = _Pending(self.last, self._read, size_bytes)
        self._streams.setdefault(message.stream, deque()).append(place.position)
        self.size_bytes += size_bytes
        self._read += 1
        self.reach(place)

    def reach(self, place: Checkpoint) -> None:
        """Note that everything up to a place was read."""
        self.last = place
        while self._before and self._before[0][1] <= place.position:
            self._before.popleft()

    def done(self, stream: StreamId) -> None:
        """Note that the first event of a stream is handled."""
        positions = self._streams[stream]
        self.size_bytes -= self._pending.pop(positions.popleft()).size_bytes
        if not positions:
            del self._streams[stream]

    def checkpoint(self) -> Checkpoint:
        """Return the place up to which everything is handled, and the later ranges that are."""
        first = next(iter(self._pending.values()), None)
        floor = self.last if first is None else first.before
        return Checkpoint(floor.position, floor.event_id, self._ranges())

    def _ranges(self) -> Iterator[tuple[int, int]]:
        ends = [*(each.before.position for each in self._pending.values()), self.last.position][1:]
        for position, end in zip(self._pending, ends, strict=True):
            if position < end:
                yield position + 1, end
        for first, last in self._before:
            yield max(first, self.last.position + 1), last
