"""The port to the event bus."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from attrs import field, frozen

from eventhus.domain.recorded import StreamId


@frozen(kw_only=True)
class Message:
    """One event on the wire.

    Attributes:
        id: The event's id, by which a bus may recognise a repeat.
        stream: The aggregate that it happened to. Messages of one stream keep their order.
        type: The stored name of the event's class.
        body: UTF-8 JSON: ``aggregate_id``, ``aggregate_type``, ``version``, ``type``, ``data``.
        headers: Everything else about the event. ASCII.
        published_at: When the bus took it, aware, if the bus knows.
        attempt: 1 at the first delivery, one more at each further one.
    """

    id: str
    stream: StreamId
    type: str = ""
    body: bytes
    headers: Mapping[str, str] = field(factory=dict[str, str], hash=False)
    published_at: datetime | None = field(default=None, eq=False)
    attempt: int = 1


@frozen(kw_only=True)
class DeadLetter:
    """A message that a group could not handle.

    Attributes:
        message: The message, as it was, with headers that say what went wrong.
        number: Names the letter among those of its group, in the order of their coming.
    """

    message: Message
    number: int


MessageHandler: TypeAlias = Callable[[Message], Awaitable[None]]
"""Takes one message. Returning accepts it; raising asks for it to be delivered again."""


class Publisher(Protocol):
    """The right to publish, until somebody else does."""

    @property
    def acknowledged(self) -> int:
        """How many of the messages given so far, from the first, the bus answers for."""
        ...

    async def publish(self, messages: Sequence[Message]) -> None:
        """Hand messages to the bus, in order. Once this returns, the bus answers for them.

        Where it raises, the bus answers for the first ``acknowledged``, and may hold any of the
        others, in order. Begin again with a new publisher, behind the last that is acknowledged.

        Raises:
            PublisherReplaced: Somebody else has published since this publisher began, and the bus
                has seen that: nothing of what this one says may come behind it.
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...


class Subscription(Protocol):
    """A handler that is being given messages."""

    async def close(self) -> None:
        """Take no more messages, and return once those being handled are done."""
        ...


class EventBus(Protocol):
    """Carries messages from a publisher to many subscribers, at least once each.

    An asynchronous context manager: entered before first use, left after last use. Leaving it
    lets the handlers come to their end. A bus that keeps messages only in memory first gives every
    message that was published to its subscribers one more chance.
    """

    async def publisher(self) -> Publisher:
        """Begin to publish.

        A bus that can tell refuses what a publisher says once another has published after it
        began: one that was paused, and does not know, then cannot repeat what is long past.

        Raises:
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...

    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> Subscription:
        """Give every message that is published from now on to ``handler``.

        The messages of one stream are handled one after the other, in order; those of different
        streams may be handled side by side, by one member of a group or several. A message whose
        handler raised is delivered again later, and holds back the later ones of its stream.

        A bus that keeps messages keeps the place of a group: when a member comes back, the group
        goes on where it was.

        Args:
            handler: Called with one message.
            group: Subscriptions with the same group share the messages: each goes to one of
                them. 1 to 63 letters, digits, hyphens and underscores. ``None`` makes a group of
                its own, which ends with the subscription.
            concurrency: The most messages that this subscription handles at once.

        Raises:
            InvalidArgument: ``group`` has another form, or ``concurrency`` is below 1.
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...

    async def bury(self, message: Message, group: str) -> None:
        """Keep a message that a group could not handle as a dead letter of the group.

        Raises:
            InvalidArgument: ``group`` has another form than for ``subscribe``.
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...

    def dead_letters(self, group: str) -> AsyncGenerator[DeadLetter, None]:
        """The dead letters that a group has now, the oldest first.

        Raises:
            InvalidArgument: ``group`` has another form than for ``subscribe``.
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...

    async def discard(self, letter: DeadLetter, group: str) -> None:
        """Delete a dead letter of a group. Does nothing if it is gone.

        Raises:
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
