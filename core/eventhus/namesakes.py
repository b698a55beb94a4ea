"""Explains why a class is unknown although one of its name is known."""

from collections.abc import Iterable


def namesake(cls: type, known: Iterable[type]) -> str:
    """Return what to do about a known class of the same name; nothing if there is none.

    A cell of a notebook defines its classes anew each time, and a module that is imported under
    two names has two of each.
    """
    for other in known:
        if other is not cls and other.__qualname__ == cls.__qualname__:
            return (
                f"another class of that name is known, {other.__module__}.{other.__qualname__}: "
                f"import it from one place, and when you define it again, define again what uses it"
            )
    return ""
