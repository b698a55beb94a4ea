"""Group stores: consumer groups that read the log itself, without a bus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eventhus.ports.bus import DeadLetter, Message
from eventhus.ports.checkpoints import Checkpoint


class GroupStore(Protocol):
    """Stores where each group began to read, and the messages that it could not handle.

    The name of a group has the form that ``EventBus.subscribe`` takes. The progress of a group is a
    checkpoint.
    """

    async def create_group(self, group: str, start: Checkpoint) -> Checkpoint:
        """Create a group, unless it exists, and return where it began.

        Args:
            group: The name of the group.
            start: The place after which a new group begins. An existing group keeps its own.

        Raises:
            InvalidArgument: ``group`` or ``start`` is beyond its limit or has another form.
        """
        ...

    async def load_group(self, group: str) -> Checkpoint | None:
        """Return where a group began, or ``None`` if it was never created.

        Raises:
            InvalidArgument: ``group`` has another form.
        """
        ...

    async def delete_group(self, group: str) -> None:
        """Delete a group, so that it can be created again elsewhere. Its letters stay.

        Do nothing if it was never created.

        Raises:
            InvalidArgument: ``group`` has another form.
        """
        ...

    async def groups(self, *, after: str = "", limit: int = 100) -> Sequence[str]:
        """Return the next names of groups that were created or have letters, in their order.

        Args:
            after: Start after this name; an empty one starts at the first group.
            limit: The maximum number of names, at least 1. Fewer means the end.

        Raises:
            InvalidArgument: ``after`` is beyond the limit of names, or ``limit`` is below 1.
        """
        ...

    async def count_letters(self, group: str, *, limit: int) -> int:
        """Return the number of dead letters of a group, or ``limit`` if there are more.

        Raises:
            InvalidArgument: ``group`` has another form, or ``limit`` is below 1.
        """
        ...

    async def save_letter(self, group: str, message: Message) -> None:
        """Add a message to the dead letters of a group, whether the group was created or not.

        Do nothing if the letters of the group hold a message of the same id and body, so that
        repeating the call is safe.

        Raises:
            InvalidArgument: ``group`` has another form, the id or a header of the message is not
                Unicode text, or the message is too large.
        """
        ...

    async def load_letters(
        self, group: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[DeadLetter]:
        """Return the next dead letters of a group, oldest first.

        Args:
            group: The name of the group.
            after: Start after the letter of this number; 0 starts at the first one.
            limit: The maximum number of letters, at least 1. A store may return fewer because of
                their size, but returns none only at the end.

        Raises:
            InvalidArgument: ``group`` has another form, ``limit`` is below 1, or ``after`` is
                negative.
        """
        ...

    async def delete_letter(self, group: str, number: int) -> None:
        """Delete a dead letter of a group. Its number is never used again.

        Do nothing if it is gone.

        Raises:
            InvalidArgument: ``group`` has another form, or ``number`` is out of range.
        """
        ...
