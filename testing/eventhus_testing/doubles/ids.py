"""Ids that a test can predict."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count


def counted_ids(prefix: str = "id") -> Callable[[], str]:
    """A source of ids for ``Application(new_id=...)``: readable, and sorted as they are made.

    >>> new_id = counted_ids("commit")
    >>> new_id(), new_id()
    ('commit-000001', 'commit-000002')

    Each source begins at 1, and ids must be unique in a bucket: where several applications share
    a store, give each a prefix of its own.

    Args:
        prefix: What every id begins with.
    """
    numbers = count(1)
    return lambda: f"{prefix}-{next(numbers):06}"
