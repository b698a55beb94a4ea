"""Brings a log to the content of another, from its beginning on."""

from __future__ import annotations

from collections.abc import Sequence

from eventhus.errors import LogsDiffer
from eventhus.portable.lines import to_line
from eventhus.portable.tally import Entry
from eventhus.ports.store import EventStore


class Restorer:
    """Compares commits as long as the log has some, and appends those after its last one.

    Args:
        target: The store of the log.
    """

    def __init__(self, target: EventStore) -> None:
        self._target = target
        self._is_comparing = True

    async def add(self, page: Sequence[Entry]) -> None:
        """Compare the next commits with those of the log, and append the missing ones.

        Raises:
            LogsDiffer: The log has another commit in the place of one of them.
        """
        missing = page[await self._compare(page) :] if self._is_comparing else page
        while missing:
            self._is_comparing = False
            try:
                await self._target.restore([entry.stored for entry in missing])
                return
            except LogsDiffer:
                # Another process may be moving the same log.
                landed = await self._compare(missing)
                if not landed:
                    raise
                missing = missing[landed:]

    async def _compare(self, page: Sequence[Entry]) -> int:
        """Return how many of the commits the log has."""
        compared = 0
        while compared < len(page):
            rest = page[compared:]
            there = await self._target.commits(after=rest[0].stored.position - 1, limit=len(rest))
            if not there:
                break
            for entry, held in zip(rest, there, strict=False):
                if to_line(held) != entry.line:
                    raise LogsDiffer(entry.stored.position, entry.stored.commit.id, held.commit.id)
            compared += len(there)
        return compared
