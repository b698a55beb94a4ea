"""One queue per stream: messages of one stream wait for each other, streams take turns."""

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
    queues = StreamQueues()
    assert not queues
    for each in ("a-1", "a-2", "b-1", "c-1", "b-2"):
        queues.add(message(each[0], int(each[2])))
    taken: list[str] = []
    while queues:
        given = await queues.take()
        taken.append(given.id)
        queues.done(given)
    assert ["a-1", "b-1", "c-1", "a-2", "b-2"] == taken


async def test_a_stream_waits_until_its_taken_message_is_done() -> None:
    queues = StreamQueues()
    queues.add(message("a", 1))
    queues.add(message("a", 2))
    first = await queues.take()
    second = asyncio.create_task(queues.take())
    await asyncio.sleep(0)
    assert not second.done()
    queues.done(first)
    assert "a-2" == (await second).id


async def test_a_message_that_was_given_back_comes_before_later_ones() -> None:
    queues = StreamQueues()
    queues.add(message("a", 1))
    queues.add(message("a", 2))
    first = await queues.take()
    queues.give_back(evolve(first, attempt=2))
    again = await queues.take()
    assert ("a-1", 2) == (again.id, again.attempt)
    queues.done(again)
    assert "a-2" == (await queues.take()).id
