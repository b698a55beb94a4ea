"""Tables fit the terminal, and what they hold is escaped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len

from eventhus_cli.screen import Screen, age
from tests.adapters.cli.sample import HOSTILE

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
COLUMNS = ("READER", "POSITION", "SINCE", "HELD BY")
ROWS = [
    ("view orders", 17, NOW, "01K0000000000000000000000A"),
    ("process fulfilment v2", 1200, None, None),
]


def test_a_table_is_aligned_and_has_no_trailing_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(is_json=False, width=None).table(COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "READER                 POSITION  SINCE                 HELD BY",
        "view orders                  17  2026-01-31 12:00:00Z  01K0000000000000000000000A",
        "process fulfilment v2      1200",
    ]


def test_a_row_that_does_not_fit_becomes_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(is_json=False, width=40).table(COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "reader    view orders",
        "position  17",
        "since     2026-01-31 12:00:00Z",
        "held by   01K0000000000000000000000A",
        "",
        "reader    process fulfilment v2",
        "position  1200",
    ]


@pytest.mark.parametrize("width", [12, 40, 80, None])
def test_nothing_acts_on_the_terminal_or_is_wider(
    width: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Screen(is_json=False, width=width)
    screen.table(COLUMNS, [(HOSTILE, 1, None, "猫" * 30)])
    screen.fields([("id", HOSTILE)])
    lines = capsys.readouterr().out.splitlines()
    assert all(line.isprintable() for line in lines)
    assert width is None or max(map(cell_len, lines)) <= width
    assert "[bold]b[/bold]" in "".join(lines) or width == 12


def test_a_line_is_cropped_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(is_json=False, width=10).cropped("猫" * 10)
    Screen(is_json=False, width=10).cropped("0123456789")
    Screen(is_json=False, width=None).cropped("0" * 300)
    assert ["猫猫猫猫…", "0123456789", "0" * 300] == capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=-3), "0 s"),
        (timedelta(seconds=119), "119 s"),
        (timedelta(seconds=120), "2 min"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=3), "3 d"),
    ],
)
def test_an_age_has_one_unit(passed: timedelta, text: str) -> None:
    assert text == age(NOW - passed, NOW)
