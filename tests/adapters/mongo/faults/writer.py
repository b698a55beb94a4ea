"""A writer: sends commits and commands, and remembers in its journal what it was told of each.

Run as a process: ``python -m tests.adapters.mongo.faults.writer URL BUCKET SEED NUMBER JOURNAL``.
It may be killed at any time and started again; on SIGTERM it settles what it has sent and ends.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from attrs import asdict, evolve

from eventhus import Application, ConcurrencyError, Query, StreamId
from eventhus.errors import ConditionFailed, OutcomeUnknown, StoreUnavailable, TooManyConflicts
from eventhus.ports import Commit, Condition, EventData, Part
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from tests.adapters.mongo.faults.checker import Acknowledged
from tests.adapters.mongo.faults.journal import Failed, Journal, Refused, Sent, entries
from tests.adapters.mongo.faults.ledger import Write, Written, ledger

LANES = 3  # writes that a writer has under way at once
PAUSE_S = 0.3  # at most, between two writes of a lane: faults are to be tested, not limits
SHARED = 12  # streams that all writers write to
CLAIMS = 6  # tags in the conditions of all writers
NOW = datetime(2024, 2, 29, tzinfo=UTC)


class Writer:
    """Sends one write after the other in each of its lanes, each until it knows what became of it.

    Some are commits and some are commands; some go to streams that only their lane writes to, and
    some to streams that everybody does. Some commits go to two streams, and some have a condition.
    What they are follows from the seed.
    """

    def __init__(self, *, url: str, bucket: str, seed: int, number: int, journal: Path) -> None:
        self.number = number
        self._seed = seed
        self._store = MongoStore.open(url, bucket)
        self._application = Application(
            bucket=bucket,
            aggregates=[ledger],
            store=self._store,
            codec=CattrsCodec(),
            snapshot_every=50,
        )
        self._journal = Journal(journal)
        self._stopping = False
        self._ends: dict[str, int] = {}  # of streams, as far as this writer has seen them

    def stop(self) -> None:
        """Let ``run`` return once all that was sent is settled."""
        self._stopping = True

    async def run(self) -> None:
        """Write until stopped, from where the journal ends."""
        last: dict[int, Sent] = {}
        settled: set[str] = set()
        for entry in entries(self._journal.path):
            match entry:
                case Sent():
                    last[entry.lane] = entry
                case Acknowledged() | Refused():
                    settled.add(entry.key)
                case Failed():
                    pass  # it is to be sent again
        async with self._application, asyncio.TaskGroup() as lanes:
            for lane in range(LANES):
                sent = last.get(lane)
                is_settled = sent is None or sent.key in settled
                _ = lanes.create_task(self._run_lane(lane, sent, is_settled))
        self._journal.close()

    async def _run_lane(self, lane: int, sent: Sent | None, is_settled: bool) -> None:
        count = 0 if sent is None else int(sent.key.rpartition(".")[2])
        if sent is not None and not is_settled:
            await self._settle(sent, was_sent=True)
        while not self._stopping:
            count += 1
            write = await self._next(lane, f"{self.number}.{lane}.{count}")
            self._journal.add(write)
            await self._settle(write, was_sent=False)
            await asyncio.sleep(self._random(f"{write.key} settled").uniform(0, PAUSE_S))

    async def _next(self, lane: int, key: str) -> Sent:
        random = self._random(key)
        own = f"own-{self.number}-{lane}"
        shared = f"shared-{random.randrange(SHARED)}"
        stream = random.choice([own, shared])
        size = random.randint(1, 5)
        if random.random() < 0.5:
            return Sent(key=key, lane=lane, stream=stream, size=size, how="dispatch", after=None)
        exact = stream == own or random.random() < 0.5
        after = await self._end(stream) if exact else None
        write = Sent(key=key, lane=lane, stream=stream, size=size, how="append", after=after)
        if random.random() < 0.3:
            others = [f"shared-{number}" for number in range(SHARED)]
            write = evolve(write, second=random.choice([each for each in others if each != stream]))
        if random.random() < 0.3:
            claim = f"claim-{random.randrange(CLAIMS)}"
            write = evolve(write, claim=claim, above=await self._looked_at(claim))
        return write

    async def _settle(self, write: Sent, *, was_sent: bool) -> None:
        """Send a write until it is known what became of it.

        Args:
            write: The write.
            was_sent: Whether it may be stored already.
        """
        random = self._random(f"{write.key} sent {was_sent}")
        while True:
            try:
                answer = await self._send(write)
            except OutcomeUnknown as unknown:
                was_sent = True
                self._journal.add(Failed(key=write.key, error=repr(unknown)))
            except (StoreUnavailable, TooManyConflicts) as error:
                if not was_sent and random.random() < 0.5:
                    # It says that nothing was stored: the checker takes it at its word.
                    self._journal.add(Refused(key=write.key, error=repr(error)))
                    return
                self._journal.add(Failed(key=write.key, error=repr(error)))
            except ConditionFailed as conflict:
                self._journal.add(Refused(key=write.key, error=repr(conflict)))
                return
            except ConcurrencyError as conflict:
                if not write.stream.startswith("shared"):
                    raise AssertionError("nobody else writes to this stream") from conflict
                self._journal.add(Refused(key=write.key, error=repr(conflict)))
                return
            else:
                self._journal.add(answer)
                size = answer.size - (answer.second is not None)
                self._ends[answer.stream] = answer.version + size - 1
                if random.random() > 0.05:
                    return
                was_sent = True  # send it once more, for the same answer

    async def _send(self, write: Sent) -> Acknowledged:
        if write.how == "dispatch":
            command = Write(aggregate_id=write.stream, key=write.key, size=write.size)
            committed = await self._application.dispatch(command, command_id=write.key)
            first = committed.events[0]
            versions = [first.version]
            position, size = first.position, len(committed.events)
        else:
            stored = await self._store.append(commit_of(write))
            versions = [*stored.versions]
            position, size = stored.position, len(stored.commit.events)
        return Acknowledged(
            key=write.key,
            stream=write.stream,
            size=size,
            version=versions[0],
            position=position,
            second=versions[1] if len(versions) > 1 else None,
        )

    async def _looked_at(self, claim: str) -> int:
        """The position up to which this writer knows which events have a tag."""
        while True:
            try:
                return (await self._store.read(Query.of(tags={claim}))).position
            except StoreUnavailable:
                continue

    async def _end(self, stream: str) -> int:
        """The version that a stream ends at."""
        end = self._ends.get(stream, 0)
        if stream.startswith("own") and end > 0:
            return end
        while True:
            try:
                page = await self._store.load(StreamId(ledger.name, stream), after_version=end)
            except StoreUnavailable:
                continue
            if not page.events:
                self._ends[stream] = end
                return end
            end = page.version

    def _random(self, key: str) -> Random:
        return Random(f"{self._seed}/{key}")


def commit_of(write: Sent) -> Commit:
    """The same commit each time."""
    second = 1 if write.second else 0
    tags = {write.claim} if write.claim else ()
    events = [
        Written(
            key=write.key,
            number=number,
            size=write.size + second,
            after=write.after,
            second=second,
            claim=write.claim,
            above=write.above,
        )
        for number in range(1, write.size + second + 1)
    ]
    data = [EventData(Written.__name__, asdict(event), tags=frozenset(tags)) for event in events]
    parts = [
        Part(
            stream=StreamId(ledger.name, write.stream),
            events=data[: write.size],
            expected_version=write.after,
        )
    ]
    if write.second:
        stream = StreamId(ledger.name, write.second)
        parts.append(Part(stream=stream, events=data[write.size :], expected_version=None))
    condition = None
    if write.claim:
        condition = Condition(query=Query.of(tags=tags), after=write.above)
    return Commit(id=write.key, parts=parts, condition=condition, recorded_at=NOW)


async def main(url: str, bucket: str, seed: str, number: str, journal: str) -> None:
    """Write until SIGTERM."""
    writer = Writer(
        url=url, bucket=bucket, seed=int(seed), number=int(number), journal=Path(journal)
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, writer.stop)
    await writer.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
