"""The progress of a build, on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from eventhus import BuildProgress
from eventhus_terminal import progress, showing_progress

LABEL = "view orders v2"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO, *positions: int, head: int = 2000) -> str:
    """What is written while a build comes to some positions."""
    with showing_progress(stream) as on_progress:
        for position in positions:
            on_progress(BuildProgress(label=LABEL, position=position, head=head))
    return stream.getvalue()


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    text = shown(Terminal(), 500, 2000)
    assert "2000/2000" in text
    assert "\x1b" in text
    assert LABEL in text


def test_anything_else_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first, one at times, and the last."""
    now = iter([10.0, 11.0, 12.0, 15.0, 15.5])
    monkeypatch.setattr(progress, "monotonic", lambda: next(now))
    assert shown(io.StringIO(), 0, 500, 700, 1500, 2000).splitlines() == [
        "view orders v2: 0 of 2,000 events (0 %)",
        "view orders v2: 1,500 of 2,000 events (75 %), 300 a second",
        "view orders v2: 2,000 of 2,000 events (100 %), 364 a second",
    ]


def test_an_empty_log_is_built_at_once() -> None:
    assert shown(io.StringIO(), 0, head=0) == "view orders v2: 0 of 0 events (100 %)\n"


def test_a_terminal_without_the_extra_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "find_spec", lambda name: None)
    assert shown(Terminal(), 2000) == "view orders v2: 2,000 of 2,000 events (100 %)\n"


def test_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with showing_progress() as on_progress:
        on_progress(BuildProgress(label=LABEL, position=1, head=1))
    assert capsys.readouterr().err == "view orders v2: 1 of 1 events (100 %)\n"
