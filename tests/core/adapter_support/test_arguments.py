"""Arguments that an adapter accepts or refuses."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from attrs import evolve

from eventhus import Query, StreamId
from eventhus.adapter_support import (
    check_checkpoint,
    check_collection,
    check_condition,
    check_group,
    check_lease,
    check_page,
    check_snapshot,
    check_ttl,
    check_writes,
    checked_commit,
)
from eventhus.errors import InvalidArgument, InvalidCommit
from eventhus.ports import (
    Checkpoint,
    Commit,
    Condition,
    EventData,
    Lease,
    Part,
    Snapshot,
    ViewDocument,
    ViewWrite,
)

EVENT = EventData("Deposited", {})


@pytest.mark.parametrize(("start", "first"), [("after", 0), ("after_version", 0), ("before", 1)])
def test_a_page_that_can_be(start: str, first: int) -> None:
    """One event or more, from the first one or further on."""
    check_page(1, **{start: first})
    check_page(2**62 - 1, **{start: 2**62 - 1})


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ({"limit": 0}, "limit is 0; ask for at least 1"),
        ({"limit": -5}, "limit is -5; ask for at least 1"),
        ({"limit": 1, "after": -1}, "after is -1; 0 starts at the first event"),
        ({"limit": 1, "after_version": -2}, "after_version is -2; 0 starts at the first event"),
        ({"limit": 1, "before": 0}, "before is 0; the first event has position 1"),
        ({"limit": 1, "before": 2**63}, "before is 9.223e+18; no log has so many events"),
        ({"limit": 2**63}, "limit is 9.223e+18; no log has so many events"),
        ({"limit": 1, "after": 2**62}, "after is 4.612e+18; no log has so many events"),
        (
            {"limit": 1, "after_version": 2**200},
            "after_version is 1.607e+60; no log has so many events",
        ),
        ({"limit": -(2**2000)}, "limit is a number of 2,001 bits; ask for at least 1"),
    ],
)
def test_an_invalid_page_is_refused(page: dict[str, int], message: str) -> None:
    """The message names the argument, what it is and what it must be."""
    with pytest.raises(InvalidArgument) as caught:
        check_page(**page)
    assert message == str(caught.value)


@pytest.mark.parametrize("group", [None, "a", "A-b_9", "x" * 63])
def test_a_group(group: str | None) -> None:
    """Letters, digits, hyphens and underscores, which every bus can use as they are; or none."""
    check_group(group, 1)


@pytest.mark.parametrize("group", ["", "x" * 64, "a.b", "a b", "*", "é", "a\n", 7])
def test_no_group(group: Any) -> None:
    """Anything else."""
    with pytest.raises(InvalidArgument, match="is not 1 to 63 letters"):
        check_group(group)


def test_no_concurrency() -> None:
    """At least one message is handled."""
    with pytest.raises(InvalidArgument, match="concurrency must be an int of at least 1, found 0"):
        check_group("g", 0)


@pytest.mark.parametrize("ttl_s", [0, -1, 1e9, float("inf"), float("nan")])
def test_no_time(ttl_s: float) -> None:
    """A lease is for some time, and ends."""
    with pytest.raises(InvalidArgument, match="above 0 and below 1e\\+09"):
        check_ttl(ttl_s)
    check_ttl(0.001)


@pytest.mark.parametrize(
    "name",
    ["view_a", "process_a", "view_view_a", f"view_{'x' * 63}", "view_a.v2", "view_a_v2.v999999"],
)
def test_a_collection(name: str) -> None:
    """The names that views and processes have."""
    check_collection(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "events", "view", "view_", "views_a", "view_a.b", "view_ä"),
        *("view_a.", "view_a.v", "view_a.v1", "view_a.v02", "view_a.v1000000", "view_a.v2.v2"),
    ],
)
def test_no_collection(name: str) -> None:
    """Anything else, of which much is in use."""
    with pytest.raises(InvalidArgument) as caught:
        check_collection(name)
    assert (
        f"collection {name!r} is not view_ or process_ and 1 to 63 letters, digits, hyphens and "
        f"underscores, and possibly .v2 or a later version" == str(caught.value)
    )


def written(key: str, data: Any) -> ViewWrite:
    return ViewWrite(document=ViewDocument(key=key, position=1, data=data), replaces=0)


def test_documents() -> None:
    """Any text, and any plain data."""
    check_writes("view_a", [])
    check_writes("view_a", [written("", None), written("$", {"_id": 1})])


@pytest.mark.parametrize(
    ("collection", "write", "message"),
    [
        ("events", written("a", 1), "collection 'events' is not"),
        ("view_a", written("\ud800", 1), "the document key is not a str of whole Unicode"),
        ("view_a", written("k", (1,)), "the document of 'k' in view_a is not JSON-compatible: tup"),
        (
            "view_a",
            ViewWrite(
                document=ViewDocument(key="k", position=1, data=None, is_damaged=True), replaces=0
            ),
            "the document of 'k' in view_a is damaged",
        ),
    ],
)
def test_no_documents(collection: str, write: ViewWrite, message: str) -> None:
    """The message says what is wrong, and where."""
    with pytest.raises(InvalidArgument, match=message):
        check_writes(collection, [written("a", 1), write])


def of_parts(*parts: Part, **changes: Any) -> Commit:
    return Commit(id="c1", parts=parts, recorded_at=datetime.now(UTC), **changes)


def part(id_: str = "a1", *events: EventData) -> Part:
    return Part(stream=StreamId("Account", id_), events=events or [EVENT], expected_version=None)


def commit_at(recorded_at: datetime, *events: EventData) -> Commit:
    return Commit(
        id="c1",
        parts=[Part(stream=StreamId("Account", "a1"), events=events, expected_version=None)],
        recorded_at=recorded_at,
    )


def test_the_time_of_a_commit_is_converted_to_utc() -> None:
    event = EventData("Deposited", {})
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    for given in (noon, noon.astimezone(timezone(timedelta(hours=5)))):
        checked = checked_commit(commit_at(given, event))
        assert noon == checked.recorded_at
        assert UTC is checked.recorded_at.tzinfo


def test_a_commit_with_a_naive_time_is_refused() -> None:
    with pytest.raises(InvalidCommit) as caught:
        checked_commit(commit_at(datetime(2024, 1, 1), EventData("Deposited", {})))  # noqa: DTZ001
    assert str(caught.value) == (
        "recorded_at of the commit for Account/a1 has no UTC offset; "
        "use a timezone-aware time such as datetime.now(UTC)"
    )


def test_a_commit_without_events_is_refused() -> None:
    with pytest.raises(InvalidCommit, match="has no events; append at least one"):
        checked_commit(commit_at(datetime.now(UTC)))


def test_a_commit_without_parts_is_refused() -> None:
    with pytest.raises(InvalidCommit) as caught:
        checked_commit(of_parts())
    assert "commit c1 has no parts; append at least one event" == str(caught.value)


def test_an_empty_part_is_refused_by_the_name_of_its_stream() -> None:
    with pytest.raises(InvalidCommit) as caught:
        checked_commit(of_parts(part("a1"), evolve(part("a2"), events=[])))
    assert "the commit for Account/a2 has no events; append at least one" == str(caught.value)


def test_a_stream_twice_in_a_commit_is_refused() -> None:
    with pytest.raises(InvalidCommit) as caught:
        checked_commit(of_parts(part("a1"), part("a2"), part("a3"), part("a2")))
    assert "the commit has 2 parts for Account/a2; put all events of a stream into one" == str(
        caught.value
    )


def test_a_thousand_parts_are_the_most() -> None:
    parts = [part(f"a{number}") for number in range(1001)]
    checked_commit(of_parts(*parts[:1000]))
    with pytest.raises(InvalidArgument) as caught:
        checked_commit(of_parts(*parts))
    assert "the commit has 1,001 parts; the limit is 1,000" == str(caught.value)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Condition(query=Query.of(EventData), after=0), "has the class EventData"),
        (Condition(query=Query.of("x" * 256), after=0), "event type has 256 bytes"),
        (Condition(query=Query.of(), after=-1), "after is -1"),
    ],
)
def test_the_query_and_position_of_a_condition_are_checked(
    condition: Condition, message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        checked_commit(of_parts(part(), condition=condition))


def test_every_part_of_a_commit_is_checked() -> None:
    for bad, message in (
        (part("x" * 1025), "aggregate_id has 1,025"),
        (part("a2", EventData("x" * 256, {})), "event type has 256"),
        (part("a2", EventData("A", {}, tags=frozenset({"x" * 256}))), "the tag has 256"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            checked_commit(of_parts(part("a1"), bad))


def test_a_condition_may_begin_at_the_head_and_no_later() -> None:
    commit = of_parts(part(), condition=Condition(query=Query.of(), after=7))
    check_condition(of_parts(part()), 0)
    check_condition(commit, 7)
    check_condition(commit, 8)
    with pytest.raises(InvalidCommit) as caught:
        check_condition(commit, 6)
    assert (
        "the condition of the commit for Account/a1 begins after position 7, and the log ends at "
        "6; use the position of a page that was read from this log" == str(caught.value)
    )


@pytest.mark.parametrize("schema", [0, -1, 2**63])
def test_a_schema_that_is_not_counted_from_1_is_refused(schema: int) -> None:
    with pytest.raises(InvalidCommit, match="schemas are counted from 1"):
        checked_commit(of_parts(part("a1", EventData("Deposited", {}, schema))))


def test_a_time_without_a_form_in_utc_is_refused() -> None:
    early = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    with pytest.raises(InvalidCommit, match="is before the year 1 or after"):
        checked_commit(evolve(of_parts(part()), recorded_at=early))


SNAPSHOT = Snapshot(
    stream=StreamId("Account", "a1"), version=1, position=1, event_id="e", fingerprint="f", data=1
)
MANY = Checkpoint(0, "", [(2 * n, 2 * n) for n in range(1, 10_002)])


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: check_snapshot(evolve(SNAPSHOT, version=-1)), "version is -1; it must be at"),
        (lambda: check_snapshot(evolve(SNAPSHOT, event_id="x" * 513)), "event_id has 513 bytes"),
        (lambda: check_snapshot(evolve(SNAPSHOT, fingerprint="x" * 256)), "fingerprint has 256"),
        (lambda: check_checkpoint("r", Checkpoint(2**62), 0), "position is 4.612e"),
        (
            lambda: check_checkpoint("r", Checkpoint(1, "\ud800"), 0),
            "event_id is not a str of whole",
        ),
        (lambda: check_checkpoint("r", MANY, 0), "10,001 ranges; the limit is 10,000"),
        (lambda: check_checkpoint("r", Checkpoint(2, "", [(2, 3)]), 0), "2 to 3 comes after 2"),
        (lambda: check_lease(Lease(name="r", owner="o", token=-1)), "token is -1"),
    ],
)
def test_a_value_that_a_store_could_not_hold_is_refused(
    check: Callable[[], None], message: str
) -> None:
    check_snapshot(SNAPSHOT)
    check_checkpoint("r", Checkpoint(), 0)
    check_lease(Lease(name="r", owner="o", token=1))
    with pytest.raises(InvalidArgument, match=message):
        check()
