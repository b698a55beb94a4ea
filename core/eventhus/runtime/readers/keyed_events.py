"""Decodes the events of a view or a process, and asks for their keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from eventhus.adapter_support.failure_log import summary
from eventhus.adapter_support.limits import check_keys
from eventhus.domain.catalog import Catalog
from eventhus.domain.query import Query, QueryItem
from eventhus.domain.recorded import Recorded
from eventhus.errors import (
    CodecError,
    ReaderStopped,
    UndeclaredEvent,
    UnknownCommand,
    WrongAnswer,
)
from eventhus.ports.store import StoredEvent
from eventhus.runtime.serializer import EventSerializer

NEWER = "it was written by a newer version of this application, which declares this event"

_NAMING_CLASSES = (UndeclaredEvent, UnknownCommand, WrongAnswer)
"""Errors about what functions return, whose messages name classes, fields and deadlines alone."""


class Poisoned(Exception):
    """One event cannot be folded into its key, or a command because of it failed.

    Attributes:
        error: The error that was raised.
        problem: The error in words, without its message, which may quote data.
    """

    def __init__(self, error: Exception, problem: str = "") -> None:
        self.error = error
        self.problem = problem or problem_of(error)


def problem_of(error: Exception) -> str:
    """Return an error in words, without data."""
    if isinstance(error, CodecError):
        return str(CodecError(error.type, error.field, error.problem))
    return raised(error)


def raised(error: Exception, by: str = "") -> str:
    """Return the class of an error, or its message if that names classes alone.

    Args:
        error: The error.
        by: The class of the command that raised it, if one did.
    """
    if isinstance(error, _NAMING_CLASSES):
        return summary(error)
    return f"{type(error).__name__} was raised" + (f" by {by}" if by else "")


class KeyedEvents:
    """The events that one view or process is folded from, with their keys.

    Args:
        label: The name of the view or process in messages.
        keys: Returns the keys of an event, each once.
        names: The stored names of these events. Other events are skipped.
        catalog: Knows the events of the application. An unknown event of a known aggregate was
            written by a newer version and stops the reader.
        serializer: Decodes events.
    """

    def __init__(
        self,
        label: str,
        keys: Callable[[Recorded[Any]], Sequence[str]],
        names: Collection[str],
        catalog: Catalog,
        serializer: EventSerializer,
    ) -> None:
        self._label = label
        self._keys = keys
        self._names = names
        self._catalog = catalog
        self._serializer = serializer

    @property
    def query(self) -> Query | None:
        """The events to read: these, and those that a newer version may have written."""
        unwanted = self._catalog.names - frozenset(self._names)
        return Query([QueryItem(other_than=unwanted)]) if unwanted else None

    def decoded(
        self, batch: Sequence[StoredEvent]
    ) -> tuple[list[tuple[str, Recorded[Any]]], ReaderStopped | None]:
        """Return the events to fold, with their keys, up to one that cannot be handled."""
        events: list[tuple[str, Recorded[Any]]] = []
        try:
            for stored in batch:
                if stored.event.type not in self._names:
                    if self._catalog.is_of_newer_code(stored.stream, stored.event):
                        raise self.stopped(stored, NEWER)
                else:
                    with self.naming(stored):
                        recorded = self._serializer.recorded(stored)
                        keys = self._keys(recorded)
                        check_keys(keys)
                    events += [(key, recorded) for key in keys]
        except ReaderStopped as stopped:
            return events, stopped
        return events, None

    @contextmanager
    def naming(self, recorded: Recorded[Any]) -> Iterator[None]:
        """Turn any error into a ``ReaderStopped`` that names the event."""
        try:
            yield
        except Exception as error:
            raise self.stopped(recorded, problem_of(error)) from error

    def stopped(self, recorded: Recorded[Any], problem: str) -> ReaderStopped:
        """Return the error for an event that stops the reader."""
        return ReaderStopped(
            self._label, recorded.stream, recorded.version, recorded.position, problem
        )
