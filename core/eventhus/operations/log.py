"""Events of the log as plain data: pages, a live tail, single events and conversations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing

from attrs import frozen

from eventhus.adapter_support.arguments import check_page
from eventhus.composition import stored_query
from eventhus.domain.query import Query
from eventhus.errors import CodecError, InvalidArgument
from eventhus.operations.app_parts import AppParts
from eventhus.operations.redaction import Redactable, Redactor
from eventhus.operations.values import Conversation, Effect, LoggedEvent, LogPage
from eventhus.ports.store import Page, StoredEvent
from eventhus.runtime.readers.keyed_events import problem_of

MOST = 1_000
"""The maximum number of items of a page."""


def check_limit(limit: int) -> None:
    """Check the size of a page.

    Raises:
        InvalidArgument: It is below 1 or above 1,000.
    """
    check_page(limit)
    if limit > MOST:
        raise InvalidArgument(f"limit is {limit:,}; a page has at most {MOST:,} items")


@frozen
class Log:
    """The log of one application.

    Attributes:
        parts: The application.
        redactor: Changes the data of events.
    """

    parts: AppParts
    redactor: Redactor

    async def before(self, query: Query | None, before: int | None, limit: int) -> LogPage:
        """Return the events before a position, as ``Operations.log`` does."""
        check_limit(limit)
        stored = stored_query(self.parts.catalog, query)
        return self._page(await self.parts.store.read_backwards(stored, before=before, limit=limit))

    async def after(self, query: Query | None, after: int, limit: int) -> LogPage:
        """Return the events after a position, as ``Operations.log_after`` does."""
        check_limit(limit)
        stored = stored_query(self.parts.catalog, query)
        return self._page(await self.parts.store.read(stored, after=after, limit=limit))

    def _page(self, page: Page) -> LogPage:
        return LogPage(
            events=self.all_shown(page.events), position=page.position, is_last=page.is_last
        )

    async def tail(
        self, query: Query | None, after: int | None
    ) -> AsyncGenerator[LoggedEvent, None]:
        """Yield events as they come, as ``Operations.tail`` does."""
        run, store = self.parts.running(), self.parts.store
        stored = stored_query(self.parts.catalog, query)
        start = await store.head() if after is None else after
        async with aclosing(run.follow(store.follow(stored, after=start))) as events:
            async for event in events:
                yield self.shown(event)

    async def event(self, id_or_position: str | int) -> LoggedEvent | None:
        """Return one event, as ``Operations.event`` does."""
        store = self.parts.store
        if isinstance(id_or_position, str):
            found = await store.find_event(id_or_position)
            return None if found is None else self.shown(found)
        check_page(1, after=id_or_position)
        if id_or_position == 0:
            return None
        page = await store.read(after=id_or_position - 1, limit=1)
        return self.shown(page.events[0]) if page.events else None

    async def conversation(self, correlation_id: str, limit: int) -> Conversation:
        """Return a conversation, as ``Operations.conversation`` does."""
        check_limit(limit)
        found: list[StoredEvent] = []
        after = 0
        while len(found) <= limit:
            page = await self.parts.store.related(
                correlation_id, after=after, limit=limit + 1 - len(found)
            )
            if not page:
                break
            found += page
            after = page[-1].position
        events = self.all_shown(found[:limit])
        return Conversation(
            correlation_id=correlation_id,
            roots=_trees(events),
            size=len(events),
            is_cut=len(found) > limit,
        )

    def all_shown(self, events: Iterable[StoredEvent]) -> list[LoggedEvent]:
        """Return events as plain data."""
        return [self.shown(event) for event in events]

    def shown(self, recorded: StoredEvent) -> LoggedEvent:
        """Return an event as plain data, with the reason if it cannot be decoded."""
        event, metadata = recorded.event, recorded.metadata
        problem: str | None = None
        try:
            self.parts.serializer.decode(event)
        except CodecError as error:
            problem = problem_of(error)
        shown = self.redactor.shown(Redactable(kind="event", name=event.type, data=event.data))
        return LoggedEvent(
            stream=recorded.stream,
            version=recorded.version,
            position=recorded.position,
            id=recorded.id,
            type=event.type,
            schema=event.schema,
            data=shown.data,
            tags=tuple(sorted(event.tags)),
            recorded_at=recorded.recorded_at,
            correlation_id=metadata.correlation_id,
            causation_id=metadata.causation_id,
            metadata=dict(metadata.values),
            problem=shown.problem or problem,
        )


def _trees(events: Sequence[LoggedEvent]) -> Sequence[Effect]:
    """Return the trees of causes and effects of events in the order of the log.

    An event is an effect only of an earlier one, whatever it says, so every event is in one tree.
    """
    seen: set[str] = set()
    roots: list[LoggedEvent] = []
    effects: dict[str, list[LoggedEvent]] = {}
    for event in events:
        cause = event.causation_id
        if cause is not None and cause in seen:
            effects.setdefault(cause, []).append(event)
        else:
            roots.append(event)
        seen.add(event.id)
    return _grown(roots, events, effects)


def _grown(
    roots: Sequence[LoggedEvent],
    events: Sequence[LoggedEvent],
    effects: Mapping[str, Sequence[LoggedEvent]],
) -> Sequence[Effect]:
    """Return the trees of some events, made from their leaves: a chain may be very long."""
    trees: dict[str, Effect] = {}
    for event in reversed(events):  # an effect comes after its cause
        trees[event.id] = Effect(
            event=event, effects=tuple(trees[each.id] for each in effects.get(event.id, ()))
        )
    return tuple(trees[root.id] for root in roots)
