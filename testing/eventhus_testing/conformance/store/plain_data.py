"""Plain data: data is read exactly as it was stored, and is shared with no caller."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import pytest

from eventhus import Metadata
from eventhus.errors import InvalidCommit
from eventhus.ports import EventData, Storage
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    commit,
    every_way,
    exact,
    of_data,
    same,
    whole_log,
)


def nested(depth: int) -> dict[str, Any]:
    """Return a number inside ``depth`` nested lists and dicts."""
    value: Any = 1
    for level in range(depth - 1):
        value = [value] if level % 2 else {"a": value}
    return {"a": value}


def circular() -> dict[str, Any]:
    """Return a dict that contains itself."""
    value: dict[str, Any] = {}
    value["a"] = [value]
    return value


ACCEPTED: dict[str, object] = {
    "largest int": 2**63 - 1,
    "smallest int": -(2**63),
    "ints of all sizes": [2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**53 + 1],
    "types that look alike": [True, 1, 1.0, False, 0, 0.0, "1", None],
    "floats that are whole": [1.0, -3.0, 1e15, 1e16, 1e300],
    "negative zero": [-0.0, 0.0],
    "floats of all sizes": [5e-324, 0.1 + 0.2, 1.7976931348623157e308],
    "empty list": [],
    "empty dict": {},
    "nothing, in many forms": [[], {}, [[]], {"a": {}}, {"a": []}, [None], ""],
    "control characters": "a\0b\r\n\t\x7f\u2028",
    "Unicode": "🏦 ü \uffff \u202e",
    "two normal forms": ["\u00e9", "e\u0301"],
    "text like a time": "2024-02-29T12:30:15.123456+00:00",
    "text like a value": ["507f1f77bcf86cd799439011", "1.50", "true", "null"],
    "long text": "x" * 1_000_000,
    "keys with dollars": {"$set": {"a.b": 1}, "$": 2, "a$b": {"$inc": {"$": 1}}},
    "$ref": [{"$ref": "users", "$id": 1}, {"$ref": "a", "$id": 1, "$db": "b"}],
    "$oid": [{"$oid": "507f1f77bcf86cd799439011"}, {"$oid": 1}],
    "$date": [{"$date": "2024-02-29T12:30:15Z"}, {"$date": {"$numberLong": "1"}}],
    "keys with dots": {"a.b": 1, ".": 2, "..": 3, "a": {"b": 4}},
    "keys with NUL": {"a\0b": 1, "\0": 2, "a": 3, "": 4},
    "empty keys": {"": {"": {"": 0}}},
    "_id": [{"_id": 1, "a": {"_id": 2}}, {"_id": [1]}],
    "keys of the envelope": {"type": "x", "data": {}, "schema": 2, "events": []},
    "keys alike": {"é": 1, "e\u0301": 2, "🏦": 3, " a ": 4, "A": 5, "a": 6},
    "order of keys": {"b": 1, "a": 2, "10": 3, "9": 4},
    "long key": {"k" * 5000: 1},
    "many keys": {f"key {number}": number for number in range(2000)},
}

REFUSED: dict[str, Callable[[], object]] = {
    "NaN": lambda: math.nan,
    "infinity": lambda: math.inf,
    "negative infinity": lambda: -math.inf,
    "int beyond 64 bits": lambda: 2**63,
    "negative int beyond 64 bits": lambda: -(2**63) - 1,
    "set": lambda: {"secret"},
    "bytes": lambda: b"secret",
    "tuple": lambda: ("secret",),
    "Decimal": lambda: Decimal("1.5"),
    "datetime": lambda: datetime(2024, 2, 29, tzinfo=UTC),
    "UUID": lambda: UUID(int=1),
    "object": object,
    "half a character": lambda: "secret \ud800",
    "key with half a character": lambda: {"secret \ud800": 1},
    "int key": lambda: {1: "secret"},
    "None key": lambda: {None: "secret"},
    "bool key": lambda: {True: "secret"},
    "float key": lambda: {1.5: "secret"},
    "bytes key": lambda: {b"secret": 1},
    "tuple key": lambda: {("secret",): 1},
    "circular": circular,
    "one level too deep": lambda: nested(90),  # within a dict
    "much too deep": lambda: nested(100_000),
}


class PlainData(Cases):
    """The data of events."""

    @pytest.mark.parametrize("value", ACCEPTED.values(), ids=ACCEPTED)
    @case
    async def test_edge_cases_of_json_are_exact(self, store: Storage, value: object) -> None:
        """They come back with the same values and types."""
        given = commit(events=[EventData("Deposited", {"value": value})], command_id="k")
        await store.append(given)
        for way, (back,) in (await every_way(store, given)).items():
            assert (way, exact({"value": value})) == (way, exact(back.data))

    @case
    async def test_keys_at_the_top_level_have_no_meaning(self, store: Storage) -> None:
        """A key means as little there as deeper down."""
        keys = ["$ref", "$id", "$", "$set", "a.b", ".", "", "\0", "a\0b", "_id", "_", "type"]
        given = commit(events=[EventData("A", {key: key}) for key in keys], command_id="k")
        await store.append(given)
        for way, back in (await every_way(store, given)).items():
            assert (way, [{key: key} for key in keys]) == (way, [event.data for event in back])

    @case
    async def test_data_may_be_ninety_levels_deep(self, store: Storage) -> None:
        """Lists and dicts in one another, as deep as is promised."""
        given = commit(events=[EventData("Deposited", nested(90))], command_id="k")
        await store.append(given)
        for way, back in (await every_way(store, given)).items():
            assert (way, [nested(90)]) == (way, [event.data for event in back])

    @case
    async def test_random_data_is_exact(self, store: Storage) -> None:
        """Five hundred values made by chance, the same in every run."""
        chance = Random(2024)  # noqa: S311 - nothing here is secret
        values = [{str(number): any_data(chance, 4)} for number in range(500)]
        given = commit(events=[EventData("Any", value) for value in values], command_id="k")
        await store.append(given)
        for way, back in (await every_way(store, given)).items():
            same(
                [(way, exact(value)) for value in values],
                [(way, exact(event.data)) for event in back],
            )

    @pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
    @case
    async def test_data_that_is_not_plain_is_refused(
        self, store: Storage, make: Callable[[], object]
    ) -> None:
        """It is refused, never changed in silence; the message names the event, not its data."""
        first = await store.append(commit())
        with pytest.raises(InvalidCommit) as caught:
            await store.append(of_data({"value": make()}))
        message = str(caught.value)
        assert "Deposited" in message
        assert str(ACCOUNT) in message
        assert "secret" not in message
        assert first.recorded() == await whole_log(store)
        assert 2 == (await store.append(commit(expected_version=1))).position


class Sharing(Cases):
    """Isolation of data: neither a writer nor a reader can change the log."""

    @case
    async def test_later_changes_by_the_writer_do_not_reach_the_log(self, store: Storage) -> None:
        """It may go on using its lists and dicts."""
        seats: list[Any] = [{"row": 1}]
        values = {"user": "u1"}
        given = commit(
            events=[EventData("Reserved", {"seats": seats})],
            metadata=Metadata(values=values),
            command_id="k",
        )
        await store.append(given)
        seats[0]["row"] = 2
        seats.append({"row": 3})
        values["user"] = "u2"
        for way, back in (await every_way(store, given)).items():
            assert (way, [{"seats": [{"row": 1}]}]) == (way, [event.data for event in back])
        assert [{"user": "u1"}] == [
            recorded.metadata.values for recorded in (await store.read()).events
        ]

    @case
    async def test_changes_by_a_reader_do_not_reach_the_log(self, store: Storage) -> None:
        """It may do what it likes with what it gets; the next one gets the original."""
        given = commit(
            events=[EventData("Reserved", {"seats": [{"row": 1}], "by": {}})], command_id="k"
        )
        await store.append(given)
        for way, (back,) in (await every_way(store, given)).items():
            changed: Any = back.data
            assert (way, {"seats": [{"row": 1}], "by": {}}) == (way, changed)
            changed["seats"][0]["row"] = 2
            changed["seats"].append("mine")
            changed["by"]["name"] = "me"
            changed.clear()
        for way, (back,) in (await every_way(store, given)).items():
            assert (way, {"seats": [{"row": 1}], "by": {}}) == (way, back.data)

    @case
    async def test_changes_of_metadata_by_a_reader_do_not_reach_the_log(
        self, store: Storage
    ) -> None:
        """The next reader gets the original, even if this one can change what it got."""
        await store.append(commit(metadata=Metadata(values={"user": "u1"})))
        for recorded in await whole_log(store):
            with suppress(TypeError):
                recorded.metadata.values["user"] = "u2"  # type: ignore[index]
        assert [{"user": "u1"}] == [
            recorded.metadata.values for recorded in (await store.read()).events
        ]

    @case
    async def test_readers_share_no_data(self, store: Storage) -> None:
        """Events that hold the same lists when they are written do not when they are read."""
        shared: list[int] = []
        same = EventData("Reserved", {"a": shared, "b": shared})
        given = commit(events=[same, same], command_id="k")
        await store.append(given)
        for one, other in (await every_way(store, given)).values():
            one.data["a"].append(1)
            assert ({"a": [1], "b": []}, {"a": [], "b": []}) == (one.data, other.data)


def any_data(chance: Random, depth: int) -> object:
    """Return random plain data, at most ``depth`` deep."""
    match chance.randrange(9 if depth else 7):
        case 0:
            return None
        case 1:
            return chance.random() < 0.5
        case 2:
            return chance.randrange(-10, 10)
        case 3:
            return chance.randrange(-(2 ** chance.randrange(64)), 2 ** chance.randrange(64))
        case 4:
            return float(chance.randrange(-10, 10))
        case 5:
            return math.ldexp(chance.uniform(-1, 1), chance.randrange(-1060, 1024))
        case 6:
            return any_text(chance)
        case 7:
            return [any_data(chance, depth - 1) for _ in range(chance.randrange(4))]
        case _:
            return {
                any_text(chance): any_data(chance, depth - 1) for _ in range(chance.randrange(4))
            }


def any_text(chance: Random) -> str:
    """Return random text, with characters that have a meaning to databases."""
    kinds = ("$._\0 ab01", "äé\u0301ßﬁ", "\r\n\t\x7f\u2028\u202e\uffff", "🏦👩🚀\U0010ffff")
    return "".join(chance.choice(chance.choice(kinds)) for _ in range(chance.randrange(6)))
