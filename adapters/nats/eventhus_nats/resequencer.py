"""The resequencer: restores the order of a consumer's messages after redeliveries."""

from __future__ import annotations

from attrs import define, field

from eventhus.adapter_support import StreamQueues
from eventhus.ports import Message


@define
class Resequencer:
    """Passes messages on in the order of the JetStream stream.

    A consumer delivers in order, except for messages that it delivered before without getting an
    acknowledgement: to a member that crashed, or on a connection that broke. The server delivers
    these again once their time is up, after newer ones. Until all of them have arrived, every
    message is held back.
    """

    queues: StreamQueues
    _boundary: int = 0  # the missing messages have sequences up to this one
    _missing: int | None = 0  # their number; ``None`` while it is unknown
    _held: list[tuple[int, Message]] = field(factory=list[tuple[int, Message]])

    @property
    def is_gathering(self) -> bool:
        """Return whether messages are held back."""
        return self._missing is None or self._missing > 0

    @property
    def is_unsure(self) -> bool:
        """Return whether messages are held back because it is unknown what is missing."""
        return self._missing is None

    def hold(self) -> None:
        """Hold back everything: a connection broke, and what it carried is unknown."""
        self._missing, self._boundary = None, 0

    def gather(self, missing: int, boundary: int) -> None:
        """Hold back everything until ``missing`` messages up to a sequence have arrived again."""
        self._missing, self._boundary = missing, boundary
        self._pass_on()

    def missing(self, count: int) -> None:
        """Note that at most ``count`` messages are still missing."""
        if self._missing is not None:
            self._missing = min(self._missing, count)
            self._pass_on()

    def add(self, sequence: int, message: Message) -> None:
        """Take a message that has not arrived before, and pass it on or hold it back."""
        if not self.is_gathering:
            self.queues.add(message)
            return
        self._held.append((sequence, message))
        if self._missing is not None and sequence <= self._boundary:
            self.missing(self._missing - 1)

    def _pass_on(self) -> None:
        if not self.is_gathering:
            for _, message in sorted(self._held, key=lambda each: each[0]):
                self.queues.add(message)
            self._held.clear()
