"""Commits for these tests."""

from datetime import UTC, datetime
from itertools import count

from eventhus import StreamId
from eventhus.ports import Commit, EventData, Part

ACCOUNT = StreamId("Account", "a1")
NOW = datetime(2024, 2, 29, 12, 30, 15, 123456, UTC)

_numbers = count(1)


def made(expected: int | None = None, *, size: int = 1, stream: StreamId = ACCOUNT) -> Commit:
    """A commit of events that can be told apart."""
    return Commit(
        id=f"commit-{next(_numbers)}",
        parts=[
            Part(
                stream=stream,
                events=[EventData("Deposited", {"amount": next(_numbers)}) for _ in range(size)],
                expected_version=expected,
            )
        ],
        recorded_at=NOW,
    )
