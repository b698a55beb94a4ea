"""Remembers the commit inside which a page ended."""

from __future__ import annotations

from collections.abc import Hashable

from eventhus_mongo.documents import Count, Document, span


class Unfinished:
    """The last commit that was read and that is larger than its page.

    The next page begins inside the same commit. Without this, reading a large commit page by page
    would fetch and decode the whole of it for each page, which is quadratic. One is enough,
    because a reader of a large commit goes on to its end. Commits never change, so it is never out
    of date.
    """

    def __init__(self) -> None:
        self._key: Hashable = None
        self._document: Document | None = None

    def keep(self, key: Hashable, document: Document, *, is_unfinished: bool) -> None:
        """Remember the last document of a page, or forget it if the page has reached its end."""
        if is_unfinished:
            self._key, self._document = key, document
        elif key == self._key:
            self._key = self._document = None

    def get(self, key: Hashable, number: int, counted: Count) -> Document | None:
        """Return the document if it holds the event of this number and more after it."""
        if self._document is None or key != self._key:
            return None
        first, last = span(self._document, counted)
        return self._document if first <= number < last else None
