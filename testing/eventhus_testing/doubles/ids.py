"""Ids that a test can predict."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count


def counted_ids(prefix: str = "id") -> Callable[[], str]:
    """Return a source of readable, ascending ids for ``Application(new_id=...)``.

    >>> new_id = counted_ids("commit")
    >>> new_id(), new_id()
    ('commit-000001', 'commit-000002')

    Each source begins at 1, and ids must be unique in a bucket. If several applications share a
    bucket, give each its own prefix.

    Args:
        prefix: The beginning of every id.
    """
    numbers = count(1)
    return lambda: f"{prefix}-{next(numbers):06}"
