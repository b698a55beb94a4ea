"""Between the bus and a handler: decoding, trying again, and dead letters."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeAlias

from attrs import evolve, frozen

from eventhus.adapter_support.tasks import being_cancelled
from eventhus.domain.recorded import E_co, Recorded, StreamId
from eventhus.ports.bus import EventBus, Message, Subscription
from eventhus.ports.clock import Clock
from eventhus.runtime.messaging.wire import from_message
from eventhus.runtime.serializer import EventSerializer

RETRY_S = 0.1  # before the second attempt; doubles with every further one, up to the cap
RETRY_CAP_S = 30.0
DOUBLINGS = 9  # enough to reach the cap

ERROR_TYPE = "Eventhus-Error-Type"
ERROR = "Eventhus-Error"  # as JSON, since it may hold what no header may
ERROR_ATTEMPTS = "Eventhus-Error-Attempts"
FAILED_AT = "Eventhus-Failed-At"
ERROR_HEADERS = (ERROR_TYPE, ERROR, ERROR_ATTEMPTS, FAILED_AT)
_ERROR_LIMIT = 1000  # characters of an error's text

UNGROUPED = "anonymous"
"""The group whose dead letters are those of subscriptions without a group."""

_logger = logging.getLogger(__name__)


@frozen(kw_only=True, eq=False)
class Delivered(Recorded[E_co]):
    """An event that a bus has delivered. Equal to the ``Recorded`` that it is.

    Attributes:
        attempt: 1 at the first delivery, one more each time that it is delivered or tried again.
            Above 1, an earlier attempt may have had its effect, in this process or in another.
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
"""Takes one event. Returning accepts it; raising asks for it to be tried again."""


@frozen(kw_only=True)
class Replayed:
    """What came of giving a group's dead letters to a handler again.

    Attributes:
        handled: How many were handled, and are dead letters no more.
        failed: How many failed again, or wait behind one of their aggregate that did.
    """

    handled: int
    failed: int


class Subscriber:
    """Handles the messages of one subscription; what it raises, the bus is to deliver again."""

    def __init__(
        self,
        handler: EventHandler,
        *,
        group: str | None,
        types: Collection[str] | None,
        attempts: int,
        serializer: EventSerializer,
        bus: EventBus,
        clock: Clock,
    ) -> None:
        self._handler = handler
        self._group = UNGROUPED if group is None else group
        self._types = types
        self._attempts = attempts
        self._serializer = serializer
        self._bus = bus
        self._clock = clock
        self._stop_retrying = asyncio.Event()

    def stop_retrying(self) -> None:
        """Wait no longer between two attempts: the application is being left."""
        self._stop_retrying.set()

    async def __call__(self, message: Message) -> None:
        """Handle one message, or bury it."""
        try:
            delivered = self._delivered(message)
        except Exception as error:  # noqa: BLE001 - somebody's codec may fail as it likes
            await self._bury(message, error, message.attempt)
            return
        if delivered is None:
            return
        if message.attempt > self._attempts:
            # Whoever had it may have died of it, or of another that they had in hand, or only have
            # been left. Not to try it would be to lose it; so this names who is to be looked at.
            _logger.warning(
                "event %s was delivered %d times, and group %s has not answered for it: if this "
                "process ends now, look at it",
                message.id,
                message.attempt,
                self._group,
            )
        tried = 1
        while failure := await self._failure(delivered):
            if tried >= self._attempts:
                await self._bury(message, failure, tried)
                return
            if self._stop_retrying.is_set():
                raise failure
            delay = _backoff(tried)
            _logger.warning(
                "attempt %d of group %s failed on event %s; again in %.2f s",
                tried,
                self._group,
                message.id,
                delay,
                exc_info=failure,
            )
            await self._sleep(delay)
            delivered = evolve(delivered, attempt=delivered.attempt + 1)
            tried += 1

    async def replay(self) -> Replayed:
        """Give every dead letter of the group to the handler once, in order."""
        handled = failed = 0
        stuck: set[StreamId] = set()
        async for letter in self._bus.dead_letters(self._group):
            message = letter.message
            if message.stream not in stuck:
                failure = await self._handled(message)
                if failure is None:
                    await self._bus.discard(letter, self._group)
                    handled += 1
                    continue
                _logger.warning(
                    "group %s failed again on event %s", self._group, message.id, exc_info=failure
                )
                stuck.add(message.stream)
            failed += 1
        return Replayed(handled=handled, failed=failed)

    async def _handled(self, message: Message) -> BaseException | None:
        try:
            delivered = self._delivered(message)
        except Exception as error:  # noqa: BLE001 - as above
            return error
        return None if delivered is None else await self._failure(delivered)

    def _delivered(self, message: Message) -> Delivered[Any] | None:
        """The event, unless it is of a type that nobody asked for."""
        stored = from_message(message)
        if self._types is not None and stored.event.type not in self._types:
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

    async def _failure(self, delivered: Delivered[Any]) -> BaseException | None:
        try:
            await self._handler(delivered)
        except (GeneratorExit, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and being_cancelled():
                raise
            return error  # handlers fail as they like
        return None

    async def _bury(self, message: Message, error: BaseException, attempts: int) -> None:
        _logger.error(
            "event %s is a dead letter of group %s after %d attempts",
            message.id,
            self._group,
            attempts,
            exc_info=error,
        )
        cls = type(error)
        headers = {
            **message.headers,
            ERROR_TYPE: json.dumps(f"{cls.__module__}.{cls.__qualname__}").strip('"'),
            ERROR_ATTEMPTS: str(attempts),
            FAILED_AT: self._clock.now().isoformat(),
            ERROR: json.dumps(str(error)[:_ERROR_LIMIT]),
        }
        letter = evolve(message, headers=headers)
        failures = 0
        while True:  # the handler has had its attempts: given back, the message would get new ones
            try:
                await self._bus.bury(letter, self._group)
            except Exception:
                if self._stop_retrying.is_set():
                    raise
                failures += 1
                delay = _backoff(failures)
                _logger.exception(
                    "event %s cannot be made a dead letter of group %s; again in %.2f s",
                    message.id,
                    self._group,
                    delay,
                )
                await self._sleep(delay)
            else:
                return

    async def _sleep(self, delay: float) -> None:
        sleeping = asyncio.ensure_future(self._clock.sleep(delay))
        hurrying = asyncio.ensure_future(self._stop_retrying.wait())
        try:
            await asyncio.wait({sleeping, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            hurrying.cancel()


def _backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return float(min(RETRY_CAP_S, RETRY_S * 2 ** min(failures - 1, DOUBLINGS)))


class AppSubscription:
    """A subscription of an application: closing it first lets its subscriber stop_retrying."""

    def __init__(self, subscription: Subscription, subscriber: Subscriber) -> None:
        self._subscription = subscription
        self._subscriber = subscriber

    async def close(self) -> None:
        """See ``Subscription.close``."""
        self._subscriber.stop_retrying()
        await self._subscription.close()
