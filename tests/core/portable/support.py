"""Logs to move, and ways to damage them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import evolve
from hypothesis import strategies as st

from eventhus import Metadata, StreamId
from eventhus.portable import export_log
from eventhus.ports import Commit, EventData, EventStore, Part
from eventhus_memory import MemoryStore

NOW = datetime(2024, 2, 29, 12, 30, 15, 123456, UTC)
ACCOUNT = StreamId("Account", "a1")
OTHER = StreamId("Account", "a2")
CUSTOMER = StreamId("Customer", "c1")


def part(stream: StreamId = ACCOUNT, *events: EventData) -> Part:
    made = events or (EventData("Deposited", {"amount": 5}),)
    return Part(stream=stream, events=made, expected_version=None)


def commit(id_: str, *parts: Part, **changes: Any) -> Commit:
    return evolve(Commit(id=id_, parts=parts or [part()], recorded_at=NOW), **changes)


def some_commits() -> list[Commit]:
    """Eleven commits of thirteen events: several streams, tags, command ids, every kind of data."""
    seat = EventData("SeatTaken", {"seat": 7}, 2, frozenset({"student:s7", "course:c1"}))
    kinds = {
        "z": -0.0,
        "a": [2**63 - 1, -(2**63), 1, 1.0, 1e300, None, True],
        "": {"ü": "\n\u2028"},
    }
    metadata = Metadata("conversation", "cause", {"user": "u1", "app": "bank"})
    return [
        commit("c0", command_id="k0", metadata=metadata),
        commit("c1", part(OTHER), part(CUSTOMER, seat)),
        commit("c2", part(ACCOUNT, EventData("Noted", kinds), seat)),
        *(commit(f"c{number}", part((ACCOUNT, OTHER)[number % 2])) for number in range(3, 10)),
        commit("c10", command_id="k10"),
    ]


def accounts_log(size: int) -> list[Commit]:
    """So many commits of a bank: accounts, transfers between them, tags and command ids."""
    commits: list[Commit] = []
    for number in range(size):
        account = StreamId("Account", f"a{number % (size // 5 + 1)}")
        deposited = EventData(
            "Deposited",
            {"amount": number, "currency": "EUR"},
            tags=frozenset({f"account:{account.aggregate_id}"} if number % 3 == 0 else ()),
        )
        parts = [part(account, *[deposited] * (1 + number % 2))]
        if number % 50 == 0:
            parts.append(part(StreamId("Customer", f"c{number % 97}")))
        commits.append(
            commit(f"c{number}", *parts, command_id=f"k{number}" if number % 2 else None)
        )
    return commits


async def log_of(commits: Sequence[Commit]) -> MemoryStore:
    store = MemoryStore()
    for each in commits:
        await store.append(each)
    return store


async def exported(store: EventStore, folder: Path) -> bytes:
    """The bytes that the log has as a file."""
    file = folder / "compared.ndjson"
    await export_log(store, file)
    return file.read_bytes()


texts = st.text(st.characters(codec="utf-8"), max_size=6)
ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
plain_data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
events = st.builds(
    EventData,
    type=ids,
    data=st.dictionaries(texts, plain_data, max_size=3),
    schema=st.integers(1, 3),
    tags=st.frozensets(ids, max_size=3),
)
streams = st.sampled_from([ACCOUNT, OTHER, CUSTOMER, StreamId("ü", "\n")])
metadatas = st.builds(
    Metadata, st.none() | ids, st.none() | ids, st.dictionaries(texts, texts, max_size=3)
)


@st.composite
def logs(draw: st.DrawFn) -> list[Commit]:
    """Commits that a store takes one after the other."""
    of_streams = st.lists(streams, min_size=1, max_size=3, unique=True)
    return [
        Commit(
            id=f"commit-{number}",
            parts=[
                part(stream, *draw(st.lists(events, min_size=1, max_size=2))) for stream in each
            ],
            recorded_at=draw(st.datetimes(timezones=st.just(UTC))),
            metadata=draw(metadatas),
            command_id=draw(st.none() | st.just(f"command-{number}")),
        )
        for number, each in enumerate(draw(st.lists(of_streams, max_size=6)))
    ]
