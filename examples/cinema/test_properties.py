"""Properties of a screening."""

from decimal import Decimal
from itertools import chain

from hypothesis import strategies as st

from eventhus_testing import Refinements, check_aggregate
from examples.cinema.screening import (
    Category,
    ReserveSeats,
    Row,
    ScheduleScreening,
    Screening,
    Seat,
    screening,
)

HALL = (
    Row(letter="A", seats=3, category=Category.STALLS),
    Row(letter="B", seats=2, category=Category.BALCONY),
)
PRICES = {Category.STALLS: Decimal("9.50"), Category.BALCONY: Decimal(12)}

# From the types alone, commands would hardly ever name a seat that the hall has.
SEATS = st.builds(Seat, row=st.sampled_from("AB"), number=st.integers(1, 3))
SMALL_CINEMA: Refinements = {
    ScheduleScreening: {"hall": st.just(HALL), "prices": st.just(PRICES)},
    ReserveSeats: {"seats": st.frozensets(SEATS, max_size=2)},
}


def no_seat_is_sold_twice(state: Screening | None) -> bool:
    """Each seat is in one reservation at most."""
    reservations = () if state is None else state.reservations.values()
    seats = list(chain.from_iterable(reservations))
    return len(seats) == len(set(seats))


def test_no_seat_is_sold_twice() -> None:
    """No sequence of reservations and cancellations sells a seat twice."""
    check_aggregate(screening, invariant=no_seat_is_sold_twice, refine=SMALL_CINEMA)


def test_a_screening_keeps_the_rules() -> None:
    """No hall and no sequence of commands breaks a rule."""
    check_aggregate(screening)
