"""What a reader may ask a store for."""

import pytest

from eventhus import InvalidArgument
from eventhus.ports import check_page


@pytest.mark.parametrize("start", ["after", "after_version"])
def test_a_page_that_can_be(start: str) -> None:
    """One event or more, from the first one or further on."""
    check_page(1, **{start: 0})
    check_page(2**63, **{start: 2**63})


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ({"limit": 0}, "limit is 0; ask for at least 1 event"),
        ({"limit": -5}, "limit is -5; ask for at least 1 event"),
        ({"limit": 1, "after": -1}, "after is -1; 0 starts at the first event"),
        ({"limit": 1, "after_version": -2}, "after_version is -2; 0 starts at the first event"),
    ],
)
def test_a_page_that_cannot_be(page: dict[str, int], message: str) -> None:
    """The message names the argument, what it is and what it must be."""
    with pytest.raises(InvalidArgument) as caught:
        check_page(**page)
    assert message == str(caught.value)
