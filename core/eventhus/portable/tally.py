"""Counts and digests the commits of a log, and checks that nothing is missing between them."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from eventhus.domain.recorded import StreamId
from eventhus.errors import LogCorrupted
from eventhus.portable.lines import to_line
from eventhus.portable.progress import LogSummary
from eventhus.ports.store import Commit, StoredCommit


class Entry(NamedTuple):
    """A commit of a log, and its line in an exported file."""

    stored: StoredCommit
    line: bytes


class Tally:
    """The commits of a log up to some position."""

    def __init__(self) -> None:
        self.commits = 0
        self.events = 0  # also the position of the last one
        self._versions: dict[StreamId, int] = {}
        self._digest = sha256()

    @property
    def summary(self) -> LogSummary:
        """The counts and the digest so far."""
        return LogSummary(commits=self.commits, events=self.events, sha256=self._digest.hexdigest())

    def place(self, commit: Commit) -> StoredCommit:
        """Return a commit at the position and the versions that come next."""
        return StoredCommit(
            commit=commit,
            versions=[self._versions.get(part.stream, 0) + 1 for part in commit.parts],
            position=self.events + 1,
        )

    def add(self, entry: Entry) -> None:
        """Count the next commit.

        Raises:
            LogCorrupted: It does not continue the log or one of its streams.
        """
        stored = entry.stored
        if stored.position != self.events + 1:
            raise LogCorrupted(None, self.events + 1, stored.position)
        for part, version in zip(stored.commit.parts, stored.versions, strict=True):
            expected = self._versions.get(part.stream, 0) + 1
            if version != expected:
                raise LogCorrupted(part.stream, expected, version)
            self._versions[part.stream] = version + len(part.events) - 1
        self.commits += 1
        self.events = stored.last_position
        self._digest.update(entry.line)

    def entries(self, commits: Iterable[StoredCommit]) -> list[Entry]:
        """Return the next commits with their lines, counted.

        Raises:
            LogCorrupted: As for ``add``.
        """
        entries = [Entry(stored, to_line(stored)) for stored in commits]
        for entry in entries:
            self.add(entry)
        return entries
