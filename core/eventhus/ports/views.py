"""View stores: the documents of views and processes, one for each key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from attrs import field, frozen


@frozen(kw_only=True)
class ViewDocument:
    """The value of one key of a view or a process, and the position up to which it is folded.

    Attributes:
        key: Any text.
        position: The position of the last event folded into the value, above 0. The value contains
            every event of the key up to this position, and no later one.
        data: The value, as plain data; ``None`` if it is deleted.
        deleted: True if the value was deleted. The document stays, because its position prevents
            older events from being folded again.
    """

    key: str
    position: int
    data: Any = field(hash=False)
    deleted: bool = False


@frozen(kw_only=True)
class ViewWrite:
    """A compare-and-swap of one document.

    Attributes:
        document: The new document.
        replaces: The position of the stored document that it replaces; 0 if there is none.
    """

    document: ViewDocument
    replaces: int


class ViewStore(Protocol):
    """Stores collections of documents, one document for each key.

    The runtime names the collections: ``view_`` or ``process_``, then 1 to 63 letters, digits,
    hyphens and underscores. The first document creates the collection.
    """

    async def load_documents(
        self, collection: str, keys: Collection[str]
    ) -> Mapping[str, ViewDocument]:
        """Return the documents of ``keys`` by key, including deleted ones.

        Args:
            collection: The name of the collection.
            keys: Any text; at most as many as a batch of the log has events.

        Raises:
            InvalidArgument: The name of the collection does not have the form above.
        """
        ...

    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        """Replace each document if the stored one is at the expected position.

        Each write is atomic. If the call raises or is cancelled, any of several writes may have
        happened. Repeating the call is safe.

        Args:
            collection: The name of the collection.
            writes: Documents with distinct keys.

        Returns:
            The keys that were not written, because the stored document is neither at the position
            to replace nor at the new one: another reader has written it.

        Raises:
            InvalidArgument: The name of the collection does not have the form above, or a document
                cannot be stored: its key is not Unicode text, its data is not plain, or it is
                too large. Nothing was written.
        """
        ...

    async def delete_documents(self, collection: str) -> None:
        """Delete every document of a collection. Does nothing if there is none.

        Raises:
            InvalidArgument: The name of the collection does not have the form above.
        """
        ...
