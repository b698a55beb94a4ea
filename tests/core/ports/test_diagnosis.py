"""Findings."""

from eventhus.ports import Finding


def test_names_from_a_server_cannot_move_a_cursor_or_forge_a_line() -> None:
    found = Finding.warning("x.y", "the index evil\x1b[2J\u202e\n", "drop evil\x1b[2J")
    assert r"the index evil\x1b[2J\u202e\n" == found.detail
    assert r"drop evil\x1b[2J" == found.advice
