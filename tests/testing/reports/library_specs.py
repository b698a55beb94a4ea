"""The specs of the library. Other tests run them as a module, and some fail on purpose."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventhus.ports import EventData
from eventhus_testing import Outcome, spec
from tests.testing.reports.library import (
    AcquireBook,
    AlreadyLent,
    Book,
    BookAcquired,
    BookCommand,
    BookEvent,
    BookLent,
    BookReturned,
    LendBook,
    LendingRefused,
    NotForLending,
    RemindReader,
    ReturnBook,
    Shelf,
    Torn,
    book,
    books_out,
    lost,
    reminders,
)

MARCH = date(2031, 3, 4)
KEYWORDS = frozenset({"sea", "whale", "captain", "ship", "leg", "white", "chapter 10"})
acquire = AcquireBook(
    aggregate_id="b1",
    title="Moby Dick",
    shelf=Shelf.CLOSED_STACKS,
    price=Decimal("12.50"),
    keywords=KEYWORDS,
)
acquired = BookAcquired("Moby Dick", Shelf.CLOSED_STACKS, Decimal("12.50"), KEYWORDS)


def lend(reader: str) -> LendBook:
    return LendBook(aggregate_id="b1", reader=reader, until=MARCH)


give_back = ReturnBook(aggregate_id="b1")


def test_a_book_is_acquired() -> None:
    """It goes to a *shelf*.

    The second paragraph is for programmers.
    """
    spec(book).when(acquire).then(acquired).then_state(Book(shelf=Shelf.CLOSED_STACKS))


def test_a_book_is_lent_to_one_reader() -> None:
    """The second reader has to wait until it is back."""
    (
        spec(book)
        .given(acquired, BookLent("ann", MARCH))
        .when(lend("bob"))
        .then_rejected(AlreadyLent)
        .and_when(give_back, lend("bob"))
        .then(BookReturned(), BookLent("bob", MARCH))
    )


@pytest.mark.parametrize("reader", ["ann", "bob"])
def test_some_books_stay(reader: str) -> None:
    reading_room = BookAcquired("Atlas", Shelf.READING_ROOM, Decimal(80))
    spec(book).given(reading_room).when(lend(reader)).then_rejected(LendingRefused)


def test_nothing_is_returned_twice() -> None:
    spec(book).given_state(Book()).when_repeated(2, give_back).then_nothing()


def test_events_can_be_read() -> None:
    outcome = spec(book).when(lend("ann"))
    assert (BookLent("ann", MARCH),) == outcome.events


def test_expected_failures_are_not_reported() -> None:
    with pytest.raises(AssertionError):
        spec(book).when(lend("ann")).then_nothing()
    spec(book).when(lend("bob")).then_only(BookLent)


class TestLostBooks:
    def test_are_taken_back(self) -> None:
        spec(book).given(BookLent("ann", MARCH)).when_called(lost).then(BookReturned(late=True))

    def test_can_be_read_as_they_were_stored(self) -> None:
        stored = EventData(type="BookReturned", data={"late": True})
        spec(book).given(BookLent("ann", MARCH)).when_stored(stored).then(BookReturned(late=True))


def test_a_hundred_readers() -> None:
    for reader in [*range(100), *range(100)]:
        spec(book).when(lend(f"reader-{reader}")).then_only(BookLent)


@given(st.integers(1, 1000))
@settings(derandomize=True, database=None, max_examples=20)
def test_any_reader(number: int) -> None:
    spec(book).when(lend(f"reader-{number}")).then_only(BookLent)


@pytest.fixture
def lent() -> Outcome[BookCommand, BookEvent, Book]:
    return spec(book).when(lend("ann"))


def test_a_fixture_can_do_it(lent: Outcome[BookCommand, BookEvent, Book]) -> None:
    lent.then_containing(BookLent("ann", MARCH))


def test_books_are_lent_for_a_month() -> None:
    """This one fails."""
    spec(book).when(lend("ann")).then(BookLent("ann", date(2031, 4, 4)))


@pytest.mark.xfail(strict=True)
def test_torn_books_stay() -> None:
    """Nobody has written this yet."""
    spec(book).when(lend("ann")).then_rejected(Torn)


@pytest.mark.skip
def test_skipped_tests_are_not_reported() -> None:
    spec(book).when(lend("ann")).then_rejected(NotForLending)


def test_the_view_counts_lent_books() -> None:
    (
        spec(books_out)
        .given("b1", BookLent("ann", MARCH))
        .when("b2", BookLent("bob", MARCH))
        .then_view("all", 2)
        .and_when("b1", BookReturned())
        .then_view("all", 1)
    )


def test_the_view_starts_empty() -> None:
    given_nothing = spec(books_out)
    given_nothing.then_no_view("all")


def test_a_letter_is_sent_for_each_late_book() -> None:
    (
        spec(reminders)
        .when("b1", BookReturned(late=True))
        .then_commands(RemindReader(aggregate_id="letter-1", book="b1"))
        .and_when("b2", BookReturned())
        .then_nothing()
    )


def test_values_of_the_view_can_be_read() -> None:
    assert dict(spec(books_out).when("b1", BookLent("ann", MARCH)).values) == {"all": 1}


def test_unconcerned_values_stay() -> None:
    lent_out = spec(books_out).given("b1", BookLent("ann", MARCH))
    lent_out.when("b1", BookReturned()).then_no_view("all")
    lent_out.when("b2", BookLent("bob", MARCH), BookReturned()).then_untouched()


def test_commands_can_be_read() -> None:
    assert spec(reminders).when("b1", BookReturned()).commands == ()


def test_reminders_are_counted() -> None:
    (
        spec(reminders)
        .given("b1", BookReturned(late=True))
        .when("b2", BookReturned(late=True))
        .then_state("all", 2)
    )


def test_order_may_not_matter() -> None:
    (
        spec(book)
        .given(BookLent("ann", MARCH))
        .when(give_back, lend("bob"))
        .then_in_any_order(BookLent("bob", MARCH), BookReturned())
        .then_state_matching(lambda book: book.reader == "bob")
        .then_matching(lambda event: not event.late, BookLent("bob", MARCH))
    )
