"""The judgement of readers, on made-up facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eventhus.errors import StoreUnavailable
from eventhus.operations.readers import condition_of
from eventhus.operations.standstill import Standing
from eventhus.ports import HeldLease
from eventhus.runtime.readers.reader_condition import ReaderCondition

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def lease(since: datetime, owner: str = "o1") -> HeldLease:
    return HeldLease(name="view_v", owner=owner, token=1, since=since, until=NOW)


def here(**changes: Any) -> ReaderCondition:
    values = {
        "owner": "o1",
        "is_running": True,
        "has_ended": False,
        "failure": None,
        "last_failure": None,
        "idle_s": 100.0,
        **changes,
    }
    return ReaderCondition(**values)


def standing(**changes: Any) -> Standing:
    """Return a reader of another process that has stood for 100 seconds."""
    values: dict[str, Any] = {
        "label": "view v",
        "position": 7,
        "waiting_since": ago(100),
        "moved_at": ago(100),
        "seen_at": ago(100),
        "lease": lease(ago(100)),
        "has_lease": True,
        "condition": None,
        "parked": 0,
        "dead_letters": 0,
    }
    return Standing(**{**values, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"waiting_since": None},
        {"waiting_since": ago(29)},
        {"moved_at": ago(29)},
        {"lease": lease(ago(29))},
        {"moved_at": None, "lease": None, "seen_at": ago(29)},
        {"condition": here(idle_s=29)},
        {"condition": here(idle_s=29), "lease": None},
    ],
    ids=str,
)
def test_a_reader_that_gives_a_sign_of_life_is_healthy(changes: dict[str, Any]) -> None:
    assert () == standing(**changes).problems(NOW, 30)


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({}, "look at the process that holds its lease as o1"),
        ({"lease": None}, "nobody holds its lease; start a worker"),
        ({"lease": None, "has_lease": False}, "look at the processes that handle it"),
        ({"condition": here()}, "this process holds its lease; restart the process"),
        ({"condition": here(owner="o2", idle_s=1)}, "look at the process that holds its lease as"),
        ({"condition": here(is_running=False, idle_s=1)}, "look at the process that holds its"),
        ({"moved_at": None, "seen_at": NOW}, "look at the process that holds its lease as o1"),
        ({"lease": None, "seen_at": NOW}, "nobody holds its lease; start a worker"),
    ],
    ids=str,
)
def test_a_reader_that_stands_still_is_reported_with_advice(
    changes: dict[str, Any], advice: str
) -> None:
    (problem,) = standing(**changes).problems(NOW, 30)
    assert problem.startswith("view v has stood at position 7 for 100 s while events wait for it; ")
    assert advice in problem


def test_a_reader_without_a_known_position_can_stand_still() -> None:
    (problem,) = standing(position=None).problems(NOW, 30)
    assert problem.startswith("view v has stood for 100 s while events wait for it; ")


def test_a_reader_that_fails_is_reported_once() -> None:
    failing = standing(condition=here(failure=StoreUnavailable("b", "no answer")))
    (problem,) = failing.problems(NOW, 30)
    assert problem.startswith("view v fails in this process: StoreUnavailable: the store of bucket")
    assert not failing.needs_restart(NOW, 30)
    secret = standing(condition=here(failure=KeyError("secret")))
    assert ("view v fails in this process: KeyError",) == secret.problems(NOW, 30)


def test_a_reader_that_tries_again_still_fails() -> None:
    """Until it makes progress, unless nothing waits for it or the attempt itself hangs."""
    trying = here(last_failure=KeyError())
    recent = {"condition": trying, "lease": lease(ago(1))}
    assert ("view v fails in this process: KeyError",) == standing(**recent).problems(NOW, 30)
    assert not standing(**recent).needs_restart(NOW, 30)
    assert () == standing(**recent, waiting_since=None).problems(NOW, 30)
    (problem,) = standing(condition=trying).problems(NOW, 30)
    assert problem.startswith("view v has stood at position 7 for 100 s")
    assert standing(condition=trying).needs_restart(NOW, 30)


def test_parked_keys_and_dead_letters_are_counted() -> None:
    found = standing(waiting_since=None, parked=1000, dead_letters=1).problems(NOW, 30)
    assert ("view v has 1,000 parked keys", "view v has 1 dead letter") == found


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, False),
        ({"condition": here()}, True),
        ({"condition": here(owner="o2")}, False),
        ({"condition": here(failure=KeyError())}, False),
        ({"condition": here(), "lease": None}, False),
        ({"condition": here(), "waiting_since": None}, False),
        ({"condition": here(has_ended=True), "waiting_since": None}, True),
    ],
    ids=str,
)
def test_a_restart_is_asked_for_only_where_it_helps(changes: dict[str, Any], needed: bool) -> None:
    assert needed == standing(**changes).needs_restart(NOW, 30)


def test_the_member_of_a_group_that_says_most_is_asked() -> None:
    standby, leader = here(owner="o2"), here()
    failing = here(owner="o3", failure=KeyError())
    assert condition_of([standby, leader], lease(NOW)) is leader
    assert condition_of([standby, leader], None) is standby
    assert condition_of([leader, failing, standby], lease(NOW)) is failing
    assert condition_of([], lease(NOW)) is None
