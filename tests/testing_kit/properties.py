"""Aggregates with a bug each, for the tests of properties. Each is known by a name to import."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from itertools import count

import attrs
from attrs import define, field, frozen

from eventhus import Aggregate, Command, Rejected


class Reason(Enum):
    GIFT = "gift"
    SALE = "sale"


@frozen
class Money:
    amount: Decimal
    currency: str = "EUR"


@frozen(kw_only=True)
class Pay(Command):
    amount: int
    reason: Reason = Reason.SALE


@frozen(kw_only=True)
class Take(Command):
    amount: int


@frozen(kw_only=True)
class Transfer(Command):
    amount: int
    fee: int


@frozen
class Paid:
    amount: int
    reason: Reason = Reason.SALE


@frozen
class Taken:
    amount: int


class Overdrawn(Rejected):
    """There is too little."""


class NotPositive(Rejected):
    """Amounts are above zero."""


@frozen
class Purse:
    balance: int = 0


PurseCommand = Pay | Take | Transfer
PurseEvent = Paid | Taken


def decide(command: PurseCommand, purse: Purse) -> Iterator[PurseEvent]:
    """A fee may overdraw it, which is the bug."""
    if command.amount <= 0:
        raise NotPositive
    match command:
        case Pay(amount=amount, reason=reason):
            yield Paid(amount, reason)
        case Take(amount=amount) if amount > purse.balance:
            raise Overdrawn
        case Take(amount=amount):
            yield Taken(amount)
        case Transfer(amount=amount, fee=fee) if amount > purse.balance or fee < 0:
            raise Overdrawn
        case Transfer(amount=amount, fee=fee):
            yield Taken(amount)
            if fee:
                yield Taken(fee)


def evolve(purse: Purse, event: PurseEvent) -> Purse:
    match event:
        case Paid(amount):
            return attrs.evolve(purse, balance=purse.balance + amount)
        case Taken(amount):
            return attrs.evolve(purse, balance=purse.balance - amount)


purse = Aggregate(name="Purse", initial=Purse(), decide=decide, evolve=evolve)


def never_negative(state: Purse) -> bool:
    """The invariant."""
    return state.balance >= 0


def choking(state: Purse, event: PurseEvent) -> Purse:
    match event:
        case Taken(amount) if amount == state.balance:
            raise ZeroDivisionError("nothing left")
        case _:
            return evolve(state, event)


choking_purse = Aggregate(name="Purse", initial=Purse(), decide=decide, evolve=choking)


def failing(command: PurseCommand, state: Purse) -> Iterator[PurseEvent]:
    if isinstance(command, Take):
        raise ZeroDivisionError("a bug")
    yield from decide(command, state)


failing_purse = Aggregate(name="Purse", initial=Purse(), decide=failing, evolve=evolve)

numbers = count()


def counting(command: Pay, state: Purse) -> Iterator[Paid]:
    yield Paid(next(numbers))


counting_purse = Aggregate(
    name="Purse", initial=Purse(), decide=counting, evolve=evolve, events=(Paid,)
)


@define
class Drawer:
    notes: list[int] = field(factory=list)


def putting(command: Pay, drawer: Drawer) -> Iterator[Paid]:
    yield Paid(command.amount)


def put(drawer: Drawer, event: Paid) -> Drawer:
    if event.amount > 1:
        drawer.notes.append(event.amount)
        return drawer
    return Drawer([*drawer.notes, event.amount])


drawer = Aggregate(name="Drawer", initial=Drawer(), decide=putting, evolve=put)


@frozen
class Till:
    """What it has counted is left out of snapshots, and is needed all the same."""

    balance: int = 0
    _count: int = field(default=0, init=False, eq=False)


def ringing(command: Pay, till: Till) -> Iterator[Paid]:
    yield Paid(command.amount)


def ring(till: Till, event: Paid) -> Till:
    after = Till(till.balance + event.amount + till._count)  # noqa: SLF001
    object.__setattr__(after, "_count", till._count + 1)  # noqa: SLF001
    return after


till = Aggregate(name="Till", initial=Till(), decide=ringing, evolve=ring)


@frozen(kw_only=True)
class Price(Command):
    money: Money


@frozen
class Priced:
    money: Money
    tags: tuple[str, ...] = ()


def pricing(command: Price, state: Money | None) -> Iterator[Priced]:
    yield Priced(command.money, ("a" * 30, "b" * 30, "c" * 30))


def priced(state: Money | None, event: Priced) -> Money | None:
    return event.money


shop: Aggregate[Price, Priced, Money | None] = Aggregate(
    name="Shop", initial=None, decide=pricing, evolve=priced
)
