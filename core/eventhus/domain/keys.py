"""The keys of events in views and processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar

from eventhus.domain.recorded import Recorded, is_text
from eventhus.errors import WrongAnswer

E = TypeVar("E")

KeyFunction: TypeAlias = Callable[[Recorded[E]], str | Iterable[str] | None]
"""Returns the key of an event, several keys, or ``None``."""


def keys_of(function: KeyFunction[Any], recorded: Recorded[Any]) -> tuple[str, ...]:
    """Return the keys of an event, each once, in the order in which ``function`` returns them.

    Raises:
        WrongAnswer: A key is not text.
    """
    answer: object = function(recorded)
    if answer is None:
        return ()
    if is_text(answer):
        return (str(answer),)
    if isinstance(answer, Iterable) and not isinstance(answer, str):
        keys = tuple(answer)
        if all(map(is_text, keys)):
            return tuple(dict.fromkeys(keys))
    raise WrongAnswer("a key must be a str of whole Unicode characters")
