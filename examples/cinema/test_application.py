"""The cinema in memory, where everything is stored as text and comes back unchanged."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from eventhus import Application
from examples.cinema.screening import (
    CancelReservation,
    Category,
    ReservationCancelled,
    ReserveSeats,
    Row,
    ScheduleScreening,
    Screening,
    ScreeningScheduled,
    Seat,
    SeatsReserved,
    screening,
)

EIGHT = datetime(2031, 3, 4, 20, 0, tzinfo=timezone(timedelta(hours=1)))
NOON = EIGHT - timedelta(hours=8)
HALL = (Row(letter="A", seats=10, category=Category.STALLS),)
PRICES = {Category.STALLS: Decimal("9.50")}


@pytest.mark.parametrize("snapshot_every", [None, 1])
async def test_history_and_state_come_back_from_the_store(
    snapshot_every: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Enums, decimals, times with an offset and nested values survive, in snapshots too."""
    cinema = Application.open(
        bucket="cinema",
        aggregates=[screening],
        cache_size=0,  # so that every state is loaded from the store
        snapshot_every=snapshot_every,
    )
    async with cinema:
        for command in (
            ScheduleScreening(
                aggregate_id="s1", film="Metropolis", starts_at=EIGHT, hall=HALL, prices=PRICES
            ),
            ReserveSeats(
                aggregate_id="s1",
                reservation_id="r1",
                customer="ada",
                seats=frozenset({Seat("A", 1), Seat("A", 2)}),
                at=NOON,
            ),
            ReserveSeats(
                aggregate_id="s1",
                reservation_id="r2",
                customer="grace",
                seats=frozenset({Seat("A", 3)}),
                at=NOON,
            ),
            CancelReservation(aggregate_id="s1", reservation_id="r1", at=NOON),
        ):
            await cinema.dispatch(command)

    async with cinema:  # again, since snapshots are saved by now
        history = await cinema.history(screening, "s1")
        state = await cinema.state(screening, "s1")

    assert [
        ScreeningScheduled(film="Metropolis", starts_at=EIGHT, hall=HALL, prices=PRICES),
        SeatsReserved(
            reservation_id="r1",
            customer="ada",
            seats=frozenset({Seat("A", 1), Seat("A", 2)}),
            price=Decimal("19.00"),
        ),
        SeatsReserved(
            reservation_id="r2",
            customer="grace",
            seats=frozenset({Seat("A", 3)}),
            price=Decimal("9.50"),
        ),
        ReservationCancelled(reservation_id="r1"),
    ] == [recorded.event for recorded in history]
    assert state == Screening(
        starts_at=EIGHT,
        hall=HALL,
        prices=PRICES,
        reservations={"r2": frozenset({Seat("A", 3)})},
    )
    assert [] == caplog.messages  # an unusable snapshot is only logged
