"""Indexes of views, and the pages that are found along them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import product
from math import prod
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from eventhus.ports import Bounds, IndexField, IndexValue, Selection, ViewDocument
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import Document, decode_reply
from eventhus_mongo.indexed_values import stored
from eventhus_mongo.views import decode

_MOST_STARTS = 100  # walks that the server merges; beyond it, it sorts what it finds
_LIVE: Document = {"_deleted": None, "_parked": None}


async def create(
    connection: Connection, collection: str, indexes: Sequence[Sequence[IndexField]]
) -> None:
    """See ``ViewStore.create_indexes``. The server lets writers go on while it builds them."""
    if not indexes:
        return
    models = [IndexModel(keys := [*_keys(index)], name=_name(keys)) for index in indexes]
    async with connection.operation(is_long=True) as session:
        await connection.collection(collection).create_indexes(models, session=session)


async def select(
    connection: Connection, collection: str, selection: Selection
) -> list[ViewDocument]:
    """See ``ViewStore.select_documents``."""
    if any(not isinstance(wanted, Bounds) and not wanted for wanted in selection.where.values()):
        return []  # none of no values; an $or of nothing is an error
    where = [*_conditions(selection.where), _LIVE]
    if selection.after is None:
        wanted: Document = {"$and": where}
    else:
        # At the root, and whole in each branch, so that the server merges walks along the index
        # instead of sorting what it finds.
        wanted = {
            "$or": [
                {"$and": [start, branch, *where]}
                for start in _starts(selection)
                for branch in _after(selection)
            ]
        }
    order = [*_order(selection.order), ("_id", _direction(selection.descending))]
    options: dict[str, Any] = {"hint": [*_keys(selection.index)]} if selection.index else {}
    documents: list[Document] = []
    async with connection.operation() as session:
        replies: Any = connection.collection(collection).find_raw_batches(
            wanted,
            {"_by": False, "_us": False},
            sort=order,
            limit=selection.limit,
            session=session,
            **options,
        )
        async for reply in replies:
            documents += decode_reply(reply)
    return [decode(document) for document in documents]


def _direction(descending: bool) -> int:  # noqa: FBT001 - the only argument
    return DESCENDING if descending else ASCENDING


def _order(fields: Sequence[IndexField]) -> Iterator[tuple[str, int]]:
    for field in fields:
        yield f"_by.{field.name}", _direction(field.descending)
        if field.is_time:
            yield f"_us.{field.name}", _direction(field.descending)


def _keys(index: Sequence[IndexField]) -> Iterator[tuple[str, int]]:
    yield from _order(index)
    yield "_id", _direction(index[-1].descending)


def _name(keys: Sequence[tuple[str, int]]) -> str:
    return "_".join(f"{name}_{direction}" for name, direction in keys)


def _conditions(where: Mapping[str, Sequence[IndexValue] | Bounds]) -> Iterator[Document]:
    for name, wanted in where.items():
        if not isinstance(wanted, Bounds):
            yield _one_of(name, wanted)
            continue
        for operator, value in (
            ("$gte", wanted.at_least),
            ("$gt", wanted.above),
            ("$lte", wanted.at_most),
            ("$lt", wanted.below),
        ):
            if value is not None:
                yield _bounded(name, operator, value)


def _one_of(name: str, wanted: Sequence[IndexValue]) -> Document:
    times = [each for each in wanted if isinstance(each, datetime)]
    if not times:
        return {f"_by.{name}": {"$in": [stored(each) for each in wanted]}}
    branches: list[Document] = [
        {f"_by.{name}": stored(each), f"_us.{name}": each.microsecond % 1000} for each in times
    ]
    if None in wanted:
        branches.append({f"_by.{name}": None})
    return {"$or": branches}


def _bounded(name: str, operator: str, value: IndexValue) -> Document:
    if not isinstance(value, datetime):
        return {f"_by.{name}": {operator: stored(value)}}
    milliseconds = stored(value)
    inclusive, strict = f"{operator[:3]}e", operator[:3]
    return {
        f"_by.{name}": {inclusive: milliseconds},
        "$or": [
            {f"_by.{name}": {strict: milliseconds}},
            {f"_us.{name}": {operator: value.microsecond % 1000}},
        ],
    }


def _starts(selection: Selection) -> list[Document]:
    """Return the known values that the index begins with, one document for each combination."""
    count = len(selection.index) - len(selection.order)
    fields = [each.name for each in selection.index[:count]]
    values = [_listed(selection.where[name]) for name in fields]
    if prod(map(len, values)) > _MOST_STARTS:
        return [{}]
    return [
        {"$and": [_one_of(name, [value]) for name, value in zip(fields, each, strict=True)] or [{}]}
        for each in product(*values)
    ]


def _listed(wanted: Sequence[IndexValue] | Bounds) -> Sequence[IndexValue]:
    assert not isinstance(wanted, Bounds), "the first fields of the index have known values"
    return wanted


def _after(selection: Selection) -> Iterator[Document]:
    """Return conditions, of which one holds for every document after the last one."""
    assert selection.after is not None
    values, key = selection.after
    same: Document = {}
    for field, value in zip(selection.order, values, strict=True):
        path = f"_by.{field.name}"
        yield from ({**same, **each} for each in _beyond(path, value, field.descending))
        same[path] = stored(value)
        if isinstance(value, datetime):
            rest, microseconds = f"_us.{field.name}", value.microsecond % 1000
            yield {**same, rest: {"$lt" if field.descending else "$gt": microseconds}}
            same[rest] = microseconds
    yield {**same, "_id": {"$lt" if selection.descending else "$gt": key}}


def _beyond(path: str, value: IndexValue, descending: bool) -> Iterator[Document]:  # noqa: FBT001
    """Return conditions for the values after a value. The server compares no value with null."""
    if descending:
        if value is not None:
            yield {path: {"$lt": stored(value)}}
            yield {path: None}
    elif value is None:
        yield {path: {"$ne": None}}
    else:
        yield {path: {"$gt": stored(value)}}
