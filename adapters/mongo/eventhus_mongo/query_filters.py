"""Filters that find the commits in which an event matches a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventhus import Query
from eventhus.ports import QueryItem

Filter = dict[str, Any]

MOST_TYPES = 100  # in one condition; MongoDB refuses a filter of more than 16 MB
MOST_BRANCHES = 100

NOTHING: Filter = {"commit_id": {"$in": []}}
"""Finds no commit."""


def is_scan(query: Query) -> bool:
    """Return whether MongoDB must look at every commit, because events are not indexed by type."""
    return any(not item.tags for item in query.items)


def branches(query: Query) -> list[Filter]:
    """Return filters which together find every commit in which an event matches.

    They may also find others, so the events must be compared with the query.
    """
    found = [branch for item in query.items for branch in _of_item(item, is_split=True)]
    if len(found) > MOST_BRANCHES:
        found = [branch for item in query.items for branch in _of_item(item, is_split=False)]
    return found or [NOTHING]  # an item may exclude all of its types


def at(found: list[Filter], positions: Filter, *, also: int | None = None) -> Filter:
    """Return one filter of several, for commits in a range of positions.

    Args:
        found: The filters.
        positions: The condition on the position of the first event.
        also: The position of a commit that is found whether it matches or not.
    """
    each = [{**branch, "_id": positions} for branch in found]
    if also is not None:
        each.append({"_id": also})
    return each[0] if len(each) == 1 else {"$or": each}


def any_of(queries: Sequence[Query], last: int) -> Filter:
    """Return one filter for the commits up to a position that may match any of several queries.

    Each of their items has a tag. One list of tags takes the server a fraction of the time of as
    many branches. It finds more, namely each tag with the types of all queries.
    """
    items = [item for query in queries for item in query.items]
    tags = sorted({key_tag(item) for item in items})
    types = sorted({str(type_) for item in items for type_ in item.types})
    wanted: Filter = {"tags": {"$in": tags}}
    if len(types) <= MOST_TYPES and all(item.types for item in items):
        wanted["type"] = {"$in": types}
    # The condition at the top is what lets MongoDB use the index, which holds only the commits that
    # have tags. If it named the tags, MongoDB might look for them alone, without the types.
    return {
        "events.tags": {"$exists": True},
        "events": {"$elemMatch": wanted},
        "_id": {"$lte": last},
    }


def key_tag(item: QueryItem) -> str:
    """Return the tag by which the events of an item are found. It has one."""
    return min(item.tags)


def _of_item(item: QueryItem, *, is_split: bool) -> list[Filter]:
    tags = sorted(item.tags)
    tagged: Filter = {}
    if tags:
        tagged["tags"] = {"$all": tags} if len(tags) > 1 else tags[0]
    # The condition on one tag at the top is what lets MongoDB use the index, which holds only the
    # commits that have tags: it does not see that from the conditions within an element.
    top: Filter = {"events.tags": tags[0]} if tags else {}
    return [
        {**top, "events": {"$elemMatch": {**typed, **tagged}}} if typed or tagged else top
        for typed in _types(item, is_split=is_split and bool(tags))
    ]


def _types(item: QueryItem, *, is_split: bool) -> list[Filter]:
    if not item.types:
        others = sorted(map(str, item.other_than))
        return [{"type": {"$nin": others}} if 0 < len(others) <= MOST_TYPES else {}]
    types = sorted(map(str, item.types - item.other_than))
    if not types:
        return []
    if is_split or len(types) == 1:
        # The entries of one type and one tag are in the order of the log, and MongoDB merges
        # several such branches. It would sort those of an $in inside an $or.
        return [{"type": type_} for type_ in types]
    return [{"type": {"$in": types}} if len(types) <= MOST_TYPES else {}]
