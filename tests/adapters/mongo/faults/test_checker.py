"""The checker sees each kind of damage, and nothing in a log that is whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve, field, frozen

from eventhus import Metadata, Recorded, StreamId
from eventhus.ports import EventData, StoredEvent, event_id
from tests.adapters.mongo.faults.checker import Acknowledged, violations

NOW = datetime(2024, 2, 29, tzinfo=UTC)


def events(
    key: str,
    stream: str,
    position: int,
    version: int,
    size: int,
    *,
    after: int | None = None,
    claim: str | None = None,
    above: int = 0,
) -> list[StoredEvent]:
    data = {"key": key, "size": size, "second": 0, "after": after, "claim": claim, "above": above}
    tags = frozenset({claim} if claim else ())
    return [
        Recorded(
            stream=StreamId("Ledger", stream),
            version=version + index,
            position=position + index,
            id=event_id(key, index),
            event=EventData("Written", {**data, "number": index + 1}, tags=tags),
            recorded_at=NOW,
            metadata=Metadata(),
        )
        for index in range(size)
    ]


def answer(key: str, stream: str, position: int, version: int, size: int) -> Acknowledged:
    return Acknowledged(key=key, stream=stream, size=size, version=version, position=position)


@frozen(kw_only=True)
class History:
    """Three writes to two streams, at positions 1 to 2, 3 and 4 to 6, all of it as it must be."""

    log: Sequence[StoredEvent] = field(
        factory=lambda: [
            *events("a", "s", 1, 1, 2, after=0),
            *events("b", "t", 3, 1, 1),
            *events("c", "s", 4, 3, 3, after=2),
        ]
    )
    acknowledged: Sequence[Acknowledged] = (
        answer("a", "s", 1, 1, 2),
        answer("b", "t", 3, 1, 1),
        answer("c", "s", 4, 3, 3),
        answer("c", "s", 4, 3, 3),  # appended again
    )
    refused: Sequence[str] = ("d",)
    followed: Sequence[StoredEvent] | None = None

    def kinds(self) -> list[str]:
        found = violations(
            acknowledged=self.acknowledged,
            refused=self.refused,
            log=self.log,
            followed=self.log if self.followed is None else self.followed,
        )
        return [violation.partition(":")[0] for violation in found]


GOOD = History()
LOG = GOOD.log
ACKNOWLEDGED = GOOD.acknowledged


def with_data(event: StoredEvent, **changes: Any) -> StoredEvent:
    return evolve(event, event=evolve(event.event, data={**event.event.data, **changes}))


def both(
    key: str, position: int, first: tuple[str, int, int], second: tuple[str, int, int]
) -> list[StoredEvent]:
    """A write to two streams, each with the version and the number of its events."""
    size = first[2] + second[2]
    ids = events(key, "-", position, 1, size)
    parts = [
        *events(key, first[0], position, *first[1:]),
        *events(key, second[0], position + first[2], *second[1:]),
    ]
    return [
        with_data(evolve(event, id=whole.id), size=size, number=number, second=second[2])
        for number, (event, whole) in enumerate(zip(parts, ids, strict=True), 1)
    ]


def test_nothing_is_wrong_with_a_whole_history() -> None:
    """What is stored and was never acknowledged is fine: its writer was killed."""
    assert [] == GOOD.kinds()
    assert [] == evolve(GOOD, acknowledged=ACKNOWLEDGED[:1], refused=()).kinds()
    assert [] == History(log=[], acknowledged=(), refused=()).kinds()
    told = Acknowledged(key="e", stream="s", size=3, version=6, position=7, second=2)
    log = [*LOG, *both("e", 7, ("s", 6, 2), ("t", 2, 1))]
    assert [] == evolve(GOOD, log=log, acknowledged=[*ACKNOWLEDGED, told]).kinds()
    claims = [*events("e", "t", 7, 2, 1, claim="x"), *events("f", "t", 8, 3, 2, claim="x", above=7)]
    assert [] == evolve(GOOD, log=[*LOG, *claims]).kinds()


DAMAGE: dict[str, tuple[list[str], History]] = {
    "an acknowledged write is not there": (
        ["lost"],
        evolve(GOOD, acknowledged=[*ACKNOWLEDGED, answer("e", "s", 7, 6, 1)]),
    ),
    "the end of the log is not there": (
        ["lost", "lost"],  # it was acknowledged twice
        evolve(GOOD, log=LOG[:3]),
    ),
    "acknowledged at another position": (
        ["misplaced"],
        evolve(GOOD, acknowledged=[answer("a", "s", 2, 1, 2)]),
    ),
    "acknowledged at another version": (
        ["misplaced"],
        evolve(GOOD, acknowledged=[answer("a", "s", 1, 2, 2)]),
    ),
    "acknowledged in another stream": (
        ["misplaced"],
        evolve(GOOD, acknowledged=[answer("a", "t", 1, 1, 2)]),
    ),
    "acknowledged with fewer events": (
        ["misplaced"],
        evolve(GOOD, acknowledged=[answer("a", "s", 1, 1, 1)]),
    ),
    "acknowledged a second time elsewhere": (
        ["misplaced"],
        evolve(GOOD, acknowledged=[*ACKNOWLEDGED, answer("c", "s", 7, 6, 3)]),
    ),
    "a refused write is there": (
        ["refused"],
        evolve(GOOD, refused=["b"]),
    ),
    "a position without an event": (
        ["hole", "skipped"],
        evolve(GOOD, log=[*LOG, *events("e", "t", 8, 2, 1)]),
    ),
    "a log that does not begin at 1": (
        ["hole", "skipped"],
        History(log=events("e", "t", 2, 1, 1), acknowledged=()),
    ),
    "two events at one position": (
        ["disorder"],
        evolve(GOOD, log=[*events("e", "u", 1, 1, 1), *LOG], followed=LOG),
    ),
    "a version without an event": (
        ["gap"],
        evolve(GOOD, log=[*LOG, *events("e", "t", 7, 3, 1)]),
    ),
    "two events at one version": (
        ["overlap"],
        evolve(GOOD, log=[*LOG, *events("e", "t", 7, 1, 1)]),
    ),
    "a commit twice under one id": (
        ["id", "half", "misplaced"],
        evolve(GOOD, log=[*LOG, *events("b", "t", 7, 2, 1)]),
    ),
    "a command carried out twice": (
        ["repeated"],
        evolve(
            GOOD,
            acknowledged=(),
            log=[*LOG, *[with_data(event, key="b") for event in events("e", "t", 7, 2, 1)]],
        ),
    ),
    "the last event of a commit is not there": (
        ["half"],
        evolve(GOOD, log=[*LOG, *events("e", "t", 7, 2, 3)[:2]]),
    ),
    "a commit in two pieces": (
        ["half"],
        evolve(
            GOOD,
            log=[
                *LOG,
                *events("e", "t", 7, 2, 2)[:1],
                *events("f", "s", 8, 6, 1),
                *[evolve(event, position=9) for event in events("e", "t", 7, 2, 2)[1:]],
            ],
        ),
    ),
    "the events of a commit in another order": (
        ["half"],
        evolve(
            GOOD,
            log=[
                *LOG,
                *[
                    with_data(event, number=3 - event.event.data["number"])
                    for event in events("e", "t", 7, 2, 2)
                ],
            ],
        ),
    ),
    "behind another version than expected": (
        ["expectation"],
        evolve(GOOD, log=[*LOG, *events("e", "s", 7, 6, 1, after=4)]),
    ),
    "the second part is not there": (
        ["half"],
        evolve(GOOD, log=[*LOG, *both("e", 7, ("s", 6, 2), ("t", 2, 1))[:2]]),
    ),
    "the second part goes on in the first stream": (
        ["half"],
        evolve(
            GOOD,
            log=[
                *LOG,
                *[with_data(event, second=0) for event in both("e", 7, ("s", 6, 2), ("t", 2, 1))],
            ],
        ),
    ),
    "the second part was acknowledged elsewhere": (
        ["misplaced"],
        evolve(
            GOOD,
            log=[*LOG, *both("e", 7, ("s", 6, 2), ("t", 2, 1))],
            acknowledged=[answer("e", "s", 7, 6, 3)],
        ),
    ),
    "a condition was not met": (
        ["condition"],
        evolve(
            GOOD,
            log=[
                *LOG,
                *events("e", "t", 7, 2, 1, claim="x"),
                *events("f", "t", 8, 3, 2, claim="x", above=6),
            ],
        ),
    ),
    "the follower skips an event": (
        ["skipped"],
        evolve(GOOD, followed=[*LOG[:2], *LOG[3:]]),
    ),
    "the follower does not get to the end": (
        ["skipped"],
        evolve(GOOD, followed=LOG[:-1]),
    ),
    "the follower gets an event twice": (
        ["followed twice"],
        evolve(GOOD, followed=[*LOG[:3], LOG[2], *LOG[3:]]),
    ),
    "the follower got what is not there any more": (
        ["taken back"],
        evolve(GOOD, followed=[*LOG[:2], *events("x", "t", 3, 1, 1), *LOG[3:]]),
    ),
    "the follower got more than there is": (
        ["taken back"],
        evolve(GOOD, followed=[*LOG, *events("x", "t", 7, 2, 1)]),
    ),
}


@pytest.mark.parametrize(("kinds", "damaged"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_seen(kinds: list[str], damaged: History) -> None:
    """Each kind is told, and only that one."""
    assert kinds == damaged.kinds()


def test_a_violation_names_what_it_is_about() -> None:
    """Enough to look at the documents."""
    (found,) = violations(
        acknowledged=[answer("b", "t", 4, 1, 1)], refused=(), log=LOG, followed=LOG
    )
    assert (
        "misplaced: Acknowledged(key='b', stream='t', size=1, version=1, position=4, second=None), "
        "stored as b-1 (1 of 1) of t at version 1, position 3"
    ) == found
