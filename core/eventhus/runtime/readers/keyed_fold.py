"""Folds the log into one value per key: the common part of views and processes."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Generic, TypeVar

from attrs import frozen

from eventhus.adapter_support.failure_log import raised_in
from eventhus.domain.catalog import Catalog
from eventhus.domain.process import Process
from eventhus.domain.query import Query
from eventhus.domain.recorded import Recorded
from eventhus.domain.view import View
from eventhus.errors import InvalidArgument, LeaseLost, ReaderStopped
from eventhus.ports.checkpoints import Checkpoint
from eventhus.ports.clock import Clock
from eventhus.ports.leases import Lease
from eventhus.ports.observer import EventParked
from eventhus.ports.store import Storage, StoredEvent
from eventhus.ports.views import Parked, ViewDocument
from eventhus.runtime.observing import Observing
from eventhus.runtime.readers.documents import Documents, FoldedValue
from eventhus.runtime.readers.keyed_events import KeyedEvents, Poisoned
from eventhus.runtime.readers.leased_reader import LeasedReader
from eventhus.runtime.readers.refold import Refold, RefoldContext, Skip
from eventhus.runtime.readers.registering import Registrar
from eventhus.runtime.serializer import EventSerializer

V = TypeVar("V")


@frozen(kw_only=True)
class FoldContext(Generic[V]):
    """The surroundings of a fold.

    Attributes:
        documents: Holds the values.
        names: As for ``KeyedEvents``.
        catalog: As for ``KeyedEvents``.
        serializer: Decodes events.
        store: As for ``LeasedReader``.
        clock: As for ``LeasedReader``.
        owner: As for ``LeasedReader``.
        max_parked: The maximum number of parked keys. The fold stops at an event that would park
            another one.
        registrar: Tells if the version was pruned.
        observing: As for ``LeasedReader``.
    """

    documents: Documents[V]
    names: Collection[str]
    catalog: Catalog
    serializer: EventSerializer
    store: Storage
    clock: Clock
    owner: str
    max_parked: int
    registrar: Registrar
    observing: Observing | None


@frozen(kw_only=True)
class Batch(Generic[V]):
    """Events that are folded together.

    Attributes:
        events: The events in the order of the log, each with one of its keys.
        found: The stored documents of the keys.
        values: The values so far, by key.
        lease: The lease of the reader.
        poisoned: Raised at every event, if given.
    """

    events: Sequence[tuple[str, Recorded[Any]]]
    found: Mapping[str, ViewDocument]
    values: dict[str, FoldedValue[V]]
    lease: Lease
    poisoned: Poisoned | None


class _Unstorable(Exception):
    """A value cannot be stored, and it is not known which event of the batch caused that."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause


