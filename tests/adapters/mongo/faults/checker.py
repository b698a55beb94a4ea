"""What must be true of a log, whatever happened while it was written: a pure function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from attrs import frozen

from eventhus.ports import StoredEvent


@frozen(kw_only=True)
class Acknowledged:
    """A writer was told that its write is stored.

    Attributes:
        key: Names the write.
        stream: The aggregate's id.
        size: How many events the write has.
        version: The version of its first event.
        position: The position of its first event.
        second: The version of the first event of its second part, if it has one.
    """

    key: str
    stream: str
    size: int
    version: int
    position: int
    second: int | None = None


def violations(
    *,
    acknowledged: Sequence[Acknowledged],
    refused: Sequence[str],
    log: Sequence[StoredEvent],
    followed: Sequence[StoredEvent],
) -> list[str]:
    """Everything that is wrong, each as a kind, a colon and what it is about.

    Events say in their data which write they belong to (``key``), which of its events they are
    (``number``, from 1), how many it has (``size``), how many of these belong to its second stream
    (``second``), and behind which version of its first stream it was to go (``after``, or
    ``None``). Those of a write with a condition say which tag no event was to have (``claim``)
    behind which position (``above``).

    Args:
        acknowledged: What writers were told is stored; the same write perhaps more than once.
        refused: The keys of writes that writers were told are not stored, and did not send again.
        log: All events, as read when everything was over.
        followed: All events, as a follower got them while it went on.
    """
    return [
        *_positions(log),
        *_versions(log),
        *_ids(log),
        *_writes(log),
        *_conditions(log),
        *_answers(acknowledged, refused, log),
        *_following(log, followed),
    ]


def _positions(log: Sequence[StoredEvent]) -> Iterator[str]:
    last = 0
    for event in log:
        if event.position > last + 1:
            yield f"hole: nothing at position {last + 1}, then {_place(event)}"
        elif event.position <= last:
            yield f"disorder: {_place(event)} comes behind position {last}"
        last = event.position


def _versions(log: Sequence[StoredEvent]) -> Iterator[str]:
    ends: Counter[str] = Counter()
    for event in log:
        stream = event.stream.aggregate_id
        if event.version > ends[stream] + 1:
            yield f"gap: {_place(event)} comes behind version {ends[stream]}"
        elif event.version <= ends[stream]:
            yield f"overlap: {_place(event)} comes behind version {ends[stream]}"
        ends[stream] = event.version


def _ids(log: Sequence[StoredEvent]) -> Iterator[str]:
    for event_id, times in Counter(event.id for event in log).items():
        if times > 1:
            yield f"id: {times} events have the id {event_id}"


def _writes(log: Sequence[StoredEvent]) -> Iterator[str]:
    for key, events in _by_key(log).items():
        first = events[0]
        after: int | None = first.event.data["after"]
        where = f"write {key}: {', '.join(map(_place, events))}"
        if len({_commit_id(event) for event in events}) > 1:
            yield f"repeated: {where}"
        elif not _is_whole(events):
            yield f"half: {where}"
        elif after is not None and first.version != after + 1:
            yield f"expectation: behind version {after} was to go {where}"


def _is_whole(events: Sequence[StoredEvent]) -> bool:
    """Whether these are all events of one write, in order and side by side."""
    position = events[0].position
    size: int = events[0].event.data["size"]
    return [(number, size, position + number - 1) for number in range(1, size + 1)] == [
        (event.event.data["number"], event.event.data["size"], event.position) for event in events
    ] and all(map(_is_run, _parts(events)))


def _parts(events: Sequence[StoredEvent]) -> list[Sequence[StoredEvent]]:
    """The events of each stream of one write."""
    second = _second(events)
    return [events[:-second], events[-second:]] if second else [events]


def _second(events: Sequence[StoredEvent]) -> int:
    second: int = events[0].event.data["second"]
    return second


def _is_run(events: Sequence[StoredEvent]) -> bool:
    """Tell whether these follow each other in one stream."""
    first = events[0]
    return [(first.stream, first.version + index) for index in range(len(events))] == [
        (event.stream, event.version) for event in events
    ]


def _conditions(log: Sequence[StoredEvent]) -> Iterator[str]:
    for key, events in _by_key(log).items():
        first, data = events[0], events[0].event.data
        if data["claim"] is None:
            continue
        for event in log:
            is_between = data["above"] < event.position < first.position
            if is_between and data["claim"] in event.event.tags:
                yield f"condition: {_place(event)} was in the way of write {key}: {_place(first)}"
                break


def _answers(
    acknowledged: Sequence[Acknowledged], refused: Sequence[str], log: Sequence[StoredEvent]
) -> Iterator[str]:
    stored = _by_key(log)
    for answer in acknowledged:
        events = stored.get(answer.key)
        if events is None:
            yield f"lost: {answer}"
        elif answer != _expected_answer(answer.key, events):
            yield f"misplaced: {answer}, stored as {', '.join(map(_place, events))}"
    for key in refused:
        if key in stored:
            yield f"refused: write {key} is stored, as {', '.join(map(_place, stored[key]))}"


def _expected_answer(key: str, events: Sequence[StoredEvent]) -> Acknowledged:
    first = events[0]
    return Acknowledged(
        key=key,
        stream=first.stream.aggregate_id,
        size=len(events),
        version=first.version,
        position=first.position,
        second=events[-_second(events)].version if _second(events) else None,
    )


def _following(log: Sequence[StoredEvent], followed: Sequence[StoredEvent]) -> Iterator[str]:
    at = {event.position: event for event in log}
    last = 0
    for event in followed:
        if event.position > last + 1:
            yield f"skipped: the follower got {_place(event)} right behind position {last}"
        elif event.position <= last:
            yield f"followed twice: the follower got {_place(event)} behind position {last}"
        if event != at.get(event.position):
            found = at.get(event.position)
            there = "nothing" if found is None else _place(found)
            yield f"taken back: the follower got {_place(event)}, and the log has {there}"
        last = event.position
    if log and last < log[-1].position:
        yield f"skipped: the follower ended at position {last} of {log[-1].position}"


def _by_key(log: Sequence[StoredEvent]) -> dict[str, list[StoredEvent]]:
    events: dict[str, list[StoredEvent]] = {}
    for event in log:
        events.setdefault(event.event.data["key"], []).append(event)
    return events


def _commit_id(event: StoredEvent) -> str:
    return event.id.rpartition("-")[0]


def _place(event: StoredEvent) -> str:
    data = event.event.data
    return (
        f"{event.id} ({data['number']} of {data['size']}) of {event.stream.aggregate_id} "
        f"at version {event.version}, position {event.position}"
    )
