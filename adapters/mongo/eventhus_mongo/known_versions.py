"""Versions at which commits are known to end."""

from __future__ import annotations

from eventhus import StreamId

CAPACITY = 65_536  # streams; about 20 MB


class KnownVersions:
    """The latest known version at which a commit of a stream ends, for recently used streams.

    A commit may be appended only at such a version. An expected version that a caller made up could
    otherwise put it into the middle of another commit, or leave a gap. Commits never change, so a
    known version stays true, even if the stream has grown since. Only another program can make it
    false, by a change to the log; it is then forgotten at the next look at the end of the stream.
    """

    def __init__(self) -> None:
        self._versions: dict[StreamId, int] = {}  # least recently learnt first

    def get(self, stream: StreamId) -> int | None:
        """Return the version, or ``None`` if none is known."""
        return self._versions.get(stream)

    def learn(self, stream: StreamId, version: int) -> None:
        """Remember that a commit ends at ``version``; 0 if the stream is empty."""
        known = self._versions.pop(stream, version)
        self._versions[stream] = max(known, version)
        if len(self._versions) > CAPACITY:
            del self._versions[next(iter(self._versions))]

    def forget(self, stream: StreamId, version: int) -> None:
        """Forget a version that the log no longer has, unless a later one is known by now."""
        if self._versions.get(stream) == version:
            del self._versions[stream]
