"""What was given before and not acknowledged comes first."""

from eventhus import StreamId
from eventhus.adapter_support import StreamQueues
from eventhus.ports import Message
from eventhus_nats.resequencer import Resequencer


def message(sequence: int) -> Message:
    return Message(id=str(sequence), stream=StreamId("Account", "a"), body=b"{}")


async def passed_on(intake: Resequencer) -> list[int]:
    """What has been passed on by now, in its order."""
    sequences: list[int] = []
    while intake.turns:
        given = await intake.turns.take()
        sequences.append(int(given.id))
        intake.turns.done(given)
    return sequences


async def test_with_nothing_missing_everything_is_passed_on() -> None:
    """At once, as it comes."""
    intake = Resequencer(StreamQueues())
    for sequence in (1, 2, 4):
        intake.add(sequence, message(sequence))
    assert [1, 2, 4] == await passed_on(intake)


async def test_what_is_new_waits_for_what_is_missing() -> None:
    """And then comes behind it, in the order of the stream."""
    intake = Resequencer(StreamQueues())
    intake.gather(2, boundary=6)
    for sequence in (7, 8, 6):
        intake.add(sequence, message(sequence))
    assert (True, []) == (intake.is_gathering, await passed_on(intake))
    intake.add(4, message(4))
    assert (False, [4, 6, 7, 8]) == (intake.is_gathering, await passed_on(intake))
    intake.add(9, message(9))
    assert [9] == await passed_on(intake)


async def test_what_others_have_acknowledged_is_not_waited_for() -> None:
    """The server says how many are still missing, which may be fewer and never more."""
    intake = Resequencer(StreamQueues())
    intake.gather(3, boundary=6)
    intake.add(9, message(9))
    intake.missing(5)
    intake.missing(1)
    assert [] == await passed_on(intake)
    intake.missing(0)
    assert [9] == await passed_on(intake)


async def test_gathering_anew() -> None:
    """After another break, what is held back waits on."""
    intake = Resequencer(StreamQueues())
    intake.gather(1, boundary=3)
    intake.add(5, message(5))
    intake.gather(2, boundary=6)
    intake.add(3, message(3))
    assert [] == await passed_on(intake)
    intake.add(6, message(6))
    assert [3, 5, 6] == await passed_on(intake)
    intake.gather(-1, boundary=9)
    assert not intake.is_gathering


async def test_while_nobody_knows_what_is_missing() -> None:
    """Everything is held back, whatever anybody says of the time before."""
    intake = Resequencer(StreamQueues())
    intake.gather(1, boundary=9)
    intake.hold()
    intake.missing(0)
    for sequence in (12, 9, 11):
        intake.add(sequence, message(sequence))
    assert (True, True, []) == (intake.is_gathering, intake.is_unsure, await passed_on(intake))
    intake.gather(1, boundary=10)
    assert (True, False, []) == (intake.is_gathering, intake.is_unsure, await passed_on(intake))
    intake.add(10, message(10))
    assert [9, 10, 11, 12] == await passed_on(intake)
