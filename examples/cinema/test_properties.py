"""What holds of a screening, whatever is asked of it."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain

from hypothesis import Phase, find, settings
from hypothesis import strategies as st

from eventhus_testing import Refinements, check_aggregate, histories
from examples.cinema.screening import (
    Category,
    ReserveSeats,
    Row,
    ScheduleScreening,
    Screening,
    Seat,
    SeatsReserved,
    screening,
)

# A small hall, so that guests want the same seats.
HALL = (Row(letter="A", seats=3, category=Category.STALLS),)
REFINED: Refinements = {
    ScheduleScreening: {
        "hall": st.just(HALL),
        "prices": st.just({Category.STALLS: Decimal(9)}),
        "starts_at": st.just(datetime(2031, 3, 4, tzinfo=UTC)),
    },
    ReserveSeats: {"at": st.just(datetime(2031, 3, 1, tzinfo=UTC))},
    Seat: st.builds(Seat, st.just("A"), st.integers(1, 4)),
}


def no_seat_is_sold_twice(screening: Screening | None) -> bool:
    """Every seat is in one reservation at most."""
    if screening is None:
        return True
    seats = Counter(chain.from_iterable(screening.reservations.values()))
    return all(count == 1 for count in seats.values())


def test_no_seat_is_sold_twice() -> None:
    """Nor can a screening be brought to break a rule."""
    check_aggregate(screening, invariant=no_seat_is_sold_twice, refine=REFINED)


def test_seats_are_sold() -> None:
    """What is checked above does happen."""
    assert find(
        histories(screening, refine=REFINED),
        lambda history: any(isinstance(event, SeatsReserved) for event in history),
        settings=settings(phases=[Phase.generate], max_examples=1000),
    )