class KeyedFold(LeasedReader, ABC, Generic[V]):
    """Folds a batch of events in memory, saves the values, then moves the checkpoint.

    Every value is saved with the position that it has seen, in place of the one that it was made
    from. Events that a crash repeats, because the checkpoint did not move, are therefore recognised
    and skipped. A reader that was paused beyond its lease finds the places of its values taken.

    An event that cannot be folded parks its key: the document says so, later events of the key are
    passed over, and the other keys go on. A passed over event moves the position of the document,
    so that it cannot get lost between the reader and a concurrent ``retry``: whichever of the two
    writes second finds another document than the one that it has loaded.

    At an event that cannot be handled at all, the fold saves everything before it and stops.

    Args:
        reader: The view or process.
        context: Its surroundings.
        lease: The name of the lease; by default that of the collection.
    """

    _batch = 1000  # events that are read at once

    def __init__(
        self,
        reader: View[Any, V] | Process[Any, V],
        context: FoldContext[V],
        lease: str | None = None,
    ) -> None:
        documents = context.documents
        super().__init__(
            documents.collection,
            documents.label,
            context.store,
            context.clock,
            owner=context.owner,
            lease=lease,
            observing=context.observing,
        )
        self._documents = documents
        self._max_parked = context.max_parked
        self._parked: int | None = None  # how many keys are parked, or were before some retries
        self._events = KeyedEvents(
            self.label, reader.keys, context.names, context.catalog, context.serializer
        )
        self._parking = asyncio.Lock()  # one key after the other, or more than allowed are parked
        self._one_retry = asyncio.Lock()  # the owner of the lease would get it twice
        self._start = Checkpoint()  # the place after which the version begins
        self._reader = reader
        self._registrar = context.registrar

    @property
    def query(self) -> Query | None:
        """The events that it reads, by their stored names; ``None`` for all."""
        return self._events.query

    async def register(self) -> None:
        """Register the view or process in the store, before anything is read or folded.

        Raises:
            ViewChanged: As for ``Registrar.register_view``.
            VersionRetired: As for ``Registrar.register_view``.
            IncompatibleBucket: As for ``Registrar.register_view``.
            InvalidArgument: As for ``Registrar.register_view``.
        """
        reader = self._reader
        register = self._registrar
        registration = (
            await register.register_view(reader)
            if isinstance(reader, View)
            else await register.register_process(reader)
        )
        self._start = registration.start
        await self._documents.create_indexes()

    async def reset(self) -> None:
        """Delete every document, and fold again from where the version began."""
        await self.rewind(self._start.position)

    async def _forget(self) -> None:
        await self._documents.delete()

    @abstractmethod
    def _evolve(self, folded: FoldedValue[V], recorded: Recorded[Any]) -> tuple[V | None, bool]:
        """Return the next value of a key, and whether there is one. May raise anything."""

    async def _react(
        self,
        folded: FoldedValue[V],  # noqa: ARG002 - for subclasses
        value: V | None,  # noqa: ARG002
        recorded: Recorded[Any],  # noqa: ARG002
    ) -> bool:
        """Carry out the consequences of an event.

        Args:
            folded: The value before the event.
            value: The value after it.
            recorded: The event.

        Returns:
            True if the value must be saved before the next event.

        Raises:
            Poisoned: A consequence can never be carried out.
            ReaderStopped: This version of the application cannot carry one out.
        """
        return False

    def _saved(self, folded: FoldedValue[V]) -> None:
        """Take note of a value that was saved."""

    async def parked_keys(self) -> int:
        """See ``LeasedReader.parked_keys``."""
        return len(await self._documents.parked(limit=max(self._max_parked, 1)))

    async def retry(self, key: str, skip: Skip | None = None) -> None:
        """Fold a parked key from the log again, as ``Application.retry`` and ``skip`` do.

        A lease of its own keeps two retries apart. The reader goes on meanwhile, here or elsewhere.
        """
        async with self._retrying() as lease:
            await self._check_may_retry()
            await self._check_history(await self._store.load_checkpoint(self._name))
            context = RefoldContext(
                documents=self._documents,
                events=self._events,
                fold=self._fold,
                store=self._store,
                clock=self._clock,
                after=self._start.position,
            )
            await self._while_holding(lease, Refold(key, skip, context).run())
        self._logger.info("%s: key %r is no longer parked", self.label, key)

    async def _check_may_retry(self) -> None:
        """Raise an error if this process must not fold a parked key."""

    @asynccontextmanager
    async def _retrying(self) -> AsyncIterator[Lease]:
        """Hold the lease of retries."""
        async with self._one_retry:
            lease = await self._acquire_alone(f"{self._lease_name}/retry", f"{self._owner} retries")
            try:
                yield lease
            finally:
                await self._release(lease)

    async def _read(self, lease: Lease) -> None:
        self._parked = None
        after = await self._place(lease)
        async with aclosing(
            self._store.follow(self._events.query, after=after, limit=self._batch)
        ) as pages:
            async for page in pages:
                await self._take(page.events, Checkpoint(page.position, page.event_id), lease)
                # A store that never waits would starve every other task.
                await asyncio.sleep(0)

    async def _place(self, lease: Lease) -> int:
        """Return the position to go on from: the checkpoint, or where the version began.

        Raises:
            VersionRetired: The version was pruned.
            LogChanged: As for ``_resume``.
        """
        if isinstance(self._reader, View):
            await self._registrar.check_registered(self._reader)
        after = await self._resume()
        if after >= self._start.position:
            return after
        await self._check_history(self._start)
        await self._save_checkpoint(self._start, lease)
        return self._start.position

    async def _take(self, batch: Sequence[StoredEvent], end: Checkpoint, lease: Lease) -> None:
        """Handle a batch; ``end`` is the checkpoint after it."""
        events, stopped = self._events.decoded(batch)
        try:
            await self._fold_page(events, lease)
        except ReaderStopped as error:
            stopped = error
        if stopped is None:
            await self._save_checkpoint(end, lease)
            return
        done = [stored for stored in batch if stored.position < stopped.position]
        if done:
            await self._save_checkpoint(Checkpoint(done[-1].position, done[-1].id), lease)
        raise stopped

    async def _fold_page(self, events: Sequence[tuple[str, Recorded[Any]]], lease: Lease) -> None:
        """Fold the events of a page of the log."""
        await self._fold_all(events, lease)

    async def _fold_all(self, events: Sequence[tuple[str, Recorded[Any]]], lease: Lease) -> None:
        """Fold events, each into its key, and save the values."""
        try:
            await self._fold_at_once(events, lease)
        except _Unstorable as unstorable:
            cause = unstorable.cause
        else:
            return
        if len(events) == 1:
            await self._fold_at_once(events, lease, poisoned=Poisoned(cause))
            return
        # Any of the events may have made a value unstorable. One by one, they tell which.
        for event in events:
            await self._fold_all([event], lease)

    async def _fold_at_once(
        self,
        events: Sequence[tuple[str, Recorded[Any]]],
        lease: Lease,
        *,
        poisoned: Poisoned | None = None,
    ) -> None:
        batch = Batch[V](
            events=events,
            found=await self._documents.find({key for key, _ in events}),
            values={},
            lease=lease,
            poisoned=poisoned,
        )
        try:
            await self._fold_each(batch)
        except ReaderStopped:
            await self._save(batch.values.values(), lease)
            raise
        await self._save(batch.values.values(), lease)

    async def _fold_each(self, batch: Batch[V]) -> None:
        """Fold the events of a batch: those of one key in their order.

        Raises:
            ReaderStopped: An event cannot be handled. Everything before it is folded.
        """
        for key, recorded in batch.events:
            await self._fold_event(key, recorded, batch)

    async def _fold_event(self, key: str, recorded: Recorded[Any], batch: Batch[V]) -> None:
        """Fold an event into the value of a key, unless it was folded before."""
        if key not in batch.values:
            with self._events.naming(recorded):
                batch.values[key] = self._documents.folded(key, batch.found.get(key))
        folded = batch.values[key]
        if folded.position >= recorded.position:
            return
        if folded.parked is not None:
            folded.last = recorded
            return
        poisoned = batch.poisoned
        if folded.is_damaged:
            poisoned = Poisoned(self._documents.is_damaged(key))
        try:
            if poisoned is not None:
                raise poisoned
            if await self._fold(folded, recorded, silently=self._is_past(folded, recorded)):
                await self._save_one(folded, batch.lease)
        except Poisoned as failure:
            async with self._parking:
                await self._park(folded, recorded, failure)
            await self._save_one(folded, batch.lease)
            self._log_parked(folded, recorded, failure)

    def _is_past(
        self,
        folded: FoldedValue[V],  # noqa: ARG002 - for subclasses
        recorded: Recorded[Any],  # noqa: ARG002
    ) -> bool:
        """Return whether the consequences of an event were carried out before."""
        return False

    async def _fold(
        self, folded: FoldedValue[V], recorded: Recorded[Any], *, silently: bool = False
    ) -> bool:
        """Fold one event into a value, and carry out its consequences unless ``silently``.

        Returns:
            Whether the value must be saved before the next event.

        Raises:
            Poisoned: As for ``_react``, or ``evolve`` raised; ``folded`` has not changed.
            ReaderStopped: As for ``_react``; ``folded`` has not changed.
        """
        try:
            value, exists = self._evolve(folded, recorded)
        except Exception as error:
            raise Poisoned(error) from error
        must_save = not silently and await self._react(folded, value, recorded)
        folded.value, folded.exists, folded.last = value, exists, recorded
        return must_save

    async def _park(
        self, folded: FoldedValue[V], recorded: Recorded[Any], poisoned: Poisoned
    ) -> None:
        """Park a key, or raise ``ReaderStopped`` if too many are parked."""
        error, problem = poisoned.error, poisoned.problem
        most = self._max_parked
        if most == 0:
            raise self._events.stopped(recorded, problem) from error
        if self._parked is None or self._parked >= most:
            self._parked = len(await self._documents.parked(limit=most))
        if self._parked >= most:
            problem = f"{problem}, and max_parked={most} keys are parked already"
            raise self._events.stopped(recorded, problem) from error
        self._parked += 1
        folded.park(
            Parked(
                position=recorded.position,
                error=type(error).__name__,
                at=self._clock.now(),
                handled=self._handled(folded),
            )
        )
        folded.last = recorded

    def _handled(self, folded: FoldedValue[V]) -> int:
        """Return the position up to which the events of a key have been handled."""
        return folded.position

    def _log_parked(
        self, folded: FoldedValue[V], recorded: Recorded[Any], poisoned: Poisoned
    ) -> None:
        self._logger.error(
            "%s parked key %r at %s, version %d, position %d: %s (%s); the other keys go on. Mend "
            "the code and call app.retry, or leave the event out with app.skip",
            self.label,
            folded.key,
            recorded.stream,
            recorded.version,
            recorded.position,
            poisoned.problem,
            raised_in(poisoned.error),
        )
        if self._observing is not None:
            self._observing.note(
                EventParked(
                    application=self._observing.application,
                    reader=self.label,
                    error=poisoned.error,
                )
            )

    async def _save_one(self, folded: FoldedValue[V], lease: Lease) -> None:
        """Save a value before the next event of its key."""
        await self._save([folded], lease)

    async def _save(self, values: Iterable[FoldedValue[V]], lease: Lease) -> None:
        changed = [(each, each.last) for each in values if each.last is not None]
        try:
            writes = [self._documents.write(folded) for folded, _ in changed]
        except Exception as error:  # codecs may raise anything
            raise _Unstorable(error) from error
        try:
            taken = await self._documents.save(writes)
        except InvalidArgument as error:
            raise _Unstorable(error) from error
        if taken:  # only another leader or a retry writes these documents
            raise LeaseLost(self._name, lease.token)
        if changed:
            self._progressed()
        for folded, last in changed:
            folded.stored, folded.revision, folded.last = last.position, 0, None
            self._saved(folded)

    async def _save_checkpoint(self, checkpoint: Checkpoint, lease: Lease) -> None:
        await self._store.save_checkpoint(
            self._name, checkpoint.position, event_id=checkpoint.event_id, token=lease.token
        )
        self._moved(checkpoint)
