"""What comes from a consumer, put in order: of a stream's messages none may overtake another."""

from __future__ import annotations

from attrs import define, field

from eventhus.adapter_support import StreamQueues
from eventhus.ports import Message


@define
class Resequencer:
    """Passes messages on in the order of the stream.

    A consumer gives messages in order, unless some were given before and not acknowledged: to a
    member that is gone, or on a connection that broke. The server gives these again when their
    time is up, behind newer ones. Until they are here, everything is held back.
    """

    turns: StreamQueues
    _boundary: int = 0  # no message behind this sequence is missing
    _missing: int | None = 0  # how many; ``None`` while nobody knows
    _held: list[tuple[int, Message]] = field(factory=list[tuple[int, Message]])

    @property
    def is_gathering(self) -> bool:
        """Whether messages are held back."""
        return self._missing is None or self._missing > 0

    @property
    def is_unsure(self) -> bool:
        """Whether they are held back until it is known what is missing."""
        return self._missing is None

    def hold(self) -> None:
        """Hold back everything: a connection broke, and nobody knows what was on its way."""
        self._missing, self._boundary = None, 0

    def gather(self, missing: int, boundary: int) -> None:
        """Hold back everything until so many messages up to a sequence have come again."""
        self._missing, self._boundary = missing, boundary
        self._pass_on()

    def missing(self, count: int) -> None:
        """By now, no more than so many are missing."""
        if self._missing is not None:
            self._missing = min(self._missing, count)
            self._pass_on()

    def add(self, sequence: int, message: Message) -> None:
        """Take a message that was not here before."""
        if not self.is_gathering:
            self.turns.add(message)
            return
        self._held.append((sequence, message))
        if self._missing is not None and sequence <= self._boundary:
            self.missing(self._missing - 1)

    def _pass_on(self) -> None:
        if not self.is_gathering:
            for _, message in sorted(self._held, key=lambda each: each[0]):
                self.turns.add(message)
            self._held.clear()
