"""Remembers the commit inside which a page ended."""

from __future__ import annotations

from collections.abc import Hashable

from eventhus_mongo.commits import Span


class Unfinished:
    """The last commit that was read and that is larger than its page.

    The next page begins inside the same commit. Without this, reading a large commit page by page
    would fetch and decode the whole of it for each page, which is quadratic. One is enough,
    because a reader of a large commit goes on to its end. Commits never change, so it is never out
    of date.
    """

    def __init__(self) -> None:
        self._key: Hashable = None
        self._span: Span | None = None

    def keep(self, key: Hashable, span: Span, *, until: int) -> None:
        """Remember the last commit of a page, or forget it if the page has reached its end.

        Args:
            key: The numbering: a stream, or the log.
            span: The events of the commit.
            until: The number of the last event of the page.
        """
        if span.last > until:
            self._key, self._span = key, span
        elif key == self._key:
            self._key = self._span = None

    def keep_backwards(self, key: Hashable, span: Span, *, before: int) -> None:
        """Do the same for a page that was read backwards, whose last event has this number."""
        if span.first < before:
            self._key, self._span = key, span
        elif key == self._key:
            self._key = self._span = None

    def get(self, key: Hashable, number: int) -> Span | None:
        """Return the commit if it holds the event of this number, and more after it."""
        if self._span is None or key != self._key:
            return None
        return self._span if self._span.first <= number < self._span.last else None
