"""Documents of views and processes as plain data: pages, single ones, parked ones, deadlines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from eventhus.adapter_support.limits import check_keys
from eventhus.domain.view import View
from eventhus.errors import CodecError, DocumentDamaged, InvalidArgument
from eventhus.operations.app_parts import AppParts
from eventhus.operations.conditions import converted
from eventhus.operations.folded import Folded, folded_of
from eventhus.operations.log import check_limit
from eventhus.operations.redaction import Redactable, Redactor
from eventhus.operations.values import ArmedKey, DocumentPage, ShownDocument
from eventhus.ports.views import Selection, ViewDocument
from eventhus.runtime.readers.finding import plan
from eventhus.runtime.readers.keyed_events import problem_of
from eventhus.runtime.readers.reader_group import ParkedKey


@frozen
class ShownDocuments:
    """The documents of the views and processes of one bucket.

    Attributes:
        parts: The application.
        redactor: Changes the data of documents.
    """

    parts: AppParts
    redactor: Redactor

    async def page(
        self,
        folded: Folded,
        *,
        where: Mapping[str, Any],
        order_by: Sequence[str],
        after: str | None,
        limit: int,
    ) -> DocumentPage:
        """Return a page, as ``Operations.documents`` does."""
        check_limit(limit)
        if after is not None:
            check_keys((after,))
        if where or order_by:
            selection = await self._found(folded, where, order_by, after, limit)
        else:
            selection = Selection(after=None if after is None else ((), after), limit=limit)
        found = await self.parts.store.select_documents(folded.collection, selection)
        documents = found.documents
        return DocumentPage(
            documents=[self._shown(folded, each) for each in documents],
            # A cursor of Application.find has the values of the fields, which may be redacted.
            cursor=documents[-1].key if len(documents) == limit else None,
            position=found.position,
            parked=found.parked,
        )

    async def _found(
        self,
        folded: Folded,
        where: Mapping[str, Any],
        order_by: Sequence[str],
        after: str | None,
        limit: int,
    ) -> Selection:
        """Return the selection of the page after a key."""
        view = folded.reader
        if not isinstance(view, View):
            raise InvalidArgument(
                f"{folded.label} has no indexes that this application declares; leave out where "
                f"and order_by to get its documents in the order of their keys"
            )
        wanted = plan(view, converted(view, where), order_by, limit)
        if after is None:
            return wanted.selection
        documents = self.parts.documents_of(view)
        last = documents.folded(after, (await documents.find([after])).get(after))
        if last.is_damaged:
            raise documents.is_damaged(after)
        if not last.exists:
            raise InvalidArgument(
                f"key {after!r} of {folded.label}, at which the page before ended, has no document "
                f"any more; start at the first page"
            )
        return wanted.after(wanted.cursor(after, last.value))

    async def one(self, folded: Folded, key: str) -> ShownDocument | None:
        """Return the document of a key, as ``Operations.document`` does."""
        check_keys((key,))
        found = (await self.parts.store.load_documents(folded.collection, [key])).get(key)
        if found is None or (found.deleted and found.parked is None):
            return None
        return self._shown(folded, found)

    async def parked(self, folded: Folded, after: str | None, limit: int) -> Sequence[ParkedKey]:
        """Return parked keys, as ``Operations.parked`` does."""
        check_limit(limit)
        if after is not None:
            check_keys((after,))
        return [
            ParkedKey(key=each.key, position=parked.position, error=parked.error, at=parked.at)
            for each in await self.parts.store.load_parked(
                folded.collection, after=after, limit=limit
            )
            if (parked := each.parked) is not None
        ]

    async def deadlines(self, process: str, limit: int) -> Sequence[ArmedKey]:
        """Return armed deadlines, as ``Operations.deadlines`` does."""
        check_limit(limit)
        folded = await folded_of(self.parts, "process", process)
        # Each of the first deadlines belongs to one of as many first documents.
        found = await self.parts.store.load_armed(folded.collection, limit=limit)
        armed = [
            ArmedKey(key=document.key, name=each.name, due=each.due)
            for document in found
            for each in document.deadlines
        ]
        return sorted(armed, key=lambda each: (each.due, each.key, each.name))[:limit]

    def _shown(self, folded: Folded, document: ViewDocument) -> ShownDocument:
        data, problem = None, _unreadable(folded, document)
        if problem is None:
            kind, name = folded.kind, folded.name
            shown = self.redactor.shown(Redactable(kind=kind, name=name, data=document.data))
            data, problem = shown.data, shown.problem or self._misfit(folded, document)
        return ShownDocument(
            key=document.key,
            position=document.position,
            data=data,
            deadlines=tuple(
                (each.name, each.due)
                for each in sorted(document.deadlines, key=lambda each: (each.due, each.name))
            ),
            problem=problem,
        )

    def _misfit(self, folded: Folded, document: ViewDocument) -> str | None:
        """Return why a document does not fit the type of the view or process, if that is known."""
        if folded.reader is None:
            return None
        try:
            self.parts.documents_of(folded.reader).folded(document.key, document)
        except CodecError as error:
            return problem_of(error)
        return None


def _unreadable(folded: Folded, document: ViewDocument) -> str | None:
    """Return why a document has no value; ``None`` if it has one."""
    if document.parked is not None:
        return f"parked at position {document.parked.position}: {document.parked.error} was raised"
    if document.is_damaged:
        return str(DocumentDamaged(folded.label, document.key))
    return None
