"""Where streams are known to have had a commit's end."""

from __future__ import annotations

from eventhus import StreamId

CAPACITY = 65_536  # streams; about 20 MB


class StreamEnds:
    """The latest known version at which a commit of each stream ends, for the latest streams.

    A commit may only go behind such a version, or an expected version that somebody made up would
    put it into the middle of another commit, or leave a gap. Commits never change, so what is
    learnt here stays true, though the stream may have gone on since.
    """

    def __init__(self) -> None:
        self._ends: dict[StreamId, int] = {}

    def get(self, stream: StreamId) -> int | None:
        """The version, if one is known."""
        return self._ends.get(stream)

    def learn(self, stream: StreamId, version: int) -> None:
        """A commit of the stream ends at ``version``, or the stream is empty and it is 0."""
        known = self._ends.pop(stream, version)  # what was learnt last goes to the end
        self._ends[stream] = max(known, version)
        if len(self._ends) > CAPACITY:
            del self._ends[next(iter(self._ends))]
