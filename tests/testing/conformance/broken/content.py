"""Stores that change what they keep: envelopes, data, or what counts as data."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, timedelta, timezone
from typing import Any

from attrs import evolve

from eventhus import Metadata, Query, new_id
from eventhus.errors import InvalidCommit
from eventhus.ports import (
    Commit,
    EventData,
    Page,
    StoredCommit,
    StoredEvent,
)
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import (
    Distorting,
    Rewriting,
    caught_by,
    with_events,
)


def with_data(commit: Commit, change: Callable[[Any], Any]) -> Commit:
    """Return the commit with the data of each event changed."""
    return with_events(
        commit, lambda events: [evolve(each, data=change(each.data)) for each in events]
    )


@caught_by("test_data_that_is_not_plain_is_refused")
class TurnsTuplesIntoLists(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return with_data(commit, listed)


def listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: listed(inner) for key, inner in value.items()}
    return [*value] if isinstance(value, tuple) else value


@caught_by("test_data_that_is_not_plain_is_refused")
class TurnsKeysIntoText(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return with_data(commit, with_text_keys)


def with_text_keys(value: Any, depth: int = 3) -> Any:
    if isinstance(value, dict) and depth:
        return {
            key if isinstance(key, str) else repr(key): with_text_keys(inner, depth - 1)
            for key, inner in value.items()
        }
    return value


@caught_by("test_data_that_is_not_plain_is_refused")
class QuotesTheData(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        try:
            return await super().append(commit)
        except InvalidCommit as refused:
            raise InvalidCommit(f"{refused}: {str(commit.events)[:1000]}") from None


@caught_by("test_edge_cases_of_json_are_exact")
@caught_by("test_keys_at_the_top_level_have_no_meaning")
class DropsKeysWithADollar(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return with_data(commit, without_dollars)


def without_dollars(value: Any, depth: int = 3) -> Any:
    if isinstance(value, dict) and depth:
        return {
            key: without_dollars(inner, depth - 1)
            for key, inner in value.items()
            if not (isinstance(key, str) and key.startswith("$"))
        }
    return value


@caught_by("test_later_changes_by_the_writer_do_not_reach_the_log")
class SharesDataWithItsWriters(MemoryStore):
    def _restored(self, stored: StoredCommit) -> StoredCommit:
        return evolve(stored, commit=evolve(stored.commit))


@caught_by("test_metadata_is_kept")
class DropsMetadata(Distorting):
    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        return evolve(recorded, metadata=Metadata())


@caught_by("test_metadata_is_kept")
class DropsTheCausation(Distorting):
    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        return evolve(recorded, metadata=evolve(recorded.metadata, causation_id=None))


@caught_by("test_metadata_is_kept")
class DropsEmptyMetadata(Distorting):
    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        values = {key: value for key, value in recorded.metadata.values.items() if value}
        return evolve(recorded, metadata=evolve(recorded.metadata, values=values))


@caught_by("test_times_are_kept_to_the_microsecond")
class GivesNaiveTimes(Distorting):
    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        return evolve(recorded, recorded_at=recorded.recorded_at.replace(tzinfo=None))


@caught_by("test_times_are_kept_to_the_microsecond")
class GivesLocalTimes(Distorting):
    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        local = recorded.recorded_at.astimezone(timezone(timedelta(hours=2)))
        return evolve(recorded, recorded_at=local)


@caught_by("test_times_are_kept_to_the_microsecond")
class KeepsMilliseconds(Distorting):
    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        time = recorded.recorded_at
        return evolve(
            recorded, recorded_at=time.replace(microsecond=time.microsecond // 1000 * 1000)
        )


@caught_by("test_times_are_stored_in_utc")
class GivesTheOffsetOfTheWriter(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        stored = await super().append(commit)
        return evolve(stored, commit=evolve(stored.commit, recorded_at=commit.recorded_at))


@caught_by("test_times_without_an_offset_are_refused")
class TakesNaiveTimesForUtc(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return evolve(commit, recorded_at=commit.recorded_at.replace(tzinfo=UTC))


@caught_by("test_the_order_of_the_log_does_not_depend_on_times")
class OrdersByTime(MemoryStore):
    async def read(self, query: Query | None = None, **page: Any) -> Page:
        found = await super().read(query, **page)
        return evolve(found, events=sorted(found.events, key=lambda each: each.recorded_at))


@caught_by("test_every_event_has_an_id_of_its_own")
class NumbersEventsFromZero(Distorting):
    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        commit_id, number = recorded.id.rsplit("-", 1)
        return evolve(recorded, id=f"{commit_id}-{int(number) - 1}")


@caught_by("test_the_same_envelope_at_every_reading")
class MakesIdsAnewAtEveryReading(Distorting):
    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        return evolve(recorded, id=new_id())


@caught_by("test_the_type_and_the_schema_are_kept")
class DropsTheSchema(Distorting):
    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        return evolve(recorded, event=evolve(recorded.event, schema=1))


class Mangling(Distorting):
    """Gives back other data than it has stored."""

    def mangled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.mangled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.mangled(inner) for inner in value]
        return value

    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        event = recorded.event
        return evolve(recorded, event=evolve(event, data=self.mangled(event.data)))


class Int64(int):
    """As a driver's, which is an int in all but its type."""


