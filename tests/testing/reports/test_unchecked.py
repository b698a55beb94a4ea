"""Tests of the failure of tests that leave an outcome unchecked."""

from textwrap import dedent, indent

import pytest

from eventhus_testing import spec
from eventhus_testing.reports.unchecked import unchecked_text
from eventhus_testing.specs.recording import opened
from tests.testing.reports.conftest import Run
from tests.testing.reports.library import BookLent, BookReturned, book, books_out, reminders
from tests.testing.reports.library_specs import MARCH, acquire, give_back, lend

pytest_plugins = ["pytester"]

IMPORTS = """
import pytest
from hypothesis import given, settings, strategies as st
from eventhus_testing import spec
from tests.testing.reports.library import *

back = ReturnBook(aggregate_id="b1")
returned = BookReturned(late=True)
"""

FORGOTTEN = {
    "a function": "def test_it(): spec(book).when(back)",
    "the last of several": "def test_it(): spec(book).when(back).then_nothing().and_when(back)",
    "one of two": """
        def test_it():
            spec(book).when(back)
            spec(book).when(back).then_nothing()
        """,
    "a method": """
        class TestIt:
            def test_it(self): spec(book).when(back)
        """,
    "one case": """
        @pytest.mark.parametrize("checked", [False])
        def test_it(checked):
            outcome = spec(book).when(back)
            if checked: outcome.then_nothing()
        """,
    "an example": """
        @given(st.integers(1, 3))
        @settings(database=None)
        def test_it(number):
            outcome = spec(book).when(back)
            if number < 3: outcome.then_nothing()
        """,
    "a fixture": """
        @pytest.fixture
        def returning(): return spec(book).when(back)
        def test_it(returning): pass
        """,
    "a coroutine": """
        async def test_it(): spec(book).when(back)
        """,
    "a thread": """
        from threading import Thread
        def test_it():
            thread = Thread(target=spec(book).when, args=[back])
            thread.start()
            thread.join()
        """,
    "a view": "def test_it(): spec(books_out).when('b1', returned)",
    "a process": "def test_it(): spec(reminders).when('b1', returned)",
}

FINE = {
    "checked": "def test_it(): spec(book).when(back).then_nothing()",
    "checked on the way": """
        def test_it(): spec(book).when(back).and_when(back).then_nothing()
        """,
    "looked at": "def test_it(): assert spec(book).when(back).refusal is None",
    "given and gone on from": """
        def test_it():
            before = spec(book).given(returned)
            before.when(back).then_nothing()
        """,
    "given by a fixture": """
        @pytest.fixture
        def before(): return spec(book).given(returned)
        def test_it(before): before.when(back).then_nothing()
        """,
    "given for all tests": """
        @pytest.fixture(scope="module")
        def before(): return spec(book).given(returned)
        def test_it(before): pass
        """,
    "given in vain": """
        def test_it():
            with pytest.raises(TypeError): spec(book).given("nothing")
        """,
    "given before an example that was given up": """
        from hypothesis import assume
        @given(st.integers(1, 30))
        @settings(database=None)
        def test_it(number):
            before = spec(book).given(returned)
            assume(number % 2)
            before.when(back).then_nothing()
        """,
    "a view's history": "def test_it(): spec(books_out).then_no_view('all')",
    "no spec": "def test_it(): pass",
    "an example that was given up": """
        from hypothesis import assume
        @given(st.integers(1, 30))
        @settings(database=None)
        def test_it(number):
            outcome = spec(book).when(back)
            assume(number % 2)
            outcome.then_nothing()
        """,
    "made for all tests": """
        @pytest.fixture(scope="module")
        def returning(): return spec(book).when(back)
        def test_it(returning): pass
        """,
}

NOTHING_DONE = {
    "an aggregate": "def test_it(): spec(book).given(returned)",
    "an aggregate without history": "def test_it(): spec(book)",
    "a state": "def test_it(): spec(book).given_state(book.initial)",
    "commands": "def test_it(): spec(book).given_commands(back)",
    "a view": "def test_it(): spec(books_out).given('b1', returned)",
    "a process": "def test_it(): spec(reminders).given('b1', returned)",
    "one of two": """
        def test_it():
            spec(book).given(returned).when(back).then_nothing()
            spec(book).given(returned)
        """,
    "a fixture": """
        @pytest.fixture
        def before(): return spec(book).given(returned)
        def test_it(before): pass
        """,
}

OTHERWISE = {
    "failed": ("def test_it(): spec(book).when(back); assert not 'so'", {"failed": 1}),
    "skipped": ("def test_it(): spec(book).when(back); pytest.skip()", {"skipped": 1}),
    "expected to fail": (
        "def test_it(): spec(book).when(back); pytest.xfail()",
        {"xfailed": 1},
    ),
}

SHARED_LOOP = """
async def test_one(): spec(book).when(back).then_nothing()
async def test_two(): spec(book).when(back)
async def test_three(): spec(book).when(back).then_nothing()
"""
LOOP = (
    "-p",
    "pytest_asyncio.plugin",
    "-o",
    "asyncio_mode=auto",
    "-o",
    "asyncio_default_fixture_loop_scope=function",
)


