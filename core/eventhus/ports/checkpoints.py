"""Checkpoints: the place of each reader in the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from attrs import field, frozen


def _ranges(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple(ranges)


@frozen
class Checkpoint:
    """The place of a reader in the log.

    Attributes:
        position: The position of the last event that the reader has handled; 0 at the start.
        event_id: The id of that event, which tells the log from another history that has another
            event there. Empty if it was not saved.
        done: Ranges of later positions, each from the first to the last, whose events the reader
            has handled, too. They ascend and do not overlap.
        saved_at: When it was last saved, by the clock of the store: timezone-aware, UTC. ``None``
            for one that was not loaded from a store, or never saved.
    """

    position: int = 0
    event_id: str = ""
    done: Sequence[tuple[int, int]] = field(default=(), converter=_ranges)
    saved_at: datetime | None = field(default=None, eq=False)


class CheckpointStore(Protocol):
    """Stores the checkpoint of each reader of the log."""

    async def load_checkpoint(self, name: str) -> Checkpoint:
        """Return the checkpoint saved under ``name``; that of the start if there is none."""
        ...

    async def save_checkpoint(
        self,
        name: str,
        position: int,
        *,
        event_id: str = "",
        token: int = 0,
        done: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Save a checkpoint under ``name``.

        Args:
            name: The name of the reader.
            position: The position of the last event that it has handled.
            event_id: The id of that event.
            token: The fencing token of the reader's lease, if it holds one.
            done: Ranges of later positions whose events it has handled, too; at most 10,000.

        Raises:
            LeaseLost: A position was saved with a higher token. That position stays.
            InvalidArgument: The name or a number is beyond its limit, or the ranges do not ascend
                from ``position``.
        """
        ...

    async def forget_checkpoint(self, name: str, *, token: int = 0) -> None:
        """Forget the checkpoint saved under ``name``, so that it is as if there never was one.

        The token is kept, so that a former owner of the lease cannot bring it back.

        Args:
            name: The name of the reader.
            token: The fencing token of the reader's lease, if the caller holds it.

        Raises:
            LeaseLost: A position was saved with a higher token. That position stays.
            InvalidArgument: The name or the token is beyond its limit.
        """
        ...
