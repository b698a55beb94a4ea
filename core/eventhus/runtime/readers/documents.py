"""Converts between the values of a view or a process and the documents that store them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

from attrs import define

from eventhus.domain.recorded import Recorded
from eventhus.errors import CodecError
from eventhus.ports.codec import Codec
from eventhus.ports.views import ViewDocument, ViewStore, ViewWrite

V = TypeVar("V")


@define(kw_only=True)
class FoldedValue(Generic[V]):
    """The value of a key while events are folded into it.

    Attributes:
        key: The key.
        value: The value; ``None`` if there is none.
        exists: True if there is a value, which may itself be ``None``.
        stored: The position of the stored document; 0 if there is none.
        last: The last event that was folded in and is not stored yet.
    """

    key: str
    value: V | None = None
    exists: bool = False
    stored: int = 0
    last: Recorded[Any] | None = None

    @property
    def position(self) -> int:
        """The position of the last event in the value."""
        return self.stored if self.last is None else self.last.position


class Documents(Generic[V]):
    """The values of one view or process, by key.

    Args:
        collection: The collection of documents.
        store: Holds the documents.
        codec: Turns values into plain data.
        as_type: The type of the values, which is compiled here.
    """

    def __init__(self, collection: str, store: ViewStore, codec: Codec, as_type: Any) -> None:
        self.collection = collection
        self.encode = codec.encoder(as_type)
        self._store = store
        self._decode = codec.decoder(as_type)

    async def get(self, key: str) -> V | None:
        """Return the value of a key, or ``None``. Raises what ``folded`` does."""
        found = await self.find([key])
        return self.folded(key, found.get(key)).value

    async def find(self, keys: Collection[str]) -> Mapping[str, ViewDocument]:
        """Return the stored documents of some keys."""
        return await self._store.load_documents(self.collection, keys) if keys else {}

    def folded(self, key: str, document: ViewDocument | None) -> FoldedValue[V]:
        """Return the value in a document.

        Raises:
            CodecError: The document does not fit the type of the values.
        """
        if document is None:
            return FoldedValue(key=key)
        if document.deleted:
            return FoldedValue(key=key, stored=document.position)
        try:
            value = self._decode(document.data)
        except CodecError as error:
            raise CodecError(
                error.type,
                error.field,
                f"{error.problem}, in the collection {self.collection}; give a view or process "
                f"whose values have changed a new name",
            ) from error
        return FoldedValue(key=key, value=value, exists=True, stored=document.position)

    def write(self, folded: FoldedValue[V]) -> ViewWrite:
        """Return the write that stores a value.

        Raises:
            CodecError: The value does not fit its type.
        """
        document = ViewDocument(
            key=folded.key,
            position=folded.position,
            data=self.encode(folded.value) if folded.exists else None,
            deleted=not folded.exists,
        )
        return ViewWrite(document=document, replaces=folded.stored)

    async def delete(self) -> None:
        """Delete every document."""
        await self._store.delete_documents(self.collection)

    async def save(self, writes: Sequence[ViewWrite]) -> frozenset[str]:
        """Save documents, as ``ViewStore.save_documents`` does."""
        return await self._store.save_documents(self.collection, writes) if writes else frozenset()
