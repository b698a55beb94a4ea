"""Puts the codec between the values of a view or a process and the documents that keep them."""

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
        value: The value; ``None`` where there is none.
        exists: Whether there is one: it may be ``None`` itself.
        stored: The position of the document in the store; 0 where there is none.
        last: The last event that was folded in and is not in the store.
    """

    key: str
    value: V | None = None
    exists: bool = False
    stored: int = 0
    last: Recorded[Any] | None = None

    @property
    def position(self) -> int:
        """The position of the last event that is in the value."""
        return self.stored if self.last is None else self.last.position


class Documents(Generic[V]):
    """The values that one view or process keeps by key.

    Args:
        collection: Where they are kept.
        store: The store that keeps them.
        codec: StreamQueues values into plain data. The type is compiled once, here.
        as_type: The type of the values.
    """

    def __init__(self, collection: str, store: ViewStore, codec: Codec, as_type: Any) -> None:
        self.collection = collection
        self.encode = codec.encoder(as_type)
        self._store = store
        self._decode = codec.decoder(as_type)

    async def get(self, key: str) -> V | None:
        """The value of a key; ``None`` where it has none. Raises what ``kept`` does."""
        found = await self.find([key])
        return self.kept(key, found.get(key)).value

    async def find(self, keys: Collection[str]) -> Mapping[str, ViewDocument]:
        """What the store has of these keys."""
        return await self._store.load_documents(self.collection, keys) if keys else {}

    def kept(self, key: str, document: ViewDocument | None) -> FoldedValue[V]:
        """The value in a document of the store.

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
                f"{error.problem}, in what {self.collection} keeps; give a view or a process whose "
                f"values have another shape a new name",
            ) from error
        return FoldedValue(key=key, value=value, exists=True, stored=document.position)

    def write(self, kept: FoldedValue[V]) -> ViewWrite:
        """What puts a value in the store.

        Raises:
            CodecError: The value does not fit its type.
        """
        document = ViewDocument(
            key=kept.key,
            position=kept.position,
            data=self.encode(kept.value) if kept.exists else None,
            deleted=not kept.exists,
        )
        return ViewWrite(document=document, replaces=kept.stored)

    async def save(self, writes: Sequence[ViewWrite]) -> frozenset[str]:
        """See ``ViewStore.save_documents``."""
        return await self._store.save_documents(self.collection, writes) if writes else frozenset()
