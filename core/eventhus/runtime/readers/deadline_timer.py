"""Appends ``DeadlineReached`` when the time of an armed deadline has come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from attrs import evolve

from eventhus.adapter_support.tasks import first_done, together
from eventhus.domain.deadlines import ArmedDeadline
from eventhus.domain.process_events import DeadlineReached
from eventhus.errors import LogChanged
from eventhus.ports.clock import Clock
from eventhus.ports.store import EventStore, StoredEvent
from eventhus.ports.views import ViewDocument, ViewWrite
from eventhus.runtime.readers.documents import Documents
from eventhus.runtime.readers.own_streams import OwnStreams

BATCH = 100  # keys whose deadlines are reached side by side
LOOK = timedelta(seconds=10)  # between two looks: a retry elsewhere may have armed some

_logger = logging.getLogger(__name__)


class DeadlineTimer:
    """The timer of one process. It runs in the leader, beside the reader of the log.

    The documents say which deadlines are armed. Before any is reached, the reader handles
    everything that the log holds, so that a cancellation that is already committed wins. The timer
    changes no document: the reader disarms the deadline when it handles ``DeadlineReached``. So it
    does not matter when either of them crashes. The command id of the append is made of the key,
    the name and the arming event, so the log holds the event once.

    Time is that of the application's clock. ``DeadlineReached`` is recorded at the very moment that
    was compared with the deadline, so its ``recorded_at`` is never before it.

    Args:
        label: The name of the process in messages.
        documents: Its documents.
        streams: Its streams.
        store: Holds the log.
        clock: Tells the time.
        handled: Returns once the reader has handled everything that the log holds now.
    """

    def __init__(
        self,
        label: str,
        documents: Documents[Any],
        streams: OwnStreams,
        *,
        store: EventStore,
        clock: Clock,
        handled: Callable[[], Awaitable[None]],
    ) -> None:
        self._label = label
        self._documents = documents
        self._streams = streams
        self._store = store
        self._clock = clock
        self._handled = handled
        self._next: datetime | None = None  # the earliest deadline that it knows of
        self._sooner = asyncio.Event()

    def saved(self, deadlines: Sequence[ArmedDeadline]) -> None:
        """Take note of the deadlines in a document that was saved."""
        for each in deadlines:
            if self._next is None or each.due < self._next:
                self._next = each.due
                self._sooner.set()

    async def run(self) -> None:
        """Append events as deadlines are reached, until cancelled."""
        while True:
            next_ = await self._look()
            if next_ is None or next_ > self._clock.now():
                await self._wait(next_)
            else:
                await self._handled()
                await self._reach()

    async def _look(self) -> datetime | None:
        """Return the time of the earliest armed deadline."""
        self._next = None  # deadlines that are saved during the load count, too
        for document in await self._documents.armed(limit=1):
            self.saved(document.deadlines)
        self._sooner.clear()
        return self._next

    async def _wait(self, next_: datetime | None) -> None:
        """Wait until the next deadline, until a sooner one is armed, or for ``LOOK``."""
        look = self._clock.now() + LOOK
        moment = look if next_ is None else min(next_, look)
        await first_done(self._clock.wait_until(moment), self._sooner.wait())

    async def _reach(self) -> None:
        """Reach the earliest deadline of each key, if its time has come.

        A later one of the same key is left to the next time: the reaction may cancel it.
        """
        now = self._clock.now()
        due = [
            (document, deadline)
            for document in await self._documents.armed(limit=BATCH)
            if (deadline := min(document.deadlines, key=lambda each: each.due)).due <= now
        ]
        await together(self._reach_one(document, deadline, now) for document, deadline in due)

    async def _reach_one(
        self, document: ViewDocument, deadline: ArmedDeadline, now: datetime
    ) -> None:
        cause = await self._arming_event(deadline)
        digest = blake2b(f"{document.key}\0{deadline.name}".encode(), digest_size=16).hexdigest()
        stored = await self._streams.append(
            document.key,
            DeadlineReached(deadline.name),
            cause=cause,
            command_id=self._streams.command_id(deadline.event_id, "deadline", digest),
            at=now,
        )
        if stored.position <= document.position:
            await self._disarm(document, deadline)

    async def _arming_event(self, deadline: ArmedDeadline) -> StoredEvent:
        page = await self._store.read(after=deadline.position - 1, limit=1)
        actual = page.events[0].id if page.events else ""
        if actual != deadline.event_id:
            raise LogChanged(self._label, deadline.position, deadline.event_id, actual)
        return page.events[0]

    async def _disarm(self, document: ViewDocument, deadline: ArmedDeadline) -> None:
        """Drop a deadline that was reached before, or it would be due for ever.

        The reader drops it when it handles the event. Only a document that was restored from a
        backup can have it still.
        """
        rest = [each for each in document.deadlines if each != deadline]
        disarmed = evolve(document, deadlines=rest, revision=document.revision + 1)
        write = ViewWrite(
            document=disarmed,
            replaces=document.position,
            replaces_revision=document.revision,
        )
        await self._documents.save([write])  # if it has moved, the next look decides again
        _logger.warning(
            "%s: deadline %r of key %r was still armed after it was reached; dropped it",
            self._label,
            deadline.name,
            document.key,
        )
