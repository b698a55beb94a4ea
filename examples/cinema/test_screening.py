"""Reservations by example."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from eventhus_testing import spec
from examples.cinema.screening import (
    AlreadyScheduled,
    AlreadyStarted,
    CancelReservation,
    Category,
    NoSuchReservation,
    NoSuchSeat,
    NotScheduled,
    PriceMissing,
    ReservationCancelled,
    ReservationExists,
    ReserveSeats,
    Row,
    ScheduleScreening,
    Screening,
    ScreeningCommand,
    ScreeningScheduled,
    Seat,
    SeatsReserved,
    SeatsTaken,
    WrongNumberOfSeats,
    screening,
)

ID = "tuesday-at-eight"
EIGHT = datetime(2031, 3, 4, 20, 0, tzinfo=UTC)
NOON = EIGHT - timedelta(hours=8)
HALL = (
    Row(letter="A", seats=10, category=Category.STALLS),
    Row(letter="B", seats=4, category=Category.BALCONY),
)
PRICES = {Category.STALLS: Decimal("9.50"), Category.BALCONY: Decimal("12.25")}

scheduled = ScreeningScheduled(film="Metropolis", starts_at=EIGHT, hall=HALL, prices=PRICES)
reserved = SeatsReserved(
    reservation_id="r1",
    customer="ada",
    seats=frozenset({Seat("A", 1), Seat("B", 4)}),
    price=Decimal("21.75"),
)


def reserve(*seats: Seat, reservation_id: str = "r2", at: datetime = NOON) -> ReserveSeats:
    """Return the command that reserves seats for Grace."""
    return ReserveSeats(
        aggregate_id=ID,
        reservation_id=reservation_id,
        customer="grace",
        seats=frozenset(seats),
        at=at,
    )


def cancel(reservation_id: str, at: datetime = NOON) -> CancelReservation:
    """Return the command that cancels a reservation."""
    return CancelReservation(aggregate_id=ID, reservation_id=reservation_id, at=at)


def schedule(prices: dict[Category, Decimal]) -> ScheduleScreening:
    """Return the command that schedules Metropolis."""
    return ScheduleScreening(
        aggregate_id=ID, film="Metropolis", starts_at=EIGHT, hall=HALL, prices=prices
    )


def test_a_screening_is_scheduled_with_all_its_seats_free() -> None:
    """A new screening has a time, a hall, prices, and no reservation."""
    (
        spec(screening)
        .when(schedule(PRICES))
        .then(scheduled)
        .then_state(Screening(starts_at=EIGHT, hall=HALL, prices=PRICES, reservations={}))
    )


def test_a_screening_is_scheduled_once() -> None:
    """Another time or hall is another screening."""
    spec(screening).given(scheduled).when(schedule(PRICES)).then_rejected(AlreadyScheduled)


def test_every_seat_has_a_price() -> None:
    """A hall with a category without a price is refused."""
    (
        spec(screening)
        .when(schedule({Category.STALLS: Decimal("9.50")}))
        .then_rejected(PriceMissing, match="row B has no price for balcony")
    )


def test_a_reservation_costs_what_its_seats_cost() -> None:
    """The prices of two categories are added up to the cent."""
    (
        spec(screening)
        .given(scheduled)
        .when(reserve(Seat("A", 10), Seat("B", 1), Seat("B", 2)))
        .then(
            SeatsReserved(
                reservation_id="r2",
                customer="grace",
                seats=frozenset({Seat("A", 10), Seat("B", 1), Seat("B", 2)}),
                price=Decimal("34.00"),
            )
        )
    )


def test_a_seat_is_reserved_once() -> None:
    """One taken seat refuses the whole reservation, and the refusal names it."""
    (
        spec(screening)
        .given(scheduled, reserved)
        .when(reserve(Seat("A", 2), Seat("B", 4)))
        .then_rejected(SeatsTaken, match="already reserved: B4$")
    )


@pytest.mark.parametrize("seat", [Seat("A", 0), Seat("A", 11), Seat("C", 1)])
def test_a_seat_is_one_of_the_hall(seat: Seat) -> None:
    """The row and the number must exist."""
    (
        spec(screening)
        .given(scheduled)
        .when(reserve(Seat("A", 1), seat))
        .then_rejected(NoSuchSeat, match=f"no seat {seat}$")
    )


def test_a_reservation_has_at_most_eight_seats() -> None:
    """Eight are accepted; nine and none are refused."""
    row = [Seat("A", number) for number in range(1, 11)]
    given = spec(screening).given(scheduled)
    given.when(reserve(*row[:8])).then(
        SeatsReserved(
            reservation_id="r2",
            customer="grace",
            seats=frozenset(row[:8]),
            price=Decimal("76.00"),
        )
    )
    given.when(reserve(*row[:9])).then_rejected(WrongNumberOfSeats, match="not 9")
    given.when(reserve()).then_rejected(WrongNumberOfSeats, match="not 0")


def test_a_reservation_is_made_once() -> None:
    """More seats need another reservation."""
    (
        spec(screening)
        .given(scheduled, reserved)
        .when(reserve(Seat("A", 2), reservation_id="r1"))
        .then_rejected(ReservationExists, match="r1")
    )


def test_cancelled_seats_are_free_again() -> None:
    """The next customer can reserve them."""
    (
        spec(screening)
        .given(scheduled, reserved)
        .when(cancel("r1"))
        .then(ReservationCancelled(reservation_id="r1"))
        .then_state(Screening(starts_at=EIGHT, hall=HALL, prices=PRICES, reservations={}))
        .and_when(reserve(Seat("A", 1)))
        .then(
            SeatsReserved(
                reservation_id="r2",
                customer="grace",
                seats=frozenset({Seat("A", 1)}),
                price=Decimal("9.50"),
            )
        )
    )


def test_a_reservation_is_cancelled_once() -> None:
    """A cancelled or unknown reservation cannot be cancelled."""
    (
        spec(screening)
        .given(scheduled, reserved, ReservationCancelled(reservation_id="r1"))
        .when(cancel("r1"))
        .then_rejected(NoSuchReservation, match="r1")
    )


@pytest.mark.parametrize("command", [reserve(Seat("A", 2), at=EIGHT), cancel("r1", at=EIGHT)])
def test_nothing_changes_once_the_film_runs(command: ScreeningCommand) -> None:
    """At eight o'clock sharp, it is too late."""
    spec(screening).given(scheduled, reserved).when(command).then_rejected(AlreadyStarted)


def test_seats_are_sold_until_the_last_moment() -> None:
    """A moment before eight, it is not too late."""
    (
        spec(screening)
        .given(scheduled, reserved)
        .when(cancel("r1", at=EIGHT - timedelta(microseconds=1)))
        .then(ReservationCancelled(reservation_id="r1"))
    )


@pytest.mark.parametrize("command", [reserve(Seat("A", 1)), cancel("r1")])
def test_only_a_screening_that_is_scheduled_has_seats(command: ScreeningCommand) -> None:
    """Before it is scheduled, nothing can be reserved."""
    spec(screening).when(command).then_rejected(NotScheduled, match=ID)
