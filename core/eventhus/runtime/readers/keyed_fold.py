"""Folds the log into one value per key: the common part of views and processes."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, Generic, TypeVar

from attrs import frozen

from eventhus.domain.catalog import Catalog
from eventhus.domain.process import Process
from eventhus.domain.recorded import Recorded, is_text
from eventhus.domain.view import View
from eventhus.errors import CodecError, InvalidArgument, LeaseLost, ReaderStopped
from eventhus.ports.clock import Clock
from eventhus.ports.leases import Lease
from eventhus.ports.store import Checkpoint, Storage, StoredEvent
from eventhus.runtime.readers.documents import Documents, FoldedValue
from eventhus.runtime.readers.leased_reader import LeasedReader
from eventhus.runtime.serializer import EventSerializer

V = TypeVar("V")

NEWER = "it was written by a newer version of this application, which declares this event"


@frozen(kw_only=True)
class FoldContext(Generic[V]):
    """The surroundings of a fold.

    Attributes:
        documents: Holds the values.
        names: The stored names of the events to fold. Other events are skipped.
        catalog: Knows the events of the application. An unknown event of a known aggregate was
            written by a newer version and stops the fold.
        serializer: Decodes events.
        store: As for ``LeasedReader``.
        clock: As for ``LeasedReader``.
        owner: As for ``LeasedReader``.
    """

    documents: Documents[V]
    names: Collection[str]
    catalog: Catalog
    serializer: EventSerializer
    store: Storage
    clock: Clock
    owner: str


class _Unstorable(Exception):
    """A value cannot be stored, and it is not known which event of the batch caused that."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause


class KeyedFold(LeasedReader, ABC, Generic[V]):
    """Folds a batch of events in memory, saves the values, then moves the checkpoint.

    Every value is saved with the position that it has seen, in place of the one that it was made
    from. Events that a crash repeats, because the checkpoint did not move, are therefore recognised
    and skipped. A reader that was paused beyond its lease finds the places of its values taken.

    At an event that cannot be handled, the fold saves everything before it and stops.

    Args:
        reader: The view or process.
        label: The name of the reader in messages.
        context: Its surroundings.
    """

    def __init__(
        self, reader: View[Any, V] | Process[Any, V], label: str, context: FoldContext[V]
    ) -> None:
        documents = context.documents
        super().__init__(
            documents.collection, label, context.store, context.clock, owner=context.owner
        )
        self._key = reader.key
        self._documents = documents
        self._names = context.names
        self._catalog = context.catalog
        self._serializer = context.serializer

    async def _forget(self) -> None:
        await self._documents.delete()

    @abstractmethod
    async def _fold(self, folded: FoldedValue[V], recorded: Recorded[Any]) -> bool:
        """Fold one event into a value.

        Returns:
            True if the value must be saved before the next event.

        Raises:
            ReaderStopped: The event cannot be folded; ``folded`` has not changed.
        """

    async def _read(self, lease: Lease) -> None:
        after = await self._resume()
        async with aclosing(self._store.follow(after=after)) as batches:
            async for batch in batches:
                await self._take(batch, lease)
                # A store that never waits would starve every other task.
                await asyncio.sleep(0)

    async def _take(self, batch: Sequence[StoredEvent], lease: Lease) -> None:
        try:
            await self._take_at_once(batch, lease)
        except _Unstorable as unstorable:
            cause = unstorable.cause
        else:
            return
        if len(batch) == 1:
            with self._naming(batch[0]):
                raise cause
        # Any of the events may have made the value unstorable. One by one, they tell which.
        for stored in batch:
            await self._take([stored], lease)

    async def _take_at_once(self, batch: Sequence[StoredEvent], lease: Lease) -> None:
        events, stopped = self._decoded(batch)
        found = await self._documents.find({key for key, _ in events})
        values: dict[str, FoldedValue[V]] = {}
        try:
            for key, recorded in events:
                if key not in values:
                    with self._naming(recorded):
                        values[key] = self._documents.folded(key, found.get(key))
                folded = values[key]
                if folded.position < recorded.position and await self._fold(folded, recorded):
                    await self._save(values, lease)
        except ReaderStopped as error:
            stopped = error
        await self._save(values, lease)
        done = len(batch) if stopped is None else stopped.position - batch[0].position
        if done:
            await self._save_checkpoint(batch[done - 1], lease)
        if stopped is not None:
            raise stopped

    def _decoded(
        self, batch: Sequence[StoredEvent]
    ) -> tuple[list[tuple[str, Recorded[Any]]], ReaderStopped | None]:
        """Return the events to fold, with their keys, up to one that cannot be handled."""
        events: list[tuple[str, Recorded[Any]]] = []
        try:
            for stored in batch:
                if stored.event.type not in self._names:
                    if self._catalog.is_of_newer_code(stored.stream, stored.event):
                        raise self._stopped(stored, NEWER)
                else:
                    with self._naming(stored):
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
            writes = [self._documents.write(folded) for folded, _ in changed]
        except Exception as error:  # codecs may raise anything
            raise _Unstorable(error) from error
        try:
            taken = await self._documents.save(writes)
        except InvalidArgument as error:
            raise _Unstorable(error) from error
        if taken:
            raise LeaseLost(self._name, lease.token)  # only another leader writes these documents
        for folded, last in changed:
            folded.stored, folded.last = last.position, None

    async def _save_checkpoint(self, last: StoredEvent, lease: Lease) -> None:
        checkpoint = Checkpoint(last.position, last.id)
        await self._store.save_checkpoint(
            self._name, checkpoint.position, event_id=checkpoint.event_id, token=lease.token
        )
        self._moved(checkpoint)

    @contextmanager
    def _naming(self, recorded: Recorded[Any]) -> Iterator[None]:
        """Turn any error into a ``ReaderStopped`` that names the event."""
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
