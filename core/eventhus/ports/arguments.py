"""The check of what a reader asks a store for, shared by all stores."""

from eventhus.errors import InvalidArgument


def check_page(limit: int, *, after: int = 0, after_version: int = 0) -> None:
    """Refuse what no page of events can be: every reading method of a store calls it first.

    A slice would count a negative start from the end, and a driver may take a limit of 0 as none.

    Raises:
        InvalidArgument: ``limit`` is below 1, or ``after`` or ``after_version`` is negative.
    """
    if limit < 1:
        raise InvalidArgument(f"limit is {limit}; ask for at least 1 event")
    for name, start in (("after", after), ("after_version", after_version)):
        if start < 0:
            raise InvalidArgument(f"{name} is {start}; 0 starts at the first event")
