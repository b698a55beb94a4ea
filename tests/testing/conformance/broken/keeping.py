"""Stores that mix up snapshots, checkpoints, other stores, or their own end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from attrs import evolve

from eventhus import StreamId, new_id
from eventhus.errors import InvalidArgument, NotRunning
from eventhus.ports import (
    Checkpoint,
    Commit,
    EventData,
    Part,
    Snapshot,
    StoredCommit,
)
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import caught_by


@caught_by("test_a_snapshot_is_kept_as_it_is")
class KeepsNoSnapshots(MemoryStore):
    async def load_snapshot(self, stream: StreamId) -> Snapshot | None:
        return None


@caught_by("test_a_snapshot_replaces_the_earlier_one")
class KeepsTheFirstSnapshot(MemoryStore):
    async def save_snapshot(self, snapshot: Snapshot) -> None:
        if snapshot.stream not in self._snapshots:
            await super().save_snapshot(snapshot)


@caught_by("test_a_snapshot_replaces_the_earlier_one")
class KeepsTheNewestSnapshot(MemoryStore):
    async def save_snapshot(self, snapshot: Snapshot) -> None:
        kept = self._snapshots.get(snapshot.stream)
        if kept is None or kept.version <= snapshot.version:
            await super().save_snapshot(snapshot)


@caught_by("test_every_stream_has_its_own_snapshot")
class KeepsSnapshotsById(MemoryStore):
    async def load_snapshot(self, stream: StreamId) -> Snapshot | None:
        for kept in self._snapshots:
            if kept.aggregate_id == stream.aggregate_id:
                return await super().load_snapshot(kept)
        return None


@caught_by("test_snapshots_of_streams_with_similar_names")
class JoinsTheNamesOfSnapshots(MemoryStore):
    async def load_snapshot(self, stream: StreamId) -> Snapshot | None:
        for kept in self._snapshots:
            if str(kept) == str(stream):
                return await super().load_snapshot(kept)
        return None


@caught_by("test_any_text_names_a_snapshot")
class TrimsFingerprints(MemoryStore):
    async def save_snapshot(self, snapshot: Snapshot) -> None:
        trimmed = evolve(snapshot, fingerprint=snapshot.fingerprint.strip())
        await super().save_snapshot(trimmed)


@caught_by("test_a_snapshot_is_not_part_of_the_log")
@caught_by("test_a_checkpoint_is_not_part_of_the_log")
class WritesSnapshotsToTheLog(MemoryStore):
    async def save_snapshot(self, snapshot: Snapshot) -> None:
        await super().save_snapshot(snapshot)
        await self.append(
            Commit(
                id=new_id(),
                parts=[
                    Part(
                        stream=snapshot.stream,
                        events=[EventData("SnapshotSaved", {})],
                        expected_version=None,
                    )
                ],
                recorded_at=datetime.now(UTC),
            )
        )


@caught_by("test_a_state_that_is_not_plain_is_refused")
@caught_by("test_a_snapshot_is_shared_with_nobody")
class KeepsSnapshotsAsTheyAre(MemoryStore):
    async def save_snapshot(self, snapshot: Snapshot) -> None:
        self._snapshots[snapshot.stream] = snapshot

    async def load_snapshot(self, stream: StreamId) -> Snapshot | None:
        return self._snapshots.get(stream)


@caught_by("test_every_reader_has_its_own_checkpoint")
class KeepsOneCheckpoint(MemoryStore):
    async def save_checkpoint(
        self, name: str, position: int, *, event_id: str = "", token: int = 0, **rest: Any
    ) -> None:
        await super().save_checkpoint("relay", position, event_id=event_id, token=token, **rest)

    async def load_checkpoint(self, name: str) -> Checkpoint:
        return await super().load_checkpoint("relay")


@caught_by("test_a_checkpoint_tells_when_it_was_saved")
class TellsATimeForEveryCheckpoint(MemoryStore):
    async def load_checkpoint(self, name: str) -> Checkpoint:
        return evolve(await super().load_checkpoint(name), saved_at=datetime.now(UTC))


@caught_by("test_a_checkpoint_tells_when_it_was_saved", hangs=True)
class TellsWhenACheckpointMoved(MemoryStore):
    async def save_checkpoint(
        self, name: str, position: int, *, event_id: str = "", token: int = 0, **rest: Any
    ) -> None:
        if position != (await self.load_checkpoint(name)).position:
            await super().save_checkpoint(name, position, event_id=event_id, token=token, **rest)
        else:
            await asyncio.sleep(0)


@caught_by("test_a_checkpoint_is_the_last_one_saved")
class NeverGoesBack(MemoryStore):
    async def save_checkpoint(
        self, name: str, position: int, *, event_id: str = "", token: int = 0, **rest: Any
    ) -> None:
        if position > (await self.load_checkpoint(name)).position:
            await super().save_checkpoint(name, position, event_id=event_id, token=token, **rest)


@caught_by("test_two_stores_see_one_log")
@caught_by("test_two_stores_agree_on_versions")
@caught_by("test_two_stores_agree_on_ids")
@caught_by("test_two_stores_agree_on_conditions")
@caught_by("test_a_query_of_another_store_sees_what_was_appended")
@caught_by("test_two_stores_keep_one_snapshot_and_one_checkpoint")
@caught_by("test_two_stores_keep_one_document")
@caught_by("test_a_follower_of_another_store", hangs=True)
class HasALogOfItsOwn(MemoryStore):
    @staticmethod
    def log_of(bucket: str) -> str:
        return f"{bucket} {new_id()}"


@caught_by("test_two_buckets_share_nothing")
@caught_by("test_two_buckets_share_no_document")
@caught_by("test_other_buckets_are_not_inspected")
class HasOneLogForAllBuckets(MemoryStore):
    @staticmethod
    def log_of(bucket: str) -> str:
        return "all"


class Closing(MemoryStore):
    """Notices when it is left."""

    is_open = True

    def on_leaving(self) -> None:
        self.is_open = False

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.on_leaving()


@caught_by("test_a_store_stays_open_until_it_is_left_as_often_as_entered")
class ClosesWhenItIsFirstLeft(Closing):
    async def append(self, commit: Commit) -> StoredCommit:
        if not self.is_open:
            raise NotRunning("the store was left")
        return await super().append(commit)


@caught_by("test_leaving_a_store_loses_nothing")
class LosesTheLastCommitWhenLeft(Closing):
    def on_leaving(self) -> None:
        if self._log:
            last = self._log[-1].commit
            del self._log[last.position - 1 :]
            del self._streams[last.commit.stream][last.versions[0] - 1 :]


@caught_by("test_leaving_settles_appends_in_flight", hangs=True)
class ForgetsWhoWaitsWhenLeft(Closing):
    async def append(self, commit: Commit) -> StoredCommit:
        await asyncio.sleep(0)
        if not self.is_open:
            await asyncio.get_running_loop().create_future()
        return await super().append(commit)


@caught_by("test_leaving_settles_appends_in_flight")
class AnswersWithoutWritingWhenLeft(Closing):
    async def append(self, commit: Commit) -> StoredCommit:
        await asyncio.sleep(0)
        if not self.is_open:
            return StoredCommit(commit=commit, versions=[1], position=1)
        return await super().append(commit)


@caught_by("test_leaving_settles_appends_in_flight", hangs=True)
class IsNeverLeft(MemoryStore):
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.get_running_loop().create_future()


@caught_by("test_a_checkpoint_names_its_event")
class ForgetsTheEventOfACheckpoint(MemoryStore):
    async def save_checkpoint(
        self, name: str, position: int, *, event_id: str = "", token: int = 0, **rest: Any
    ) -> None:
        await super().save_checkpoint(name, position, token=token, **rest)


@caught_by("test_a_checkpoint_names_its_event")
class KeepsTheEventOfAnEarlierCheckpoint(MemoryStore):
    async def save_checkpoint(
        self, name: str, position: int, *, event_id: str = "", token: int = 0, **rest: Any
    ) -> None:
        earlier = (await self.load_checkpoint(name)).event_id
        await super().save_checkpoint(
            name, position, event_id=event_id or earlier, token=token, **rest
        )


@caught_by("test_a_checkpoint_keeps_later_ranges")
class ForgetsLaterRanges(MemoryStore):
    async def save_checkpoint(self, name: str, position: int, **rest: Any) -> None:
        await super().save_checkpoint(name, position, **{**rest, "done": ()})


@caught_by("test_a_checkpoint_keeps_later_ranges")
class KeepsEarlierRanges(MemoryStore):
    async def save_checkpoint(self, name: str, position: int, **rest: Any) -> None:
        earlier = (await self.load_checkpoint(name)).done
        later = [(first, last) for first, last in earlier if first > position + 1]
        await super().save_checkpoint(name, position, **{"done": later, **rest})


@caught_by("test_ranges_that_do_not_ascend_are_refused")
class TakesAnyRanges(MemoryStore):
    async def save_checkpoint(self, name: str, position: int, **rest: Any) -> None:
        try:
            await super().save_checkpoint(name, position, **rest)
        except InvalidArgument:
            return
