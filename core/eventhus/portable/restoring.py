"""Appends the commits of one log to another so that each gets the place that it had.

A condition on each commit makes the append a compare-and-swap over the whole log: nothing may
stand after the position before its own. So many appends may be in flight: another order, a retry or
a lost answer can delay a commit, but never put it elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from attrs import evolve

from eventhus.domain.query import Query
from eventhus.domain.recorded import StreamId
from eventhus.errors import CommandIdReused, ConflictError, InvalidCommit, LogsDiffer
from eventhus.portable.lines import to_line
from eventhus.portable.tally import Entry
from eventhus.ports.store import Commit, Condition, EventStore, Part, StoredCommit

_EVERYTHING = Query.of()
_IN_FLIGHT = 1000  # commits


class Restorer:
    """Brings a log to the content of another, from its beginning on.

    As long as the log has commits, it compares. After its last one it appends.
    """

    def __init__(self, target: EventStore) -> None:
        self._target = target
        self._is_comparing = True
        self._window = _IN_FLIGHT

    async def add(self, page: Sequence[Entry]) -> None:
        """Compare the next commits of the source with those of the log, and append the missing.

        Raises:
            LogsDiffer: The log has another commit in the place of one of them.
        """
        if self._is_comparing:
            page = page[await self._compare(page) :]
            self._is_comparing = not page
        while page:
            landed = await self._append(page[: self._window])
            page = page[landed:]

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
                    raise _difference(entry, held)
            compared += len(there)
        return compared

    async def _append(self, entries: Sequence[Entry]) -> int:
        """Append commits side by side; return how many of the first ones are in the log now.

        Fewer than all are in it if the store took them in another order, or if it failed. Whatever
        the reason, it is safe to send the others again: a log holds a commit id once.
        """
        answers = await asyncio.gather(
            *map(self._target.append, _in_place(entries)), return_exceptions=True
        )
        for index, (entry, answer) in enumerate(zip(entries, answers, strict=True)):
            if isinstance(answer, BaseException):
                if index == 0:
                    await self._explain(entry, answer)
                    raise answer
                self._window = index
                return index
            if (answer.position, answer.versions) != (entry.stored.position, entry.stored.versions):
                raise _difference(entry, answer)
        self._window = min(2 * self._window, _IN_FLIGHT)
        return len(entries)

    async def _explain(self, entry: Entry, error: BaseException) -> None:
        """Raise ``LogsDiffer`` if another commit has the place of one that was refused."""
        if not isinstance(error, ConflictError | InvalidCommit | CommandIdReused):
            return
        for held in await self._target.commits(after=entry.stored.position - 1, limit=1):
            raise _difference(entry, held) from error


def _in_place(entries: Sequence[Entry]) -> list[Commit]:
    """Return commits that a log takes in this order and at these positions only."""
    before: set[StreamId] = set()
    commits: list[Commit] = []
    for stored, _ in entries:
        commit = stored.commit
        parts = [
            Part(
                stream=part.stream,
                events=part.events,
                # A version that an earlier one of these commits leads to is not there yet. The
                # position implies it: all that precedes is as it was.
                expected_version=None if part.stream in before else version - 1,
            )
            for part, version in zip(commit.parts, stored.versions, strict=True)
        ]
        condition = Condition(query=_EVERYTHING, after=stored.position - 1)
        commits.append(evolve(commit, parts=parts, condition=condition))
        before |= commit.streams
    return commits


def _difference(entry: Entry, held: StoredCommit) -> LogsDiffer:
    return LogsDiffer(entry.stored.position, entry.stored.commit.id, held.commit.id)
