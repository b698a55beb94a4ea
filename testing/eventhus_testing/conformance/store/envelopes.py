"""Envelopes: ids, types, times and metadata are returned unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain

import attrs
import pytest

from eventhus import Metadata
from eventhus.errors import InvalidCommit
from eventhus.ports import EventData, Storage, StoredEvent
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    answer,
    commit,
    every_way,
    filled,
    follow,
)


async def envelopes(store: Storage, size: int) -> dict[str, Sequence[StoredEvent]]:
    """Return the first ``size`` events of the log, all of one stream, from each method."""
    return {
        "read": list((await store.read(limit=size)).events),
        "history": list(await store.history(ACCOUNT, limit=size)),
        "follow": await follow(store, size, limit=size),
    }


class Envelopes(Cases):
    """The envelopes of events."""

    @case
    async def test_every_event_has_an_id_of_its_own(self, store: Storage) -> None:
        """Made from the commit's id, it is the same at every reading."""
        stored = [await store.append(commit(id="c1", size=2))]
        stored.append(await store.append(commit(id="c2", size=11)))
        ids = ["c1-1", "c1-2", *(f"c2-{number}" for number in range(1, 12))]
        assert ids == [recorded.id for each in stored for recorded in each.recorded()]
        for way, back in (await envelopes(store, 13)).items():
            assert (way, ids) == (way, [recorded.id for recorded in back])
        for after, expected in enumerate(ids):
            loaded = await store.load(ACCOUNT, after_version=after, limit=1)
            assert expected == loaded.event_id

    @case
    async def test_the_same_envelope_at_every_reading(self, store: Storage) -> None:
        """Of every event of a stream that is not alone in the log."""
        log = await filled(store)
        assert log == list((await store.read()).events)
        assert log == await follow(store, 12)
        own = [recorded for recorded in log if recorded.stream == ACCOUNT]
        assert own == list(await store.history(ACCOUNT))

    @case
    async def test_numbers_and_names_are_plain(self, store: Storage) -> None:
        """They are of no class of a driver's, which may look and compare like an int or a str."""
        given = commit(metadata=Metadata("talk", "cause", {"user": "u1"}), command_id="k")
        await store.append(given)
        again, found = await store.append(given), await store.find("k")
        loaded = await store.load(ACCOUNT)
        assert found is not None
        read = await envelopes(store, 1)
        numbers = [await store.head(), loaded.version, loaded.position]
        names: list[object] = [loaded.event_id, found.commit.id, found.commit.command_id]
        for recorded in (*again.recorded(), *found.recorded(), *chain(*read.values())):
            numbers += [recorded.version, recorded.position, recorded.event.schema]
            names += [recorded.id, recorded.event.type, *attrs.astuple(recorded.stream)]
            names += [recorded.metadata.correlation_id, recorded.metadata.causation_id]
            names += [*recorded.metadata.values.keys(), *recorded.metadata.values.values()]
        assert {int} == {type(number) for number in numbers}
        assert {str} == {type(name) for name in names}

    @case
    async def test_the_type_and_the_schema_are_kept(self, store: Storage) -> None:
        """A commit may hold events of several types and schemas."""
        given = commit(
            events=[EventData("A", {}, 1), EventData("B", {}, 7), EventData("A", {"a": 1}, 2)],
            command_id="k",
        )
        await store.append(given)
        for way, back in (await every_way(store, given)).items():
            assert (way, given.events) == (way, back)

    @pytest.mark.parametrize("microsecond", [0, 1, 999, 1000, 123_456, 999_999])
    @case
    async def test_times_are_kept_to_the_microsecond(
        self, store: Storage, microsecond: int
    ) -> None:
        """They come back aware and in UTC, from wherever they are read."""
        given = commit(
            recorded_at=datetime(2024, 2, 29, 23, 59, 59, microsecond, UTC), command_id="k"
        )
        await store.append(given)
        times = {
            way: [recorded.recorded_at for recorded in back]
            for way, back in (await envelopes(store, 1)).items()
        }
        found = await store.find("k")
        assert found is not None
        times["find"] = [found.commit.recorded_at]
        times["append again"] = [(await store.append(given)).commit.recorded_at]
        for way, back in times.items():
            assert (way, [given.recorded_at]) == (way, back)
            assert (way, [timedelta(0)]) == (way, [time.utcoffset() for time in back])

    @case
    async def test_times_are_stored_in_utc(self, store: Storage) -> None:
        """The store's answer and every reading give the same instant with offset zero."""
        local = datetime(2024, 2, 29, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
        stored = await store.append(commit(recorded_at=local, command_id="k"))
        found = await store.find("k")
        assert found is not None
        times = [stored.commit.recorded_at, found.commit.recorded_at]
        for back in (await envelopes(store, 1)).values():
            times += [recorded.recorded_at for recorded in back]
        for time in times:
            assert local == time
            assert timedelta(0) == time.utcoffset()

    @case
    async def test_times_without_an_offset_are_refused(self, store: Storage) -> None:
        """A naive time means another instant on every machine. Nothing of the commit is stored."""
        with pytest.raises(InvalidCommit, match="recorded_at"):
            await store.append(commit(recorded_at=datetime(2024, 2, 29)))  # noqa: DTZ001
        assert 0 == await store.head()

    @case
    async def test_the_order_of_the_log_does_not_depend_on_times(self, store: Storage) -> None:
        """A writer whose clock is behind still comes after what was there."""
        times = [datetime(2024, 1, day, tzinfo=UTC) for day in (2, 1, 3)]
        for time in times:
            await store.append(commit(recorded_at=time))
        for back in (await envelopes(store, 3)).values():
            assert times == [recorded.recorded_at for recorded in back]

    @pytest.mark.parametrize(
        "metadata",
        [
            pytest.param(Metadata(), id="none"),
            pytest.param(Metadata(correlation_id="talk"), id="correlation"),
            pytest.param(Metadata(causation_id="cause"), id="causation"),
            pytest.param(Metadata(values={"user": "u1"}), id="values"),
            pytest.param(Metadata("talk", "cause", {"user": "ü", "b": "", "a": "1"}), id="all"),
            pytest.param(
                Metadata(
                    values={
                        **{key: key for key in ("", "$", "$set", ".", "a.b", "\0", " ", "_id")},
                        **{key: key for key in ("é", "e\u0301", "🏦", "correlation_id", "values")},
                        "long": "x" * 5000,
                    }
                ),
                id="hostile",
            ),
        ],
    )
    @case
    async def test_metadata_is_kept(self, store: Storage, metadata: Metadata) -> None:
        """Every event of the commit carries it; what was left out stays left out."""
        given = commit(size=2, metadata=metadata, command_id="k")
        stored = await store.append(given)
        for way, back in (await envelopes(store, 2)).items():
            assert (way, [metadata] * 2) == (way, [recorded.metadata for recorded in back])
        assert answer(stored) == answer(await store.find("k"))
        assert answer(stored) == answer(await store.append(given))
