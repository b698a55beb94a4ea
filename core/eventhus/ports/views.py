"""View stores: the documents of views and processes, one for each key."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from attrs import field, frozen

from eventhus.domain.deadlines import ArmedDeadline


@frozen(kw_only=True)
class Parked:
    """The reason why no event is folded into a key any more.

    Attributes:
        position: The position of the event that could not be handled.
        error: The name of the class of the error.
        at: When the key was parked or last retried: timezone-aware, UTC.
        handled: The position of the last event of the key that was handled before; 0 if none was.
            A process has sent the commands of all events up to it.
    """

    position: int
    error: str
    at: datetime
    handled: int


@frozen(kw_only=True)
class Skipped:
    """An event that somebody decided to leave out of the value of a key.

    Attributes:
        position: The position of the event.
        why: The reason, in the words of whoever decided it.
        at: When it was decided: timezone-aware, UTC.
    """

    position: int
    why: str
    at: datetime


def _tuple(skipped: Iterable[Skipped]) -> tuple[Skipped, ...]:
    return tuple(skipped)


def _deadlines(deadlines: Iterable[ArmedDeadline]) -> tuple[ArmedDeadline, ...]:
    return tuple(deadlines)


@frozen(kw_only=True)
class ViewDocument:
    """The value of one key of a view or a process, and the position up to which it is folded.

    Attributes:
        key: Any text.
        position: The position of the last event of the key that the reader has seen, above 0. The
            value contains every event of the key up to this position, except skipped ones, and no
            later one.
        data: The value, as plain data; ``None`` if it is deleted or parked.
        deleted: True if the value was deleted. The document stays, because its position prevents
            older events from being folded again.
        revision: The number of changes since the document is at this position.
        parked: Why the key is parked; ``None`` if it is not. A parked key has no value.
        skipped: The events of the key that were left out on purpose, in the order of the decisions.
        deadlines: The armed deadlines of the key, in any order. Those of a parked key are kept, and
            wait for it.
    """

    key: str
    position: int
    data: Any = field(hash=False)
    deleted: bool = False
    revision: int = 0
    parked: Parked | None = None
    skipped: Sequence[Skipped] = field(default=(), converter=_tuple)
    deadlines: Sequence[ArmedDeadline] = field(default=(), converter=_deadlines)

    @property
    def due(self) -> datetime | None:
        """The time of the earliest armed deadline; ``None`` if there is none, or it waits."""
        if self.parked is not None or not self.deadlines:
            return None
        return min(each.due for each in self.deadlines)


@frozen(kw_only=True)
class ViewWrite:
    """A compare-and-swap of one document.

    Either the position of the new document is higher, or it is the same and the revision is higher.

    Attributes:
        document: The new document.
        replaces: The position of the stored document that it replaces; 0 if there is none.
        replaces_revision: The revision of that document.
    """

    document: ViewDocument
    replaces: int
    replaces_revision: int = 0


class ViewStore(Protocol):
    """Stores collections of documents, one document for each key.

    The runtime names the collections: ``view_`` or ``process_``, then 1 to 63 letters, digits,
    hyphens and underscores. The first document creates the collection.
    """

    async def load_documents(
        self, collection: str, keys: Collection[str]
    ) -> Mapping[str, ViewDocument]:
        """Return the documents of ``keys`` by key, including deleted and parked ones.

        Args:
            collection: The name of the collection.
            keys: Any text; at most as many as a batch of the log has events.

        Raises:
            InvalidArgument: The name of the collection does not have the form above.
        """
        ...

    async def load_parked(
        self, collection: str, *, after: str | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        """Return the next parked documents of a collection, in the order of their keys.

        Keys are ordered by their code points, as Python and UTF-8 do. The time that it takes
        depends on the number of parked documents, not on the size of the collection.

        Args:
            collection: The name of the collection.
            after: Start after this key; ``None`` starts at the first one.
            limit: The maximum number of documents, at least 1. Fewer means the end.

        Raises:
            InvalidArgument: The name of the collection does not have the form above, or ``limit``
                is below 1.
        """
        ...

    async def load_armed(
        self, collection: str, *, after: tuple[datetime, str] | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        """Return the next documents with armed deadlines, the earliest first.

        They are ordered by their earliest deadline, and then by key as ``load_parked`` does. Parked
        documents are left out. The time that it takes does not depend on the size of the
        collection.

        Args:
            collection: The name of the collection: that of a process.
            after: Start after this time and key; ``None`` starts at the earliest.
            limit: The maximum number of documents, at least 1. Fewer means the end.

        Raises:
            InvalidArgument: The name of the collection does not have the form above or is that of a
                view, ``after`` has no time zone, or ``limit`` is below 1.
        """
        ...

    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        """Replace each document if the stored one is at the expected position and revision.

        Each write is atomic. If the call raises or is cancelled, any of several writes may have
        happened. Repeating the call is safe.

        Args:
            collection: The name of the collection.
            writes: Documents with distinct keys.

        Returns:
            The keys that were not written, because the stored document is neither at the position
            and revision to replace nor at the new ones: somebody else has written it.

        Raises:
            InvalidArgument: The name of the collection does not have the form above, or a document
                cannot be stored: its key is not Unicode text, its data is not plain, a view has
                deadlines, a deadline has no time zone or no form in UTC, or it is too large.
                Nothing was written.
        """
        ...

    async def delete_documents(self, collection: str) -> None:
        """Delete every document of a collection. Does nothing if there is none.

        Raises:
            InvalidArgument: The name of the collection does not have the form above.
        """
        ...
