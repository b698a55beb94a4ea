"""A commit, and the envelopes that its events get once it has a place."""

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


def test_a_commit_says_no_more_than_it_must() -> None:
    """Metadata is empty and there is no command id unless they are given."""
    commit = Commit(
        id="c",
        stream=COMMIT.stream,
        events=[OPENED],
        expected_version=None,
        recorded_at=COMMIT.recorded_at,
    )
    assert (Metadata(), None) == (commit.metadata, commit.command_id)


def test_a_commit_does_not_change_with_the_list_that_it_was_given() -> None:
    """Its events are its own, in any kind of sequence."""
    events = [OPENED]
    commit = evolve(COMMIT, events=events)
    events.append(CLOSED)
    assert (OPENED,) == commit.events
    assert evolve(COMMIT, events=(OPENED,)) == commit


def test_a_commit_is_a_value() -> None:
    """It compares and hashes by value and cannot be changed."""
    assert {COMMIT} == {COMMIT, evolve(COMMIT)}
    with pytest.raises(FrozenInstanceError):
        COMMIT.id = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("events", "last"),
    [((OPENED,), (5, 9)), ((OPENED, CLOSED), (6, 10)), ((OPENED,) * 10, (14, 18))],
)
def test_where_a_commit_ends(events: tuple[EventData, ...], last: tuple[int, int]) -> None:
    """A commit takes as many versions and positions as it has events."""
    stored = StoredCommit(commit=evolve(COMMIT, events=events), version=5, position=9)
    assert last == (stored.last_version, stored.last_position)
    assert stored.last_event_id == stored.recorded()[-1].id


def test_each_event_gets_its_envelope() -> None:
    """Versions and positions count up from the commit's own; ids count from 1."""
    assert [envelope(5, 9, 1, OPENED), envelope(6, 10, 2, CLOSED)] == STORED.recorded()
    assert ["commit-1", "commit-2"] == [STORED.event_id(index) for index in range(2)]


def test_any_form_of_an_event_fits_its_envelope() -> None:
    """The envelope is the same around the decoded event as around its data."""
    assert envelope(6, 10, 2, "decoded") == STORED.wrap(1, "decoded")


def test_a_snapshot_hashes_whatever_its_data_is() -> None:
    """A snapshot is a value, though its data may be a dict."""
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
