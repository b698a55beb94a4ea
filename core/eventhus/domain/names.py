"""The form of names that every store and bus can use unchanged."""

import re

from eventhus.errors import CompositionError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")


def is_name(value: object) -> bool:
    """Return whether a value is text of 1 to 63 letters, digits, hyphens and underscores.

    Every adapter can use such a name: as a database, a token of a subject or a folder.
    """
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def check_name(what: str, name: object) -> None:
    """Refuse a name that does not have the form of ``is_name``.

    Args:
        what: The thing that has the name, for the message.
        name: The name.

    Raises:
        CompositionError: The name does not have that form.
    """
    if not is_name(name):
        raise CompositionError(
            f"{what} {name!r} is not 1 to 63 letters, digits, hyphens and underscores"
        )


def described(value: object) -> str:
    """Return the name of a class, or how the value is written."""
    return value.__qualname__ if isinstance(value, type) else repr(value)
