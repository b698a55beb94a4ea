"""Redaction: removes or changes data before it is shown."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutine
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from eventhus.adapter_support.plain_data import check_plain_data


@frozen(kw_only=True)
class Redactable:
    """Data that is about to be shown.

    Attributes:
        kind: The kind of data: the fields of an event, a state, a document of a view or a process,
            or the body of a dead letter.
        name: The stored name of the event's class, the aggregate type, or the name of the view or
            process.
        data: The plain data.
    """

    kind: Literal["event", "state", "view", "process", "letter"]
    name: str
    data: Any = field(hash=False)


Redact: TypeAlias = Callable[[Redactable], Any]
"""Returns the plain data to show instead, such as a copy without the field ``email``."""


@frozen
class Shown:
    """Data to show, or the reason why it is left out.

    Attributes:
        data: The data; ``None`` if it is left out.
        problem: Why it is left out; ``None`` if it is not.
    """

    data: Any = field(hash=False)
    problem: str | None = None


@frozen
class Redactor:
    """The redaction of data by a function of the caller, which leaves data out if it fails.

    Attributes:
        redact: The function; ``None`` shows the data as it is.
    """

    redact: Redact | None

    def shown(self, redactable: Redactable) -> Shown:
        """Return data as it may be shown."""
        data, of = redactable.data, "it is"
        if self.redact is not None:
            try:
                data, of = self.redact(redactable), "redact returned"
            except Exception as error:  # noqa: BLE001 - it may raise anything
                return Shown(None, f"not shown: redact raised {type(error).__name__}")
        try:
            check_plain_data(data)
        except ValueError:
            if iscoroutine(data):
                data.close()  # otherwise Python warns, too, that it was never awaited
            return Shown(None, f"not shown: {of} a {type(data).__name__} and not plain data")
        return Shown(data)
