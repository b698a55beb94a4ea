"""The event bus: publishing, consumer groups and dead-letter queues.

Every bus refuses to publish messages beyond these limits with ``InvalidArgument``, before it sends
anything. Lengths are in bytes of UTF-8.

- ``aggregate_id``: 1,024. Id of a message: 512.
- ``aggregate_type``, type of an event, name of a header: 255.
- Headers: names of letters, digits and punctuation, values of printable ASCII; all together 60,000,
  with four for each.

The headers of every event that a store accepts are within them. How large a body may be depends on
the bus.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from attrs import field, frozen

from eventhus.domain.recorded import StreamId
from eventhus.domain.start import Start
from eventhus.ports.diagnosis import Diagnosable


@frozen(kw_only=True)
class Message:
    """One event on the wire.

    Attributes:
        id: The id of the event. A bus may use it to drop repeats.
        stream: The stream of the event. Messages of one stream stay in order.
        type: The stored name of the event's class.
        body: UTF-8 JSON: ``aggregate_id``, ``aggregate_type``, ``version``, ``type``, ``data``.
        headers: Everything else about the event, in ASCII.
        published_at: When the bus accepted it, timezone-aware; ``None`` if the bus does not know.
        attempt: 1 for the first delivery, 2 for the second, and so on.
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
    """A message in the dead-letter queue of a consumer group.

    Attributes:
        message: The original message with additional headers that say what went wrong.
        number: Identifies the letter in the queue of its group; higher numbers came later.
    """

    message: Message
    number: int


@frozen(kw_only=True)
class GroupStatus:
    """The progress of a consumer group, as far as the bus knows it.

    Attributes:
        name: The name of the group.
        position: The position of the last event in the log that it is done with, and with all
            before it; ``None`` if the bus cannot tell.
        waiting: The number of messages that it has not handled, or a few more where the bus counts
            some that it does not want; ``None`` if the bus cannot tell.
        dead_letters: The number of its dead letters; 10,000 if there are more.
        damage: The reason why its place cannot be read, and the remedy; ``None`` if it can.
    """

    name: str
    position: int | None
    waiting: int | None
    dead_letters: int
    damage: str | None = None


MessageHandler: TypeAlias = Callable[[Message], Awaitable[None]]
"""Handles one message.

Returning accepts it, and raising asks the bus to deliver it again. ``NotHandledHere`` asks the bus
to deliver it to another process.
"""


class NotHandledHere(Exception):
    """Raised by a handler whose process must not handle a message, but another one can.

    The bus keeps the message, and a process that leads a consumer group steps down, so that a
    newer version of the program can take over.
    """


