"""The messages that a subscription has received and handled.

A message is identified by its id and its body. Any publisher can choose the id, and a message that
was mistaken for a repeat would be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

from eventhus.ports import Message
from eventhus_nats.messages import is_place

REMEMBERED = 4096  # messages that were handled last, of which a redelivery is recognised


class Delivery(NamedTuple):
    """One delivery of a message.

    Attributes:
        sequence: The message's place in the JetStream stream; 0 if that stream was deleted.
        reply: The subject for the acknowledgement.
        size_bytes: The size of the message's body.
    """

    sequence: int
    reply: str
    size_bytes: int


class MessagesInHand:
    """The messages that were received and not settled, with their deliveries.

    Attributes:
        size_bytes: The bodies of the messages, all together.
    """

    def __init__(self) -> None:
        self.size_bytes = 0
        self._deliveries: dict[tuple[str, bytes], Delivery] = {}  # by id and body

    def __len__(self) -> int:
        return len(self._deliveries)

    def __contains__(self, message: Message) -> bool:
        return (message.id, message.body) in self._deliveries

    def __iter__(self) -> Iterator[Delivery]:
        return iter([*self._deliveries.values()])

    def put(self, message: Message, delivery: Delivery) -> None:
        """Add a message, or replace the delivery of one that is here."""
        if message not in self:
            self.size_bytes += delivery.size_bytes
        self._deliveries[message.id, message.body] = delivery

    def pop(self, message: Message) -> Delivery:
        """Remove a message and return its last delivery."""
        return self._pop((message.id, message.body))

    def pop_all_but(self, kept: list[Message]) -> list[Delivery]:
        """Remove every message that is not in ``kept``, and return the deliveries."""
        begun = {(message.id, message.body) for message in kept}
        return [self._pop(each) for each in [*self._deliveries] if each not in begun]

    def forget_sequences(self) -> None:
        """Note that the stream was deleted, so that its sequences mean nothing any more."""
        self._deliveries = {
            each: delivery._replace(sequence=0) for each, delivery in self._deliveries.items()
        }

    def _pop(self, identity: tuple[str, bytes]) -> Delivery:
        delivery = self._deliveries.pop(identity)
        self.size_bytes -= delivery.size_bytes
        return delivery


class HandledMessages:
    """The messages that were handled last, to recognise a redelivery."""

    def __init__(self) -> None:
        self._replies: dict[tuple[str, bytes], str] = {}  # by id and digest of the body

    def __contains__(self, message: Message) -> bool:
        return _identity(message) in self._replies

    @property
    def replies(self) -> list[str]:
        """The subjects on which the messages were acknowledged."""
        return [*self._replies.values()]

    def put(self, message: Message, reply: str) -> None:
        """Remember a message and the subject on which it was acknowledged last."""
        self._replies[_identity(message)] = reply
        if len(self._replies) > REMEMBERED:
            del self._replies[next(iter(self._replies))]

    def forget_places(self, stream: str) -> None:
        """Forget the messages whose id is a place in a stream that was deleted."""
        self._replies = {
            each: reply for each, reply in self._replies.items() if not is_place(each[0], stream)
        }


def _identity(message: Message) -> tuple[str, bytes]:
    return message.id, blake2b(message.body, digest_size=16).digest()