def module(test: str) -> str:
    """Return the text of a test module."""
    return IMPORTS + dedent(test)


@pytest.mark.parametrize("test", FORGOTTEN.values(), ids=FORGOTTEN.keys())
def test_a_forgotten_then_fails_the_test(run: Run, test: str) -> None:
    result = run(module(test), *LOOP)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*was not checked: a when needs a then"])


@pytest.mark.parametrize("test", NOTHING_DONE.values(), ids=NOTHING_DONE.keys())
def test_a_spec_that_only_says_what_was_given_fails(run: Run, test: str) -> None:
    result = run(module(test), *LOOP)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*nothing was done: a given needs a when"])


@pytest.mark.parametrize("test", FINE.values(), ids=FINE.keys())
def test_checked_given_and_shared_outcomes_do_not_fail_the_test(run: Run, test: str) -> None:
    run(module(test), *LOOP).assert_outcomes(passed=1)


@pytest.mark.parametrize(("test", "outcomes"), OTHERWISE.values(), ids=OTHERWISE.keys())
def test_a_test_that_did_not_pass_gets_no_second_failure(
    run: Run, test: str, outcomes: dict[str, int]
) -> None:
    """It may have ended before its ``then``."""
    result = run(module(test))
    result.assert_outcomes(**outcomes)
    result.stdout.no_fnmatch_line("*was not checked*")


def test_outcomes_belong_to_their_test_on_a_shared_event_loop(run: Run) -> None:
    """A loop of the whole session keeps the context of the first test."""
    loop = ("-o", "asyncio_default_test_loop_scope=session")
    result = run(module(SHARED_LOOP), *LOOP, *loop)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_two*"])


def test_the_text_shows_the_steps_and_suggests_a_check() -> None:
    with opened() as recording:
        spec(book).given(BookLent("ann", MARCH)).when(give_back).then(BookReturned()).and_when(
            give_back
        )
        spec(book).given(BookLent("ann", MARCH)).when(lend("bob"))
        spec(books_out).given("b1", BookLent("ann", MARCH)).when("b1", BookReturned())
    shows(
        """
        Book: the outcome of ReturnBook was not checked: a when needs a then

        given    BookLent(reader='ann', until=datetime.date(2031, 3, 4))
        when     ReturnBook(aggregate_id='b1')
        then     BookReturned(late=False)
        when     ReturnBook(aggregate_id='b1')
        then   + nothing
               ? add .then_nothing(), or the outcome that you expect

        Book: the outcome of LendBook was not checked: a when needs a then

        given    BookLent(reader='ann', until=datetime.date(2031, 3, 4))
        when     LendBook(aggregate_id='b1', reader='bob', until=datetime.date(2031, 3, 4))
        then   + refused with AlreadyLent: ann has it
               ? add .then_rejected(AlreadyLent), or the outcome that you expect

        books-out: the outcome of the view was not checked: a when needs a then

        given    b1: BookLent(reader='ann', until=datetime.date(2031, 3, 4))
        when     b1: BookReturned(late=False)
        then   + all: no value
               ? add .then_no_view('all'), or the outcome that you expect
        """,
        unchecked_text(recording.unchecked),
    )


def test_the_text_says_what_follows_a_given() -> None:
    with opened() as recording:
        spec(book).given(BookLent("ann", MARCH))
        spec(books_out).given("b1", BookLent("ann", MARCH))
        spec(reminders)
    shows(
        """
        Book: nothing was done: a given needs a when

        given    BookLent(reader='ann', until=datetime.date(2031, 3, 4))
               ? add .when(...) and what should come of it: .then(...)

        books-out: nothing was done: a given needs a when

        given    b1: BookLent(reader='ann', until=datetime.date(2031, 3, 4))
               ? add what it should show: .then_view(...), or .when(...) and then that

        reminders: nothing was done: a given needs a when

        given    nothing
               ? add .when(...) and what should come of it: .then_commands(...)
        """,
        unchecked_text(recording.unchecked),
    )


def test_the_text_shows_three_outcomes_and_counts_the_others() -> None:
    with opened() as recording:
        spec(reminders).when("b1", BookReturned(late=True))
        spec(books_out).when("b1", BookLent("ann", MARCH))
        for _ in range(4):
            spec(book).when(acquire)
    shown = unchecked_text(recording.unchecked)
    shows(
        """
        reminders: the outcome of the process was not checked: a when needs a then

        given    nothing
        when     b1: BookReturned(late=True)
        then   + RemindReader(aggregate_id='letter-1', book='b1')
               ? add .then_commands(RemindReader(aggregate_id='letter-1', book='b1')), or the \
outcome that you expect

        books-out: the outcome of the view was not checked: a when needs a then

        given    nothing
        when     b1: BookLent(reader='ann', until=datetime.date(2031, 3, 4))
        then   + all: 1
               ? add .then_view('all', 1), or the outcome that you expect
        """,
        "\n\n".join(shown.split("\n\n")[:4]),
    )
    assert shown.endswith("\n\nand 3 more")


def shows(expected: str, actual: str) -> None:
    """Assert that a text equals the expected one, which is indented for reading."""
    assert dedent(expected).strip() == actual, indent(actual, "    ")
