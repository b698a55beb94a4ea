"""View stores: the documents of views and processes, one for each key."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from attrs import field, frozen

from eventhus.domain.deadlines import ArmedDeadline
from eventhus.domain.indexes import IndexField, IndexValue
from eventhus.domain.unchecked import unchecked


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
        why: The reason that was given.
        at: When it was decided: timezone-aware, UTC.
    """

    position: int
    why: str
    at: datetime


def _tuple(skipped: Iterable[Skipped]) -> tuple[Skipped, ...]:
    return tuple(skipped)


def _deadlines(deadlines: Iterable[ArmedDeadline]) -> tuple[ArmedDeadline, ...]:
    return tuple(deadlines)


@frozen(kw_only=True, weakref_slot=False)
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
        is_damaged: True if another program has replaced the value by something that is not plain
            data. It has no value then, and is never saved like this.
    """

    key: str
    position: int
    data: Any = field(hash=False)
    deleted: bool = False
    revision: int = 0
    parked: Parked | None = None
    skipped: Sequence[Skipped] = field(default=(), converter=_tuple)
    deadlines: Sequence[ArmedDeadline] = field(default=(), converter=_deadlines)
    is_damaged: bool = False

    @property
    def due(self) -> datetime | None:
        """The time of the earliest armed deadline; ``None`` if there is none, or it waits."""
        if self.parked is not None or not self.deadlines:
            return None
        return min(each.due for each in self.deadlines)


unchecked_view_document = unchecked(ViewDocument)


@frozen(kw_only=True)
class ViewWrite:
    """A compare-and-swap of one document.

    Either the position of the new document is higher, or it is the same and the revision is higher.

    Attributes:
        document: The new document.
        replaces: The position of the stored document that it replaces; 0 if there is none.
        replaces_revision: The revision of that document.
        indexed: The values of the indexed fields, by name. A field without one counts as ``None``.
    """

    document: ViewDocument
    replaces: int
    replaces_revision: int = 0
    indexed: Mapping[str, IndexValue] = field(factory=dict, hash=False)


@frozen(kw_only=True)
class Bounds:
    """A range of values, without ``None``. A bound that is ``None`` does not limit it.

    Attributes:
        at_least: The inclusive lower bound.
        above: The exclusive lower bound.
        at_most: The inclusive upper bound.
        below: The exclusive upper bound.
    """

    at_least: IndexValue = None
    above: IndexValue = None
    at_most: IndexValue = None
    below: IndexValue = None


@frozen(kw_only=True)
class Selection:
    """A page of a collection in the order of an index.

    Documents are in the order of the fields, and documents with the same values in the order of
    their keys. ``None`` comes before every other value, ``False`` before ``True``, text is ordered
    by its code points, and numbers are compared exactly, whatever their types.

    Attributes:
        where: The wanted values of each field: any of several, or a range.
        index: The index to walk along, as it was created. Its first fields have values in
            ``where``, the others are those of ``order``, or those with all directions reversed.
            Empty: walk along the keys.
        order: The fields to order by.
        descending: Whether keys descend, in the order of keys and among equal values. It is the
            direction of the last field of ``order``, if there is one.
        after: The values of ``order`` and the key of the last document of the page before.
        limit: The maximum number of documents, at least 1.
    """

    where: Mapping[str, Sequence[IndexValue] | Bounds] = field(factory=dict, hash=False)
    index: Sequence[IndexField] = ()
    order: Sequence[IndexField] = ()
    descending: bool = False
    after: tuple[Sequence[IndexValue], str] | None = None
    limit: int = 100


@frozen(kw_only=True)
class Selected:
    """The documents of a page, and how far they go.

    Attributes:
        documents: The documents in order, without deleted and parked ones.
        position: The position of the checkpoint that has the name of the collection, as it was
            when the documents were read or earlier.
        parked: The number of parked documents in the collection, counted up to 1,000.
    """

    documents: Sequence[ViewDocument]
    position: int
    parked: int


class ViewStore(Protocol):
    """Stores collections of documents, one document for each key.

    The runtime names the collections: ``view_`` or ``process_``, then 1 to 63 letters, digits,
    hyphens and underscores, then ``.v`` and the version if it is above 1. The first document
    creates the collection.
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

    async def create_indexes(
        self, collection: str, indexes: Sequence[Sequence[IndexField]]
    ) -> None:
        """Create the indexes that are missing, and wait until they can be used.

        Writers go on meanwhile. Indexes that are there and not given stay.

        Raises:
            InvalidArgument: The name of the collection or of a field does not have its form.
        """
        ...

    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        """Return the documents of a page. Fewer than its limit mean the end.

        They hold everything that was saved before the checkpoint was at the returned position.

        A document that changes meanwhile is at its old place or at its new one, and one that does
        not change is neither missing nor repeated on the pages of a walk.

        Raises:
            InvalidArgument: The name of the collection or of a field does not have its form, a
                value has another form, or ``limit`` is below 1.
        """
        ...

    async def delete_documents(self, collection: str) -> None:
        """Delete every document of a collection. Does nothing if there is none.

        Raises:
            InvalidArgument: The name of the collection does not have the form above.
        """
        ...
