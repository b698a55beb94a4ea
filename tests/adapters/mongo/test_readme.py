"""The queries in the adapter's README, carried out word for word as far as Python can read them."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from eventhus import Metadata, StreamId
from eventhus.ports import EventData
from eventhus_mongo import MongoStore
from eventhus_testing.conformance.store.samples import ACCOUNT, OTHER, commit

README = Path(__file__).parents[3] / "adapters" / "mongo" / "README.md"
QUERY = re.compile(r"^// (?P<title>.+)\n(?P<query>db\.events\.(?:.+\n)+?)(?=//|```)", re.MULTILINE)
QUERIES = {found["title"]: found["query"].strip() for found in QUERY.finditer(README.read_text())}


def carried_out(query: str, events: Any) -> list[Any]:
    """What a query of the shell finds: its keys need quotes here, and its methods take pairs."""
    quoted = re.sub(r"([{,]\s*)([$_a-zA-Z]+):", r'\1"\2":', query).replace("false", "False")
    quoted = re.sub(r"\.sort\((\{.*?\})\)", r".sort(\1.items())", quoted)
    found = eval(f"({quoted})", {"db": type("Db", (), {"events": events})})
    return list(found)


EXPECTED: dict[str, list[Any]] = {
    "a stream": [1, 4],
    "the last commit of a stream": [4],
    "the log after a position": [3, 4, 5],
    "a conversation": [3, 5],
    "the last commit": [5],
    "commits with an event of one type that has two tags": [5],
    "events of one type in a time range": [4],
    "how many of each type": ["Deposited", "DepositPerformed", "SeatTaken"],
}


@pytest.mark.parametrize("title", EXPECTED)
async def test_a_query(store: MongoStore, plain: Database[dict[str, Any]], title: str) -> None:
    """It finds what it says."""
    await store.append(commit(ACCOUNT, size=2))
    conversation = Metadata(correlation_id="01KAQ1B7X2…")
    await store.append(commit(OTHER, id="01KAQ1B7X2…", metadata=conversation))
    performed = [EventData("DepositPerformed", {"amount": 100})]
    november = datetime(2026, 11, 15, tzinfo=UTC)
    await store.append(commit(ACCOUNT, events=performed, recorded_at=november))
    seat = EventData("SeatTaken", {}, tags=frozenset({"course:c1", "student:s7"}))
    await store.append(commit(StreamId("Course", "c1"), events=[seat], metadata=conversation))
    found = carried_out(QUERIES[title], plain.events)
    assert sorted(map(str, EXPECTED[title])) == sorted(str(each["_id"]) for each in found)


def test_every_query_is_carried_out() -> None:
    """None is forgotten."""
    assert [*EXPECTED] == [*QUERIES]
