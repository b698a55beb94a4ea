"""Questions about the documents of a view or a process, from a form or a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from eventhus.operations import DocumentPage, FoldedKind, Operations, ReaderInfo
from eventhus_console.links import Parameters, link

LIMIT = 50


@frozen(kw_only=True)
class Question:
    """A question about the documents of one view or process.

    Attributes:
        kind: The kind of the reader.
        name: Its name.
        version: Its version; ``None`` for the declared one.
        indexes: Its declared indexes.
        where: The text for each indexed field; empty for any value.
        order: The fields to order by, with spaces between them; empty for what an index gives.
        cursor: Where the page begins; empty for the first page.
    """

    kind: FoldedKind
    name: str
    version: int | None
    indexes: Sequence[Sequence[str]]
    where: Mapping[str, str]
    order: str
    cursor: str

    @classmethod
    def of(
        cls,
        given: Parameters,
        kind: FoldedKind,
        name: str,
        version: int | None,
        info: ReaderInfo | None,
    ) -> Question:
        """Return the question of a form or a link; without an ``info`` it has no conditions."""
        indexes = () if info is None else info.indexes
        fields = dict.fromkeys(each.lstrip("-") for index in indexes for each in index)
        return cls(
            kind=kind,
            name=name,
            version=version,
            indexes=indexes,
            where={each: given.text(f"where.{each}") for each in fields},
            order=given.text("order"),
            cursor=given.text("after"),
        )

    @property
    def asked(self) -> Mapping[str, str]:
        """The conditions."""
        return {name: value for name, value in self.where.items() if value}

    @property
    def orders(self) -> Sequence[str]:
        """The orders that the indexes answer, each in both directions."""
        orders: dict[str, None] = {}
        for index in self.indexes:
            for start in range(len(index)):
                rest = index[start:]
                orders[" ".join(rest)] = None
                orders[" ".join(each[1:] if each[0] == "-" else f"-{each}" for each in rest)] = None
        return [*orders]

    async def answer(self, operations: Operations) -> DocumentPage:
        """Return the page of documents that answers it."""
        return await operations.documents(
            self.kind,
            self.name,
            where=self.asked,
            order_by=self.order.split() or self._order_of_index(),
            after=self.cursor or None,
            limit=LIMIT,
            version=self.version,
        )

    def more(self, page: DocumentPage) -> str | None:
        """Return the link to the page after one."""
        if page.cursor is None:
            return None
        where = {f"where.{name}": value for name, value in self.asked.items()}
        return link(
            self.kind,
            name=self.name,
            version=self.version,
            order=self.order,
            after=page.cursor,
            **where,
        )

    def _order_of_index(self) -> Sequence[str]:
        """Return the order of an index that begins with the fields that were asked for."""
        for index in self.indexes if self.asked else ():
            first = {each.lstrip("-") for each in index[: len(self.asked)]}
            if first == {*self.asked}:
                return index[len(self.asked) :]
        return ()
