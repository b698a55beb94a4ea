"""Commits, and the envelopes of their events."""

from datetime import UTC, datetime

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError

from eventhus import Metadata, Recorded, StreamId
from eventhus.ports import Commit, EventData, Snapshot, StoredCommit

OPENED = EventData("Opened", {"owner": "x"})
CLOSED = EventData("Closed", {}, schema=2)
COMMIT = Commit(
    id="commit",
    stream=StreamId("Account", "a1"),
    events=(OPENED, CLOSED),
    expected_version=4,
    recorded_at=datetime(2024, 2, 29, 12, 30, 15, 123456, UTC),
    metadata=Metadata(correlation_id="talk"),
    command_id="command",
)
STORED = StoredCommit(commit=COMMIT, version=5, position=9)


def envelope(version: int, position: int, number: int, event: object) -> Recorded[object]:
    return Recorded(
        stream=COMMIT.stream,
        version=version,
        position=position,
        id=f"commit-{number}",
        event=event,
        recorded_at=COMMIT.recorded_at,
        metadata=COMMIT.metadata,
    )


def test_metadata_and_command_id_of_a_commit_are_optional() -> None:
    commit = Commit(
        id="c",
        stream=COMMIT.stream,
        events=[OPENED],
        expected_version=None,
        recorded_at=COMMIT.recorded_at,
    )
    assert (Metadata(), None) == (commit.metadata, commit.command_id)


def test_a_commit_copies_its_events() -> None:
    events = [OPENED]
    commit = evolve(COMMIT, events=events)
    events.append(CLOSED)
    assert (OPENED,) == commit.events
    assert evolve(COMMIT, events=(OPENED,)) == commit


def test_a_commit_compares_by_value_and_is_immutable() -> None:
    assert {COMMIT} == {COMMIT, evolve(COMMIT)}
    with pytest.raises(FrozenInstanceError):
        COMMIT.id = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("events", "last"),
    [((OPENED,), (5, 9)), ((OPENED, CLOSED), (6, 10)), ((OPENED,) * 10, (14, 18))],
)
def test_a_stored_commit_knows_its_last_version_and_position(
    events: tuple[EventData, ...], last: tuple[int, int]
) -> None:
    stored = StoredCommit(commit=evolve(COMMIT, events=events), version=5, position=9)
    assert last == (stored.last_version, stored.last_position)
    assert stored.last_event_id == stored.recorded()[-1].id


def test_recorded_numbers_the_events_of_a_commit() -> None:
    assert [envelope(5, 9, 1, OPENED), envelope(6, 10, 2, CLOSED)] == STORED.recorded()
    assert ["commit-1", "commit-2"] == [STORED.event_id(index) for index in range(2)]


def test_wrap_puts_any_form_of_an_event_into_its_envelope() -> None:
    assert envelope(6, 10, 2, "decoded") == STORED.wrap(1, "decoded")


def test_a_snapshot_with_a_dict_can_be_hashed() -> None:
    snapshot = Snapshot(
        stream=COMMIT.stream,
        version=6,
        position=10,
        event_id="commit-2",
        fingerprint="f",
        data={"a": []},
    )
    assert {snapshot} == {snapshot, evolve(snapshot)}
    assert evolve(snapshot, data={"a": [1]}) != snapshot
