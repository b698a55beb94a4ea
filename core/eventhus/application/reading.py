"""Reading through an application: states, histories and the log."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

from eventhus.adapter_support.arguments import check_numbers, check_page
from eventhus.application.base import ApplicationBase
from eventhus.composition import (
    check_is,
    not_an_event,
    stored_query,
)
from eventhus.domain.aggregate import Aggregate
from eventhus.domain.query import Query
from eventhus.domain.recorded import Recorded, StreamId
from eventhus.errors import InvalidArgument
from eventhus.log_pages import LogPages
from eventhus.printable import printable
from eventhus.runtime.commands.envelope import (
    Loaded,
)
from eventhus.runtime.commands.repository import PAGE, Repository
from eventhus.runtime.messaging.wire import to_body

E = TypeVar("E")
S = TypeVar("S")


class Reading(ApplicationBase):
    """The methods of an application that read aggregates and the log."""

    async def state(self, aggregate: Aggregate[Any, Any, S], aggregate_id: str) -> S:
        """Return the stored state of an aggregate; ``initial`` if it has no events.

        Raises the errors of ``load``.
        """
        return (await self.load(aggregate, aggregate_id)).state

    async def load(self, aggregate: Aggregate[Any, Any, S], aggregate_id: str) -> Loaded[S]:
        """Return the stored state of an aggregate, with its version and position.

        Raises:
            InvalidArgument: The aggregate is not part of this application, or the id is empty.
            CodecError: A stored event does not fit its class.
            LogCorrupted: The stored events of the aggregate have a gap.
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        repository = self._repository(aggregate)
        current = await repository.current(StreamId(aggregate.stream_type, aggregate_id))
        return Loaded(state=current.state, version=current.version, position=current.position)

    async def state_at(
        self, aggregate: Aggregate[Any, Any, S], aggregate_id: str, *, version: int
    ) -> S:
        """Return the state of an aggregate as it was at a version.

        Args:
            aggregate: The aggregate.
            aggregate_id: Its id.
            version: The version of the last event to fold, from 0 for the initial state.

        Raises:
            InvalidArgument: ``version`` is negative, or the aggregate has not come so far; or as
                for ``load``.
            CodecError: As for ``load``.
            LogCorrupted: As for ``load``.
            NotRunning: As for ``load``.
        """
        self._running()
        repository = self._repository(aggregate)
        check_numbers(version=version)
        stream = StreamId(aggregate.stream_type, aggregate_id)
        past = await repository.at(stream, version)
        if past.version < version:
            raise InvalidArgument(f"{stream} is at version {past.version}, so it has no {version}")
        return past.state

    async def history(
        self, aggregate: Aggregate[Any, E, Any], aggregate_id: str
    ) -> list[Recorded[E]]:
        """Return every event of an aggregate, oldest first.

        Raises the errors of ``load``.
        """
        self._running()
        self._repository(aggregate)
        stream = StreamId(aggregate.stream_type, aggregate_id)
        history: list[Recorded[E]] = []
        while True:
            page = await self._store.history(stream, after_version=len(history), limit=PAGE)
            history.extend(map(self._serializer.recorded, page))
            if len(page) < PAGE:
                return history

    async def follow(
        self, query: Query | None = None, *, after: int = 0
    ) -> AsyncGenerator[Recorded[Any], None]:
        """Tail the log: yield every stored event in order, then each new one.

        Ends when the application is left. To continue later without gaps or repeats, pass the
        ``position`` of the last handled event as ``after``.

        Args:
            query: Which events, such as ``Query.of(Deposited, tags={"customer:c1"})``; ``None`` for
                all. A type is an event class, or the stored name of one.
            after: Start after this position; 0 starts at the first event.

        Raises:
            CodecError: A stored event does not fit its class.
            InvalidArgument: ``after`` is negative, or a class is not an event of this application.
            NotRunning: The application has not been entered, or has been left.
        """
        run = self._running()
        stored = stored_query(self._catalog, query)
        async with aclosing(run.follow(self._store.follow(stored, after=after))) as events:
            async for event in events:
                yield self._serializer.recorded(event)

    async def events(
        self,
        query: Query | None = None,
        *,
        stream: StreamId | None = None,
        after: int = 0,
        backwards: bool = False,
    ) -> AsyncGenerator[Recorded[Any], None]:
        """Yield the events that the log holds now, and end.

        Args:
            query: As for ``follow``.
            stream: Only the events of this stream. That of a renamed aggregate is also found by its
                present name, although it is stored under the oldest one.
            after: Only the events after this position.
            backwards: Yield the last event first.

        Raises:
            CodecError: As for ``follow``.
            InvalidArgument: As for ``follow``, or ``stream`` has no events and its type is not that
                of any aggregate, decision or process of this application.
            NotRunning: As for ``follow``.
        """
        self._running()
        check_page(1, after=after)
        if stream is not None:
            stream = await self._stored(stream)
        log = LogPages(self._store, stored_query(self._catalog, query), stream)
        pages = log.backwards(after) if backwards else log.forwards(after)
        async with aclosing(pages):
            async for page in pages:
                for event in page:
                    self._running()
                    yield self._serializer.recorded(event)

    def wire(self, recorded: Recorded[Any]) -> bytes:
        """Return an event as the body of a message: UTF-8 JSON, readable from any language.

        The keys are ``aggregate_id``, ``aggregate_type``, ``version``, ``type`` and ``data``. The
        name and the data are those of the current schema. An event that was stored under an older
        name or schema was published in that older form.

        Raises:
            InvalidArgument: The event's class is not an event of this application.
            CodecError: The value of a field does not fit its type.
        """
        try:
            return to_body(recorded.with_event(self._serializer.encode(recorded.event)))
        except KeyError:
            known = self._catalog.followed
            raise InvalidArgument(not_an_event(type(recorded.event), known)) from None

    async def _stored(self, stream: StreamId) -> StreamId:
        """Return the stream under the type that it is stored with.

        Raises:
            InvalidArgument: It has no events, and no part of the application has its type.
        """
        name = stream.aggregate_type
        aggregate = self._catalog.aggregate_of(name)
        stored_type = name if aggregate is None else aggregate.stream_type
        is_known = self._catalog.has_streams(name) or name in self._readers.stream_types
        if (is_known and stored_type == name) or await self._store.version_of(stream):
            return stream
        if not is_known:
            raise InvalidArgument(
                f"{stream} has no events, and {printable(name)} is not an aggregate type of "
                f"this application; pass a StreamId of one, such as recorded.stream"
            )
        return StreamId(stored_type, stream.aggregate_id)

    def _repository(self, aggregate: Aggregate[Any, Any, S]) -> Repository[S]:
        check_is(aggregate, Aggregate)
        repository = self._router.repository(aggregate)
        if repository is None:
            advice = "add it to aggregates"
            if self._catalog.aggregate(aggregate.name) is not None:
                advice = "another one has its name; pass the object that it is composed of"
            raise InvalidArgument(
                f"{aggregate.name} is not an aggregate of this application; {advice}"
            )
        return repository
