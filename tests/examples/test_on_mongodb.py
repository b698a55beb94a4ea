"""The examples of decisions and transactions, with rivals on one MongoDB."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from eventhus import Application
from examples.bank.account import CreateAccount, InsufficientFunds, PerformDeposit, account
from examples.bank.transfer import Transfer, transfer
from examples.courses.enrolment import (
    MAX_COURSES,
    CourseFull,
    DefineCourse,
    Subscribe,
    TooManyCourses,
    enrolment,
)


@pytest.fixture
async def rivals(mongo_url: str, mongo_bucket: str) -> AsyncIterator[list[Application]]:
    """Three applications that share a log, as three processes would."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                Application.open(
                    bucket=mongo_bucket,
                    aggregates=[account],
                    decisions=[enrolment],
                    transactions=[transfer],
                    store=mongo_url,
                )
            )
            for _ in range(3)
        ]


async def test_rivals_never_overbook_a_course(rivals: list[Application]) -> None:
    await rivals[0].dispatch(DefineCourse(aggregate_id="physics", capacity=4))
    answers = await asyncio.gather(
        *(
            rivals[n % 3].dispatch(Subscribe(aggregate_id="physics", student=f"s{n}"))
            for n in range(12)
        ),
        return_exceptions=True,
    )
    assert 8 == sum(isinstance(answer, CourseFull) for answer in answers)


async def test_rivals_never_give_a_student_too_many_courses(rivals: list[Application]) -> None:
    courses = [f"course-{n}" for n in range(9)]
    for course in courses:
        await rivals[0].dispatch(DefineCourse(aggregate_id=course, capacity=1))
    answers = await asyncio.gather(
        *(
            rivals[n % 3].dispatch(Subscribe(aggregate_id=course, student="ann"))
            for n, course in enumerate(courses)
        ),
        return_exceptions=True,
    )
    refused = sum(isinstance(answer, TooManyCourses) for answer in answers)
    assert len(courses) - MAX_COURSES == refused


async def test_rivals_neither_make_nor_lose_money(rivals: list[Application]) -> None:
    for name in ("a1", "b1"):
        await rivals[0].dispatch(CreateAccount(aggregate_id=name, owner=name))
        await rivals[0].dispatch(PerformDeposit(aggregate_id=name, amount=20))
    transfers = [
        Transfer(aggregate_id="ab"[n % 2] + "1", to="ba"[n % 2] + "1", amount=n)
        for n in range(1, 15)
    ]
    answers = await asyncio.gather(
        *(rivals[n % 3].dispatch(each) for n, each in enumerate(transfers)), return_exceptions=True
    )
    failed = [each for each in answers if isinstance(each, Exception)]
    assert all(isinstance(each, InsufficientFunds) for each in failed)
    balances = [(await rivals[0].state(account, name)).balance for name in ("a1", "b1")]
    assert 40 == sum(balances)
    assert min(balances) >= 0
