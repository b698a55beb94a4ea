"""The port to what readers of the log have made of it: one document for each key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from attrs import field, frozen


@frozen(kw_only=True)
class ViewDocument:
    """What a view, or a process, knows of one key.

    Attributes:
        key: Any text.
        position: The position of the last event behind it, above 0. Every event of the key up to
            there is in it, and none beyond.
        data: The value, as plain data; ``None`` where it is deleted.
        deleted: There is no value any more. What stays is the position, so that the events before
            the deletion are not taken for new ones when they are read again.
    """

    key: str
    position: int
    data: Any = field(hash=False)
    deleted: bool = False


@frozen(kw_only=True)
class ViewWrite:
    """A document, and the one whose place it takes.

    Attributes:
        document: What is to be kept from now on.
        replaces: The position of the document that is kept for the key now; 0 for none.
    """

    document: ViewDocument
    replaces: int


class ViewStore(Protocol):
    """Keeps collections of documents, one for each key.

    A collection is named by the runtime: ``view_`` or ``process_``, and 1 to 63 letters, digits,
    hyphens and underscores. It exists from its first document on.
    """

    async def load_documents(
        self, collection: str, keys: Collection[str]
    ) -> Mapping[str, ViewDocument]:
        """The documents of some keys, by key, the deleted ones too; none of a key without one.

        Args:
            collection: The name of the collection.
            keys: Any text, and as many as there are events in a batch of the log.

        Raises:
            InvalidArgument: The collection's name is of another form.
        """
        ...

    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        """Put each document in the place of the one that it replaces, if that is still there.

        Each write happens as a whole or not at all; of several, any may have happened when the
        call is cancelled or raises. Repeating it is safe.

        Args:
            collection: The name of the collection.
            writes: Documents, of no two the same key.

        Returns:
            The keys whose document could not be put in place: what is kept is not at the position
            that was to be replaced, nor at the new one. Another reader has been there.

        Raises:
            InvalidArgument: The collection's name is of another form, or a document cannot be
                kept: its key is not whole Unicode text, its data is not plain, or too large.
                Nothing was written.
        """
        ...
