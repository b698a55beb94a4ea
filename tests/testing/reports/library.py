"""A library that lends books, for tests of the reports."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import TypeAlias

import attrs
from attrs import frozen

from eventhus import Aggregate, Command, Process, Recorded, Rejected, View


class Shelf(Enum):
    CLOSED_STACKS = 1
    READING_ROOM = 2


@frozen(kw_only=True)
class AcquireBook(Command):
    """Buy a copy.

    And put it on a shelf.
    """

    title: str
    shelf: Shelf
    price: Decimal
    keywords: frozenset[str] = frozenset()


@frozen(kw_only=True)
class LendBook(Command):
    """Give it to a reader."""

    reader: str
    until: date


@frozen(kw_only=True)
class ReturnBook(Command):
    pass


@frozen(kw_only=True)
class RepairBook(Command):
    """Repair a damaged copy."""


@frozen(kw_only=True)
class RemindReader(Command):
    """Write a letter."""

    book: str


@frozen
class BookAcquired:
    """The library has one more copy."""

    title: str
    shelf: Shelf
    price: Decimal
    keywords: frozenset[str] = frozenset()


@frozen
class BookLent:
    """A reader has it."""

    reader: str
    until: date


@frozen
class BookReturned:
    """It is on its shelf again."""

    late: bool = False


@frozen
class BookRepaired:
    """It can be read | lent again."""


class LendingRefused(Rejected):
    """The base class of the refusals, which is not one itself."""


class AlreadyLent(LendingRefused):
    """One reader at a time."""


class NotForLending(LendingRefused):
    """Some books stay in the <reading_room>."""


class Torn(LendingRefused):
    """Torn books are repaired first."""


BookCommand: TypeAlias = AcquireBook | LendBook | ReturnBook | RepairBook
BookEvent: TypeAlias = BookAcquired | BookLent | BookReturned | BookRepaired


@frozen
class Book:
    shelf: Shelf | None = None
    reader: str | None = None


def decide(command: BookCommand, book: Book) -> Iterator[BookEvent]:
    """Return the events that a command leads to."""
    match command:
        case AcquireBook():
            yield BookAcquired(command.title, command.shelf, command.price, command.keywords)
        case LendBook() if book.shelf is Shelf.READING_ROOM:
            raise NotForLending
        case LendBook() if book.reader is not None:
            raise AlreadyLent(f"{book.reader} has it")
        case LendBook():
            yield BookLent(command.reader, command.until)
        case ReturnBook() if book.reader is not None:
            yield BookReturned()
        case _:
            return


def evolve(book: Book, event: BookEvent) -> Book:
    """Return the book after an event."""
    match event:
        case BookAcquired():
            return attrs.evolve(book, shelf=event.shelf)
        case BookLent():
            return attrs.evolve(book, reader=event.reader)
        case BookReturned():
            return attrs.evolve(book, reader=None)
        case BookRepaired():
            return book


def lost(book: Book) -> Iterator[BookEvent]:
    """Take a lost book back."""
    if book.reader is not None:
        yield BookReturned(late=True)


book = Aggregate(name="Book", initial=Book(), decide=decide, evolve=evolve)


def count(books: int, recorded: Recorded[BookLent | BookReturned]) -> int | None:
    """Count the books that are out, without a value for none."""
    return books + 1 if isinstance(recorded.event, BookLent) else books - 1 or None


def remember(reminded: int, recorded: Recorded[BookReturned]) -> int:
    """Count the books that came late."""
    return reminded + recorded.event.late


def react(reminded: int, recorded: Recorded[BookReturned]) -> Iterable[Command]:
    """Remind the reader of each book that came late."""
    if recorded.event.late:
        yield RemindReader(aggregate_id=f"letter-{reminded}", book=recorded.stream.aggregate_id)


books_out = View(name="books-out", initial=0, key=lambda _: "all", evolve=count)
reminders = Process(name="reminders", initial=0, key=lambda _: "all", evolve=remember, react=react)
