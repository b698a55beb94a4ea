"""The API for operating an application, which the command line and the console show."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from math import inf
from typing import Any, get_args

from eventhus.application import Application
from eventhus.domain.query import Query
from eventhus.domain.recorded import StreamId
from eventhus.domain.start import Start
from eventhus.errors import InvalidArgument
from eventhus.operations.app_parts import AppParts
from eventhus.operations.describing import described
from eventhus.operations.documents import ShownDocuments
from eventhus.operations.folded import FoldedKind, declared_of, declared_view, folded_of
from eventhus.operations.health import HealthCheck
from eventhus.operations.letters import Letters
from eventhus.operations.log import Log, check_limit
from eventhus.operations.readers import Readers
from eventhus.operations.redaction import Redact, Redactor
from eventhus.operations.states import States
from eventhus.operations.values import (
    ArmedKey,
    Conversation,
    Description,
    DocumentPage,
    Health,
    LoggedEvent,
    LogPage,
    ReaderKind,
    ReaderStatus,
    ShownDocument,
    ShownLetter,
    StateAt,
    Step,
)
from eventhus.ports.diagnosis import Finding
from eventhus.ports.inspection import StreamEnd
from eventhus.ports.leases import DamagedLease, HeldLease
from eventhus.printable import printable
from eventhus.runtime.messaging.subscriber import EventHandler, Replayed
from eventhus.runtime.readers.building import OnBuildProgress
from eventhus.runtime.readers.reader_group import ParkedKey, ViewVersion

_logger = logging.getLogger("eventhus")


class Operations:
    """The operations on a running application: look into it, and repair what is stuck.

    Everything works on plain data. An event whose class is gone is shown as it is stored, with the
    reason why it cannot be decoded. Lists come in pages of at most 1,000 items.

    >>> import asyncio
    >>> app = Application.open(bucket="shop")
    >>> async def main() -> None:
    ...     async with app:
    ...         print((await Operations(app).health()).is_healthy)
    >>> asyncio.run(main())
    True

    Every method but ``describe`` and ``doctor`` raises ``NotRunning`` while the application is not
    entered. Every method raises ``InvalidArgument`` for an argument of another form. Those that
    read the store or the bus raise its errors, such as ``StoreUnavailable``, except ``health`` and
    ``doctor``.

    Args:
        app: An application that has been entered. With ``async with app.watching()`` it looks at
            the work of other processes and takes part in nothing.
        redact: Changes data before it is returned; ``None`` returns it as it is. Data on which it
            fails is left out. It gets the fields of events, states, documents and the bodies of
            dead letters; keys, ids, tags and metadata are shown as they are.
        stalled_after_s: The time in seconds after which a reader that has not moved, while events
            wait for it, counts as standing still.

    Raises:
        InvalidArgument: ``stalled_after_s`` is negative or not finite.
    """

    def __init__(
        self, app: Application, *, redact: Redact | None = None, stalled_after_s: float = 30.0
    ) -> None:
        if not 0 <= stalled_after_s < inf:
            raise InvalidArgument(
                f"stalled_after_s must be at least 0 and finite, found {stalled_after_s!r}"
            )
        self._app = app
        self._parts = parts = AppParts(app)
        redactor = Redactor(redact)
        self._log = Log(parts, redactor)
        self._states = States(parts, self._log, redactor)
        self._documents = ShownDocuments(parts, redactor)
        self._letters = Letters(parts, redactor)
        self._readers = Readers(parts, stalled_after_s)
        self._health = HealthCheck(parts, self._readers, stalled_after_s)

    async def health(self) -> Health:
        """Return the health of the bucket, as this application sees it.

        This takes at most 5 seconds. A store or a bus that does not answer is reported as a
        problem, not raised. A reader is healthy while it moves or nothing waits for it, however
        far it is behind.
        """
        return await self._health.look()

    async def readers(self, *kinds: ReaderKind) -> Sequence[ReaderStatus]:
        """Return the relay, every version of every view and process, and every consumer group.

        Args:
            kinds: Return only readers of these kinds. Only groups need the bus.
        """
        kinds = kinds or get_args(ReaderKind)
        around = await self._readers.surroundings()
        found = await self._readers.of_store(around, declared_only=False)
        if "group" in kinds:
            found += await self._readers.of_groups(around, await self._parts.groups())
        return [each.status for each in found if each.status.kind in kinds]

    async def leases(
        self, *, after: str | None = None, limit: int = 100
    ) -> Sequence[HeldLease | DamagedLease]:
        """Return the next leases that are held now or damaged, in the order of their names.

        Args:
            after: Start after this name; ``None`` starts at the first one.
            limit: The maximum number of leases. Fewer means the end.
        """
        check_limit(limit)
        return await self._parts.store.leases(after=after, limit=limit)

    async def log(
        self, query: Query | None = None, *, before: int | None = None, limit: int = 50
    ) -> LogPage:
        """Return the events before a position, newest first.

        Args:
            query: Which events, by their classes or stored names and their tags; ``None`` for all.
            before: The position; ``None`` starts at the end of the log.
            limit: The maximum number of events.
        """
        return await self._log.before(query, before, limit)

    async def log_after(
        self, query: Query | None = None, *, after: int = 0, limit: int = 50
    ) -> LogPage:
        """Return the events after a position, oldest first.

        Args:
            query: As for ``log``.
            after: The position; 0 starts at the first event.
            limit: The maximum number of events.
        """
        return await self._log.after(query, after, limit)

    def tail(
        self, query: Query | None = None, *, after: int | None = None
    ) -> AsyncGenerator[LoggedEvent, None]:
        """Yield the events after a position, and then each new one, until the application is left.

        Args:
            query: As for ``log``.
            after: The position; ``None`` starts at the end of the log.
        """
        return self._log.tail(query, after)

    async def event(self, id_or_position: str | int) -> LoggedEvent | None:
        """Return the event with an id or at a position; ``None`` if the log has none there."""
        return await self._log.event(id_or_position)

    async def conversation(self, correlation_id: str, *, limit: int = 1000) -> Conversation:
        """Return the events with a correlation id, as trees of causes and effects.

        Args:
            correlation_id: The id of the conversation, such as ``LoggedEvent.correlation_id``.
            limit: The maximum number of events; the first ones are taken.
        """
        return await self._log.conversation(correlation_id, limit)

    async def streams(
        self,
        *,
        stream_type: str | None = None,
        prefix: str = "",
        after: StreamId | None = None,
        limit: int = 50,
    ) -> Sequence[StreamEnd]:
        """Return the next streams, ordered by their types and ids.

        Args:
            stream_type: Only streams of this aggregate type; ``None`` for all.
            prefix: Only streams whose id begins with this text; needs a ``stream_type``.
            after: Start after this stream; ``None`` starts at the first one.
            limit: The maximum number of streams. Fewer means the end.
        """
        check_limit(limit)
        return await self._parts.store.streams(
            stream_type=stream_type, prefix=prefix, after=after, limit=limit
        )

    async def stream(
        self, stream: StreamId, *, after_version: int = 0, limit: int = 50
    ) -> Sequence[Step]:
        """Return the next events of a stream, and the changes that each made to the state.

        A step always has its event. If its state cannot be folded, the step says why.

        Args:
            stream: The stream.
            after_version: Start after this version; 0 starts at the first event.
            limit: The maximum number of events. Fewer means the end.
        """
        return await self._states.steps(stream, after_version, limit)

    async def state(self, stream: StreamId, *, version: int | None = None) -> StateAt:
        """Return the state of a stream as it was at a version.

        Args:
            stream: The stream.
            version: The version of the last event to fold; ``None`` for the last one of the stream.

        Raises:
            InvalidArgument: The stream has not come so far.
        """
        return await self._states.at(stream, version)

    async def documents(
        self,
        kind: FoldedKind,
        name: str,
        *,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[str] = (),
        after: str | None = None,
        limit: int = 50,
        version: int | None = None,
    ) -> DocumentPage:
        """Return a page of the documents of a view or a process.

        Without ``where`` and ``order_by`` they are in the order of their keys. Otherwise a declared
        index of the view must answer, as for ``Application.find``. A cursor is the last key of a
        page. The next page starts after the current place of that key.

        Args:
            kind: ``"view"`` or ``"process"``.
            name: Its name.
            where: Conditions as for ``Application.find``. Text is converted to the type of the
                field: numbers, times in ISO 8601, ``true`` and ``false``, the value or the name of
                a member of an enum, and ``none`` unless the field holds text.
            order_by: As for ``Application.find``.
            after: The ``cursor`` of the page before.
            limit: The maximum number of documents.
            version: The version; ``None`` for the one that this application declares, or else the
                newest in the store.

        Raises:
            InvalidArgument: There is no such view or process, a text is not of the type of its
                field, or the key ``after`` has no document any more.
            UndeclaredIndex: No declared index answers the question.
            DocumentDamaged: The document of the key ``after`` has no value that can be read.
            CodecError: The document of the key ``after`` does not fit the type of the view.
        """
        return await self._documents.page(
            await folded_of(self._parts, kind, name, version),
            where={} if where is None else where,
            order_by=order_by,
            after=after,
            limit=limit,
        )

    async def document(
        self, kind: FoldedKind, name: str, key: str, *, version: int | None = None
    ) -> ShownDocument | None:
        """Return the document of a key, with the reason if it has no value.

        Args:
            kind: As for ``documents``.
            name: As for ``documents``.
            key: The key.
            version: As for ``documents``.

        Returns:
            ``None`` if the key has no document.
        """
        return await self._documents.one(await folded_of(self._parts, kind, name, version), key)

    async def deadlines(self, process: str, *, limit: int = 50) -> Sequence[ArmedKey]:
        """Return the next armed deadlines of a process, the earliest first."""
        return await self._documents.deadlines(process, limit)

    async def parked(
        self,
        kind: FoldedKind,
        name: str,
        *,
        after: str | None = None,
        limit: int = 50,
        version: int | None = None,
    ) -> Sequence[ParkedKey]:
        """Return the next parked keys of a view or a process, in the order of the keys.

        Args:
            kind: As for ``documents``.
            name: As for ``documents``.
            after: Start after this key; ``None`` starts at the first one.
            limit: The maximum number of keys. Fewer means the end.
            version: As for ``documents``.
        """
        folded = await folded_of(self._parts, kind, name, version)
        return await self._documents.parked(folded, after, limit)

    async def retry(self, kind: FoldedKind, name: str, key: str) -> None:
        """Fold a parked key of a declared view or process again, as ``Application.retry`` does."""
        await self._app.retry(declared_of(self._parts, kind, name), key)  # which logs it

    async def skip(self, kind: FoldedKind, name: str, key: str, position: int, *, why: str) -> None:
        """Leave the event that parked a key out of its value, as ``Application.skip`` does."""
        await self._app.skip(declared_of(self._parts, kind, name), key, position, why=why)
        self._did(
            logging.WARNING,
            "the event at position %d was left out of key %s of %s %s",
            position,
            printable(key),
            kind,
            name,
        )

    async def build(self, view: str, *, on_progress: OnBuildProgress | None = None) -> None:
        """Build the declared version of a view, as ``Application.build`` does."""
        declared = declared_view(self._parts, view)
        await self._app.build(declared, on_progress=on_progress)
        self._did(logging.INFO, "version %d of view %s was built", declared.version, view)

    async def reset(self, view: str) -> None:
        """Delete the values of a declared view, as ``Application.reset`` does."""
        declared = declared_view(self._parts, view)
        await self._app.reset(declared)
        self._did(logging.WARNING, "version %d of view %s was reset", declared.version, view)

    async def prune(self, *names: str) -> Sequence[ViewVersion]:
        """Delete old versions of views, as ``Application.prune`` does."""
        pruned = await self._app.prune(*names)
        for each in pruned:
            self._did(logging.WARNING, "version %d of view %s was pruned", each.version, each.name)
        return pruned

    async def dead_letters(
        self, group: str, *, after: int = 0, limit: int = 50
    ) -> Sequence[ShownLetter]:
        """Return the next dead letters of a group, oldest first.

        Args:
            group: The consumer group; ``"anonymous"`` for subscriptions without one.
            after: Start after this number; 0 starts at the first letter.
            limit: The maximum number of letters. Fewer means the end.

        Raises:
            InvalidArgument: There is no such group.
        """
        return await self._letters.page(group, after, limit)

    async def replay(
        self, group: str, *, number: int | None = None, handler: EventHandler | None = None
    ) -> Replayed:
        """Deliver dead letters once more, as ``Application.replay`` does.

        Args:
            group: The consumer group.
            number: The number of the only letter to deliver; ``None`` delivers all.
            handler: Handles one event; ``None`` stands for the handler that this process has
                subscribed with the group.

        Raises:
            InvalidArgument: There is no such group or letter, or no handler was given, and this
                process has not subscribed exactly one with the group.
        """
        if handler is None:
            await self._parts.source_with(group)
            handler = self._letters.handler_of(group)
        replayed = await self._app.replay(handler, group=group, number=number)
        self._did(
            logging.INFO,
            "dead letters of group %s were replayed: %d handled, %d failed",
            group,
            replayed.handled,
            replayed.failed,
        )
        return replayed

    async def discard(self, group: str, number: int) -> None:
        """Delete a dead letter without handling its event, as ``Application.discard`` does."""
        await self._app.discard(number, group=group)  # which logs it

    async def move(self, group: str, start: Start) -> None:
        """Move a consumer group that nobody is subscribed to.

        Args:
            group: The consumer group.
            start: The place where it continues, as for ``Application.subscribe``.

        Raises:
            ReaderBusy: A member of the group is subscribed, in this process or another.
            InvalidArgument: There is no such group, or the log or the bus cannot start there.
        """
        source = await self._parts.source_with(group)
        await self._parts.check_start(start)
        await source.move(group, start)
        self._did(logging.WARNING, "group %s was moved to %s", group, start)

    async def delete_group(self, group: str) -> None:
        """Delete a consumer group that nobody is subscribed to and that has no dead letters.

        The next member of that name begins a new group.

        Raises:
            ReaderBusy: A member of the group is subscribed, in this process or another.
            InvalidArgument: There is no such group, or it has dead letters.
        """
        source = await self._parts.source_with(group)
        await source.delete_group(group)
        self._did(logging.WARNING, "group %s was deleted", group)

    async def republish(self, *, after: int = 0) -> None:
        """Publish the log again after a position, as ``Application.republish`` does."""
        await self._app.republish(after=after)
        self._did(logging.WARNING, "the log is published again after position %d", after)

    def describe(self) -> Description:
        """Return the domain of the application: commands, events, views and processes."""
        return described(self._parts)

    async def doctor(self) -> Sequence[Finding]:
        """Check the servers, the bucket and the settings, and return the findings.

        This takes at most about 15 seconds and changes nothing. A problem of a server is a finding,
        not an error. The application need not be entered.
        """
        return await self._parts.diagnosed()

    def _did(self, level: int, text: str, *arguments: object) -> None:
        _logger.log(level, "bucket %s: " + text, self._parts.bucket, *arguments)  # noqa: G003
