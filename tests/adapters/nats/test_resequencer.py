"""The resequencer: messages that were delivered before come first."""

from eventhus import StreamId
from eventhus.adapter_support import StreamQueues
from eventhus.ports import Message
from eventhus_nats.resequencer import Resequencer


def message(sequence: int) -> Message:
    return Message(id=str(sequence), stream=StreamId("Account", "a"), body=b"{}")


async def passed_on(resequencer: Resequencer) -> list[int]:
    """Return the sequences that were passed on, in order."""
    sequences: list[int] = []
    while resequencer.queues:
        given = await resequencer.queues.take()
        sequences.append(int(given.id))
        resequencer.queues.done(given)
    return sequences


async def test_messages_are_passed_on_at_once_while_none_is_missing() -> None:
    resequencer = Resequencer(StreamQueues())
    for sequence in (1, 2, 4):
        resequencer.add(sequence, message(sequence))
    assert [1, 2, 4] == await passed_on(resequencer)


async def test_new_messages_wait_for_missing_ones() -> None:
    resequencer = Resequencer(StreamQueues())
    resequencer.gather(2, boundary=6)
    for sequence in (7, 8, 6):
        resequencer.add(sequence, message(sequence))
    assert (True, []) == (resequencer.is_gathering, await passed_on(resequencer))
    resequencer.add(4, message(4))
    assert (False, [4, 6, 7, 8]) == (resequencer.is_gathering, await passed_on(resequencer))
    resequencer.add(9, message(9))
    assert [9] == await passed_on(resequencer)


async def test_messages_that_another_member_acknowledged_are_not_awaited() -> None:
    """The server tells how many are still missing; the number can only fall."""
    resequencer = Resequencer(StreamQueues())
    resequencer.gather(3, boundary=6)
    resequencer.add(9, message(9))
    resequencer.missing(5)
    resequencer.missing(1)
    assert [] == await passed_on(resequencer)
    resequencer.missing(0)
    assert [9] == await passed_on(resequencer)


async def test_a_second_break_keeps_messages_held_back() -> None:
    resequencer = Resequencer(StreamQueues())
    resequencer.gather(1, boundary=3)
    resequencer.add(5, message(5))
    resequencer.gather(2, boundary=6)
    resequencer.add(3, message(3))
    assert [] == await passed_on(resequencer)
    resequencer.add(6, message(6))
    assert [3, 5, 6] == await passed_on(resequencer)
    resequencer.gather(-1, boundary=9)
    assert not resequencer.is_gathering


async def test_everything_is_held_back_while_it_is_unknown_what_is_missing() -> None:
    resequencer = Resequencer(StreamQueues())
    resequencer.gather(1, boundary=9)
    resequencer.hold()
    resequencer.missing(0)
    for sequence in (12, 9, 11):
        resequencer.add(sequence, message(sequence))
    assert (True, True, []) == (
        resequencer.is_gathering,
        resequencer.is_unsure,
        await passed_on(resequencer),
    )
    resequencer.gather(1, boundary=10)
    assert (True, False, []) == (
        resequencer.is_gathering,
        resequencer.is_unsure,
        await passed_on(resequencer),
    )
    resequencer.add(10, message(10))
    assert [9, 10, 11, 12] == await passed_on(resequencer)
