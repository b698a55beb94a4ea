"""Refuses answers of predicates and matchers that are not truth values."""

from __future__ import annotations

import inspect
import reprlib

_NUMPY_BOOLS = ("bool", "bool_")  # the second before NumPy 2; neither is a subclass of bool


def is_true(answer: object, what: str, must: str = "it must return True or False") -> bool:
    """Return the truth value that a predicate, an invariant, a matcher or ``==`` answered with.

    Only ``bool`` and NumPy's bool are truth values. A coroutine and a generator count as true, so
    a predicate that was never run would accept everything; so do a mock and most other objects.

    Args:
        answer: What was returned. A coroutine is closed, so that Python does not warn about it.
        what: What returned it, for the message.
        must: What it must return instead, for the message.

    Raises:
        TypeError: The answer is of any other class, ``None`` included.
    """
    cls = type(answer)
    if cls is bool or (cls.__module__ == "numpy" and cls.__name__ in _NUMPY_BOOLS):
        return bool(answer)
    raise TypeError(f"{what} returned {_found(answer)}; {must}")


def _found(answer: object) -> str:
    if inspect.iscoroutine(answer):
        answer.close()
        return "a coroutine, which was never awaited"
    if inspect.isasyncgen(answer):
        return "an async generator, which was never run"
    if inspect.isgenerator(answer):
        return "a generator, which was never run"
    return reprlib.repr(answer)
