"""Checks of the options that views and processes share."""

from __future__ import annotations

from typing import Final

from eventhus.errors import CompositionError

LAST_VERSION: Final = 999_999


def check_version(what: str, version: object) -> None:
    """Refuse a version that is not an int from 1 to 999,999.

    Raises:
        CompositionError: It is not.
    """
    if type(version) is not int or not 1 <= version <= LAST_VERSION:
        raise CompositionError(
            f"{what}: version must be an int from 1 to {LAST_VERSION:,}, found {version!r}"
        )


def check_beginning(what: str, start: object) -> None:
    """Refuse a start that is neither ``"beginning"`` nor ``"now"`` nor a position.

    Raises:
        CompositionError: It is not one of them.
    """
    if start in ("beginning", "now"):
        return
    if type(start) is not int or start < 0:
        raise CompositionError(
            f"{what}: start must be 'beginning', 'now' or a position of the log, found {start!r}"
        )
