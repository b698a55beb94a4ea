"""Folds one parked key from the log again, while its reader folds the other keys."""

from __future__ import annotations

import asyncio
from typing import Any, Generic, Protocol, TypeVar

from attrs import evolve, frozen

from eventhus.domain.process_events import without_reached
from eventhus.domain.recorded import Recorded
from eventhus.errors import CodecError, InvalidArgument, KeyParked
from eventhus.ports.clock import Clock
from eventhus.ports.store import EventStore
from eventhus.ports.views import Parked, Skipped
from eventhus.runtime.readers.documents import Documents, FoldedValue
from eventhus.runtime.readers.keyed_events import KeyedEvents, Poisoned

V = TypeVar("V")

PAGE = 1000


@frozen
class Skip:
    """A decision to leave an event out.

    Attributes:
        position: The position of the event that parked the key.
        why: The reason.
    """

    position: int
    why: str


class Fold(Protocol[V]):
    """The function of a view or process that folds one event."""

    async def __call__(
        self, folded: FoldedValue[V], recorded: Recorded[Any], *, silently: bool = False
    ) -> bool:
        """See ``KeyedFold._fold``."""
        ...


@frozen(kw_only=True)
class RefoldContext(Generic[V]):
    """The surroundings of a refold: those of the reader.

    Attributes:
        documents: Holds the values.
        events: Decodes events, and asks for their keys.
        fold: Folds one event.
        store: Holds the log.
        clock: Tells when a retry failed.
        after: The position after which the view or process begins.
    """

    documents: Documents[V]
    events: KeyedEvents
    fold: Fold[V]
    store: EventStore
    clock: Clock
    after: int


class Refold(Generic[V]):
    """One attempt to fold a parked key from the log again, up to the position of its document.

    The reader passes over new events of the key meanwhile, which moves the document. The value then
    finds its place taken, and is folded on up to the new position. Once it is in place, the reader
    finds the key at a position that contains everything it has passed over.

    The commands of a process that were sent before the key was parked are not sent again.

    Args:
        key: The key.
        skip: An event to leave out from now on.
        context: The surroundings.
    """

    def __init__(self, key: str, skip: Skip | None, context: RefoldContext[V]) -> None:
        self._key = key
        self._skip = skip
        self._context = context
        self._documents = context.documents
        self._value = FoldedValue[V](key=key)  # so far, from nothing

    async def run(self) -> None:
        """Fold the key and replace its document, or leave it parked and raise why.

        Raises:
            KeyParked: An event still cannot be handled. The document says which.
            InvalidArgument: The key is not parked, or not at the event to skip.
            ReaderStopped: An event of the log cannot be decoded; nothing has changed.
        """
        stored, parked = await self._load()
        self._value.deadlines = stored.deadlines  # as they were when the last event was handled
        if self._skip is not None:
            self._check_skip(self._skip, parked)
            skipped = Skipped(
                position=self._skip.position, why=self._skip.why, at=self._context.clock.now()
            )
            stored.skipped = (*stored.skipped, skipped)
        done = self._context.after
        while True:
            parked = await self._fold_up_to(done, stored, parked)
            done = stored.stored
            if await self._unpark(stored, parked):
                return
            await self._follow(stored)

    async def _load(self) -> tuple[FoldedValue[V], Parked]:
        found = await self._documents.find([self._key])
        document = found.get(self._key)
        if document is None or document.parked is None:
            raise InvalidArgument(
                f"key {self._key!r} of {self._documents.label} is not parked; app.parked lists the "
                f"keys that are"
            )
        return self._documents.folded(self._key, document), document.parked

    def _check_skip(self, skip: Skip, parked: Parked) -> None:
        if skip.position != parked.position:
            raise InvalidArgument(
                f"key {self._key!r} of {self._documents.label} is parked at position "
                f"{parked.position}, not {skip.position}; look at that event before you skip it"
            )

    async def _fold_up_to(self, done: int, stored: FoldedValue[V], parked: Parked) -> Parked:
        """Fold the events of the key after ``done``, up to the position of its document."""
        skipped = {each.position for each in stored.skipped}
        while done < stored.stored:
            page = await self._context.store.read(
                self._context.events.query, after=done, limit=PAGE
            )
            batch = [each for each in page.events if each.position <= stored.stored]
            events, stopped = self._context.events.decoded(batch)
            for key, recorded in events:
                if key != self._key:
                    continue
                if recorded.position in skipped:
                    self._value.deadlines = without_reached(self._value.deadlines, recorded)
                    continue
                try:
                    must_save = await self._fold(recorded, parked)
                except Poisoned as poisoned:
                    raise await self._still_parked(
                        stored, parked, recorded.position, poisoned.error
                    ) from poisoned.error
                if must_save:  # or a later retry would send the commands again that were refused
                    parked = evolve(parked, handled=recorded.position)
                    await self._save_parked(stored, parked)
            if stopped is not None:
                raise stopped
            done = page.position
            await asyncio.sleep(0)  # a store that never waits would starve every other task
        return parked

    async def _fold(self, recorded: Recorded[Any], parked: Parked) -> bool:
        is_past = recorded.position <= parked.handled
        must_save = await self._context.fold(self._value, recorded, silently=is_past)
        if self._value.exists and not is_past:
            try:
                self._documents.encode(self._value.value)
            except Exception as error:  # codecs may raise anything
                raise Poisoned(error) from error
        return must_save

    async def _unpark(self, stored: FoldedValue[V], parked: Parked) -> bool:
        """Put the value in the place of the parked document, unless that has moved."""
        value = self._value
        unparked = FoldedValue(
            key=self._key,
            value=value.value,
            exists=value.exists,
            stored=stored.stored,
            revision=stored.revision,
            skipped=stored.skipped,
            deadlines=value.deadlines,
        )
        try:
            return not await self._documents.save([self._documents.write(unparked)])
        except (CodecError, InvalidArgument) as error:
            # The store does not say which event made the value too large. Skipping events would
            # hardly help, so the last one stands for all of them.
            raise await self._still_parked(
                stored, parked, value.position or parked.position, error
            ) from error

    async def _still_parked(
        self, stored: FoldedValue[V], parked: Parked, position: int, error: Exception
    ) -> KeyParked:
        """Store that the key stays parked, and return the error to raise."""
        parked = Parked(
            position=position,
            error=type(error).__name__,
            at=self._context.clock.now(),
            handled=max(parked.handled, self._value.position),
        )
        await self._save_parked(stored, parked)
        return self._documents.is_parked(self._key, parked)

    async def _save_parked(self, stored: FoldedValue[V], parked: Parked) -> None:
        stored.park(parked)
        stored.deadlines = self._value.deadlines
        while await self._documents.save([self._documents.write(stored)]):
            await self._follow(stored)
        stored.revision += 1

    async def _follow(self, stored: FoldedValue[V]) -> None:
        """Find the document where the reader has moved it."""
        newer, _ = await self._load()
        stored.stored, stored.revision = newer.stored, newer.revision
