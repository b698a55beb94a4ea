"""Purses with one flaw each, for the tests of rules and properties."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any, TypeAlias

import attrs
from attrs import field, frozen

from eventhus import Aggregate, Command, Rejected


@frozen(kw_only=True)
class Pay(Command):
    amount: int


@frozen(kw_only=True)
class Spend(Command):
    amount: int
    reason: str = ""


@frozen(kw_only=True)
class Swap(Command):
    amount: int


PurseCommand: TypeAlias = Pay | Spend | Swap


@frozen
class Paid:
    amount: int


@frozen
class Spent:
    amount: int
    reason: str = ""


PurseEvent: TypeAlias = Paid | Spent


class Empty(Rejected):
    """The purse holds less than the amount."""


@frozen
class Purse:
    balance: int = 0


Decide: TypeAlias = Callable[[PurseCommand, Purse], Iterable[PurseEvent]]
Evolve: TypeAlias = Callable[[Purse, PurseEvent], Purse]


def decide(command: PurseCommand, purse: Purse) -> Iterator[PurseEvent]:
    if command.amount <= 0:
        return
    if isinstance(command, Pay):
        yield Paid(command.amount)
    elif command.amount > purse.balance:
        raise Empty
    elif isinstance(command, Spend):
        yield Spent(command.amount, command.reason)
    else:
        yield Paid(command.amount)
        yield Spent(command.amount)


def evolve(purse: Purse, event: PurseEvent) -> Purse:
    amount = event.amount if isinstance(event, Paid) else -event.amount
    return attrs.evolve(purse, balance=purse.balance + amount)


def a_purse(decide: Decide = decide, evolve: Evolve = evolve) -> Aggregate[Any, Any, Purse]:
    return Aggregate(name="Purse", initial=Purse(), decide=decide, evolve=evolve)


purse = a_purse()


def never_negative(state: Purse) -> bool:
    return state.balance >= 0


def asserts_never_negative(state: Purse) -> None:
    assert state.balance >= 0, f"{-state.balance} missing"


def _spends_what_it_has_not(command: PurseCommand, purse: Purse) -> Iterator[PurseEvent]:
    if isinstance(command, Spend):
        yield Spent(command.amount, command.reason)
    else:
        yield from decide(command, purse)


overdrawn = a_purse(_spends_what_it_has_not)


def _lends(command: PurseCommand, purse: Purse) -> Iterator[PurseEvent]:
    if isinstance(command, Swap) and command.amount > 0:
        yield Spent(command.amount)
        yield Paid(command.amount)
    else:
        yield from decide(command, purse)


lending = a_purse(_lends)

_numbers = count()


def _counts(command: PurseCommand, _: Purse) -> Iterator[PurseEvent]:
    yield Spent(command.amount, f"number {next(_numbers)}")


counting = a_purse(_counts)


def _divides(command: PurseCommand, _: Purse) -> Iterator[PurseEvent]:
    yield Paid(100 // (command.amount - 7))


dividing = a_purse(_divides)


def _fails_on_large_ones(purse: Purse, event: PurseEvent) -> Purse:
    if event.amount > 1000:
        raise LookupError("no banknote for this")
    return evolve(purse, event)


crashing = a_purse(evolve=_fails_on_large_ones)


# States that are changed in place.


@frozen
class Notes:
    notes: list[int] = field(factory=list[int])


def _spends_notes(command: PurseCommand, notes: Notes) -> Iterator[PurseEvent]:
    yield Paid(command.amount)


def _appends(notes: Notes, event: PurseEvent) -> Notes:
    notes.notes.append(event.amount)
    return notes


appending: Aggregate[Any, Any, Notes] = Aggregate(
    name="Notes", initial=Notes(), decide=_spends_notes, evolve=_appends
)


def _takes(command: PurseCommand, notes: Notes) -> Iterator[PurseEvent]:
    if notes.notes and isinstance(command, Spend):
        yield Spent(notes.notes.pop())
    else:
        yield Paid(command.amount)


def _with_note(notes: Notes, event: PurseEvent) -> Notes:
    return Notes([*notes.notes, event.amount])


taking: Aggregate[Any, Any, Notes] = Aggregate(
    name="Notes", initial=Notes(), decide=_takes, evolve=_with_note
)


# Values that do not survive the codec.


@frozen
class Weighed:
    grams: float


@frozen
class Scale:
    total: float = 0.0


def _weighs(command: Pay, _: Scale) -> Iterator[Weighed]:
    yield Weighed(command.amount)


def _adds(scale: Scale, event: Weighed) -> Scale:
    return Scale(scale.total + event.grams)


weighing = Aggregate(name="Scale", initial=Scale(), decide=_weighs, evolve=_adds)


def _refunds(command: Pay, _: Scale) -> Iterator[PurseEvent]:
    yield Paid(command.amount)
    yield Spent(command.amount)


def _is_right_in_the_end(scale: Scale, event: PurseEvent) -> Scale:
    return Scale(event.amount if isinstance(event, Paid) else 0.0)


refunding: Aggregate[Any, Any, Scale] = Aggregate(
    name="Scale", initial=Scale(), decide=_refunds, evolve=_is_right_in_the_end
)


def _pays(command: Pay, _: Scale) -> Iterator[Paid]:
    yield Paid(command.amount)


def _counts_grams(scale: Scale, event: Paid) -> Scale:
    return Scale(event.amount)


rounding = Aggregate(name="Scale", initial=Scale(), decide=_pays, evolve=_counts_grams)


@frozen
class Forgetful:
    """A state with a field that snapshots leave out."""

    balance: int = 0
    seen: int = field(default=0, init=False, eq=False)


def _pays_forgetful(command: Pay, _: Forgetful) -> Iterator[Paid]:
    yield Paid(command.amount)


def _doubles_the_third(state: Forgetful, event: Paid) -> Forgetful:
    after = Forgetful(state.balance + event.amount * (2 if state.seen == 1 else 1))
    object.__setattr__(after, "seen", state.seen + 1)
    return after


forgetful = Aggregate(
    name="Forgetful", initial=Forgetful(), decide=_pays_forgetful, evolve=_doubles_the_third
)


_moods = count()


def _is_moody(command: PurseCommand, purse: Purse) -> Iterator[PurseEvent]:
    if next(_moods) == 40:
        raise LookupError("not today")
    yield from decide(command, purse)


moody = a_purse(_is_moody)


def _pays_with_something_else(command: Pay, _: Scale) -> Iterator[Any]:
    yield Paid(command.amount)


undeclared: Aggregate[Any, Any, Scale] = Aggregate(
    name="Scale", initial=Scale(), decide=_pays_with_something_else, evolve=_adds
)


def _refuses(_: object, attribute: attrs.Attribute[int], value: int) -> None:
    raise ValueError(f"{value} will not do", attribute)


@frozen(kw_only=True)
class Spoil(Command):
    amount: int = field(validator=_refuses)


def _spoils(command: Spoil, _: Purse) -> Iterator[Paid]:
    yield Paid(command.amount)


spoiling: Aggregate[Any, Any, Purse] = Aggregate(
    name="Purse", initial=Purse(), decide=_spoils, evolve=evolve
)
