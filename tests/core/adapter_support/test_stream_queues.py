"""What a bus has in hand: streams take turns, messages of one stream wait for each other."""

import asyncio

from attrs import evolve

from eventhus import StreamId
from eventhus.adapter_support import StreamQueues
from eventhus.ports import Message


def message(aggregate_id: str, number: int) -> Message:
    return Message(
        id=f"{aggregate_id}-{number}", stream=StreamId("Account", aggregate_id), body=b"{}"
    )


async def test_streams_take_turns() -> None:
    """Who has been ready for longest comes first."""
    turns = StreamQueues()
    assert not turns
    for each in ("a-1", "a-2", "b-1", "c-1", "b-2"):
        turns.add(message(each[0], int(each[2])))
    taken: list[str] = []
    while turns:
        given = await turns.take()
        taken.append(given.id)
        turns.done(given)
    assert ["a-1", "b-1", "c-1", "a-2", "b-2"] == taken


async def test_a_stream_waits_for_the_message_that_was_taken() -> None:
    """Only once it is done may the next one be taken."""
    turns = StreamQueues()
    turns.add(message("a", 1))
    turns.add(message("a", 2))
    first = await turns.take()
    second = asyncio.create_task(turns.take())
    await asyncio.sleep(0)
    assert not second.done()
    turns.done(first)
    assert "a-2" == (await second).id


async def test_a_message_is_given_back() -> None:
    """It, or another in its place, is taken before those behind it."""
    turns = StreamQueues()
    turns.add(message("a", 1))
    turns.add(message("a", 2))
    first = await turns.take()
    turns.give_back(evolve(first, attempt=2))
    again = await turns.take()
    assert ("a-1", 2) == (again.id, again.attempt)
    turns.done(again)
    assert "a-2" == (await turns.take()).id
