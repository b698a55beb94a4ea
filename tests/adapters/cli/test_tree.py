"""Trees are drawn, however deep they are."""

from __future__ import annotations

from eventhus_cli.tree import DEEPEST, drawn


def test_each_node_has_its_branch() -> None:
    assert ["", "├─ ", "│  ├─ ", "│  └─ ", "└─ ", "   └─ ", "", ""] == drawn(
        [0, 1, 2, 2, 1, 2, 0, 0]
    )
    assert [] == drawn([])


def test_a_deep_chain_stops_moving_to_the_right() -> None:
    branches = drawn(range(5000))
    assert 5000 == len(branches)
    assert 3 * DEEPEST == max(map(len, branches))