class Publisher(Protocol):
    """The right to publish until another publisher takes over."""

    @property
    def acknowledged(self) -> int:
        """The number of published messages, counted from the first, that the bus has confirmed."""
        ...

    @property
    def is_first(self) -> bool:
        """True if nothing was ever published before. False if the bus cannot know."""
        ...

    def published(self) -> AsyncGenerator[Message, None]:
        """Yield the messages that were on the bus when this publisher began, last first.

        It ends where the bus has not kept a message. Other programs may have published some.

        Raises:
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish messages in order, and return once the bus has confirmed all of them.

        If this raises, the first ``acknowledged`` messages are confirmed, and the bus may hold
        some of the later ones, in order. Start again with a new publisher after the last
        confirmed message.

        Raises:
            InvalidArgument: A message is beyond a limit of the list above; nothing was sent.
            PublisherReplaced: Another publisher has published since this one began, and the bus
                can tell. It accepts nothing more from this one.
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...


class Subscription(Protocol):
    """A handler that receives messages."""

    async def close(self) -> None:
        """Stop receiving, and return once the messages in hand are handled."""
        ...


class MessageSource(Diagnosable, Protocol):
    """Delivers messages to many consumer groups, at least once to each.

    An asynchronous context manager: entered before the first use, left after the last. Leaving it
    waits for the running handlers.
    """

    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        start: Start = "now",
        unwanted: Collection[str] = (),
    ) -> Subscription:
        """Deliver messages to ``handler``, each at least once.

        Messages of one stream are handled one after the other, in order. Messages of different
        streams may be handled concurrently, by one member of a group or several. If the handler
        raises, the message is delivered again later, and the later ones of its stream wait.

        A source that keeps messages also keeps the position of each group. A group whose members
        return continues there.

        Args:
            handler: Called with one message.
            group: The consumer group: each message goes to one of its members. 1 to 63 letters,
                digits, hyphens and underscores. ``None`` makes a group for this subscription
                alone, which ends with it.
            concurrency: The maximum number of messages that this subscription handles at once.
            start: Where a new group begins: with the next message, with the first one that is kept,
                or after a position of the log, as far as messages are kept. A group that exists
                keeps its place.
            unwanted: Types of messages that the handler ignores, so that they may be left out.

        Raises:
            InvalidArgument: ``group`` or ``start`` does not have that form, ``concurrency`` is
                below 1, or messages are not kept and ``start`` is not ``"now"``.
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...

    async def bury(self, message: Message, group: str) -> None:
        """Put a message that a group could not handle into its dead-letter queue.

        Any message that a subscription was given can be buried, also one of another program that is
        beyond the limits. Headers that do not fit are left out.

        Raises:
            InvalidArgument: ``group`` does not have the form that ``subscribe`` takes, or the id
                or a header of the message is not Unicode text.
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...

    async def has_group(self, group: str) -> bool:
        """Return whether a group has dead letters or has ever subscribed.

        A bus that cannot know returns ``True``.

        Raises:
            InvalidArgument: ``group`` does not have the form that ``subscribe`` takes.
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...

    async def groups(self) -> Sequence[GroupStatus]:
        """Return the progress of the consumer groups, in the order of their names.

        They are the groups of which ``has_group`` is true, the first 1,000 of them. A bus that
        cannot know them returns none.

        Raises:
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...

    async def move(self, group: str, start: Start) -> None:
        """Move a group that nobody is subscribed to: it goes on where a new one would begin.

        Its dead letters stay. A member that subscribes meanwhile may wait until the group has
        moved.

        Args:
            group: The consumer group. It has subscribed before.
            start: As for ``subscribe``. ``"now"`` is the time of this call.

        Raises:
            ReaderBusy: A member of the group is subscribed, in whichever process.
            InvalidArgument: ``group`` or ``start`` does not have its form, or there is no such
                group, or messages are not kept.
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...

    async def delete_group(self, group: str) -> None:
        """Delete a group that nobody is subscribed to and that has no dead letters.

        The next member of that name begins a new group. One that subscribes meanwhile does so, too,
        or continues the old group.

        Raises:
            ReaderBusy: A member of the group is subscribed, in whichever process.
            InvalidArgument: ``group`` does not have its form, there is no such group, it has dead
                letters, or groups are not kept.
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...

    def dead_letters(self, group: str, *, after: int = 0) -> AsyncGenerator[DeadLetter, None]:
        """Yield the dead letters that a group has now, oldest first.

        Those that are buried meanwhile may be among them.

        Args:
            group: The consumer group.
            after: Start after the letter of this number; 0 starts at the first one.

        Raises:
            InvalidArgument: ``group`` does not have the form that ``subscribe`` takes, or ``after``
                is out of range.
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...

    async def discard(self, letter: DeadLetter, group: str) -> None:
        """Delete a dead letter of a group. Do nothing if it is gone.

        Raises:
            InvalidArgument: ``group`` does not have the form that ``subscribe`` takes.
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


class EventBus(MessageSource, Protocol):
    """A message source with one publisher.

    A bus that keeps messages only in memory delivers every published message to its subscribers
    once more before it is left.
    """

    async def publisher(self) -> Publisher:
        """Return a new publisher.

        If the bus can tell, it refuses the messages of an older publisher as soon as a newer one
        has published. A publisher that was paused then cannot repeat old messages.

        Raises:
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        ...
