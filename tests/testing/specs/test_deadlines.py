"""Specs of processes with deadlines and refusals: passed, failed and invalid checks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from eventhus import CommandRefused, DeadlineReached, Process, Rejected
from eventhus_testing import RuleBroken, Rules, spec
from tests.testing.orders import (
    HALF_AN_HOUR,
    CancelOrder,
    Delivery,
    OrderPaid,
    OrderPlaced,
    OutOfStock,
    RefundPayment,
    ShipOrder,
    delivery,
)
from tests.testing.specs.flawed_domains import Noted, careless, ticking

NOON = datetime(2025, 12, 24, 12, tzinfo=UTC)
PAID = OrderPaid(5)


def placed() -> Any:
    return spec(delivery).given("o1", OrderPlaced())


def test_a_deadline_is_armed_and_cancelled() -> None:
    (
        spec(delivery)
        .at(NOON)
        .when("o1", OrderPlaced())
        .then_commands()
        .then_deadline("payment", after=HALF_AN_HOUR)
        .then_deadline("payment", at=NOON + HALF_AN_HOUR, key="o1")
        .then_deadline("payment")
        .and_when("o1", PAID)
        .then_cancelled("payment")
        .then_cancelled("payment", key="o1")
        .then_commands(ShipOrder(aggregate_id="o1"))
        .and_when_passed(days=1)
        .then_nothing()
    )


def test_a_deadline_is_reached_when_its_time_has_passed() -> None:
    almost = placed().when_passed(minutes=29, seconds=59).then_nothing()
    almost.and_when_passed(seconds=1).then_commands(CancelOrder(aggregate_id="o1"))
    (
        placed()
        .given_passed(hours=1)
        .when("o1", PAID)
        .then_commands(RefundPayment(aggregate_id="o1", amount=5))
        .then_state("o1", Delivery(paid=5, cancelled=True))
    )


def test_deadlines_of_several_keys_are_reached_in_order() -> None:
    outcome = (
        spec(delivery)
        .at(NOON)
        .given("o2", OrderPlaced())
        .given_passed(minutes=10)
        .given("o1", OrderPlaced())
        .given_passed(minutes=10)
        .given("o3", OrderPlaced(), PAID)
        .when_passed(minutes=25)
    )
    outcome.then_commands(*[CancelOrder(aggregate_id=each) for each in ("o2", "o1")])
    reached = [each for each in outcome.run.events if isinstance(each.event, DeadlineReached)]
    assert [NOON + timedelta(minutes=each) for each in (30, 40)] == [
        each.recorded_at for each in reached
    ]
    outcome.and_when("o4", OrderPlaced()).then_deadline(
        "payment", at=NOON + timedelta(minutes=45) + HALF_AN_HOUR
    )


def test_what_happens_while_the_process_is_down_comes_before_a_late_deadline() -> None:
    (
        placed()
        .at(NOON)
        .when("o1", PAID)
        .then_cancelled("payment")
        .then_commands(ShipOrder(aggregate_id="o1"))
    )
    late = placed().at(NOON).given("o2", OrderPlaced()).when_passed(seconds=1)
    late.then_commands(CancelOrder(aggregate_id="o1"))
    assert NOON == late.run.events[-1].recorded_at


def test_a_refused_command_is_answered() -> None:
    (
        placed()
        .given("o1", PAID)
        .when_refused(ShipOrder, OutOfStock)
        .then_commands(RefundPayment(aggregate_id="o1", amount=5))
        .and_when_refused(RefundPayment(aggregate_id="o1", amount=5), Rejected)
        .then_nothing()
    )
    outcome = (
        placed()
        .given("o1", PAID)
        .given_refused(ShipOrder, OutOfStock)
        .when("o1", PAID)
        .then_commands(RefundPayment(aggregate_id="o1", amount=5))
    )
    assert (ShipOrder(aggregate_id="o1"),) == outcome.run.refused
    assert 3 == len(outcome.run.commands)
    assert {"o1": ()} == outcome.run.deadlines
    assert {"o1": Delivery(paid=10, shipped=True)} == outcome.run.states


FAILS: dict[str, tuple[Callable[[], object], str]] = {
    "a deadline after another time": (
        lambda: (
            spec(delivery)
            .when("o1", OrderPlaced())
            .then_deadline("payment", after=timedelta(minutes=5))
        ),
        "o1: deadline 'payment' after 0:30:00 at 2000-01-01T00:30:00",
    ),
    "a deadline at another time": (
        lambda: spec(delivery).when("o1", OrderPlaced()).then_deadline("payment", at=NOON),
        r"- deadline 'payment' at 2025-12-24T12:00:00\+00:00",
    ),
    "a deadline of another name": (
        lambda: spec(delivery).when("o1", OrderPlaced()).then_deadline("pay"),
        "delivery: the process armed no such deadline",
    ),
    "a deadline of another key": (
        lambda: spec(delivery).when("o1", OrderPlaced()).then_deadline("payment", key="o2"),
        "- o2: deadline 'payment'",
    ),
    "no deadline": (lambda: placed().when("o1", PAID).then_deadline("pay"), "cancelled"),
    "a deadline that was armed before": (
        lambda: placed().when("o2", PAID).then_deadline("payment"),
        r"\+ no deadline",
    ),
    "cancelled, though it was not armed": (
        lambda: spec(delivery).when("o1", PAID).then_cancelled("payment"),
        "armed now: none",
    ),
    "cancelled by another key": (
        lambda: placed().when("o1", PAID).then_cancelled("payment", key="o2"),
        "- o2: deadline 'payment' cancelled",
    ),
    "not cancelled": (
        lambda: placed().when("o2", OrderPlaced()).then_cancelled("payment"),
        "armed now: o1: 'payment', o2: 'payment'",
    ),
    "a deadline instead of nothing": (
        lambda: spec(delivery).when("o1", OrderPlaced()).then_nothing(),
        "the process armed or cancelled a deadline",
    ),
    "a command instead of nothing": (
        lambda: placed().when_passed(minutes=30).then_nothing(),
        "the process sent other commands than expected",
    ),
}


@pytest.mark.parametrize("word", FAILS)
def test_a_failed_check_of_a_deadline_raises(word: str) -> None:
    check, text = FAILS[word]
    with pytest.raises(AssertionError, match=text):
        check()


untimed: Process[Any, Any] = evolve(
    delivery, evolve=lambda state, _: state, react=lambda *_: [], events=[OrderPlaced]
)
REACHED: Any = DeadlineReached("payment")
REFUSED: Any = CommandRefused("ShipOrder", "OutOfStock", "o1")
MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "reached by hand": (
        lambda: spec(delivery).when("o1", REACHED),
        r"comes from the process's own stream; use when_passed\(",
    ),
    "refused by hand": (lambda: spec(delivery).given("o1", REFUSED), r"use when_refused\("),
    "no time": (lambda: placed().when_passed(), "a time above 0 passes, found"),
    "time back": (lambda: placed().given_passed(minutes=-1), "a time above 0 passes, found"),
    "not sent": (lambda: placed().when_refused(ShipOrder, OutOfStock), "sent no ShipOrder"),
    "another than was sent": (
        lambda: placed().given("o1", PAID).when_refused(ShipOrder(aggregate_id="o2"), OutOfStock),
        r"sent no ShipOrder\(aggregate_id='o2'\) that could be refused",
    ),
    "refused twice": (
        lambda: (
            placed()
            .given("o1", PAID)
            .given_refused(ShipOrder, Rejected)
            .when_refused(ShipOrder, Rejected)
        ),
        "sent no ShipOrder that could be refused",
    ),
    "no refusal": (
        lambda: placed().given("o1", PAID).when_refused(ShipOrder, ValueError),
        "refused with a subclass of Rejected",
    ),
    "a name as refusal": (
        lambda: placed().given("o1", PAID).when_refused(ShipOrder, "OutOfStock"),
        "refused with a subclass of Rejected",
    ),
    "no deadlines": (
        lambda: spec(untimed).when_passed(minutes=1),
        "takes no DeadlineReached, so time changes nothing for it; add it to the annotation",
    ),
    "no refusals": (
        lambda: spec(untimed).when_refused(ShipOrder, OutOfStock),
        "takes no CommandRefused, so it never learns of a refusal",
    ),
}


@pytest.mark.parametrize("word", MISTAKES)
def test_an_invalid_step_in_time_raises_type_error(word: str) -> None:
    step, text = MISTAKES[word]
    with pytest.raises(TypeError, match=text):
        step()


def test_a_process_that_arms_deadlines_without_end_breaks_a_rule() -> None:
    started = spec(ticking).given("p1", Noted("x"))
    started.when_passed(seconds=1000).then_commands()
    with pytest.raises(RuleBroken, match="more than 1,000 deadlines were reached within 0:16:41"):
        started.when_passed(seconds=1001)


def test_a_process_must_do_the_same_after_a_crash() -> None:
    """Whatever its state does not store."""
    first = spec(careless).given("p1", Noted("x"))
    with pytest.raises(RuleBroken, match="react answers otherwise with the state that was stored"):
        first.when("p1", Noted("x"))
    unchecked = spec(careless, rules=Rules(stored=False)).given("p1", Noted("x"))
    assert 1 == len(unchecked.when("p1", Noted("x")).commands)
