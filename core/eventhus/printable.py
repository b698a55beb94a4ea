"""Values in the form that messages and logs show, which is safe for text from outside."""

from collections.abc import Iterable

LONGEST = 4_000  # characters


def printable(text: str) -> str:
    r"""Return text with escapes in place of line breaks and other unprintable characters.

    An id may hold any text, and must not be able to forge a line of a log or move a terminal's
    cursor. Text that is too long for a message is cut.

    >>> print(printable("a\nERROR b"))
    a\nERROR b
    """
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} … ({len(text) - LONGEST:,} more characters)"
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "command"), counted(1200, "command")
    ('1 command', '1,200 commands')
    """
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def set_in_order(values: Iterable[object]) -> str:
    """Return the form of a set for people, which is the same in every run."""
    return f"{{{', '.join(sorted(map(repr, values)))}}}"
