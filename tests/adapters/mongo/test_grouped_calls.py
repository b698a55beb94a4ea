"""Saves of documents and searches for commands that wait together go out together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS
from pymongo.database import Database

from eventhus.errors import IncompatibleBucket, StoreUnavailable
from eventhus.ports import ViewWrite
from eventhus_mongo import MongoStore, command_finder
from eventhus_testing.conformance.store.samples import accounts, commit
from eventhus_testing.conformance.store.views import BALANCES, document, kept, put
from tests.adapters.mongo.support import Commands

Plain = Database[dict[str, Any]]


def write(key: str, position: int = 1, *, over: int = 0) -> ViewWrite:
    return ViewWrite(document=document(key, position), replaces=over)


async def save_all(store: MongoStore, *writes: ViewWrite) -> list[frozenset[str] | BaseException]:
    """Save each by a call of its own, all at once."""
    calls = [store.save_documents(BALANCES, [each]) for each in writes]
    return await asyncio.gather(*calls, return_exceptions=True)


@pytest.fixture
async def saved(store: MongoStore, commands: Commands) -> MongoStore:
    """A store whose view has one document, and so its indexes."""
    await put(store, document("a"))
    commands.forget()
    return store


async def test_saves_that_wait_together_are_one_bulk_write(
    saved: MongoStore, commands: Commands
) -> None:
    keys = [f"k{number}" for number in range(20)]
    assert [frozenset()] * 20 == await save_all(saved, *map(write, keys))
    assert [20] == commands.inserts()
    assert {*keys} == {*await kept(saved, *keys)}


async def test_a_taken_key_is_told_to_its_own_caller_alone(saved: MongoStore) -> None:
    answers = await save_all(saved, write("b"), write("a", 2), write("c"))
    assert [frozenset(), {"a"}, frozenset()] == answers


async def test_writes_of_one_key_keep_their_order(saved: MongoStore, commands: Commands) -> None:
    writes = [write("a", 2, over=1), write("b"), write("a", 3, over=2), write("a", 4, over=1)]
    assert [frozenset(), frozenset(), frozenset(), {"a"}] == await save_all(saved, *writes)
    assert 3 == (await kept(saved, "a"))["a"].position
    assert 1 == commands.most["update"]


async def test_a_refused_document_fails_its_own_caller_alone(
    saved: MongoStore, plain: Plain
) -> None:
    plain.command("collMod", BALANCES, validator={"_id": {"$ne": "bad"}})
    first, refused, last = await save_all(saved, write("b"), write("bad"), write("c"))
    assert (frozenset(), frozenset()) == (first, last)
    assert isinstance(refused, StoreUnavailable)
    assert {"a", "b", "c"} == {each["_id"] for each in plain[BALANCES].find()}


async def test_a_broken_document_fails_its_own_save_alone(saved: MongoStore, plain: Plain) -> None:
    """A date that Python cannot hold is noticed while the answer is decoded."""
    plain[BALANCES].insert_one({"_id": "bad", "_position": DatetimeMS(2**62)})
    good, bad, taken = await save_all(saved, write("b"), write("bad"), write("a", 2))
    assert (frozenset(), frozenset({"a"})) == (good, taken)
    assert isinstance(bad, IncompatibleBucket)
    assert {"a", "b"} == {*await kept(saved, "a", "b")}


async def test_a_save_whose_caller_has_left_is_not_sent(saved: MongoStore, plain: Plain) -> None:
    saving = [
        asyncio.create_task(saved.save_documents(BALANCES, [write(key)])) for key in ("b", "c")
    ]
    await asyncio.sleep(0)  # they wait now
    saving[0].cancel()
    assert frozenset() == await saving[1]
    assert {"a", "c"} == {each["_id"] for each in plain[BALANCES].find()}


async def found(store: MongoStore, *command_ids: str) -> list[str | BaseException | None]:
    """Find commands, all at once, and return the ids of their streams."""
    calls = [store.find(each) for each in command_ids]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    return [
        each if each is None or isinstance(each, BaseException) else each.commit.stream.aggregate_id
        for each in answers
    ]


@pytest.fixture
async def stored(store: MongoStore, commands: Commands) -> MongoStore:
    """A store with the commands c0 to c4, on the streams of ``accounts``."""
    for number, stream in enumerate(accounts(5)):
        await store.append(commit(stream, command_id=f"c{number}"))
    commands.forget()
    return store


async def test_commands_that_are_looked_for_together_are_found_by_one_query(
    stored: MongoStore, commands: Commands
) -> None:
    ids = [each.aggregate_id for each in accounts(5)]
    assert [ids[3], None, ids[0], ids[3]] == await found(stored, "c3", "new", "c0", "c3")
    assert ["find"] == commands.names


@pytest.mark.parametrize("broken", [{"parts": 7}, {"command_id": ["c1"]}, {"format": 99}])
async def test_a_broken_commit_fails_the_search_for_its_own_command_alone(
    stored: MongoStore, plain: Plain, broken: dict[str, object]
) -> None:
    plain.events.update_one({"command_id": "c1"}, {"$set": broken})
    first, second, third = await found(stored, "c0", "c1", "c2")
    ids = [each.aggregate_id for each in accounts(5)]
    assert (ids[0], ids[2]) == (first, third)
    assert isinstance(second, IncompatibleBucket)


async def test_large_commits_are_found_one_by_one(
    stored: MongoStore, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_finder, "GROUP_BYTES", 1)
    ids = [each.aggregate_id for each in accounts(5)]
    assert [ids[0], ids[1], None] == await found(stored, "c0", "c1", "new")
    assert ["find"] * 4 == commands.names
