"""The port to the event bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
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
        body: UTF-8 JSON: ``aggregate_id``, ``aggregate_type``, ``version``, ``type``, ``data``.
        headers: Everything else about the event. ASCII.
        attempt: 1 at the first delivery, one more at each further one.
    """

    id: str
    stream: StreamId
    body: bytes
    headers: Mapping[str, str] = field(factory=dict[str, str], hash=False)
    attempt: int = 1


MessageHandler: TypeAlias = Callable[[Message], Awaitable[None]]
"""Takes one message. Returning accepts it; raising asks for it to be delivered again."""


class Subscription(Protocol):
    """A handler that is being given messages."""

    async def close(self) -> None:
        """Take no more messages, and return once those being handled are done."""
        ...


class EventBus(Protocol):
    """Carries messages from one publisher to many subscribers, at least once each.

    An asynchronous context manager: entered before first use, left after last use. Leaving it
    gives every message that was published to its subscribers one more chance, then stops.
    """

    async def publish(self, messages: Sequence[Message]) -> None:
        """Hand messages to the bus, in order. Once this returns, the bus answers for them.

        Where it raises, any prefix of ``messages`` may have been taken; publish them again.
        """
        ...

    async def subscribe(self, handler: MessageHandler, *, group: str | None = None) -> Subscription:
        """Give every message that is published from now on to ``handler``.

        The messages of one stream are handled one after the other, in order; those of different
        streams may be handled side by side by different members of a group. A message whose
        handler raised is delivered again later, and holds back the later ones of its stream.

        Args:
            handler: Called with one message.
            group: Subscriptions with the same group share the messages: each goes to one of
                them. ``None`` makes a group of its own.
        """
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
