"""Connects the bus to an event handler: decoding, retries and dead letters."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeAlias

from attrs import evolve, frozen

from eventhus.adapter_support.backoff import Backoff
from eventhus.adapter_support.failure_log import summary, unexpected
from eventhus.adapter_support.handler_failure import handler_failure
from eventhus.adapter_support.tasks import first_done
from eventhus.domain.catalog import Catalog
from eventhus.domain.recorded import E_co, Recorded, StreamId
from eventhus.ports.bus import (
    DeadLetter,
    Message,
    MessageSource,
    NotHandledHere,
    Subscription,
)
from eventhus.ports.clock import Clock
from eventhus.ports.observer import EventBuried, Handling
from eventhus.printable import printable
from eventhus.runtime.messaging.dead_letters import letter_of
from eventhus.runtime.messaging.wire import from_message
from eventhus.runtime.observing import Observing
from eventhus.runtime.serializer import EventSerializer

RETRY = Backoff(first_s=0.1, cap_s=30.0)

UNGROUPED = "anonymous"
"""The group of the dead letters of subscriptions without a group."""

_logger = logging.getLogger(__name__)


@frozen(kw_only=True, eq=False)
class Delivered(Recorded[E_co]):
    """An event that a bus has delivered. It equals the same event as a ``Recorded``.

    Attributes:
        attempt: 1 at the first delivery, one more for each redelivery and retry. Above 1, an
            earlier attempt may have had its effect, in this process or another.
    """

    attempt: int = 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Recorded):
            return NotImplemented
        return self._recorded() == (other._recorded() if isinstance(other, Delivered) else other)

    def __hash__(self) -> int:
        return hash(self._recorded())

    def _recorded(self) -> Recorded[Any]:
        return self.with_event(self.event)


EventHandler: TypeAlias = Callable[[Delivered[Any]], Awaitable[None]]
"""Handles one event. Returning accepts it; raising asks for a retry."""


@frozen(kw_only=True)
class Replayed:
    """The result of a replay of dead letters.

    Attributes:
        handled: The number of events that were handled and are no longer dead letters.
        failed: The number that failed again, or that wait for an earlier one of their aggregate.
    """

    handled: int
    failed: int


class Subscriber:
    """Handles the messages of one subscription. The bus redelivers those on which it raises.

    Attributes:
        group: The consumer group; ``UNGROUPED`` for a subscription without one.
        types: The stored names of the events that it handles; ``None`` for all.
        in_progress: The number of messages that are being handled.
        handler: The handler of events.
    """

    def __init__(
        self,
        handler: EventHandler,
        *,
        group: str | None,
        types: Collection[str] | None,
        attempts: int,
        catalog: Catalog,
        serializer: EventSerializer,
        source: MessageSource,
        clock: Clock,
        observing: Observing | None = None,
    ) -> None:
        self.handler = handler
        self._observing = observing
        self.group = UNGROUPED if group is None else group
        self.in_progress = 0
        self.types = types
        self._attempts = attempts
        self._catalog = catalog
        self._serializer = serializer
        self._source = source
        self._clock = clock
        self._stop_retrying = asyncio.Event()

    @property
    def is_closing(self) -> bool:
        """True once the subscription, or the application, is being closed."""
        return self._stop_retrying.is_set()

    def stop_retrying(self) -> None:
        """End the pauses between attempts, because the application is being left."""
        self._stop_retrying.set()

    async def __call__(self, message: Message) -> None:
        """Handle one message, or make it a dead letter.

        Raises:
            NotHandledHere: A newer version of this application wrote the event.
        """
        self.in_progress += 1
        try:
            await self._handle(message)
        finally:
            self.in_progress -= 1

    async def _handle(self, message: Message) -> None:
        try:
            delivered = self._delivered(message)
        except NotHandledHere as newer:
            _logger.error(  # noqa: TRY400 - the message says it all
                "group %s cannot handle event %s: %s", self.group, printable(message.id), newer
            )
            raise
        except Exception as error:  # noqa: BLE001 - codecs may raise anything
            await self._bury(message, error, message.attempt)
            return
        if delivered is None:
            return
        if message.attempt > self._attempts:
            # An earlier process may have crashed while handling it or another event, or was only
            # left. Skipping the event would lose it, so a warning names it before the handler runs.
            _logger.warning(
                "event %s was delivered %d times and group %s has not acknowledged it; "
                "if this process crashes now, this event may be the cause",
                printable(message.id),
                message.attempt,
                self.group,
            )
        tried = 1
        while (failure := await handler_failure(self._call, delivered)) is not None:
            if tried >= self._attempts:
                await self._bury(message, failure, tried)
                return
            if self._stop_retrying.is_set():
                raise failure
            delay = RETRY.delay_s(tried)
            _logger.warning(
                "attempt %d of group %s failed on event %s: %s; retrying in %.2f s",
                tried,
                self.group,
                printable(message.id),
                summary(failure),
                delay,
                exc_info=unexpected(failure),
            )
            await self._sleep(delay)
            delivered = evolve(delivered, attempt=delivered.attempt + 1)
            tried += 1

    async def replay(self) -> Replayed:
        """Pass every dead letter of the group to the handler once, in order."""
        handled = failed = 0
        stuck: set[StreamId] = set()
        async for letter in self._source.dead_letters(self.group):
            stream = letter.message.stream
            if stream not in stuck and await self.replay_one(letter):
                handled += 1
            else:
                stuck.add(stream)
                failed += 1
        return Replayed(handled=handled, failed=failed)

    async def replay_one(self, letter: DeadLetter) -> bool:
        """Pass a dead letter to the handler. Delete it and return ``True`` if it is handled."""
        failure = await self._replay_failure(letter.message)
        if failure is None:
            await self._source.discard(letter, self.group)
            return True
        _logger.warning(
            "group %s failed again on event %s: %s",
            self.group,
            printable(letter.message.id),
            summary(failure),
            exc_info=unexpected(failure),
        )
        return False

    async def _replay_failure(self, message: Message) -> BaseException | None:
        try:
            delivered = self._delivered(message)
        except Exception as error:  # noqa: BLE001 - codecs may raise anything
            return error
        if delivered is None:  # to delete its letter would lose it
            return NotHandledHere("no aggregate of this application declares an event of its type")
        return await handler_failure(self._call, delivered)

    async def _call(self, delivered: Delivered[Any]) -> None:
        if self._observing is None:
            await self.handler(delivered)
            return
        operation = Handling(
            application=self._observing.application,
            group=self.group,
            event=type(delivered.event).__name__,
            event_id=delivered.id,
            stream_type=delivered.stream.aggregate_type,
            metadata=delivered.metadata,
            attempt=delivered.attempt,
        )
        with self._observing.begin(operation):
            await self.handler(delivered)

    def _delivered(self, message: Message) -> Delivered[Any] | None:
        """Return the event, or ``None`` if this group does not want it.

        Raises:
            NotHandledHere: A newer version of this application wrote the event.
        """
        stored = from_message(message)
        if self._catalog.is_of_newer_code(stored.stream, stored.event):
            raise NotHandledHere(
                f"{stored.stream}, version {stored.version}, was written by a newer version of "
                f"this application; it waits for a process that runs that version"
            )
        if not self._catalog.knows(stored.event.type):
            return None
        if self.types is not None and stored.event.type not in self.types:
            return None
        recorded = self._serializer.recorded(stored)
        return Delivered(
            stream=recorded.stream,
            version=recorded.version,
            position=recorded.position,
            id=recorded.id,
            event=recorded.event,
            recorded_at=recorded.recorded_at,
            metadata=recorded.metadata,
            attempt=message.attempt,
        )

    async def _bury(self, message: Message, error: BaseException, attempts: int) -> None:
        _logger.error(
            "event %s is a dead letter of group %s after %d attempts: %s",
            printable(message.id),
            self.group,
            attempts,
            summary(error),
            exc_info=unexpected(error),
        )
        letter = letter_of(message, error, attempts, self._clock.now())
        failures = 0
        while True:  # given back to the bus, the message would get new attempts
            try:
                await self._source.bury(letter, self.group)
            except Exception as problem:
                if self._stop_retrying.is_set():
                    raise
                failures += 1
                delay = RETRY.delay_s(failures)
                _logger.error(  # noqa: TRY400 - an outage has no traceback
                    "event %s could not be made a dead letter of group %s: %s; retrying in %.2f s",
                    printable(message.id),
                    self.group,
                    summary(problem),
                    delay,
                    exc_info=unexpected(problem),
                )
                await self._sleep(delay)
            else:
                break
        if self._observing is not None:
            self._observing.note(
                EventBuried(application=self._observing.application, group=self.group, error=error)
            )

    async def _sleep(self, delay: float) -> None:
        await first_done(self._clock.sleep(delay), self._stop_retrying.wait())


class AppSubscription:
    """A subscription of an application. Closing it first ends the pauses of its subscriber."""

    def __init__(self, subscription: Subscription, subscriber: Subscriber) -> None:
        self._subscription = subscription
        self._subscriber = subscriber

    async def close(self) -> None:
        """Close the subscription, as ``Subscription.close`` does."""
        self._subscriber.stop_retrying()
        await self._subscription.close()
