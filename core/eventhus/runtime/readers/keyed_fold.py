"""Follows the log for whatever keeps a value per key: what views and processes have in common."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, Generic, TypeVar

from attrs import frozen

from eventhus.domain.process import Process
from eventhus.domain.recorded import Recorded, is_text
from eventhus.domain.view import View
from eventhus.errors import CodecError, InvalidArgument, LeaseLost, ReaderStopped
from eventhus.ports.clock import Clock
from eventhus.ports.leases import Lease
from eventhus.ports.store import Storage, StoredEvent
from eventhus.runtime.readers.documents import Documents, FoldedValue
from eventhus.runtime.readers.leased_reader import LeasedReader
from eventhus.runtime.serializer import EventSerializer

V = TypeVar("V")


@frozen(kw_only=True)
class FoldContext(Generic[V]):
    """What a folder works with.

    Attributes:
        documents: Where its values are kept.
        names: The stored names of the events that it is shown; all others are passed over.
        serializer: Decodes events.
        store: As for ``LeasedReader``.
        clock: As for ``LeasedReader``.
        owner: As for ``LeasedReader``.
    """

    documents: Documents[V]
    names: Collection[str]
    serializer: EventSerializer
    store: Storage
    clock: Clock
    owner: str


class _NotKept(Exception):
    """A value is none that can be kept, and nothing tells at which event it became so."""

    def __init__(self, why: Exception) -> None:
        self.why = why


class KeyedFold(LeasedReader, ABC, Generic[V]):
    """Folds a batch of events in memory, saves the values, and then moves the checkpoint.

    Every value is saved with the position that it has seen, in the place of the one that it was
    made of. So what a crash repeats, because the checkpoint was not reached, is in the values
    already and is passed over; and a reader whose lease ran out while it was paused finds that its
    values' places are taken.

    An event that it cannot take stops it there, with everything before it saved.

    Args:
        of: What the events are folded for.
        label: What that is, in words.
        setting: What it works with.
    """

    def __init__(
        self, of: View[Any, V] | Process[Any, V], label: str, setting: FoldContext[V]
    ) -> None:
        documents = setting.documents
        super().__init__(
            documents.collection, label, setting.store, setting.clock, owner=setting.owner
        )
        self._key = of.key
        self._documents = documents
        self._names = setting.names
        self._serializer = setting.serializer

    @abstractmethod
    async def _fold(self, kept: FoldedValue[V], recorded: Recorded[Any]) -> bool:
        """Bring a value past one more event.

        Returns:
            Whether it must be saved before the next event.

        Raises:
            ReaderStopped: It cannot; ``kept`` is as it was.
        """

    async def _read(self, lease: Lease) -> None:
        after = await self._store.load_checkpoint(self._name)
        self._report(after)
        async with aclosing(self._store.follow(after=after)) as batches:
            async for batch in batches:
                await self._take(batch, lease)
                # A store that never waits would keep everybody else waiting.
                await asyncio.sleep(0)

    async def _take(self, batch: Sequence[StoredEvent], lease: Lease) -> None:
        try:
            await self._take_at_once(batch, lease)
        except _NotKept as refused:
            why = refused.why
        else:
            return
        if len(batch) == 1:
            with self._at(batch[0]):
                raise why
        # Any of the events may have made the value what it is: one by one they tell which.
        for stored in batch:
            await self._take([stored], lease)

    async def _take_at_once(self, batch: Sequence[StoredEvent], lease: Lease) -> None:
        events, stopped = self._decoded(batch)
        found = await self._documents.find({key for key, _ in events})
        values: dict[str, FoldedValue[V]] = {}
        try:
            for key, recorded in events:
                if key not in values:
                    with self._at(recorded):
                        values[key] = self._documents.kept(key, found.get(key))
                kept = values[key]
                if kept.position < recorded.position and await self._fold(kept, recorded):
                    await self._save(values, lease)
        except ReaderStopped as error:
            stopped = error
        await self._save(values, lease)
        end = batch[-1].position if stopped is None else stopped.position - 1
        if end >= batch[0].position:
            await self._store.save_checkpoint(self._name, end, token=lease.token)
            self._moved(end)
        if stopped is not None:
            raise stopped

    def _decoded(
        self, batch: Sequence[StoredEvent]
    ) -> tuple[list[tuple[str, Recorded[Any]]], ReaderStopped | None]:
        """The events that count, each with its key, up to one that cannot be taken, if any."""
        events: list[tuple[str, Recorded[Any]]] = []
        try:
            for stored in batch:
                if stored.event.type in self._names:
                    with self._at(stored):
                        recorded = self._serializer.recorded(stored)
                        key = self._key(recorded)
                        if key is None:
                            continue
                        if not is_text(key):
                            raise TypeError("a key must be a str of whole Unicode characters")
                    events.append((key, recorded))
        except ReaderStopped as stopped:
            return events, stopped
        return events, None

    async def _save(self, values: Mapping[str, FoldedValue[V]], lease: Lease) -> None:
        changed = [(each, each.last) for each in values.values() if each.last is not None]
        try:
            writes = [self._documents.write(kept) for kept, _ in changed]
        except Exception as error:  # a codec fails as it likes
            raise _NotKept(error) from error
        try:
            taken = await self._documents.save(writes)
        except InvalidArgument as error:
            raise _NotKept(error) from error
        if taken:
            raise LeaseLost(self._name, lease.token)  # nobody else writes these
        for kept, last in changed:
            kept.stored, kept.last = last.position, None

    @contextmanager
    def _at(self, recorded: Recorded[Any]) -> Iterator[None]:
        """Name the event that is being worked on where something raises on it."""
        try:
            yield
        except CodecError as error:
            raise self._stopped(
                recorded, str(CodecError(error.type, error.field, error.problem))
            ) from error
        except Exception as error:
            raise self._stopped(recorded, f"{type(error).__name__} was raised") from error

    def _stopped(self, recorded: Recorded[Any], problem: str) -> ReaderStopped:
        return ReaderStopped(
            self.label, recorded.stream, recorded.version, recorded.position, problem
        )
