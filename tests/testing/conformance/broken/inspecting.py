"""Stores that find other events, conversations or streams than there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve

from eventhus import Metadata, StreamId
from eventhus.errors import InvalidArgument
from eventhus.ports import Commit, EventData, StoredEvent, StreamEnd
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import Rewriting, caught_by


@caught_by("test_an_event_is_found_by_its_id")
@caught_by("test_an_id_that_no_event_has_finds_none")
class CutsIdsAtTheFirstHyphen(MemoryStore):
    async def find_event(self, event_id: str) -> StoredEvent | None:
        commit_id, _, number = event_id.partition("-")
        return await super().find_event(f"{commit_id}-{number.partition('-')[0]}")


@caught_by("test_an_id_that_no_event_has_finds_none")
class ReadsNumbersAsPythonDoes(MemoryStore):
    async def find_event(self, event_id: str) -> StoredEvent | None:
        commit_id, _, number = event_id.rpartition("-")
        try:
            return await super().find_event(f"{commit_id}-{int(number)}")
        except ValueError:
            return None


@caught_by("test_an_id_that_no_event_has_finds_none")
class FindsTheLastEventOfACommit(MemoryStore):
    async def find_event(self, event_id: str) -> StoredEvent | None:
        stored = self._commits.get(event_id.rpartition("-")[0])
        return stored.recorded()[-1] if stored else None


@caught_by("test_a_conversation_is_found")
class ListsConversationsBackwards(MemoryStore):
    async def related(
        self, correlation_id: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[StoredEvent]:
        return [*await super().related(correlation_id, after=after, limit=limit)][::-1]


@caught_by("test_a_conversation_is_found")
class SkipsTheRestOfACommit(MemoryStore):
    async def related(
        self, correlation_id: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[StoredEvent]:
        if after:
            after = self._log[min(after, len(self._log)) - 1].commit.last_position
        return await super().related(correlation_id, after=after, limit=limit)


@caught_by("test_a_conversation_is_found")
@caught_by("test_an_inspected_event_is_whole")
class FindsOnlyTheBeginning(MemoryStore):
    def _add_to_conversation(self, stored: object) -> None:
        pass


@caught_by("test_a_conversation_is_found")
class FindsOnlyTheAnswers(MemoryStore):
    async def related(
        self, correlation_id: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[StoredEvent]:
        found = await super().related(correlation_id, after=after, limit=limit)
        return [each for each in found if not each.id.startswith(f"{correlation_id}-")]


@caught_by("test_a_conversation_may_be_named_by_any_text")
class TrimsNamesOfConversations(MemoryStore):
    async def related(
        self, correlation_id: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[StoredEvent]:
        return await super().related(
            correlation_id.strip() or correlation_id, after=after, limit=limit
        )


@caught_by("test_a_commit_belongs_to_the_conversation_of_its_metadata")
class FindsEveryCommitByItsId(MemoryStore):
    async def related(
        self, correlation_id: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[StoredEvent]:
        found = await super().related(correlation_id, after=after, limit=limit)
        stored = self._commits.get(correlation_id)
        return found or [] if stored is None or after else [*stored.recorded()]


@caught_by("test_a_correlation_id_is_kept_as_it_is")
class BeginsAConversationWithEachCommit(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        if commit.metadata.correlation_id is not None:
            return commit
        return evolve(commit, metadata=evolve(commit.metadata, correlation_id=commit.id))


@caught_by("test_a_correlation_id_is_kept_as_it_is")
class ForgetsThatACommitBeganAConversation(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        if commit.metadata.correlation_id != commit.id:
            return commit
        return evolve(commit, metadata=evolve(commit.metadata, correlation_id=None))


@caught_by("test_a_large_conversation_is_read_whole")
class LosesLargeEvents(MemoryStore):
    async def related(
        self, correlation_id: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[StoredEvent]:
        found = [*await super().related(correlation_id, after=after, limit=limit)]
        while sum(len(str(each.event.data)) for each in found) > 2**24:
            del found[0]
        return found


@caught_by("test_streams_are_listed_in_order")
class ListsStreamsInTheOrderOfTheirIds(MemoryStore):
    async def streams(self, **page: Any) -> Sequence[StreamEnd]:
        found = await super().streams(**page)
        return sorted(found, key=lambda end: (end.stream.aggregate_id, end.stream.aggregate_type))


@caught_by("test_streams_are_listed_in_order")
class TellsTheFirstEventOfAStream(MemoryStore):
    async def streams(self, **page: Any) -> Sequence[StreamEnd]:
        return [
            evolve(end, version=1, position=self._streams[end.stream][0].position)
            for end in await super().streams(**page)
        ]


@caught_by("test_streams_are_listed_page_by_page")
class BeginsWithTheLastStreamAgain(MemoryStore):
    async def streams(self, *, after: StreamId | None = None, **page: Any) -> Sequence[StreamEnd]:
        if after is not None:
            after = StreamId(after.aggregate_type, after.aggregate_id[:-1] or "\0")
        return await super().streams(after=after, **page)


@caught_by("test_streams_are_listed_page_by_page")
class ForgetsTheTypeOfThePlace(MemoryStore):
    async def streams(
        self, *, stream_type: str | None = None, after: StreamId | None = None, **page: Any
    ) -> Sequence[StreamEnd]:
        if after is not None and stream_type is not None:
            after = StreamId(stream_type, after.aggregate_id)
        return await super().streams(stream_type=stream_type, after=after, **page)


@caught_by("test_streams_are_found_by_a_prefix")
class FindsStreamsByAnyPart(MemoryStore):
    async def streams(
        self, *, stream_type: str | None = None, prefix: str = "", limit: int = 100, **page: Any
    ) -> Sequence[StreamEnd]:
        found = await super().streams(stream_type=stream_type, limit=1000, **page)
        return [end for end in found if prefix in end.stream.aggregate_id][:limit]


@caught_by("test_streams_of_any_length_are_listed_once")
class ListsACommitOnce(MemoryStore):
    async def streams(self, **page: Any) -> Sequence[StreamEnd]:
        found = await super().streams(**page)
        commits = {self._log[end.position - 1].commit.position: end for end in reversed(found)}
        return [end for end in found if end in commits.values()]


@caught_by("test_a_restored_log_is_inspected_like_the_first_one")
class DoesNotRestoreConversations(MemoryStore):
    async def restore(self, commits: Any) -> None:
        await super().restore(commits)
        self._conversations.clear()


@caught_by("test_an_invalid_inspection_is_refused")
class FindsNothingUnderInvalidNames(MemoryStore):
    async def related(
        self, correlation_id: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[StoredEvent]:
        try:
            return await super().related(correlation_id, after=after, limit=limit)
        except InvalidArgument:
            return []


@caught_by("test_an_inspected_event_is_whole")
class ForgetsTagsOfFoundEvents(MemoryStore):
    async def find_event(self, event_id: str) -> StoredEvent | None:
        found = await super().find_event(event_id)
        if found is None:
            return None
        bare = EventData(found.event.type, found.event.data, found.event.schema)
        return evolve(found, event=bare)


@caught_by("test_an_inspected_event_is_whole")
class ForgetsTheCauseOfFoundEvents(MemoryStore):
    async def find_event(self, event_id: str) -> StoredEvent | None:
        found = await super().find_event(event_id)
        return found and evolve(found, metadata=Metadata(found.metadata.correlation_id))
