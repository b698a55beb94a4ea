"""The groups that read the log of a store in memory."""

from __future__ import annotations

from collections.abc import Sequence

from eventhus.adapter_support import (
    check_group,
    check_group_start,
    check_groups_page,
    check_letter_number,
    check_letters_page,
    check_saved_letter,
)
from eventhus.ports import Checkpoint, DeadLetter, Message
from eventhus_memory.letters import Letters


class MemoryGroups:
    """The group store in memory."""

    def __init__(self) -> None:
        self._groups: dict[str, Checkpoint] = {}
        self._letters = Letters()

    async def create_group(self, group: str, start: Checkpoint) -> Checkpoint:
        """See ``GroupStore.create_group``."""
        check_group_start(group, start)
        return self._groups.setdefault(group, start)

    async def load_group(self, group: str) -> Checkpoint | None:
        """See ``GroupStore.load_group``."""
        check_group(group)
        return self._groups.get(group)

    async def delete_group(self, group: str) -> None:
        """See ``GroupStore.delete_group``."""
        check_group(group)
        self._groups.pop(group, None)

    async def groups(self, *, after: str = "", limit: int = 100) -> Sequence[str]:
        """See ``GroupStore.groups``."""
        check_groups_page(after, limit)
        names = sorted({*self._groups, *self._letters.groups})
        return [name for name in names if name > after][:limit]

    async def count_letters(self, group: str, *, limit: int) -> int:
        """See ``GroupStore.count_letters``."""
        check_letters_page(group, 0, limit)
        return len(self._letters.of(group, after=0, limit=limit))

    async def save_letter(self, group: str, message: Message) -> None:
        """See ``GroupStore.save_letter``."""
        check_saved_letter(group, message)
        self._letters.add(group, message)

    async def load_letters(
        self, group: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[DeadLetter]:
        """See ``GroupStore.load_letters``."""
        check_letters_page(group, after, limit)
        return self._letters.of(group, after=after, limit=limit)

    async def delete_letter(self, group: str, number: int) -> None:
        """See ``GroupStore.delete_letter``."""
        check_letter_number(group, number)
        self._letters.remove(group, number)
