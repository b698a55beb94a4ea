"""Converts between the values of a view or a process and the documents that store them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

from attrs import define

from eventhus.domain.deadlines import Armed
from eventhus.domain.indexes import Indexes, IndexValue
from eventhus.domain.recorded import Recorded
from eventhus.errors import CodecError, DocumentDamaged, InvalidArgument, KeyParked
from eventhus.ports.codec import Codec
from eventhus.ports.store import Storage
from eventhus.ports.views import Parked, Skipped, ViewDocument, ViewWrite
from eventhus.runtime.readers.finding import Plan, ViewPage, unchecked_view_item

V = TypeVar("V")


@define(kw_only=True)
class FoldedValue(Generic[V]):
    """The value of a key while events are folded into it.

    Attributes:
        key: The key.
        value: The value; ``None`` if there is none.
        exists: True if there is a value, which may itself be ``None``.
        stored: The position of the stored document; 0 if there is none.
        revision: The revision of the stored document.
        last: The last event that was folded in or passed over, and is not stored yet.
        parked: Why the key is parked, if it is. It has no value then.
        skipped: The events that were left out on purpose.
        deadlines: The armed deadlines of the key. Those of a parked key wait for it.
        is_damaged: True if the stored value cannot be read. It has no value then.
    """

    key: str
    value: V | None = None
    exists: bool = False
    stored: int = 0
    revision: int = 0
    last: Recorded[Any] | None = None
    parked: Parked | None = None
    skipped: Sequence[Skipped] = ()
    deadlines: Armed = ()
    is_damaged: bool = False

    @property
    def position(self) -> int:
        """The position of the last event of the key that was seen."""
        return self.stored if self.last is None else self.last.position

    def park(self, parked: Parked) -> None:
        """Replace the value by the reason why there is none."""
        self.value, self.exists, self.parked = None, False, parked
        self.is_damaged = False


class Documents(Generic[V]):
    """The values of one view or process, by key.

    Attributes:
        collection: The collection of documents.
        label: The name of the view or process in messages, such as ``view orders``.
        encode: Turns a value into plain data.

    Args:
        collection: The collection of documents.
        label: As above.
        store: Holds the documents.
        codec: Turns values into plain data.
        as_type: The type of the values, which is compiled here.
        indexes: The declared indexes.
    """

    def __init__(
        self,
        collection: str,
        label: str,
        store: Storage,
        codec: Codec,
        as_type: Any,
        indexes: Indexes | None = None,
    ) -> None:
        self._indexes = indexes or Indexes({}, ())
        self.collection = collection
        self.label = label
        self.encode = codec.encoder(as_type)
        self._store = store
        self._decode = codec.decoder(as_type)

    async def get(self, key: str) -> V | None:
        """Return the value of a key, or ``None``.

        Raises:
            KeyParked: The key is parked.
            DocumentDamaged: The document has no value that can be read.
            CodecError: As for ``folded``.
        """
        found = await self.find([key])
        folded = self.folded(key, found.get(key))
        if folded.parked is not None:
            raise self.is_parked(key, folded.parked)
        if folded.is_damaged:
            raise self.is_damaged(key)
        return folded.value

    def is_parked(self, key: str, parked: Parked) -> KeyParked:
        """Return the error to raise for a parked key."""
        return KeyParked(self.label, key, parked.position, parked.error)

    def is_damaged(self, key: str) -> DocumentDamaged:
        """Return the error to raise for a key whose value cannot be read."""
        return DocumentDamaged(self.label, key)

    async def parked(self, *, after: str | None = None, limit: int) -> Sequence[ViewDocument]:
        """Return the next parked documents, as ``ViewStore.load_parked`` does."""
        return await self._store.load_parked(self.collection, after=after, limit=limit)

    async def armed(self, *, limit: int) -> Sequence[ViewDocument]:
        """Return the documents with the earliest deadlines, as ``ViewStore.load_armed`` does."""
        return await self._store.load_armed(self.collection, limit=limit)

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
        folded = FoldedValue[V](
            key=key,
            stored=document.position,
            revision=document.revision,
            parked=document.parked,
            skipped=document.skipped,
            deadlines=tuple(document.deadlines),
            is_damaged=document.is_damaged,
        )
        if not (document.deleted or document.is_damaged or document.parked is not None):
            folded.value, folded.exists = self._value(document), True
        return folded

    def _value(self, document: ViewDocument) -> V:
        if document.is_damaged:
            raise self.is_damaged(document.key)
        try:
            value: V = self._decode(document.data)
        except CodecError as error:
            raise CodecError(
                error.type,
                error.field,
                f"{error.problem}, at key {document.key!r} in the collection {self.collection}; "
                f"the values of a view or process have changed: raise the version of the view, or "
                f"rename the process",
            ) from error
        return value

    def write(self, folded: FoldedValue[V]) -> ViewWrite:
        """Return the write that stores a value, or that the key is parked.

        Raises:
            CodecError: The value does not fit its type.
            InvalidArgument: An indexed field has a value that cannot be compared.
        """
        document = ViewDocument(
            key=folded.key,
            position=folded.position,
            data=self.encode(folded.value) if folded.exists else None,
            deleted=not folded.exists and folded.parked is None,
            revision=folded.revision + 1 if folded.last is None else 0,
            parked=folded.parked,
            skipped=folded.skipped,
            deadlines=folded.deadlines,
        )
        return ViewWrite(
            document=document,
            replaces=folded.stored,
            replaces_revision=folded.revision,
            indexed=self._indexed(folded),
        )

    def _indexed(self, folded: FoldedValue[V]) -> Mapping[str, IndexValue]:
        if not (folded.exists and self._indexes.fields):
            return {}
        try:
            return self._indexes.values(folded.value)
        except ValueError as error:
            raise InvalidArgument(f"{self.label}: {error}") from None

    async def create_indexes(self) -> None:
        """Create the declared indexes that are missing."""
        if self._indexes.declared:
            await self._store.create_indexes(self.collection, self._indexes.declared)

    async def page(self, plan: Plan, after: str | None) -> ViewPage[V]:
        """Return a page of the values, as ``Application.find`` does.

        Raises:
            InvalidCursor: As for ``Plan.after``.
            DocumentDamaged: A document of the page has no value that can be read.
            CodecError: As for ``folded``.
        """
        selection = plan.after(after)
        found = await self._store.select_documents(self.collection, selection)
        items = [
            unchecked_view_item(key=document.key, value=self._value(document))
            for document in found.documents
        ]
        is_last = len(items) < selection.limit
        return ViewPage(
            items=items,
            position=found.position,
            cursor=None if is_last else plan.cursor(items[-1].key, items[-1].value),
            parked=found.parked,
        )

    async def delete(self) -> None:
        """Delete every document."""
        await self._store.delete_documents(self.collection)

    async def save(self, writes: Sequence[ViewWrite]) -> frozenset[str]:
        """Save documents, as ``ViewStore.save_documents`` does."""
        return await self._store.save_documents(self.collection, writes) if writes else frozenset()
