"""Draws trees."""

from __future__ import annotations

from collections.abc import Sequence

DEEPEST = 20
"""The number of levels that are indented. Deeper ones stand below each other."""


def drawn(depths: Sequence[int]) -> list[str]:
    """Return the branch in front of each node of some trees.

    >>> for branch in drawn([0, 1, 2, 1]):
    ...     print(f"{branch}node")
    node
    ├─ node
    │  └─ node
    └─ node

    Args:
        depths: The depth of each node, parents before children.
    """
    branches: list[str] = []
    goes_on = [False] * (DEEPEST + 1)  # at each level, whether a sibling follows
    for depth in reversed(depths):
        level = min(depth, DEEPEST)
        lead = "".join("│  " if goes_on[each] else "   " for each in range(1, level))
        turn = "├─ " if goes_on[level] else "└─ "
        branches.append(f"{lead}{turn}" if level else "")
        goes_on[level:] = [True, *[False] * (DEEPEST - level)]
    return branches[::-1]
