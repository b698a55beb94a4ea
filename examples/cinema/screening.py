"""One screening of a film. Each seat can be reserved once, until the film starts."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from itertools import chain
from typing import TypeAlias, assert_never

import attrs
from attrs import frozen

from eventhus import Aggregate, Command, Rejected

MOST_SEATS = 8  # in one reservation


class Category(Enum):
    """The category of a seat, which determines its price."""

    STALLS = "stalls"
    BALCONY = "balcony"


@frozen
class Seat:
    """A seat: the letter of its row, and its number in the row, from 1."""

    row: str
    number: int

    def __str__(self) -> str:
        return f"{self.row}{self.number}"


@frozen(kw_only=True)
class Row:
    """A row of seats of one category."""

    letter: str
    seats: int
    category: Category

    def __contains__(self, seat: Seat) -> bool:
        return seat.row == self.letter and 1 <= seat.number <= self.seats


@frozen(kw_only=True)
class ScheduleScreening(Command):
    """Show a film in a hall, at a time, at these prices for a seat."""

    film: str
    starts_at: datetime
    hall: tuple[Row, ...]
    prices: Mapping[Category, Decimal]


@frozen(kw_only=True)
class ReserveSeats(Command):
    """Reserve seats for a customer."""

    reservation_id: str
    customer: str
    seats: frozenset[Seat]
    at: datetime


@frozen(kw_only=True)
class CancelReservation(Command):
    """Cancel a reservation."""

    reservation_id: str
    at: datetime


ScreeningCommand: TypeAlias = ScheduleScreening | ReserveSeats | CancelReservation


@frozen(kw_only=True)
class ScreeningScheduled:
    """The film will be shown."""

    film: str
    starts_at: datetime
    hall: tuple[Row, ...]
    prices: Mapping[Category, Decimal]


@frozen(kw_only=True)
class SeatsReserved:
    """Seats were reserved for a customer, who owes the price."""

    reservation_id: str
    customer: str
    seats: frozenset[Seat]
    price: Decimal


@frozen(kw_only=True)
class ReservationCancelled:
    """The seats of a reservation are free again."""

    reservation_id: str


ScreeningEvent: TypeAlias = ScreeningScheduled | SeatsReserved | ReservationCancelled


class AlreadyScheduled(Rejected):
    """A screening is scheduled once."""


class PriceMissing(Rejected):
    """Every category in the hall has a price."""


class NotScheduled(Rejected):
    """The screening was not scheduled."""


class AlreadyStarted(Rejected):
    """From the start of the film, reservations stay as they are."""


class WrongNumberOfSeats(Rejected):
    """A reservation is for one to eight seats."""


class NoSuchSeat(Rejected):
    """The hall does not have the seat."""


class SeatsTaken(Rejected):
    """Another reservation has the seats."""


class ReservationExists(Rejected):
    """A reservation is made once."""


class NoSuchReservation(Rejected):
    """The reservation was never made, or is cancelled."""


@frozen(kw_only=True)
class Screening:
    """The state of a screening, as far as the rules need it."""

    starts_at: datetime
    hall: tuple[Row, ...]
    prices: Mapping[Category, Decimal]
    reservations: Mapping[str, frozenset[Seat]]

    def price_of(self, seat: Seat) -> Decimal:
        """Return the price of a seat."""
        for row in self.hall:
            if seat in row:
                return self.prices[row.category]
        raise NoSuchSeat(f"the hall has no seat {seat}")


def decide(command: ScreeningCommand, screening: Screening | None) -> Iterator[ScreeningEvent]:
    """Return the events of a command. The first matching case applies."""
    match command:
        case ScheduleScreening() if screening is not None:
            raise AlreadyScheduled(f"screening {command.aggregate_id} is scheduled already")
        case ScheduleScreening():
            yield schedule(command)
        case _ if screening is None:
            raise NotScheduled(f"there is no screening {command.aggregate_id}")
        case _ if command.at >= screening.starts_at:
            raise AlreadyStarted(f"the film started at {screening.starts_at}")
        case ReserveSeats():
            yield reserve(command, screening)
        case CancelReservation(reservation_id=reservation_id):
            if reservation_id not in screening.reservations:
                raise NoSuchReservation(f"there is no reservation {reservation_id}")
            yield ReservationCancelled(reservation_id=reservation_id)
        case _:
            assert_never(command)


def schedule(command: ScheduleScreening) -> ScreeningScheduled:
    """Schedule the screening if every seat has a price."""
    for row in command.hall:
        if row.category not in command.prices:
            raise PriceMissing(f"row {row.letter} has no price for {row.category.value}")
    return ScreeningScheduled(
        film=command.film,
        starts_at=command.starts_at,
        hall=command.hall,
        prices=command.prices,
    )


def reserve(command: ReserveSeats, screening: Screening) -> SeatsReserved:
    """Reserve the seats if all of them are free."""
    if command.reservation_id in screening.reservations:
        raise ReservationExists(f"there is a reservation {command.reservation_id} already")
    if not 1 <= len(command.seats) <= MOST_SEATS:
        raise WrongNumberOfSeats(
            f"a reservation is for 1 to {MOST_SEATS} seats, not {len(command.seats)}"
        )
    taken = command.seats & frozenset(chain.from_iterable(screening.reservations.values()))
    if taken:
        raise SeatsTaken(f"already reserved: {', '.join(sorted(map(str, taken)))}")
    return SeatsReserved(
        reservation_id=command.reservation_id,
        customer=command.customer,
        seats=command.seats,
        price=sum(map(screening.price_of, command.seats), start=Decimal(0)),
    )


def evolve(screening: Screening | None, event: ScreeningEvent) -> Screening:
    """Return the screening after an event."""
    match event:
        case ScreeningScheduled():
            return Screening(
                starts_at=event.starts_at, hall=event.hall, prices=event.prices, reservations={}
            )
        case _ if screening is None:
            raise AssertionError("a screening's first event is ScreeningScheduled")
        case SeatsReserved(reservation_id=reservation_id, seats=seats):
            reservations = {**screening.reservations, reservation_id: seats}
            return attrs.evolve(screening, reservations=reservations)
        case ReservationCancelled(reservation_id=cancelled):
            left = {key: kept for key, kept in screening.reservations.items() if key != cancelled}
            return attrs.evolve(screening, reservations=left)
        case _:
            assert_never(event)


screening = Aggregate(name="Screening", initial=None, decide=decide, evolve=evolve)
