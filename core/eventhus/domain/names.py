"""The form of the names that stores and buses take as they stand."""

import re

from eventhus.errors import CompositionError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")


def is_name(value: object) -> bool:
    """Whether a value is text of 1 to 63 letters, digits, hyphens and underscores.

    What every adapter can use: a database's name, a token of a subject, a folder.
    """
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def check_name(what: str, name: object) -> None:
    """Refuse what is no name.

    Args:
        what: What has it; for the message.
        name: The name.

    Raises:
        CompositionError: It is of another form.
    """
    if not is_name(name):
        raise CompositionError(
            f"{what} {name!r} is not 1 to 63 letters, digits, hyphens and underscores"
        )
