"""Stores that are broken on purpose, and the cases that must notice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from attrs import evolve, frozen

from eventhus import Query, StreamId
from eventhus.ports import (
    Commit,
    EventData,
    Page,
    StoredCommit,
    StoredEvent,
)
from eventhus_memory import MemoryStore

S = TypeVar("S", bound=type[MemoryStore])


@frozen
class Defect:
    """One case and a store that it must fail.

    Attributes:
        store: Breaks one promise.
        case: The name of the case that catches it; with arguments, at least one run of it.
        hangs: Whether nothing but the guard timeout can tell.
    """

    store: type[MemoryStore]
    case: str
    hangs: bool

    def __str__(self) -> str:
        return f"{self.store.__name__}-{self.case}"


DEFECTS: list[Defect] = []


def caught_by(case: str, *, hangs: bool = False) -> Callable[[S], S]:
    """Name a case that fails a store."""

    def note(store: S) -> S:
        DEFECTS.append(Defect(store, case, hangs))
        return store

    return note


def with_events(
    commit: Commit, change: Callable[[Sequence[EventData]], Iterable[EventData]]
) -> Commit:
    """Return the commit with other events in each part."""
    return evolve(commit, parts=[evolve(part, events=change(part.events)) for part in commit.parts])


class Rewriting(MemoryStore):
    """Stores another commit than the one it was given, and says that it was this one."""

    def rewritten(self, commit: Commit) -> Commit:
        raise NotImplementedError

    async def append(self, commit: Commit) -> StoredCommit:
        rewritten = self.rewritten(commit)
        stored = await super().append(rewritten)
        return evolve(stored, commit=commit) if stored.commit is rewritten else stored


class Distorting(MemoryStore):
    """Gives back other events than it has stored."""

    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        raise NotImplementedError

    async def read(self, query: Query | None = None, **page: Any) -> Page:
        return self._distorted(await super().read(query, **page))

    async def read_backwards(self, query: Query | None = None, **page: Any) -> Page:
        return self._distorted(await super().read_backwards(query, **page))

    def _distorted(self, page: Page) -> Page:
        return evolve(page, events=[self.distorted(each) for each in page.events])

    async def history(self, stream: StreamId, **page: Any) -> Sequence[StoredEvent]:
        return [self.distorted(each) for each in await super().history(stream, **page)]
