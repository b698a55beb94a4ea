"""A small bank: two aggregates that the tests of several packages share."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, assert_never

import attrs
from attrs import frozen

from eventhus import Aggregate, Command, Rejected


@frozen(kw_only=True)
class Open(Command):
    owner: str = "Ada"


@frozen(kw_only=True)
class Deposit(Command):
    amount: int = 1


@frozen(kw_only=True)
class Withdraw(Command):
    amount: int = 1


@frozen(kw_only=True)
class Rename(Command):
    """Changes nothing if the owner already has the name."""

    owner: str


@frozen(kw_only=True)
class Script(Command):
    """Returns the events that a test passes in."""

    decide: Callable[["Account"], Iterable[Any]]


@frozen
class Opened:
    owner: str


@frozen
class Deposited:
    amount: int


@frozen
class Withdrawn:
    amount: int


@frozen
class Renamed:
    owner: str


@frozen
class Indigestible:
    """``evolve`` raises on this event."""


@frozen
class Undeclared:
    """No aggregate declares this event."""


class AlreadyOpen(Rejected):
    """The account is open."""


class NotOpen(Rejected):
    """The account is not open yet."""


class InsufficientFunds(Rejected):
    """The account holds less than was asked for."""


@frozen
class Account:
    owner: str | None = None
    balance: int = 0


AccountCommand: TypeAlias = Open | Deposit | Withdraw | Rename | Script


AccountEvent: TypeAlias = Opened | Deposited | Withdrawn | Renamed | Indigestible


def decide(command: AccountCommand, account: Account) -> Iterator[AccountEvent]:
    """Apply the rules of the bank."""
    match command:
        case Open(owner=owner):
            if account.owner is not None:
                raise AlreadyOpen
            yield Opened(owner)
        case Deposit(amount=amount):
            if account.owner is None:
                raise NotOpen
            yield Deposited(amount)
        case Withdraw(amount=amount):
            if amount > account.balance:
                raise InsufficientFunds(f"{amount}")
            yield Withdrawn(amount)
        case Rename(owner=owner):
            if account.owner != owner:
                yield Renamed(owner)
        case Script():
            yield from command.decide(account)
        case _:
            assert_never(command)


def evolve(account: Account, event: AccountEvent) -> Account:
    """Keep the books of the bank."""
    match event:
        case Opened(owner) | Renamed(owner):
            return attrs.evolve(account, owner=owner)
        case Deposited(amount):
            return attrs.evolve(account, balance=account.balance + amount)
        case Withdrawn(amount):
            return attrs.evolve(account, balance=account.balance - amount)
        case Indigestible():
            raise ZeroDivisionError("a bug in evolve")
        case _:
            assert_never(event)


account = Aggregate(name="Account", initial=Account(), decide=decide, evolve=evolve)


@frozen(kw_only=True)
class Scribble(Command):
    text: str = ""


@frozen
class Scribbled:
    text: str


def decide_note(command: Scribble, note: str) -> Iterator[Scribbled]:
    """Accept any text."""
    yield Scribbled(command.text)


def evolve_note(note: str, event: Scribbled) -> str:
    """Keep the last text."""
    return event.text


note = Aggregate(name="Note", initial="", decide=decide_note, evolve=evolve_note)


def always(*events: Any) -> Callable[[Account], Iterable[Any]]:
    """Return a decision for these events in any state."""
    return lambda _: events


def redefined(cls: Any) -> Any:
    """Return another class of the same name, as a cell of a notebook that runs again does."""
    bases = () if cls.__base__ is object else (cls.__base__,)
    own = {
        field.name: attrs.field(type=field.type)
        for field in attrs.fields(cls)
        if not field.inherited
    }
    again = attrs.make_class(cls.__name__, own, bases=bases, frozen=True, kw_only=True)
    again.__module__, again.__qualname__ = cls.__module__, cls.__qualname__
    return again
