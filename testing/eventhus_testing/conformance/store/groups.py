"""Groups that read the log: where they began, and the messages that they could not handle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from eventhus import StreamId
from eventhus.errors import InvalidArgument
from eventhus.ports import Checkpoint, DeadLetter, Message, Storage
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.names import HOSTILE

GROUP = "mailer"
START = Checkpoint(2**40, "01KAQ3V4Q0-1")
LARGE_BYTES = 5 * 1024 * 1024


def letter(number: int = 1, *, body: bytes = b'{"n":1}', id_: str = "") -> Message:
    """Return a message that could not be handled."""
    return Message(
        id=id_ or f"a-{number}",
        stream=StreamId("Account", "a"),
        type="Deposited",
        body=body,
        headers={"Eventhus-Error-Type": "KeyError"},
    )


async def letters(store: Storage, group: str = GROUP, *, limit: int = 100) -> list[DeadLetter]:
    """Return all dead letters of a group, read page by page."""
    found: list[DeadLetter] = []
    while page := await store.load_letters(
        group, after=found[-1].number if found else 0, limit=limit
    ):
        assert len(page) <= limit
        found += page
    return found


async def names_of(store: Storage, *, limit: int) -> list[str]:
    """Return the names of all groups, read page by page."""
    found: list[str] = []
    while True:
        page = await store.groups(after=found[-1] if found else "", limit=limit)
        assert len(page) <= limit
        found += page
        assert sorted({*found}) == found
        if len(page) < limit:
            return found


class Groups(Cases):
    """The beginnings of groups."""

    @case
    async def test_a_group_keeps_where_it_began(self, store: Storage) -> None:
        """A member that joins later gets the stored beginning, not its own."""
        assert await store.load_group(GROUP) is None
        assert await store.create_group(GROUP, START) == START
        assert await store.create_group(GROUP, Checkpoint(2**41, "x")) == START
        async with self.store(self.bucket) as other:
            assert await other.create_group(GROUP, Checkpoint()) == START
            assert await other.load_group(GROUP) == START

    @case
    async def test_a_group_may_begin_at_the_first_event(self, store: Storage) -> None:
        """It exists from then on, like any other one."""
        assert await store.create_group(GROUP, Checkpoint()) == Checkpoint()
        assert await store.create_group(GROUP, START) == Checkpoint()
        assert await store.load_group(GROUP) == Checkpoint()

    @case
    async def test_one_of_many_creates_a_group(self, store: Storage) -> None:
        """All of them are told the same beginning."""
        async with self.store(self.bucket) as other:
            for group in map(str, range(5)):
                told = await asyncio.gather(
                    *[
                        each.create_group(group, Checkpoint(1 + number, f"{number}"))
                        for number, each in enumerate([store, other] * 10)
                    ]
                )
                assert {await store.load_group(group)} == {*told}

    @case
    async def test_every_group_begins_by_itself(self, store: Storage) -> None:
        """Groups differ when their names do, and in every bucket."""
        names = ["a", "A", "a_", "a-", "_id", "x" * 63, "x" * 62, "0"]
        for number, group in enumerate(names):
            await store.create_group(group, Checkpoint(number, f"{group}-$"))
        for number, group in enumerate(names):
            assert Checkpoint(number, f"{group}-$") == await store.load_group(group)
        async with self.store(f"{self.bucket}b") as elsewhere:
            assert await elsewhere.load_group("a") is None

    @case
    async def test_a_letter_creates_no_group(self, store: Storage) -> None:
        """A group that has letters can still begin anywhere."""
        await store.save_letter(GROUP, letter())
        assert await store.load_group(GROUP) is None
        assert START == await store.create_group(GROUP, START)
        await store.save_letter(GROUP, letter(2))
        assert START == await store.load_group(GROUP)

    @case
    async def test_a_deleted_group_can_begin_elsewhere(self, store: Storage) -> None:
        """Its letters stay, and so does every other group."""
        for group in (GROUP, "other"):
            await store.create_group(group, START)
        await store.save_letter(GROUP, letter(1))
        await store.delete_group(GROUP)
        async with self.store(self.bucket) as other:
            for each in (store, other):
                assert await each.load_group(GROUP) is None
                assert START == await each.load_group("other")
            [first] = await letters(other)
            await other.delete_letter(GROUP, first.number)
            assert ["other"] == [*await store.groups()]
            await store.save_letter(GROUP, letter(2))
            [second] = await letters(store)
            assert second.number > first.number
            elsewhere = Checkpoint(7, "x")
            assert elsewhere == await other.create_group(GROUP, elsewhere)
            assert elsewhere == await store.load_group(GROUP)

    @case
    async def test_deleting_a_group_that_does_not_exist_does_nothing(self, store: Storage) -> None:
        """The group was deleted before, was never created, or only has letters."""
        await store.create_group(GROUP, START)
        await store.save_letter("letters", letter())
        for group in (GROUP, GROUP, "never", "letters"):
            await store.delete_group(group)
        assert ["letters"] == [*await store.groups()]
        assert 1 == await store.count_letters("letters", limit=2)

    @pytest.mark.parametrize("limit", [1, 2, 3, 1000])
    @case
    async def test_groups_are_listed(self, store: Storage, limit: int) -> None:
        """Those that were created or have letters, in the order of their names, page by page."""
        assert [] == await names_of(store, limit=limit)
        for group in ("b", "a_", "a-", "A", "x" * 63, "0"):
            await store.create_group(group, Checkpoint())
        for group in ("b", "c", "a", "z"):
            await store.save_letter(group, letter())
        for group in ("b", "z"):
            found = await letters(store, group)
            assert 1 == len(found)
            await store.delete_letter(group, found[0].number)
        expected = ["0", "A", "a", "a-", "a_", "b", "c", "x" * 63]
        assert expected == await names_of(store, limit=limit)
        assert ["b", "c"] == [*await store.groups(after="aa", limit=2)]
        async with self.store(f"{self.bucket}b") as elsewhere:
            assert [] == await names_of(elsewhere, limit=limit)

    @pytest.mark.parametrize("group", ["", "a b", "a.b", "$a", "é", "a" * 64, "a/b"])
    @case
    async def test_an_invalid_group_is_refused(self, store: Storage, group: str) -> None:
        """It is refused, whatever is asked of it."""
        asked: list[Callable[[], Awaitable[object]]] = [
            lambda: store.create_group(group, START),
            lambda: store.load_group(group),
            lambda: store.delete_group(group),
            lambda: store.save_letter(group, letter()),
            lambda: store.load_letters(group),
            lambda: store.delete_letter(group, 1),
            lambda: store.count_letters(group, limit=1),
        ]
        for ask in asked:
            with pytest.raises(InvalidArgument):
                await ask()


class Letters(Cases):
    """The dead letters of groups."""

    @case
    async def test_a_letter_is_kept_as_it_is(self, store: Storage) -> None:
        """Any text and any bytes, and the attempt at which it failed."""
        texts = [*HOSTILE.values(), ""]
        given = [
            Message(
                id=text or "x" * 512,
                stream=StreamId(text or "x", text or "x"),
                type=text,
                body=body,
                headers={f"a.b${number}": "x" * 9000, "$": '"\\u00fc"'},
                attempt=number + 1,
            )
            for number, text in enumerate(texts)
            for body in (text.encode(), b"\xff\x00" + text.encode())
        ]
        for each in given:
            await store.save_letter(GROUP, each)
        assert given == [each.message for each in await letters(store)]
        async with self.store(self.bucket) as other:
            assert await letters(store) == await letters(other)

    @pytest.mark.parametrize("limit", [1, 2, 3, 1000])
    @case
    async def test_letters_are_listed_oldest_first(self, store: Storage, limit: int) -> None:
        """One page after the other, and each of them once."""
        assert [] == await letters(store, limit=limit)
        given = [letter(number) for number in (3, 12, 1, 7, 20)]
        for each in given:
            await store.save_letter(GROUP, each)
        found = await letters(store, limit=limit)
        assert given == [each.message for each in found]
        numbers = [each.number for each in found]
        assert sorted({*numbers}) == numbers
        assert numbers[0] > 0
        assert found[2:] == [*await store.load_letters(GROUP, after=numbers[1], limit=1000)]

    @case
    async def test_every_group_has_letters_of_its_own(self, store: Storage) -> None:
        """Also where they are of the same message, and in every bucket."""
        for group in ("a", "b", "A", "a-", "a_", "ab"):
            await store.save_letter(group, letter(1))
            await store.save_letter(group, letter(id_=group))
        for group in ("a", "b", "A", "a-", "a_", "ab"):
            found = await letters(store, group)
            assert [letter(1), letter(id_=group)] == [each.message for each in found]
        async with self.store(f"{self.bucket}b") as elsewhere:
            assert [] == await letters(elsewhere, "a")

    @case
    async def test_the_same_letter_is_kept_once(self, store: Storage) -> None:
        """A group that repeats a message after a crash may bury it again."""
        given = [letter(1), letter(2), letter(1, body=b'{"n":2}')]
        for _ in range(2):
            for each in given:
                await store.save_letter(GROUP, each)
        async with self.store(self.bucket) as other:
            await asyncio.gather(*[each.save_letter(GROUP, letter(3)) for each in [store, other]])
        assert [*given, letter(3)] == [each.message for each in await letters(store)]
        await store.delete_letter(GROUP, (await letters(store))[0].number)
        await store.save_letter(GROUP, given[0])
        expected = [*given[1:], letter(3), given[0]]
        assert expected == [each.message for each in await letters(store)]

    @case
    async def test_a_letter_is_deleted(self, store: Storage) -> None:
        """That one alone; twice is once."""
        for number in (1, 2, 3):
            await store.save_letter(GROUP, letter(number))
        await store.save_letter("other", letter(2))
        found = await letters(store)
        assert 3 == len(found)
        for _ in range(2):
            await store.delete_letter(GROUP, found[1].number)
        assert [found[0], found[2]] == await letters(store)
        assert 1 == len(await letters(store, "other"))

    @case
    async def test_letters_are_counted(self, store: Storage) -> None:
        """Those that are left in a group, up to a limit."""
        assert 0 == await store.count_letters(GROUP, limit=1)
        for number in range(5):
            await store.save_letter(GROUP, letter(number))
            await store.save_letter("other", letter(number))
        found = await letters(store)
        assert 5 == len(found)
        await store.delete_letter(GROUP, found[1].number)
        for limit, expected in ((1, 1), (3, 3), (4, 4), (5, 4), (10_000, 4)):
            assert expected == await store.count_letters(GROUP, limit=limit)
        assert 5 == await store.count_letters("other", limit=10_000)
        with pytest.raises(InvalidArgument):
            await store.count_letters(GROUP, limit=0)

    @case
    async def test_the_number_of_a_letter_is_never_used_again(self, store: Storage) -> None:
        """Otherwise, deleting a letter that was listed could delete another one."""
        used: list[int] = []
        for number in range(3):
            await store.save_letter(GROUP, letter(number))
            found = await letters(store)
            assert 1 == len(found)
            used.append(found[0].number)
            await store.delete_letter(GROUP, found[0].number)
        assert sorted({*used}) == used

    @case
    async def test_a_page_of_large_letters_is_bounded(self, store: Storage) -> None:
        """It may be shorter than asked for, and the pages hold every letter."""
        given = [letter(number, body=b"x" * LARGE_BYTES) for number in range(7)]
        for each in given:
            await store.save_letter(GROUP, each)
        found = await letters(store)
        assert [each.id for each in given] == [each.message.id for each in found]

    @case
    async def test_an_invalid_letter_is_refused(self, store: Storage) -> None:
        """It is refused, and so is an invalid page of letters."""
        half = "a\ud800"
        for message in (
            letter(id_=half),
            Message(id="a", stream=StreamId("Account", "a"), type=half, body=b""),
            Message(id="a", stream=StreamId("Account", "a"), body=b"", headers={"a": half}),
            Message(id="", stream=StreamId("Account", "a"), body=b""),
        ):
            with pytest.raises(InvalidArgument):
                await store.save_letter(GROUP, message)
        for after, limit in ((-1, 1), (0, 0), (2**62, 1)):
            with pytest.raises(InvalidArgument):
                await store.load_letters(GROUP, after=after, limit=limit)
        for name, limit in (("x" * 256, 1), ("", 0)):
            with pytest.raises(InvalidArgument):
                await store.groups(after=name, limit=limit)
        for number in (-1, 2**64):
            with pytest.raises(InvalidArgument):
                await store.delete_letter(GROUP, number)
        for start in (Checkpoint(-1, ""), Checkpoint(1, half), Checkpoint(2**63, "")):
            with pytest.raises(InvalidArgument):
                await store.create_group(GROUP, start)
        assert [] == await letters(store)
        assert await store.load_group(GROUP) is None
