"""A commit that waits for its place in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define

from eventhus import Query
from eventhus.ports import Commit, StoredCommit
from eventhus_mongo.commits import Encoded
from eventhus_mongo.lookups import VersionOf

BATCH_BYTES = 4_000_000
BATCH_NAMES = 2_000  # of streams, and of types and tags in conditions


@define(eq=False)
class PendingAppend:
    """A call of ``append`` that waits for its place in the log."""

    commit: Commit
    encoded: Encoded
    deadline: float  # by the event loop's clock
    done: asyncio.Future[StoredCommit | None]
    ends: Sequence[int] = ()  # for each part, the version to append at, where a commit ends
    sent: bool = False  # it was sent, and its outcome is not known
    clear_to: int = 0  # the position up to which nothing is in the way of its condition
    is_apart: bool = False  # its condition cannot be checked together with others
    ahead: int = 0  # how often its condition began after the head of the log
    query: Query | None = None  # of its condition
    taken: VersionOf | None = None  # the version that kept the last insert from storing it
    refusal: Mapping[str, Any] | None = None  # what the server said to the last insert

    def resolve(self, stored: StoredCommit | None) -> None:
        """Answer the caller; ``None`` if the commit must be examined again."""
        if not self.done.done():  # otherwise its caller was cancelled
            self.done.set_result(stored)

    def fail(self, error: Exception) -> None:
        """Answer the caller with an error."""
        if not self.done.done():
            self.done.set_exception(error)


def weight(waiting: PendingAppend) -> float:
    """Return the share of a batch that a commit takes."""
    bytes_share = waiting.encoded.size_bytes / BATCH_BYTES
    parts, query = waiting.commit.parts, waiting.query
    if query is None:
        return max(bytes_share, len(parts) / BATCH_NAMES)
    names = sum(1 + len(item.types) + len(item.other_than) + len(item.tags) for item in query.items)
    return max(bytes_share, (len(parts) + names) / BATCH_NAMES)
