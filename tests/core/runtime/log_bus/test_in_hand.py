"""A checkpoint tells exactly which events are handled, whatever the order."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from eventhus import StreamId
from eventhus.adapter_support.arguments import check_checkpoint
from eventhus.ports import Checkpoint, Message
from eventhus.runtime.log_bus.in_hand import EventsInHand

STREAMS = [StreamId("Account", name) for name in "abc"]


def at(position: int) -> Checkpoint:
    return Checkpoint(position, f"c-{position}")


def event(stream: StreamId, size_bytes: int = 1) -> Message:
    return Message(id="c-1", stream=stream, body=b"x" * size_bytes)


def done_by(checkpoint: Checkpoint, position: int) -> bool:
    return position <= checkpoint.position or any(
        first <= position <= last for first, last in checkpoint.done
    )


def test_the_checkpoint_waits_at_the_first_event_that_is_not_handled() -> None:
    in_hand = EventsInHand(Checkpoint())
    for position, name in enumerate("abacb", start=1):
        in_hand.add(event(StreamId("Account", name)), at(position))
    in_hand.reach(at(9))
    assert Checkpoint() == Checkpoint(in_hand.checkpoint().position)
    in_hand.done(STREAMS[1])
    in_hand.done(STREAMS[2])
    assert Checkpoint(0, "", [(2, 2), (4, 4), (6, 9)]) == in_hand.checkpoint()
    in_hand.done(STREAMS[0])
    assert Checkpoint(2, "c-2", [(4, 4), (6, 9)]) == in_hand.checkpoint()
    in_hand.done(STREAMS[0])
    in_hand.done(STREAMS[1])
    assert at(9) == in_hand.checkpoint()
    assert 0 == len(in_hand) == in_hand.size_bytes == in_hand.ahead


def test_what_was_handled_before_is_not_forgotten_while_it_is_read_again() -> None:
    """A process that ends early leaves the next one as much as it found."""
    in_hand = EventsInHand(Checkpoint(3, "c-3", [(5, 8), (11, 20)]))
    assert [4, 9, 10, 21] == [each for each in range(4, 22) if not was_handled(each)]
    in_hand.add(event(STREAMS[0]), at(4))
    in_hand.reach(at(6))
    assert Checkpoint(3, "c-3", [(5, 6), (7, 8), (11, 20)]) == in_hand.checkpoint()
    in_hand.done(STREAMS[0])
    assert Checkpoint(6, "c-6", [(7, 8), (11, 20)]) == Checkpoint(
        6, "c-6", in_hand.checkpoint().done
    )


def was_handled(position: int) -> bool:
    in_hand = EventsInHand(Checkpoint(3, "c-3", [(5, 8), (11, 20)]))
    in_hand.reach(at(position - 1))
    return in_hand.was_handled(position)


def test_the_size_and_the_distance_are_those_of_what_is_not_handled() -> None:
    in_hand = EventsInHand(Checkpoint())
    for position, stream in enumerate([STREAMS[0], *STREAMS[1:] * 3], start=1):
        in_hand.add(event(stream, position), at(10 * position))
    for _ in range(3):
        in_hand.done(STREAMS[1])
    assert (1 + 3 + 5 + 7, 4, 7) == (in_hand.size_bytes, len(in_hand), in_hand.ahead)
    in_hand.done(STREAMS[0])
    assert (3 + 5 + 7, 3, 5) == (in_hand.size_bytes, len(in_hand), in_hand.ahead)


@given(seed=st.integers(0, 2**32), lives=st.integers(1, 6))
def test_no_event_is_lost_or_handled_again_by_later_processes(seed: int, lives: int) -> None:
    """Each process reads some of the log from the last checkpoint, and handles some of that."""
    random = Random(seed)
    log = [random.choice([*STREAMS, None]) for _ in range(random.randint(1, 40))]  # None: filtered
    handled: list[int] = []
    checkpoint = Checkpoint()
    for life in range(lives):
        in_hand = EventsInHand(checkpoint)
        pending: dict[StreamId, list[int]] = {}
        is_last = life == lives - 1
        end = len(log) if is_last else random.randint(checkpoint.position, len(log))
        for position in range(checkpoint.position + 1, end + 1):
            stream = log[position - 1]
            if stream is not None and not in_hand.was_handled(position):
                in_hand.add(event(stream), at(position))
                pending.setdefault(stream, []).append(position)
            elif stream is not None or random.random() < 0.5:
                in_hand.reach(at(position))
        in_hand.reach(at(end))
        while pending and (is_last or random.random() < 0.8):
            stream = random.choice([*pending])
            handled.append(pending[stream].pop(0))
            in_hand.done(stream)
            if not pending[stream]:
                del pending[stream]
            now = in_hand.checkpoint()
            check_checkpoint("group", now, 0)
            left = [each for each in range(1, len(log) + 1) if log[each - 1] and each > end]
            assert all(done_by(now, each) for each in handled)
            unhandled = {each for queue in pending.values() for each in queue}
            assert not any(done_by(now, each) for each in unhandled)
            assert not any(done_by(now, each) for each in left if each not in handled)
        checkpoint = in_hand.checkpoint()
    wanted = [position for position, stream in enumerate(log, start=1) if stream]
    assert wanted == sorted(handled)
