"""Event handlers and publishing."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import aclosing

from eventhus.adapter_support.arguments import check_count, check_group, check_page, check_start
from eventhus.application.base import ApplicationBase
from eventhus.composition import check_handler, stored_names, unknown
from eventhus.domain.start import Start
from eventhus.errors import CompositionError, InvalidArgument
from eventhus.ports.bus import DeadLetter, MessageSource, Subscription
from eventhus.printable import counted, printable
from eventhus.runtime.messaging.dead_letters import BuriedEvent, buried_event
from eventhus.runtime.messaging.subscriber import (
    UNGROUPED,
    AppSubscription,
    EventHandler,
    Replayed,
    Subscriber,
)
from eventhus.runtime.readers.relay import CHECKPOINT

_logger = logging.getLogger("eventhus")


class Messaging(ApplicationBase):
    """The methods of an application for event handlers, dead letters and publishing."""

    async def subscribe(
        self,
        handler: EventHandler,
        *,
        group: str | None = None,
        types: Iterable[type] | None = None,
        start: Start = "now",
        concurrency: int = 16,
        attempts: int = 10,
    ) -> Subscription:
        """Deliver events to ``handler``, each at least once.

        Events of one aggregate are handled in order, those of different aggregates concurrently. If
        the handler raises, it is called again after 0.1 seconds, then after twice as long each
        time, up to 30 seconds; later events of the same aggregate wait. After the last attempt the
        event goes to the dead-letter queue of its group, for ``replay``. An event that cannot be
        decoded goes there at once. Attempts are counted for each process: after a failover the
        count starts again.

        Without a bus, handlers read the log itself, and a group keeps its position and its dead
        letters in the store.

        Because an event may be delivered twice, a handler with side effects should remember the
        ``id`` or ``position`` of the last event. While the application is being left, handlers may
        still read from it, but not dispatch.

        Args:
            handler: Handles one event: an ``async def`` function, or an object with an
                ``async def __call__``.
            group: The consumer group. Its members, in this process and others, share the events, so
                all of them take the same ``types``. 1 to 63 letters, digits, hyphens and
                underscores. A bus that keeps messages also
                keeps the position of the group. ``None`` makes a group for this subscription
                alone, which ends with it; its dead letters go to the group ``"anonymous"``.
            types: The event classes to deliver; others are skipped. ``None`` delivers all events
                that the aggregates of this application declare.
            start: Where a new group begins: ``"now"`` with the next event; ``"beginning"`` with the
                first one of the log, or that the bus keeps; or after a position, such as
                ``Committed.position``. A group that exists keeps its place. Core NATS keeps no
                events, so there it can only be ``"now"``.
            concurrency: The maximum number of events handled at once, at least 1.
            attempts: The number of attempts before an event becomes a dead letter, at least 1.

        Raises:
            InvalidArgument: The handler is not a coroutine function, ``group`` or ``start`` does
                not have that form, a number is below 1, the log does not reach ``start``, the bus
                cannot start there, one of ``types`` is not an event of this application, or another
                subscription of the group in this application has other ``types``.
            BusUnavailable: The bus could not be reached, or did not answer in time.
            NotRunning: The application has not been entered, or has been left.
        """
        run = self._running()
        check_handler(handler)
        check_group(group, concurrency)
        check_count("attempts", attempts)
        await self._check_start(start)
        names = None if types is None else stored_names(self._catalog, types)
        self._check_members(group, names)
        subscriber = Subscriber(
            handler,
            group=group,
            types=names,
            attempts=attempts,
            catalog=self._catalog,
            serializer=self._serializer,
            source=self._source,
            clock=self._clock,
            observing=self._observing,
        )
        self._subscribers.add(subscriber)  # before any other can pass the check of members
        try:
            source = await run.messages.entered()
            subscription = await source.subscribe(
                subscriber,
                group=group,
                concurrency=concurrency,
                start=start,
                unwanted=frozenset() if names is None else self._catalog.names - names,
            )
        except BaseException:
            self._subscribers.discard(subscriber)
            raise
        if group is not None:  # the others come and go, one for each visitor of a website
            _logger.info(
                "bucket %s: group %s handles %s, %d at once",
                self.bucket,
                group,
                "all events" if names is None else ", ".join(sorted(names)),
                concurrency,
            )
        return AppSubscription(subscription, subscriber)

    async def dead_letters(
        self, *, group: str = UNGROUPED, after: int = 0, limit: int = 100
    ) -> Sequence[BuriedEvent]:
        """Return the next dead letters of a group, oldest first.

        Args:
            group: The consumer group.
            after: Start after this number, such as that of the last letter of the page before; 0
                starts at the first one.
            limit: The maximum number of letters, at least 1. Fewer means the end.

        Raises:
            InvalidArgument: ``group`` does not have the form that ``subscribe`` takes, or does not
                exist, ``limit`` is below 1, or ``after`` is negative. Core NATS does not know its
                groups, and has no dead letters.
            BusUnavailable: The bus could not be reached, or did not answer in time.
            NotRunning: The application has not been entered, or has been left.
        """
        check_page(limit, after=after)
        source = await self._source_with(group)
        letters: list[BuriedEvent] = []
        async with aclosing(source.dead_letters(group, after=after)) as found:
            async for letter in found:
                letters.append(buried_event(letter))
                if len(letters) == limit:
                    break
        return letters

    async def replay(
        self, handler: EventHandler, *, group: str = UNGROUPED, number: int | None = None
    ) -> Replayed:
        """Deliver the dead letters of a group to ``handler`` once each, oldest first.

        A handled letter is deleted. If the handler raises, or this application does not declare
        the event, the letter stays in its place, and so do the later ones of its aggregate.

        Args:
            handler: Handles one event, as for ``subscribe``.
            group: The consumer group.
            number: The number of the only letter to deliver, whether there are earlier ones of its
                aggregate or not; ``None`` delivers all.

        Raises:
            InvalidArgument: The handler or ``group`` does not have the form that ``subscribe``
                takes, the group does not exist, or it has no letter of that number. Core NATS does
                not know its groups, and has no dead letters to replay.
            BusUnavailable: The bus could not be reached, or did not answer in time.
            NotRunning: The application has not been entered, or has been left.
        """
        check_handler(handler)
        source = await self._source_with(group)
        letter = None if number is None else await _letter(source, group, number)
        subscriber = Subscriber(
            handler,
            group=group,
            types=None,
            attempts=1,
            catalog=self._catalog,
            serializer=self._serializer,
            source=source,
            clock=self._clock,
            observing=self._observing,
        )
        if letter is None:
            return await subscriber.replay()
        is_handled = await subscriber.replay_one(letter)
        return Replayed(handled=int(is_handled), failed=int(not is_handled))

    async def discard(self, number: int, *, group: str = UNGROUPED) -> None:
        """Delete a dead letter without handling its event, and log a warning that names it.

        Args:
            number: The number of the letter, as ``dead_letters`` returns it.
            group: The consumer group.

        Raises:
            InvalidArgument: ``group`` does not have the form that ``subscribe`` takes, does not
                exist, or has no letter of that number.
            BusUnavailable: The bus could not be reached, or did not answer in time.
            NotRunning: The application has not been entered, or has been left.
        """
        source = await self._source_with(group)
        letter = await _letter(source, group, number)
        await source.discard(letter, group)
        _logger.warning(
            "bucket %s: dead letter %d of group %s was discarded; it was event %s",
            self.bucket,
            number,
            group,
            printable(letter.message.id),
        )

    async def republish(self, *, after: int = 0) -> None:
        """Publish the log again, starting after a position.

        Every event after it reaches the subscribers once more, except those that the bus still
        recognises as repeats. Do this after the log was restored to an earlier point
        (``LogChanged``).

        Args:
            after: Start after this position; 0 starts at the first event.

        Raises:
            CompositionError: The application has no bus.
            InvalidArgument: ``after`` is negative, or beyond the last published event that the log
                holds: the events in between would never be published.
            ReaderBusy: Another process is publishing; nothing was changed.
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        if self._relay is None:
            raise CompositionError(
                'the application has no bus; compose it with one, such as bus="memory://"'
            )
        check_page(1, after=after)
        published = (await self._store.load_checkpoint(CHECKPOINT)).position
        most = min(published, await self._store.head())
        if after > most:
            raise InvalidArgument(f"after is {after}, and only {most} events were published")
        await self._relay.rewind(after)

    async def relay_lag(self) -> int:
        """Return the number of events in the log that no relay has published yet.

        Raises:
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        published = (await self._store.load_checkpoint(CHECKPOINT)).position
        return max(0, await self._store.head() - published)

    async def _check_start(self, start: Start) -> None:
        check_start(start)
        if isinstance(start, int) and start > (head := await self._store.head()):
            raise InvalidArgument(
                f"start is {start}, and the log ends at {head}; start at a position that it has"
            )

    def _check_members(self, group: str | None, types: frozenset[str] | None) -> None:
        """Refuse a member of a group that would lose the events of another one, or lose its own.

        One member at a time handles the events of a group, and skips those it does not take.
        """
        for other in self._subscribers:
            is_member = group is not None and other.group == group and not other.is_closing
            if is_member and other.types != types:
                raise InvalidArgument(
                    f"group {group!r} has a subscription with other types in this application, and "
                    f"the events that only one of them takes would be lost; give each kind of "
                    f"handler a group of its own"
                )

    async def _source_with(self, group: str) -> MessageSource:
        """Return the source of messages, after checking that it has a group."""
        run = self._running()
        check_group(group)
        source = await run.messages.entered()
        if group != UNGROUPED and not await source.has_group(group):
            raise unknown("group", group, {each.name for each in await source.groups()})
        return source

    def _unfinished_handlers(self) -> str:
        running: Counter[str] = Counter()
        for subscriber in self._subscribers:
            running[subscriber.group] += subscriber.in_progress
        handlers = [f"{counted(n, 'handler')} of group {group}" for group, n in (+running).items()]
        return ", ".join(handlers) or "the bus"

    def _stop_retrying(self) -> None:
        for subscriber in self._subscribers:
            subscriber.stop_retrying()


async def _letter(source: MessageSource, group: str, number: int) -> DeadLetter:
    check_count("number", number)
    async with aclosing(source.dead_letters(group, after=number - 1)) as found:
        async for letter in found:
            if letter.number == number:
                return letter
            break
    raise InvalidArgument(
        f"group {group!r} has no dead letter {number}; app.dead_letters lists those that it has"
    )
