"""Stores that forget or mix up the ids of commits and commands and the names of streams."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Any

from attrs import evolve

from eventhus import ConcurrencyError, StreamId, new_id
from eventhus.ports import Commit, StoredCommit
from eventhus_memory import MemoryStore
from eventhus_testing.conformance.store.samples import expecting
from tests.testing.conformance.defects import (
    Rewriting,
    caught_by,
    with_events,
)


@caught_by("test_a_repeated_commit_gets_the_first_answer")
class ForgetsCommitIds(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        self._commits.clear()
        return await super().append(commit)


@caught_by("test_a_repeated_commit_gets_the_first_answer")
class RemembersTheLastCommitIdOfAStream(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        stored = await super().append(commit)
        for id_, earlier in list(self._commits.items()):
            if earlier.commit.stream == commit.stream and id_ != commit.id:
                del self._commits[id_]
        return stored


@caught_by("test_a_repeated_commit_is_found_whatever_its_expected_version")
class ChecksTheVersionFirst(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        first, actual = self._commits.get(commit.id), len(self._streams.get(commit.stream, []))
        expected = commit.parts[0].expected_version
        if first and expected not in (None, first.versions[0] - 1):
            raise ConcurrencyError(commit.stream, expected or 0, actual)
        return await super().append(commit)


@caught_by("test_a_commit_id_of_another_stream_is_refused")
class KeepsCommitIdsByStream(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        first = self._commits.get(commit.id)
        other = first is not None and first.commit.stream != commit.stream
        return evolve(commit, id=new_id()) if other else commit


@caught_by("test_a_repeated_command_gets_the_first_answer")
class ForgetsCommandIds(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return evolve(commit, command_id=None)


@caught_by("test_similar_ids_differ")
class IgnoresTheCaseOfCommandIds(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return evolve(commit, command_id=commit.command_id and commit.command_id.lower())


@caught_by("test_a_command_id_of_another_stream_is_refused")
class KeepsCommandIdsByStream(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        first = self._commands.get(commit.command_id or "")
        other = first is not None and first.commit.stream != commit.stream
        return evolve(commit, command_id=None) if other else commit


@caught_by("test_a_refused_commit_leaves_its_ids_free")
class RemembersRefusedCommands(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        try:
            return await super().append(commit)
        except ConcurrencyError:
            if commit.command_id and self._log:
                self._commands.setdefault(commit.command_id, self._log[-1].commit)
            raise


@caught_by("test_the_answer_holds_the_commit_that_was_stored")
class ClaimsToHaveStoredWhatWasThere(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        return evolve(await super().append(commit), commit=commit)


@caught_by("test_the_answer_holds_the_commit_that_was_stored")
class AnswersWithACopy(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        return evolve(await super().append(commit), commit=evolve(commit))


@caught_by("test_a_repeated_commit_id_keeps_the_first_events")
class AnswersWithTheEventsOfTheRepeat(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        stored = await super().append(commit)
        return evolve(stored, commit=evolve(stored.commit, parts=commit.parts))


@caught_by("test_concurrent_repeats_of_a_commit_store_it_once")
@caught_by("test_concurrent_repeats_of_a_command_store_it_once")
@caught_by("test_concurrent_streams_with_one_command_id_have_one_winner")
class LooksForIdsBeforeItWrites(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        known = commit.id in self._commits or commit.command_id in self._commands
        await asyncio.sleep(0)
        if not known:
            self._commits.pop(commit.id, None)
            self._commands.pop(commit.command_id or "", None)
            commit = expecting(commit, None)
        return await super().append(commit)


@caught_by("test_commit_ids_and_command_ids_do_not_collide")
class MixesCommitAndCommandIds(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        if (first := self._commands.get(commit.id)) is not None:
            return first
        return await super().append(commit)


class Renaming(MemoryStore):
    """Takes some names for the same."""

    def renamed(self, text: str) -> str:
        raise NotImplementedError

    def _stream(self, stream: StreamId) -> StreamId:
        return StreamId(self.renamed(stream.aggregate_type), self.renamed(stream.aggregate_id))

    async def append(self, commit: Commit) -> StoredCommit:
        parts = [evolve(part, stream=self._stream(part.stream)) for part in commit.parts]
        rewritten = evolve(commit, parts=parts)
        stored = await super().append(rewritten)
        return evolve(stored, commit=commit) if stored.commit is rewritten else stored

    async def history(self, stream: StreamId, **page: Any) -> Any:
        return [
            evolve(each, stream=stream)
            for each in await super().history(self._stream(stream), **page)
        ]


@caught_by("test_similar_names_differ")
class IgnoresCase(Renaming):
    def renamed(self, text: str) -> str:
        return text.lower()


@caught_by("test_similar_names_differ")
class TrimsNames(Renaming):
    def renamed(self, text: str) -> str:
        return text.strip() or text


@caught_by("test_similar_names_differ")
class CutsLongNames(Renaming):
    def renamed(self, text: str) -> str:
        return text[:254]


@caught_by("test_similar_names_differ")
class EndsNamesAtNul(Renaming):
    def renamed(self, text: str) -> str:
        return text.partition("\0")[0] or text


@caught_by("test_the_same_id_under_two_types")
class IgnoresTheType(Renaming):
    def _stream(self, stream: StreamId) -> StreamId:
        return StreamId("Aggregate", stream.aggregate_id)


@caught_by("test_similar_names_differ")
class JoinsTheTwoNames(Renaming):
    def _stream(self, stream: StreamId) -> StreamId:
        return StreamId("Aggregate", str(stream))


@caught_by("test_any_text_is_a_name")
class KeepsNamesInOneNormalForm(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return with_events(
            commit,
            lambda events: [
                evolve(each, type=unicodedata.normalize("NFC", each.type)) for each in events
            ],
        )
