"""Names: ids and types may be any text, and differ if their text differs."""

from __future__ import annotations

import asyncio

import pytest

from eventhus import Metadata, StreamId
from eventhus.ports import EventData, Storage
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.samples import (
    answer,
    commit,
    every_way,
    first_version,
    whole_log,
)

HOSTILE = {
    "dollar": "$",
    "an operator": "$where",
    "dots": "..",
    "dot within": "a.b",
    "NUL": "a\0b",
    "NUL alone": "\0",
    "control characters": "a\r\n\tb",
    "space": " ",
    "spaces around": "  a  ",
    "slashes": "a/b\\c",
    "wildcards": "*>?#%_",
    "quotes": "'\"`;--",
    "255 characters": "x" * 255,
    "254 bytes": "ü" * 127,
    "Unicode": "üñ\u202e\uffff",
    "emoji": "🏦👩‍🚀",
    "decomposed": "e\u0301",
    "prototype": "__proto__",
    "key of a database": "_id",
}

# What a collation, a normal form, a join, a trim or an index of prefixes would take for the same.
ALIKE = [
    StreamId(aggregate_type, aggregate_id)
    for aggregate_type, aggregate_id in (
        *(("a", "b/c"), ("a/b", "c"), ("a.b", "c"), ("a", "b.c"), ("a\0b", "c"), ("a", "b\0c")),
        *(("a-b", "c"), ("a", "b-c"), ("a:b", "c"), ("a", "b:c"), ("a", "bc"), ("ab", "c")),
        *(("a", "b"), ("a", "B"), ("A", "b"), ("a", "b "), ("a", " b"), ("a", "b\0"), ("b", "a")),
        *(("a", "1"), ("a", "01"), ("a", "1.0"), ("a", "one"), ("a", "None"), ("a", "null")),
        *(("a", "\u00e9"), ("a", "e\u0301"), ("a", "e"), ("a", "ss"), ("a", "ß"), ("a", "ﬁ")),
        *(("a", "x" * 254 + "y"), ("a", "x" * 255), ("a", "x" * 254), ("a", "fi")),
    )
]


class Names(Cases):
    """Ids of aggregates, commits and commands, and names of types."""

    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    @case
    async def test_any_text_is_a_name(self, store: Storage, text: str) -> None:
        """None of it means anything to a store."""
        stream = StreamId(text, text)
        given = commit(
            stream,
            id=text,
            events=[EventData(text, {text: text})],
            expected_version=0,
            metadata=Metadata(text, text, {text: text}),
            command_id=text,
        )
        stored = await store.append(given)
        second = await store.append(commit(expected_version=0))
        assert [*stored.recorded(), *second.recorded()] == await whole_log(store)
        assert stored.recorded() == list(await store.history(stream))
        assert answer(stored) == answer(await store.find(text))
        for back in (await every_way(store, given)).values():
            assert given.events == back
        assert 2 == first_version(await store.append(commit(stream, expected_version=1)))

    @case
    async def test_similar_names_differ(self, store: Storage) -> None:
        """Names differ when their text differs, however they look or would be joined."""
        stored = await asyncio.gather(
            *[store.append(commit(stream, expected_version=0)) for stream in ALIKE]
        )
        histories = await asyncio.gather(*map(store.history, ALIKE))
        for one, history in zip(stored, histories, strict=True):
            assert one.recorded() == list(history)
        assert len(ALIKE) == len(await whole_log(store))

    @case
    async def test_similar_ids_differ(self, store: Storage) -> None:
        """The same holds for the ids of commits and of commands."""
        ids = [stream.aggregate_id for stream in ALIKE if stream.aggregate_type == "a"]
        stored = await asyncio.gather(
            *[store.append(commit(id=text, command_id=text)) for text in ids]
        )
        assert len(ids) == len(await whole_log(store))
        for text, one in zip(ids, stored, strict=True):
            assert answer(one) == answer(await store.find(text))
