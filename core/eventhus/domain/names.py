"""The form of the names that stores and buses take as they stand."""

import re

_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")


def is_name(value: object) -> bool:
    """Whether a value is text of 1 to 63 letters, digits, hyphens and underscores.

    What every adapter can use: a database's name, a token of a subject, a folder.
    """
    return isinstance(value, str) and _NAME.fullmatch(value) is not None