@caught_by("test_numbers_and_names_are_plain")
class GivesPositionsOfADriver(Distorting):
    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        return evolve(recorded, position=Int64(recorded.position))


@caught_by("test_edge_cases_of_json_are_exact")
class GivesIntsOfADriver(Mangling):
    def mangled(self, value: Any) -> Any:
        return Int64(value) if type(value) is int else super().mangled(value)


@caught_by("test_edge_cases_of_json_are_exact")
@caught_by("test_random_data_is_exact")
class TurnsWholeFloatsIntoInts(Mangling):
    def mangled(self, value: Any) -> Any:
        whole = isinstance(value, float) and value.is_integer()
        return int(value) if whole else super().mangled(value)


@caught_by("test_edge_cases_of_json_are_exact")
class DropsEmptyLists(Mangling):
    def mangled(self, value: Any) -> Any:
        return None if value == [] else super().mangled(value)


@caught_by("test_edge_cases_of_json_are_exact")
class SortsKeys(Mangling):
    def mangled(self, value: Any) -> Any:
        whole = super().mangled(value)
        return dict(sorted(whole.items())) if isinstance(whole, dict) else whole


@caught_by("test_edge_cases_of_json_are_exact")
class EndsTextAtNul(Mangling):
    def mangled(self, value: Any) -> Any:
        return value.partition("\0")[0] if isinstance(value, str) else super().mangled(value)


@caught_by("test_data_may_be_ninety_levels_deep")
class CutsWhatIsDeep(Mangling):
    def mangled(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, dict) and depth < 80:
            return {key: self.mangled(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list) and depth < 80:
            return [self.mangled(inner, depth + 1) for inner in value]
        return None if depth >= 80 else value


@caught_by("test_a_large_event_is_exact")
class CutsLongLists(Mangling):
    def mangled(self, value: Any) -> Any:
        return super().mangled(value[:64] if isinstance(value, list) else value)


@caught_by("test_changes_by_a_reader_do_not_reach_the_log")
class SharesDataWithItsReaders(Distorting):
    def __init__(self) -> None:
        super().__init__()
        self._shared: dict[int, StoredEvent] = {}

    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        return self._shared.setdefault(recorded.position, recorded)


@caught_by("test_changes_of_metadata_by_a_reader_do_not_reach_the_log")
class SharesMetadataWithItsReaders(SharesDataWithItsReaders):
    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        writable = dict(recorded.metadata.values)
        object.__setattr__(recorded.metadata, "values", writable)
        return super().distorted(recorded)


@caught_by("test_readers_share_no_data")
class SharesEqualEvents(MemoryStore):
    async def read(self, query: Query | None = None, **page: Any) -> Page:
        events: dict[str, EventData] = {}
        found = await super().read(query, **page)
        return evolve(
            found,
            events=[
                evolve(each, event=events.setdefault(json.dumps(each.event.data), each.event))
                for each in found.events
            ],
        )
