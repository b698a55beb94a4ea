"""Scenarios in which time passes, deadlines are reached and commands of processes are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from eventhus import Application, DeadlineReached, Rejected
from eventhus.errors import InvalidArgument, ReaderStopped
from eventhus.ports import Clock
from eventhus.runtime.clock import SystemClock
from eventhus_testing import AppScenario, ManualClock, memory_application, scenario
from tests.testing.cart import TEA, add, cart
from tests.testing.orders import (
    HALF_AN_HOUR,
    CancelOrder,
    OrderPaid,
    OrderPlaced,
    PaymentRefunded,
    PayOrder,
    PlaceOrder,
    RefundPayment,
    ShipOrder,
    deliver,
    delivery,
    order,
)
from tests.testing.specs.flawed_domains import ticking

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def shop(clock: Clock | None = None, **options: Any) -> Application:
    clock = clock or ManualClock(NOON)
    return memory_application(order, processes=[delivery], clock=clock, **options)


async def test_deadlines_are_reached_at_their_times() -> None:
    async with scenario(shop()) as shopping:
        await shopping.given(order, "o1", OrderPlaced())
        await shopping.given_passed(minutes=10)
        await shopping.when(PlaceOrder(aggregate_id="o2"))
        await shopping.then_deadline(delivery, "o1", "payment", at=NOON + HALF_AN_HOUR)
        await shopping.then_deadline(delivery, "o2", "payment")
        await shopping.when_passed(minutes=20)
        await shopping.then_commands(delivery, CancelOrder(aggregate_id="o1"))
        await shopping.then_no_deadline(delivery, "o1", "payment")
        await shopping.when(PayOrder(aggregate_id="o2", amount=5))
        await shopping.then_no_deadline(delivery, "o2", "payment")
        await shopping.then_commands(delivery, ShipOrder(aggregate_id="o2"))
        await shopping.when_passed(days=1)
        await shopping.then_commands(delivery)


async def test_each_deadline_is_recorded_at_its_time() -> None:
    """However long the time that passes at once."""
    app = shop()
    async with scenario(app) as shopping:
        for each in ("o1", "o2"):
            await shopping.given(order, each, OrderPlaced())
            await shopping.given_passed(minutes=1)
        await shopping.when_passed(days=1)
        await shopping.then_commands(
            delivery, CancelOrder(aggregate_id="o1"), CancelOrder(aggregate_id="o2")
        )
        reached = [
            each.recorded_at - NOON
            async for each in app.events()
            if isinstance(each.event, DeadlineReached)
        ]
    assert [timedelta(minutes=30), timedelta(minutes=31)] == reached


async def test_a_refusal_is_compensated() -> None:
    async with scenario(shop()) as shopping:
        await shopping.given(order, "o1", OrderPlaced())
        await shopping.when(PayOrder(aggregate_id="o1", amount=101))
        await shopping.then(OrderPaid(101))
        await shopping.then_commands(
            delivery,
            ShipOrder(aggregate_id="o1"),
            RefundPayment(aggregate_id="o1", amount=101),
        )
        await shopping.then_published(OrderPaid(101), PaymentRefunded(101))


async def test_a_clock_that_jumps_for_retries_does_not_jump_for_deadlines() -> None:
    async with scenario(shop(ManualClock(NOON, jumps=True))) as shopping:
        await shopping.when(PlaceOrder(aggregate_id="o1"))
        await shopping.then_deadline(delivery, "o1", "payment", at=NOON + HALF_AN_HOUR)
        await shopping.when_passed(minutes=29)
        await shopping.then_commands(delivery)
        await shopping.when_passed(minutes=1)
        await shopping.then_commands(delivery, CancelOrder(aggregate_id="o1"))


async def test_failed_checks_of_deadlines_raise() -> None:
    async with scenario(shop()) as shopping:
        await shopping.given_passed(minutes=1)
        await shopping.when(PlaceOrder(aggregate_id="o1"))
        await shopping.then(OrderPlaced())
        for check, text in (
            (shopping.then_deadline(delivery, "o1", "pay"), "deadline 'pay' of o1: 'armed'"),
            (shopping.then_deadline(delivery, "o2", "payment"), "'not armed'"),
            (shopping.then_deadline(delivery, "o1", "payment", at=NOON), "datetime.datetime"),
            (shopping.then_no_deadline(delivery, "o1", "payment"), "had another effect"),
        ):
            with pytest.raises(AssertionError) as caught:
                await check
            assert text in str(caught.value)
            assert "given    time passes: 0:01:00" in str(caught.value)
        await shopping.when_passed(minutes=30)
        with pytest.raises(AssertionError) as caught:
            await shopping.then_commands(delivery)
        assert str(caught.value).startswith(
            "test: time (0:30:00) made delivery send other commands than expected"
        )
        assert "when     time passes: 0:30:00" in str(caught.value)


async def test_time_that_passed_must_be_checked() -> None:
    with pytest.raises(AssertionError, match=r"time \(0:01:00\) was not checked") as caught:
        async with scenario(shop()) as shopping:
            await shopping.when_passed(minutes=1)
    assert "nothing\n" not in str(caught.value)


CHECKS_OF_COMMANDS: dict[str, Callable[[AppScenario], Any]] = {
    "then": lambda shopping: shopping.then(),
    "then_nothing": lambda shopping: shopping.then_nothing(),
    "then_only": lambda shopping: shopping.then_only(OrderPlaced),
    "then_in_any_order": lambda shopping: shopping.then_in_any_order(),
    "then_containing": lambda shopping: shopping.then_containing(OrderPlaced()),
    "then_matching": lambda shopping: shopping.then_matching(),
    "then_rejected": lambda shopping: shopping.then_rejected(Rejected),
    "then_committed": lambda shopping: shopping.then_committed(),
}


@pytest.mark.parametrize("name", CHECKS_OF_COMMANDS)
async def test_time_has_no_outcome_that_a_check_of_commands_could_hold_for(name: str) -> None:
    """Otherwise ``then_nothing`` would hold although a deadline has led to events."""
    async with scenario(shop()) as shopping:
        await shopping.given(order, "o1", OrderPlaced())
        await shopping.when_passed(hours=1)
        with pytest.raises(TypeError, match=f"{name} checks the outcome of a command, and the"):
            await CHECKS_OF_COMMANDS[name](shopping)
        for name_of_property in ("events", "refusal"):
            with pytest.raises(TypeError, match=f"{name_of_property} checks the outcome of a"):
                getattr(shopping, name_of_property)
        await shopping.then_commands(delivery, CancelOrder(aggregate_id="o1"))


async def test_invalid_steps_in_time_raise() -> None:
    async with scenario(shop()) as shopping:
        for wrong in ({}, {"minutes": -1}):
            with pytest.raises(TypeError, match="a time above 0 passes, found"):
                await shopping.given_passed(**wrong)
        await shopping.when_passed(minutes=1)
        await shopping.then_commands(delivery)
        with pytest.raises(InvalidArgument):
            await shopping.then_deadline(ticking, "o1", "payment")
    async with scenario(shop(SystemClock())) as shopping:
        with pytest.raises(TypeError, match=r"passes on a ManualClock, and .* has a SystemClock"):
            await shopping.when_passed(minutes=1)


async def test_time_passes_without_processes() -> None:
    clock = ManualClock(NOON)
    async with scenario(memory_application(cart, clock=clock)) as shopping:
        await shopping.given_passed(hours=1)
        await shopping.when(add(TEA))
        assert 1 == len(shopping.events)
    assert NOON + timedelta(hours=1) == clock.now()


async def test_a_process_that_fails_at_a_deadline_is_reported() -> None:
    def fails(state: Any, recorded: Any) -> Any:
        if isinstance(recorded.event, DeadlineReached):
            raise KeyError
        return deliver(state, recorded)

    broken = evolve(delivery, react=fails, events=delivery.events)
    app = memory_application(order, processes=[broken], clock=ManualClock(NOON))
    async with scenario(app) as shopping:
        await shopping.given(order, "o1", OrderPlaced())
        with pytest.raises(ReaderStopped):
            await shopping.given_passed(hours=1)
