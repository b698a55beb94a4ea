"""How MongoDB answers the store's queries: from an index, without sorting or looking at the rest.

Each test takes the queries from what the store sends, and lets the server explain them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import field, frozen
from pymongo.database import Database

from eventhus import Metadata, Query, StreamId
from eventhus.ports import Condition, QueryItem
from eventhus_mongo import MongoStore, query_filters
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    accounts,
    commit,
    commit_of,
    part,
    tagged,
)
from tests.adapters.mongo.support import Commands

Plain = Database[dict[str, Any]]

COURSES, STUDENTS = 5, 20


@frozen
class Plan:
    """How the server carried out a query.

    Attributes:
        stages: The names of its stages.
        indexes: The names of the indexes.
        bounds: The bounds in each of them.
        looked_at: How many documents it looked at.
        found: How many it found.
    """

    stages: list[str] = field(factory=list)
    indexes: list[str] = field(factory=list)
    bounds: list[Mapping[str, Any]] = field(factory=list)
    looked_at: int = 0
    found: int = 0


def explained(plain: Plain, command: Mapping[str, Any]) -> Plan:
    """Let the server explain a query that the store has sent."""
    names = ("find", "filter", "projection", "sort", "hint", "min", "limit", "singleBatch")
    query = {name: command[name] for name in names if name in command}
    found = plain.command("explain", query, verbosity="executionStats")
    executed = found["executionStats"]
    plan = Plan(looked_at=executed["totalDocsExamined"], found=executed["nReturned"])
    pending = [found["queryPlanner"]["winningPlan"]]
    while pending:
        stage = pending.pop(0)
        stage = stage.get("queryPlan", stage)  # of the server's newer engine
        plan.stages.append(stage["stage"])
        if stage["stage"] == "IXSCAN":
            plan.indexes.append(stage["indexName"])
            plan.bounds.append(stage["indexBounds"])
        pending += [stage["inputStage"]] if "inputStage" in stage else stage.get("inputStages", [])
    return plan


@pytest.fixture
async def log(store: MongoStore, commands: Commands) -> MongoStore:
    """A store with 80 commits, 20 of which have parts in two streams."""
    for number in range(STUDENTS):
        course = f"course:c{number % COURSES}"
        seat = tagged(course, f"student:s{number}", type_="SeatTaken")
        await store.append(commit(events=[tagged(course, type_="CourseChanged"), seat]))
        await store.append(commit_of(part(StreamId("Other", "a1"), size=2), part(ACCOUNT)))
        await store.append(commit(StreamId("Student", f"s{number}"), size=2))
        await store.append(commit(StreamId("Student", f"s{number}")))
    commands.forget()
    return store


def last_find(commands: Commands, **fields: object) -> Mapping[str, Any]:
    """The last query that was sent, of those that have these fields."""
    return [
        command
        for command in commands.named("find")
        if all(command.get(name) == value for name, value in fields.items())
    ][-1]


async def test_the_last_commit_of_a_stream_is_the_first_entry_of_its_index(
    log: MongoStore, plain: Plain, commands: Commands
) -> None:
    """Whichever part of the commit belongs to the stream."""
    assert 60 == await log.version_of(ACCOUNT)
    plan = explained(plain, last_find(commands))
    assert (["stream"], 1, 1) == (plan.indexes, plan.looked_at, plan.found)
    assert "SORT" not in plan.stages
    (bounds,) = plan.bounds
    assert {
        "parts.id": ['["a1", "a1"]'],
        "parts.type": ['["Account", "Account"]'],
        "parts.version": ["[MaxKey, MinKey]"],
    } == bounds
    (document,) = plain.events.find(last_find(commands)["filter"], hint="stream", limit=1)
    assert 60 == document["parts"][1]["version"]


async def test_the_commit_before_a_page_is_the_first_entry_of_its_index(
    log: MongoStore, plain: Plain, commands: Commands
) -> None:
    page = await log.load(ACCOUNT, after_version=31, limit=3)
    assert 34 == page.version
    plan = explained(plain, last_find(commands, limit=1))
    assert (["stream"], 1, 1) == (plan.indexes, plan.looked_at, plan.found)
    assert ["[31, -inf.0]"] == plan.bounds[0]["parts.version"]


async def test_a_load_looks_at_the_commits_of_its_page_only(
    log: MongoStore, plain: Plain, commands: Commands
) -> None:
    """The id, the type and the versions are those of one part, also for the index."""
    await log.load(ACCOUNT, after_version=30, limit=6)
    plan = explained(plain, last_find(commands))
    assert (["stream"], 4, 4) == (plan.indexes, plan.looked_at, plan.found)
    assert {
        "parts.id": ['["a1", "a1"]'],
        "parts.type": ['["Account", "Account"]'],
        "parts.version": ["[36, 30)"],
    } == plan.bounds[0]


async def test_without_an_element_a_load_finds_commits_of_other_streams(
    log: MongoStore, plain: Plain
) -> None:
    """The id of one part matches together with the version of another."""
    loose = {"parts.id": "a1", "parts.type": "Account", "parts.version": {"$gt": 30, "$lte": 36}}
    plan = explained(plain, {"find": "events", "filter": loose})
    assert plan.found > 4


QUERIES = {
    "a tag": (Query.of(tags={"course:c1"}), 4),
    "a tag and a type": (Query.of("SeatTaken", tags={"course:c1"}), 4),
    "a tag and two types": (Query.of("SeatTaken", "CourseChanged", tags={"course:c1"}), 4),
    "two tags": (Query.of(tags={"course:c1", "student:s16"}), 4),
    "two items": (
        Query.of("CourseChanged", "SeatTaken", tags={"course:c1"})
        | Query.of("SeatTaken", tags={"student:s7"}),
        5,
    ),
    "a tag and other types": (
        Query([QueryItem(tags=frozenset({"course:c1"}), other_than=frozenset({"Noted"}))]),
        4,
    ),
}


@pytest.mark.parametrize("after", [0, 100])
@pytest.mark.parametrize("name", QUERIES)
async def test_events_are_found_by_tag(
    log: MongoStore, plain: Plain, commands: Commands, name: str, after: int
) -> None:
    """The server looks at commits that have the tag, and at the one where the page begins."""
    query, most = QUERIES[name]
    page = await log.read(query, after=after)
    assert page.events
    assert all(query.matches(each.event.type, each.event.tags) for each in page.events)
    plan = explained(plain, last_find(commands, limit=1001))
    assert "COLLSCAN" not in plan.stages
    assert {"tags", "_id_"} >= {*plan.indexes} >= {"tags"}
    assert plan.looked_at <= 3 * most  # of 80
    assert all("(" in each["_id"][0] for each in plan.bounds if "events.tags" in each)


@pytest.mark.parametrize("after", [0, 100])
@pytest.mark.parametrize("name", ["a tag and a type", "a tag and two types", "two items"])
async def test_events_of_known_types_are_not_sorted(
    log: MongoStore, plain: Plain, commands: Commands, name: str, after: int
) -> None:
    """So the first page of many takes no longer than if it were the only one."""
    await log.read(QUERIES[name][0], after=after, limit=2)
    plan = explained(plain, last_find(commands, limit=3))
    assert "SORT" not in plan.stages


async def test_without_a_tag_at_the_top_the_index_is_not_used(
    log: MongoStore, plain: Plain
) -> None:
    """The server does not see that only commits with tags can match."""
    (found,) = query_filters.branches(QUERIES["a tag and a type"][0])
    assert ["tags"] == explained(plain, {"find": "events", "filter": found}).indexes
    del found["events.tags"]
    assert ["COLLSCAN"] == explained(plain, {"find": "events", "filter": found}).stages


async def test_a_conversation_is_read_from_its_index(
    log: MongoStore, plain: Plain, commands: Commands
) -> None:
    """In the order of the log, and as far as a page goes."""
    for number in range(20):
        metadata = Metadata(correlation_id=f"talk-{number % 2}")
        await log.append(commit(id=f"c-{number}", metadata=metadata))
    commands.forget()
    page = await log.related("talk-1", after=165, limit=3)
    assert [166, 168, 170] == [each.position for each in page]
    before, after, own = (explained(plain, each) for each in commands.named("find"))
    assert (["conversation"], 1) == (before.indexes, before.looked_at)
    assert (["conversation"], 3) == (after.indexes, after.looked_at)
    assert (["commit_id"], 0) == (own.indexes, own.looked_at)
    assert "SORT" not in before.stages + after.stages


async def test_plain_commits_are_not_in_the_index_of_conversations(
    log: MongoStore, plain: Plain
) -> None:
    """Their number is that of the commits which have a conversation of another id."""
    await log.append(commit(id="c-1", metadata=Metadata("c-1")))
    await log.append(commit(id="c-2", metadata=Metadata("c-1")))
    counted = plain.events.count_documents(
        {"metadata.correlation_id": {"$type": "string"}}, hint="conversation"
    )
    assert 1 == counted


@pytest.mark.parametrize("long", [5, 500])
async def test_streams_are_listed_from_their_index(
    store: MongoStore, plain: Plain, commands: Commands, long: int
) -> None:
    """However long a stream is, a few of its commits are looked at."""
    for stream in [StreamId("Account", "a1")] * long + accounts(5):
        await store.append(commit(stream))
    commands.forget()
    found = await store.streams(stream_type="Account", prefix="a", limit=2)
    assert [(ACCOUNT, long)] == [(each.stream, each.version) for each in found]
    sent = commands.named("find")
    assert len(sent) <= 2
    for each in sent:
        plan = explained(plain, each)
        assert {"stream"} == {*plan.indexes}
        assert plan.looked_at <= 32


async def test_events_without_tags_are_not_in_the_index_of_tags(
    log: MongoStore, plain: Plain
) -> None:
    """A log without tags pays nothing for it."""
    assert STUDENTS == explained(plain, {"find": "events", "filter": {}, "hint": "tags"}).found


async def test_the_conditions_of_a_batch_read_a_range_of_the_log(
    log: MongoStore, plain: Plain, commands: Commands
) -> None:
    """Only what has been stored since, and only the names of the events."""
    head = await log.head()
    for stream in accounts(3):
        await log.append(commit(stream))
    query = Query.of("SeatTaken", tags={"course:c1"})
    commands.forget()
    condition = Condition(query=query, after=head)
    await log.append(commit(StreamId("New", "n"), expected_version=0, condition=condition))
    (look,) = commands.named("find")
    plan = explained(plain, look)
    assert (["_id_"], 3, 3) == (plan.indexes, plan.looked_at, plan.found)
    assert {"parts.size", "events.type", "events.tags", "format"} == {*look["projection"]}


async def test_versions_that_may_be_taken_are_looked_up_one_by_one_in_the_index(
    log: MongoStore, plain: Plain, commands: Commands, bucket: str
) -> None:
    assert log._running is not None
    await log._running.lookups.taken({(ACCOUNT, 2), (ACCOUNT, 4), (StreamId("Student", "s1"), 9)})
    plan = explained(plain, last_find(commands))
    assert {"stream"} == {*plan.indexes}
    assert (3, 1) == (len(plan.indexes), plan.looked_at)
