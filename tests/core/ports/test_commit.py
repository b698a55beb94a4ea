"""Commits, and the envelopes of their events."""

from datetime import UTC, datetime

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError

from eventhus import Metadata, Recorded, StreamId
from eventhus.ports import Commit, EventData, Part, Place, Snapshot, StoredCommit

ACCOUNT = StreamId("Account", "a1")
OTHER = StreamId("Account", "a2")
OPENED = EventData("Opened", {"owner": "x"})
CLOSED = EventData("Closed", {}, schema=2)
PART = Part(stream=ACCOUNT, events=(OPENED, CLOSED), expected_version=4)
COMMIT = Commit(
    id="commit",
    parts=(PART,),
    recorded_at=datetime(2024, 2, 29, 12, 30, 15, 123456, UTC),
    metadata=Metadata(correlation_id="talk"),
    command_id="command",
)
STORED = StoredCommit(commit=COMMIT, versions=[5], position=9)
OF_TWO = StoredCommit(
    commit=evolve(COMMIT, parts=[PART, Part(stream=OTHER, events=[CLOSED], expected_version=0)]),
    versions=[5, 1],
    position=9,
)


def envelope(
    version: int, position: int, number: int, event: object, stream: StreamId = ACCOUNT
) -> Recorded[object]:
    return Recorded(
        stream=stream,
        version=version,
        position=position,
        id=f"commit-{number}",
        event=event,
        recorded_at=COMMIT.recorded_at,
        metadata=COMMIT.metadata,
    )


def test_metadata_command_id_and_condition_of_a_commit_are_optional() -> None:
    commit = Commit(id="c", parts=[PART], recorded_at=COMMIT.recorded_at)
    assert (Metadata(), None, None) == (commit.metadata, commit.command_id, commit.condition)


def test_a_commit_copies_its_parts_and_a_part_its_events() -> None:
    events = [OPENED]
    parts = [evolve(PART, events=events)]
    commit = evolve(COMMIT, parts=parts)
    events.append(CLOSED)
    parts.append(PART)
    assert (evolve(PART, events=(OPENED,)),) == commit.parts
    assert [OPENED] == commit.events


def test_a_commit_compares_by_value_and_is_immutable() -> None:
    assert {COMMIT} == {COMMIT, evolve(COMMIT)}
    with pytest.raises(FrozenInstanceError):
        COMMIT.id = "other"  # type: ignore[misc]


def test_a_commit_of_several_streams_lists_their_events_in_order() -> None:
    commit = OF_TWO.commit
    assert [OPENED, CLOSED, CLOSED] == commit.events
    assert ACCOUNT == commit.stream
    assert {ACCOUNT, OTHER} == commit.streams


@pytest.mark.parametrize("size", [1, 2, 10])
def test_a_stored_commit_knows_the_place_of_its_last_event(size: int) -> None:
    part = evolve(PART, events=[OPENED] * size)
    stored = evolve(STORED, commit=evolve(COMMIT, parts=[part]))
    last = stored.recorded()[-1]
    assert last.position == stored.last_position
    assert Place(version=4 + size, position=8 + size, event_id=last.id) == stored.last_of(ACCOUNT)


def test_a_stored_commit_knows_the_last_event_of_each_of_its_streams() -> None:
    assert Place(version=6, position=10, event_id="commit-2") == OF_TWO.last_of(ACCOUNT)
    assert Place(version=1, position=11, event_id="commit-3") == OF_TWO.last_of(OTHER)
    assert 11 == OF_TWO.last_position


def test_a_stored_commit_has_no_place_in_a_stream_of_others() -> None:
    with pytest.raises(KeyError, match="a2"):
        STORED.last_of(OTHER)


def test_recorded_numbers_the_events_of_a_commit() -> None:
    assert [envelope(5, 9, 1, OPENED), envelope(6, 10, 2, CLOSED)] == STORED.recorded()


def test_versions_count_by_stream_and_ids_over_the_whole_commit() -> None:
    assert [
        envelope(5, 9, 1, OPENED),
        envelope(6, 10, 2, CLOSED),
        envelope(1, 11, 3, CLOSED, OTHER),
    ] == OF_TWO.recorded()


def test_wrap_puts_any_form_of_the_events_into_their_envelopes() -> None:
    assert [envelope(5, 9, 1, "one"), envelope(6, 10, 2, "two")] == STORED.wrap(["one", "two"])


@pytest.mark.parametrize("events", [["one"], ["one", "two", "three"]])
def test_wrap_refuses_another_number_of_events(events: list[str]) -> None:
    with pytest.raises(ValueError, match="another number of events"):
        STORED.wrap(events)


def test_a_snapshot_with_a_dict_can_be_hashed() -> None:
    snapshot = Snapshot(
        stream=ACCOUNT,
        version=6,
        position=10,
        event_id="commit-2",
        fingerprint="f",
        data={"a": []},
    )
    assert {snapshot} == {snapshot, evolve(snapshot)}
    assert evolve(snapshot, data={"a": [1]}) != snapshot
