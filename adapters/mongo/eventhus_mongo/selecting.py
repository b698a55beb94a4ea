"""Indexes of views, and the pages that are found along them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import product
from math import prod
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import OperationFailure

from eventhus.ports import (
    Bounds,
    IndexField,
    IndexValue,
    Selected,
    Selection,
    ViewDocument,
)
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import RAW, Document, decode_reply
from eventhus_mongo.indexed_values import stored
from eventhus_mongo.leases import decode_checkpoint, load_checkpoint
from eventhus_mongo.views import decode

_MOST_STARTS = 100  # walks that the server merges; beyond it, it sorts what it finds
_NO_SNAPSHOT = {239, 246}  # SnapshotTooOld, and SnapshotUnavailable right after a change of indexes
_OTHERS = 3  # documents of a reply besides those of the page: at most two, and one for its end
_COUNT_PARKED: list[Document] = [
    {"$match": {"_parked.position": {"$exists": True}}},
    {"$limit": 1_000},
    {"$count": "_count"},
]


async def create(
    connection: Connection, collection: str, indexes: Sequence[Sequence[IndexField]]
) -> None:
    """See ``ViewStore.create_indexes``. The server lets writers go on while it builds them."""
    if not indexes:
        return
    models = [IndexModel(keys := [*_keys(index)], name=_name(keys)) for index in indexes]
    async with connection.operation(is_long=True) as session:
        await connection.collection(collection).create_indexes(models, session=session)


async def select(connection: Connection, collection: str, selection: Selection) -> Selected:
    """See ``ViewStore.select_documents``. One exchange, in which everything is of one moment."""
    if connection.seen is not None:  # a standalone has no snapshots
        try:
            return await _select(connection, collection, selection, position=None)
        except OperationFailure as error:
            if error.code not in _NO_SNAPSHOT:
                raise
    # In this order: documents are saved before the checkpoint moves.
    position = (await load_checkpoint(connection, collection)).position
    return await _select(connection, collection, selection, position=position)


async def _select(
    connection: Connection, collection: str, selection: Selection, *, position: int | None
) -> Selected:
    """Return a page; from a snapshot, with the position of the checkpoint, unless that is given."""
    pipeline, options = _page(selection)
    pipeline.append({"$unionWith": {"coll": collection, "pipeline": _COUNT_PARKED}})
    if position is None:
        found = connection.snapshot(collection)
        checkpoint = [
            {"$match": {"_id": collection}},
            {"$project": {"_id": 0, "_checkpoint": "$$ROOT"}},
        ]
        pipeline.append({"$unionWith": {"coll": "checkpoints", "pipeline": checkpoint}})
    else:
        found = connection.collection(collection).with_options(codec_options=RAW)
    async with connection.operation() as session:
        cursor = await found.aggregate(
            pipeline, session=session, batchSize=selection.limit + _OTHERS, **options
        )
        raw = await cursor.to_list()
    documents: list[ViewDocument] = []
    parked = 0
    for document in decode_reply(b"".join([each.raw for each in raw])):
        if "_id" in document:  # which those that the pipeline makes have not
            documents.append(decode(document))
        elif "_count" in document:
            parked = document["_count"]
        else:
            position = decode_checkpoint(collection, document["_checkpoint"]).position
    return Selected(documents=documents, position=position or 0, parked=parked)


def _page(selection: Selection) -> tuple[list[Document], dict[str, Any]]:
    """Return the pipeline that finds the documents, and its options."""
    if any(not isinstance(wanted, Bounds) and not wanted for wanted in selection.where.values()):
        # One of no values. Along the index of the page, the server would look at everything.
        return [{"$match": {"_id": {"$in": []}}}], {}
    pipeline: list[Document] = [
        {"$match": _wanted(selection)},
        {"$sort": dict([*_order(selection.order), ("_id", _direction(selection.descending))])},
        {"$limit": selection.limit},
    ]
    return pipeline, {"hint": dict(_keys(selection.index))} if selection.index else {}


def _wanted(selection: Selection) -> Document:
    if selection.after is None:
        return _all([*_conditions(selection.where), *_live(selection.where)])
    # At the root, and whole in each branch, so that the server merges walks along the index
    # instead of sorting what it finds.
    starts, others = _starts(selection)
    rest = [*_conditions(others), *_live(selection.where)]
    return {
        "$or": [_all([start, branch, *rest]) for start in starts for branch in _after(selection)]
    }


def _all(conditions: Sequence[Document]) -> Document:
    """Return the condition that all of these hold, as flat as possible: that is quickly planned."""
    merged: Document = {}
    for condition in conditions:
        if not merged.keys().isdisjoint(condition):
            return {"$and": [*conditions]}
        merged |= condition
    return merged


def _live(where: Mapping[str, Sequence[IndexValue] | Bounds]) -> list[Document]:
    """Return the condition that leaves out documents without a value, unless another one does.

    They have no indexed values.
    """
    for wanted in where.values():
        if any(_bounds(wanted)) if isinstance(wanted, Bounds) else None not in wanted:
            return []
    return [{"_deleted": None, "_parked": None}]


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
        for operator, value in _bounds(wanted):
            yield _bounded(name, operator, value)


def _bounds(wanted: Bounds) -> list[tuple[str, IndexValue]]:
    bounds = [
        ("$gte", wanted.at_least),
        ("$gt", wanted.above),
        ("$lte", wanted.at_most),
        ("$lt", wanted.below),
    ]
    return [(operator, value) for operator, value in bounds if value is not None]


def _one_of(name: str, wanted: Sequence[IndexValue]) -> Document:
    times = [each for each in wanted if isinstance(each, datetime)]
    if not times:
        values = [stored(each) for each in wanted]
        return {f"_by.{name}": values[0] if len(values) == 1 else {"$in": values}}
    branches: list[Document] = [
        {f"_by.{name}": stored(each), f"_us.{name}": each.microsecond % 1000} for each in times
    ]
    if None in wanted:
        branches.append({f"_by.{name}": None})
    return branches[0] if len(branches) == 1 else {"$or": branches}


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


def _starts(
    selection: Selection,
) -> tuple[Sequence[Document], Mapping[str, Sequence[IndexValue] | Bounds]]:
    """Return the known values that the index begins with, and the conditions that they leave.

    There is one document for each combination.
    """
    count = len(selection.index) - len(selection.order)
    fields = [each.name for each in selection.index[:count]]
    values = [_listed(selection.where[name]) for name in fields]
    if prod(map(len, values)) > _MOST_STARTS:
        return [{}], selection.where
    starts = [
        _all([_one_of(name, [value]) for name, value in zip(fields, each, strict=True)])
        for each in product(*values)
    ]
    return starts, {name: each for name, each in selection.where.items() if name not in fields}


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
