"""Stores that break promises about groups and their dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from attrs import evolve

from eventhus.adapter_support import check_letters_page
from eventhus.errors import InvalidArgument
from eventhus.ports import Checkpoint, DeadLetter, Message
from eventhus_memory import MemoryStore
from eventhus_memory.letters import Letters
from tests.testing.conformance.defects import caught_by


@caught_by("test_a_group_keeps_where_it_began")
class MovesTheBeginning(MemoryStore):
    async def create_group(self, group: str, start: Checkpoint) -> Checkpoint:
        self._groups.pop(group, None)
        return await super().create_group(group, start)


@caught_by("test_a_group_may_begin_at_the_first_event")
class TakesTheFirstEventForNothing(MemoryStore):
    async def create_group(self, group: str, start: Checkpoint) -> Checkpoint:
        known = await self.load_group(group)
        if known == Checkpoint():
            self._groups.pop(group)
        return await super().create_group(group, start)


@caught_by("test_one_of_many_creates_a_group")
class HasBeginningsOfItsOwn(MemoryStore):
    async def create_group(self, group: str, start: Checkpoint) -> Checkpoint:
        await super().create_group(group, start)
        return start


@caught_by("test_every_group_begins_by_itself")
class IgnoresTheCaseOfGroups(MemoryStore):
    async def create_group(self, group: str, start: Checkpoint) -> Checkpoint:
        return await super().create_group(group.lower(), start)

    async def load_group(self, group: str) -> Checkpoint | None:
        return await super().load_group(group.lower())


@caught_by("test_a_letter_creates_no_group")
class CreatesGroupsForLetters(MemoryStore):
    async def save_letter(self, group: str, message: Message) -> None:
        await super().save_letter(group, message)
        await self.create_group(group, Checkpoint())


@caught_by("test_an_invalid_group_is_refused")
class TakesAnyGroup(MemoryStore):
    async def load_letters(
        self, group: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[DeadLetter]:
        try:
            return await super().load_letters(group, after=after, limit=limit)
        except InvalidArgument:
            return []


@caught_by("test_a_letter_is_kept_as_it_is")
class ForgetsTheAttempt(MemoryStore):
    async def save_letter(self, group: str, message: Message) -> None:
        await super().save_letter(group, evolve(message, attempt=1))


@caught_by("test_a_letter_is_kept_as_it_is")
class MendsBodies(MemoryStore):
    async def save_letter(self, group: str, message: Message) -> None:
        body = message.body.decode(errors="replace").encode()
        await super().save_letter(group, evolve(message, body=body))


@caught_by("test_letters_are_listed_oldest_first")
class ListsTheLastFirst(MemoryStore):
    async def load_letters(
        self, group: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[DeadLetter]:
        return [*await super().load_letters(group, after=after, limit=limit)][::-1]


@caught_by("test_letters_are_listed_oldest_first")
class IgnoresTheLimit(MemoryStore):
    async def load_letters(
        self, group: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[DeadLetter]:
        return await super().load_letters(group, after=after, limit=limit + 1)


@caught_by("test_every_group_has_letters_of_its_own")
class KeepsLettersTogether(MemoryStore):
    async def save_letter(self, group: str, message: Message) -> None:
        await super().save_letter("all", message)

    async def load_letters(
        self, group: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[DeadLetter]:
        return await super().load_letters("all", after=after, limit=limit)


class _Numbering(MemoryStore):
    """Keeps letters in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: dict[str, list[DeadLetter]] = {}

    async def save_letter(self, group: str, message: Message) -> None:
        await super().save_letter(group, message)
        listed = self.listed.setdefault(group, [])
        number = listed[-1].number + 1 if listed else 1
        listed.append(DeadLetter(message=message, number=number))

    async def load_letters(
        self, group: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[DeadLetter]:
        await super().load_letters(group, after=after, limit=limit)
        return [each for each in self.listed.get(group, []) if each.number > after][:limit]

    async def delete_letter(self, group: str, number: int) -> None:
        await super().delete_letter(group, number)
        listed = self.listed.get(group, [])
        listed[:] = [each for each in listed if each.number != number]


@caught_by("test_the_same_letter_is_kept_once")
@caught_by("test_the_number_of_a_letter_is_never_used_again")
class CountsTheLettersThatAreLeft(_Numbering):
    pass


@caught_by("test_the_same_letter_is_kept_once")
class KnowsLettersByTheirId(MemoryStore):
    async def save_letter(self, group: str, message: Message) -> None:
        found = await self.load_letters(group, limit=1000)
        if message.id not in {each.message.id for each in found}:
            await super().save_letter(group, message)


@caught_by("test_a_letter_is_deleted")
class DeletesLaterLettersToo(MemoryStore):
    async def delete_letter(self, group: str, number: int) -> None:
        for each in await self.load_letters(group, limit=1000):
            if each.number >= number:
                await super().delete_letter(group, each.number)


@caught_by("test_a_page_of_large_letters_is_bounded")
class LosesLargeLetters(MemoryStore):
    async def load_letters(
        self, group: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[DeadLetter]:
        found = [*await super().load_letters(group, after=after, limit=limit)]
        while sum(len(each.message.body) for each in found) > 2**24:
            del found[0]
        return found


@caught_by("test_an_invalid_letter_is_refused")
class KeepsHalfCharacters(MemoryStore):
    async def save_letter(self, group: str, message: Message) -> None:
        self._letters.add(group, message)


@caught_by("test_groups_are_listed")
class ListsGroupsThatWereCreated(MemoryStore):
    async def groups(self, *, after: str = "", limit: int = 100) -> Sequence[str]:
        found = await super().groups(after=after, limit=limit)
        return [group for group in found if group in self._groups]


@caught_by("test_groups_are_listed")
class ListsGroupsThatHadLetters(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.lettered: set[str] = set()

    async def groups(self, *, after: str = "", limit: int = 100) -> Sequence[str]:
        names = sorted({*self._groups, *self.lettered})
        return [name for name in names if name > after][:limit]

    async def save_letter(self, group: str, message: Message) -> None:
        await super().save_letter(group, message)
        self.lettered.add(group)


@caught_by("test_letters_are_counted")
class CountsAllLetters(MemoryStore):
    async def count_letters(self, group: str, *, limit: int) -> int:
        check_letters_page(group, 0, limit)
        return len(self._letters.of(group, after=0))


@caught_by("test_a_group_keeps_where_it_began")
class ForgetsGroupsWhenEntered(MemoryStore):
    async def __aenter__(self) -> Self:
        self._groups.clear()
        return self


@caught_by("test_a_deleted_group_can_begin_elsewhere")
class KeepsWhereDeletedGroupsBegan(MemoryStore):
    async def delete_group(self, group: str) -> None:
        pass


@caught_by("test_a_deleted_group_can_begin_elsewhere")
class DeletesLettersWithGroups(MemoryStore):
    async def delete_group(self, group: str) -> None:
        await super().delete_group(group)
        for each in await self.load_letters(group):
            await self.delete_letter(group, each.number)


@caught_by("test_a_deleted_group_can_begin_elsewhere")
class CountsLettersOfDeletedGroupsAnew(MemoryStore):
    async def delete_group(self, group: str) -> None:
        kept = await self.load_letters(group)
        await super().delete_group(group)
        self._letters = Letters()
        for each in kept:
            await self.save_letter(group, each.message)

    async def delete_letter(self, group: str, number: int) -> None:
        self._letters = Letters()


@caught_by("test_deleting_a_group_that_does_not_exist_does_nothing")
class DeletesOnlyGroupsThatExist(MemoryStore):
    async def delete_group(self, group: str) -> None:
        del self._groups[group]
