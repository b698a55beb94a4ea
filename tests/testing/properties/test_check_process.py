"""Random checks of processes find broken invariants, broken rules and bugs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st

from eventhus import CommandRefused, DeadlineReached, Rejected
from eventhus_testing import Counterexample, ProcessRun, Rules, check_process
from eventhus_testing.properties.process_steps import Down, Passes, Refused
from eventhus_testing.python_source.imports import Imports
from eventhus_testing.python_source.layout import flat
from tests.testing.cart import cart
from tests.testing.orders import (
    HALF_AN_HOUR,
    CancelOrder,
    Delivery,
    OrderPaid,
    OrderPlaced,
    OutOfStock,
    RefundPayment,
    ShipOrder,
    deliver,
    delivery,
)
from tests.testing.properties.counterexamples import pasted
from tests.testing.specs.flawed_domains import careless, ticking
from tests.testing.specs.test_deadlines import NOON

MANY = settings(max_examples=300, derandomize=True)
FEW = settings(max_examples=60, derandomize=True)
SMALL = {OrderPaid: {"amount": st.integers(1, 9)}}


def ships_once(run: ProcessRun[Delivery]) -> bool:
    shipped = [each.aggregate_id for each in run.commands if isinstance(each, ShipOrder)]
    return len(shipped) == len({*shipped})


def never_ships_what_it_cancels(run: ProcessRun[Delivery]) -> bool:
    shipped = {each.aggregate_id for each in run.commands if isinstance(each, ShipOrder)}
    return not any(
        each.aggregate_id in shipped for each in run.commands if isinstance(each, CancelOrder)
    )


def pays_back_what_it_does_not_ship(run: ProcessRun[Delivery]) -> bool:
    refused = {each.aggregate_id for each in run.refused if isinstance(each, ShipOrder)}
    refunded = {each.aggregate_id for each in run.commands if isinstance(each, RefundPayment)}
    return refused <= refunded


def test_a_process_that_keeps_its_invariants_passes() -> None:
    for invariant in (ships_once, never_ships_what_it_cancels, pays_back_what_it_does_not_ship):
        check_process(
            delivery, invariant=invariant, refine=SMALL, refusals=[OutOfStock], settings=FEW
        )


def fails(found: Counterexample) -> None:
    """Check that the printed test fails."""
    with pytest.raises(AssertionError):
        pasted(found.spec)()


def forgets_to_cancel(state: Delivery, recorded: Any) -> Iterator[Any]:
    for answer in deliver(state, recorded):
        if type(answer).__name__ != "Cancel":
            yield answer


def test_a_deadline_that_is_not_cancelled_is_found() -> None:
    """Only after its time has passed."""
    process = evolve(delivery, react=forgets_to_cancel, events=delivery.events)
    with pytest.raises(Counterexample) as found:
        check_process(process, invariant=never_ships_what_it_cancels, refine=SMALL, settings=MANY)
    assert "delivery: never_ships_what_it_cancels does not hold" in str(found.value)
    spec = found.value.spec
    stream = r'"(d\d)"'  # Hypothesis may stop before it has made this the first one
    given = rf"\.given\({stream}, OrderPlaced\(\)\)\s+\.given\(\"\1\", OrderPaid\(amount=\d\)\)\s"
    assert re.search(given, spec)
    assert "        .when_passed(minutes=30)\n" in spec
    assert "    assert never_ships_what_it_cancels(outcome.run)\n" in spec
    assert "# process is the process that was passed" not in spec


def test_a_refusal_without_compensation_is_found_and_the_test_shows_it() -> None:
    def ignores(state: Delivery, recorded: Any) -> Iterator[Any]:
        if not isinstance(recorded.event, CommandRefused):
            yield from deliver(state, recorded)

    process = evolve(delivery, react=ignores, events=delivery.events)
    with pytest.raises(Counterexample) as found:
        check_process(
            process,
            invariant=pays_back_what_it_does_not_ship,
            refine=SMALL,
            refusals=[OutOfStock],
            settings=MANY,
        )
    assert '.when_refused(ShipOrder(aggregate_id="d1"), OutOfStock)' in found.value.spec
    assert "when     ShipOrder(aggregate_id='d1') is refused with OutOfStock" in str(found.value)


def no_order_is_cancelled(run: ProcessRun[Delivery]) -> None:
    assert not any(isinstance(each, CancelOrder) for each in run.commands), "one is"


def test_the_printed_test_fails_as_the_check_did() -> None:
    with pytest.raises(Counterexample) as found:
        check_process(delivery, invariant=no_order_is_cancelled, settings=MANY)
    assert "? one is" in str(found.value)
    assert "def test_delivery_keeps_no_order_is_cancelled() -> None:" in found.value.spec
    assert "from tests.testing.orders import OrderPlaced, delivery\n" in found.value.spec
    fails(found.value)


def test_an_event_that_comes_before_a_late_deadline_is_tried() -> None:
    """As after an outage: the deadline was due, and the payment was first."""

    def never_sees_the_first_payment_after_its_deadline(run: ProcessRun[Delivery]) -> bool:
        placed: dict[str, datetime] = {}
        paid: set[str] = set()
        for each in run.events:
            order = each.stream.aggregate_id
            if isinstance(each.event, OrderPlaced):
                placed[order] = each.recorded_at
            elif isinstance(each.event, OrderPaid) and order not in paid:
                paid.add(order)
                late = each.recorded_at - placed.get(order, each.recorded_at) > HALF_AN_HOUR
                if late and not run.states[order].cancelled:
                    return False
        return True

    with pytest.raises(Counterexample) as found:
        check_process(
            delivery, invariant=never_sees_the_first_payment_after_its_deadline, settings=MANY
        )
    assert ".at(datetime(" in found.value.spec


def test_a_state_that_is_not_stored_whole_is_found() -> None:
    with pytest.raises(Counterexample, match="rule 'stored' is broken") as found:
        check_process(careless, settings=MANY)
    assert "as after a crash" in str(found.value)
    fails(found.value)


def test_deadlines_without_end_are_found() -> None:
    with pytest.raises(Counterexample, match="rule 'ending' is broken") as found:
        check_process(ticking, max_steps=3, settings=MANY)
    fails(found.value)


def test_rules_can_be_switched_off() -> None:
    check_process(careless, rules=Rules(stored=False), settings=settings(max_examples=20))


def test_a_process_that_raises_has_a_bug() -> None:
    def breaks(state: Delivery, recorded: Any) -> Iterator[Any]:
        if isinstance(recorded.event, DeadlineReached):
            raise ZeroDivisionError
        yield from deliver(state, recorded)

    process = evolve(delivery, react=breaks, events=delivery.events)
    with pytest.raises(Counterexample, match="the process raises ZeroDivisionError") as found:
        check_process(process, settings=MANY)
    assert "def test_delivery_does_not_raise_zero_division_error" in found.value.spec


def test_a_process_that_changes_its_mind_is_found() -> None:
    moods = iter(range(10**6))

    def moody(state: Delivery, recorded: Any) -> Iterator[Any]:
        yield RefundPayment(aggregate_id="o1", amount=next(moods))

    process = evolve(delivery, react=moody, events=delivery.events)
    with pytest.raises(Counterexample, match="rule 'repeatable' is broken"):
        check_process(process, settings=MANY)


def test_only_processes_are_checked() -> None:
    wrong: Any = cart
    with pytest.raises(TypeError, match="check_process takes a Process, not Aggregate"):
        check_process(wrong)


def test_steps_are_written_as_calls_of_a_spec() -> None:

    for by, expected in (
        (timedelta(days=2, minutes=90), ".given_passed(days=2, hours=1, minutes=30)"),
        (timedelta(milliseconds=1500), ".given_passed(seconds=1.5)"),
        (timedelta(microseconds=59_999_999), ".given_passed(seconds=59.999999)"),
    ):
        assert expected == flat(Passes(by).link("given", Imports()))
    down = flat(Down(NOON).link("given", Imports()))
    assert ".at(datetime(2025, 12, 24, 12, 0, tzinfo=UTC))" == down
    refused = Refused(ShipOrder(aggregate_id="o1"), Rejected).link("when", Imports())
    assert '.when_refused(ShipOrder(aggregate_id="o1"), Rejected)' == flat(refused)
