"""Tests of an ``evolve`` that leaves out an event."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, Optional, TypeVar, cast

import pytest
from attrs import frozen
from typing_extensions import TypeAliasType

from eventhus import Aggregate, Command, Process, Recorded, View
from eventhus_testing import RuleBroken, Rules, spec
from eventhus_testing.rules.missing_cases import admits_none, return_annotation

T = TypeVar("T")

NOTHING = cast("int", None)  # what a match returns that has no case for an event

Maybe = TypeAliasType("Maybe", int | None)


@frozen
class Opened:
    pass


@frozen
class Closed:
    pass


@frozen(kw_only=True)
class Close(Command):
    pass


def all_in_one(recorded: Recorded[Opened | Closed]) -> str:
    return "all"


def count(total: int, recorded: Recorded[Opened | Closed]) -> int:
    if isinstance(recorded.event, Opened):
        return total + 1
    return NOTHING


def count_or_delete(total: int, recorded: Recorded[Opened | Closed]) -> int | None:
    return count(total, recorded)


def count_or_nothing(total: int | None, recorded: Recorded[Opened | Closed]) -> int | None:
    return count(total or 0, recorded)


def react(total: int, recorded: Recorded[Opened | Closed]) -> Iterator[Command]:
    yield from ()


def counting(evolve: Any, rules: Rules = Rules()) -> Any:  # noqa: B008
    process = Process(name="counting", initial=0, key=all_in_one, evolve=evolve, react=react)
    return spec(process, rules=rules)


def counted(evolve: Any, rules: Rules = Rules()) -> Any:  # noqa: B008
    return spec(View(name="counted", initial=0, key=all_in_one, evolve=evolve), rules=rules)


@pytest.mark.parametrize("start", [counting, counted])
def test_an_event_that_evolve_leaves_out_is_noticed(start: Any) -> None:
    with pytest.raises(RuleBroken, match="add a case for Closed") as caught:
        start(count).when("d1", Opened(), Closed())
    assert caught.value.rule == "evolvable"


def test_a_process_may_not_return_none_even_where_the_annotation_does() -> None:
    with pytest.raises(RuleBroken, match="add a case for Closed that returns the state"):
        counting(count_or_delete).when("d1", Opened(), Closed())


def test_an_aggregate_names_the_event_that_it_leaves_out() -> None:
    def decide(command: Close, total: int) -> Iterator[Opened | Closed]:
        yield Closed()

    def evolve(total: int, event: Opened | Closed) -> int:
        if isinstance(event, Opened):
            return total + 1
        return NOTHING

    door = Aggregate(name="Door", initial=0, decide=decide, evolve=evolve)
    with pytest.raises(RuleBroken, match="add a case for Closed that returns the state"):
        spec(door).when(Close(aggregate_id="d1"))


def test_a_view_that_says_so_deletes_with_none() -> None:
    counted(count_or_delete).when("d1", Opened(), Closed()).then_no_view("all")


def test_a_view_without_a_return_annotation_deletes_with_none() -> None:
    def evolve(total: int, recorded: Recorded[Opened | Closed]) -> int | None:
        return None

    del evolve.__annotations__["return"]
    counted(evolve).when("d1", Opened(), Closed()).then_no_view("all")


def test_a_process_whose_states_include_none_may_return_none() -> None:
    counting(count_or_nothing).when("d1", Opened(), Closed()).then_state("all", None)


@pytest.mark.parametrize("start", [counting, counted])
def test_the_rule_can_be_switched_off(start: Any) -> None:
    rules = Rules(evolvable=False, stored=False)
    outcome = start(count, rules).when("d1", Closed())
    if start is counted:
        outcome.then_no_view("all")
    else:
        outcome.then_state("all", None)


@pytest.mark.parametrize(
    ("annotation", "admitted"),
    [
        (int, False),
        (dict[str, None], False),
        (Annotated[int, "cents"], False),
        (int | str, False),
        (int | None, True),
        (Optional[int], True),  # noqa: UP045
        (Annotated[int | None, "cents"], True),
        (Maybe, True),
        (Any, True),
        (object, True),
        (None, True),
        (T, True),
    ],
)
def test_types_that_admit_none(annotation: Any, admitted: bool) -> None:
    assert admits_none(annotation) is admitted


class Counter:
    def __call__(self, total: int) -> int:
        return total

    def count(self) -> int:
        return 1


def unresolved(total: int) -> int:
    return total


unresolved.__annotations__["return"] = "Unknown"


@pytest.mark.parametrize(
    ("function", "annotation"),
    [
        (count, int),
        (partial(partial(count, 1)), int),
        (Counter(), int),
        (Counter().count, int),
        (unresolved, Any),
        (lambda: 1, Any),
        (len, Any),
    ],
)
def test_the_return_annotation_of_a_function(function: Any, annotation: Any) -> None:
    assert return_annotation(function) == annotation
