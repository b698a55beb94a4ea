"""Checkpoints: the place of each reader in the log."""

from __future__ import annotations

from typing import Protocol

from attrs import frozen


@frozen
class Checkpoint:
    """The place of a reader in the log.

    Attributes:
        position: The position of the last event that the reader has handled; 0 at the start.
        event_id: The id of that event, which tells the log from another history that has another
            event there. Empty if it was not saved.
    """

    position: int = 0
    event_id: str = ""


class CheckpointStore(Protocol):
    """Stores the checkpoint of each reader of the log."""

    async def load_checkpoint(self, name: str) -> Checkpoint:
        """Return the checkpoint saved under ``name``; that of the start if there is none."""
        ...

    async def save_checkpoint(
        self, name: str, position: int, *, event_id: str = "", token: int = 0
    ) -> None:
        """Save a checkpoint under ``name``.

        Args:
            name: The name of the reader.
            position: The position of the last event that it has handled.
            event_id: The id of that event.
            token: The fencing token of the reader's lease, if it holds one.

        Raises:
            LeaseLost: A position was saved with a higher token. That position stays.
        """
        ...
