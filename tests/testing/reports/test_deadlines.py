"""Reports on processes with deadlines, and how much of them specs exercise."""

import pytest

from tests.testing.reports.conftest import Run

pytest_plugins = ["pytester"]

SPECS = """
from datetime import UTC, datetime, timedelta

from eventhus_testing import spec
from tests.testing.orders import *

NOON = datetime(2025, 12, 24, 12, tzinfo=UTC)


def placed():
    return spec(delivery).given("o1", OrderPlaced())


def test_an_order_waits_for_its_payment():
    spec(delivery).at(NOON).when("o1", OrderPlaced()).then_deadline(
        "payment", after=HALF_AN_HOUR
    ).then_deadline("payment", at=NOON + HALF_AN_HOUR, key="o1").then_deadline("payment")


def test_a_paid_order_is_sent():
    placed().when("o1", OrderPaid(5)).then_cancelled("payment", key="o1").then_commands(
        ShipOrder(aggregate_id="o1")
    )


def test_a_parcel_that_cannot_be_sent_is_paid_back():
    outcome = placed().given("o1", OrderPaid(5)).when_refused(ShipOrder, OutOfStock)
    outcome.then_commands(RefundPayment(aggregate_id="o1", amount=5))


def test_everything_that_was_done():
    assert placed().when("o2", OrderPlaced()).commands == ()
    assert placed().when("o1", OrderPaid(5)).commands
"""
REACHED = """

def test_an_order_that_is_not_paid_is_cancelled():
    placed().when_passed(minutes=31).then_commands(CancelOrder(aggregate_id="o1"))


def test_time_alone():
    placed().when_passed(minutes=1, seconds=30).then_nothing()
"""


def written(pytester: pytest.Pytester, name: str) -> str:
    """The text of a report."""
    return (pytester.path / "out" / name).read_text()


def test_a_report_shows_deadlines_and_refusals(run: Run, pytester: pytest.Pytester) -> None:
    result = run(SPECS + REACHED, "--eventhus-report=out")
    assert pytest.ExitCode.OK == result.ret
    result.stdout.fnmatch_lines(
        ["delivery: 1 of 1 deadlines", "1 of 1 types exercised, 100 %"], consecutive=True
    )
    text = written(pytester, "specs.md")
    for line in (
        "- *Then* **Deadline payment is armed**: after 30 minutes",
        "- *Then* o1 · **Deadline payment is armed**: at 2025-12-24 12:30 UTC",
        "- *Then* **Deadline payment is armed**",
        "- *Then* o1 · **Deadline payment is cancelled**",
        "- *When* o1 · **Ship order is refused**: Out of stock",
        "- *Then* o2 · **Deadline payment is armed**",
        "  - time passes: 31 minutes",
        "  - o1 · **Deadline payment is reached**",
        "- *When* time passes: 1 minute 30 seconds",
        "**Deadlines**",
        "- Deadline payment",
    ):
        assert line in text.splitlines()
    assert "Not exercised" not in text
    assert "Deadline payment is reached" in written(pytester, "index.html")


def test_a_deadline_that_no_spec_reaches_is_missing(run: Run, pytester: pytest.Pytester) -> None:
    result = run(SPECS, "--eventhus-report=out", "--eventhus-fail-under=1")
    assert pytest.ExitCode.TESTS_FAILED == result.ret
    result.stdout.fnmatch_lines(
        [
            "delivery: 0 of 1 deadlines",
            "  no spec exercises payment",
            "0 of 1 types exercised, 0 %",
        ],
        consecutive=True,
    )
    text = written(pytester, "specs.md")
    assert "**Not exercised:** Deadline payment" in text.splitlines()
    assert "<li>Deadline payment</li>" in written(pytester, "index.html")


UNCHECKED = {
    'placed().when("o1", OrderPlaced())': [
        "*then*+ o1: deadline 'payment' armed",
        "*add .then_deadline('payment'), or the outcome that you expect",
    ],
    'placed().when("o1", OrderPaid(5))': [
        "*then*+ ShipOrder(aggregate_id='o1')",
        "*+ o1: deadline 'payment' cancelled",
        "*add .then_commands(ShipOrder(aggregate_id='o1')).then_cancelled('payment'), or*",
    ],
    "placed().when_passed(minutes=1)": [
        "*when*time passes: 0:01:00",
        "*add .then_nothing(), or the outcome that you expect",
    ],
    "placed().given_passed(minutes=1)": ["*nothing was done: a given needs a when"],
}


@pytest.mark.parametrize("step", UNCHECKED)
def test_an_unchecked_deadline_fails_a_test_that_passed(run: Run, step: str) -> None:
    result = run(f"{SPECS}\n\ndef test_it():\n    {step}\n")
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(UNCHECKED[step])
