"""Conditional commits of several processes admit what there is room for, whatever happens."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from subprocess import Popen
from time import monotonic

import pytest

from eventhus.ports import StoredEvent
from eventhus_mongo import MongoStore
from eventhus_testing.conformance.store.seat_race import Attempt, violations
from eventhus_testing.servers import MongoReplicaSet, unused_name
from eventhus_testing.servers.processes import Room, room
from tests.adapters.mongo.faults.primary import FAULTS, replicated
from tests.adapters.mongo.faults.racer import RACERS, attempts
from tests.adapters.mongo.faults.run import PATIENCE_S, Soak

_ROOT = Path(__file__).parents[4]
_MAIN = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("tests.adapters.mongo.faults.racer", run_name="__main__", alter_sys=True)
"""


class Race:
    """Racing processes on one bucket.

    Attributes:
        bucket: Theirs.
        random: What the test chooses by.
    """

    def __init__(self, *, url: str, bucket: str, seed: int, directory: Path, room: Room) -> None:
        self.bucket = bucket
        self.random = Random(seed)
        self._url = url
        self._directory = directory
        self._room = room
        self._processes: dict[int, Popen[bytes]] = {}
        self._started = 0
        self._settled: Counter[int] = Counter()  # attempts, by process
        self._read: Counter[int] = Counter()  # bytes of journals, by process

    def start(self, number: int) -> None:
        """Start a process, or start it again."""
        self._started += 1
        seed = f"{self.random.random()}.{self._started}"
        arguments = [self._url, self.bucket, seed, self._path(number, "journal")]
        self._processes[number] = self._room.run(
            [sys.executable, "-c", _MAIN, str(_ROOT), *map(str, arguments)],
            self._path(number, "log"),
        )

    def kill_one(self) -> None:
        """End a process with SIGKILL, and start it again."""
        number = self.random.choice([*self._processes])
        self._processes[number].kill()
        self._processes.pop(number).wait()
        self.start(number)

    async def settled(self, more: int) -> None:
        """Wait until so many more conditional commits are stored or refused."""
        wanted = self._counted().total() + more
        await self._until(lambda: self._counted().total() >= wanted, f"{wanted} attempts")

    async def progress(self) -> None:
        """Wait until each process has settled more than it can have had under way."""
        wanted = self._counted() + Counter(dict.fromkeys(self._processes, RACERS + 1))
        await self._until(lambda: self._counted() >= wanted, "all processes go on")

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition.

        Raises:
            AssertionError: A process ended, or nothing was settled for too long.
        """
        deadline, before = monotonic() + PATIENCE_S, 0
        while not condition():
            for number, process in self._processes.items():
                message = self._path(number, "log").read_text()
                assert process.poll() is None, f"racer {number}: {message}"
            if (count := self._settled.total()) > before:
                deadline, before = monotonic() + PATIENCE_S, count
            assert monotonic() < deadline, f"{what}: {self._settled} are settled"
            await asyncio.sleep(0.05)

    async def finish(self) -> None:
        """Let the processes come to an end, and check what they leave.

        Raises:
            AssertionError: Something is wrong with it; says what.
        """
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for number, process in self._processes.items():
            code = await asyncio.to_thread(process.wait, PATIENCE_S)
            assert code == 0, f"racer {number}: {self._path(number, 'log').read_text()}"
        self._processes.clear()
        told = [each for path in self._directory.glob("*.journal") for each in attempts(path)]
        log = await self._whole_log()
        print(f"{len(log)} events; {dict(Counter(each.outcome for each in told))}")
        if found := violations(told, log):
            kept = self._directory / "whole_log"
            kept.write_text("".join(f"{event}\n" for event in log))
            pytest.fail("\n".join([f"{len(found)} violations; see {kept}", *found[:20]]))
        _had_conflicts(told)

    async def _whole_log(self) -> Sequence[StoredEvent]:
        log: list[StoredEvent] = []
        async with MongoStore.open(self._url, self.bucket) as store:
            while not (page := await store.read(after=len(log))).is_last:
                log += page.events
            return [*log, *page.events]

    def _counted(self) -> Counter[int]:
        """Return how many attempts each process has settled, by what it noted since."""
        for number in self._processes:
            if (path := self._path(number, "journal")).exists():
                with path.open("rb") as journal:
                    journal.seek(self._read[number])
                    noted = journal.read()
                self._read[number] += len(noted)
                self._settled[number] += noted.count(b'ed"')  # stored or refused
        return self._settled.copy()

    def _path(self, number: int, kind: str) -> Path:
        return self._directory / f"{number}.{kind}"


def _had_conflicts(told: Sequence[Attempt]) -> None:
    outcomes = Counter(each.outcome for each in told)
    assert outcomes["refused"] > outcomes["stored"] / 20, f"hardly any conflict: {outcomes}"


@asynccontextmanager
async def racing(
    *, url: str, bucket: str, seed: int, directory: Path, processes: int
) -> AsyncIterator[Race]:
    """Run a race, and check it at the end."""
    with room() as opened:
        race = Race(url=url, bucket=bucket, seed=seed, directory=directory, room=opened)
        for number in range(processes):
            race.start(number)
        await race.progress()
        yield race
        await race.progress()
        await race.finish()


async def test_killed_racers(mongo_url: str, mongo_bucket: str, soak: Soak, tmp_path: Path) -> None:
    """Two processes, or one to four in a long run; one is killed with SIGKILL now and then."""
    short = soak.factor == 1
    async with racing(
        url=mongo_url,
        bucket=mongo_bucket,
        seed=soak.seed,
        directory=tmp_path,
        processes=2 if short else 1,
    ) as race:
        for number in range(1 if short else 4):
            if number > 0:
                race.start(number)
            for _ in range(2 if short else soak.factor):
                await race.settled(100 if short else 2_500)
                race.kill_one()


async def test_racers_and_a_replaced_primary(
    replica_set: MongoReplicaSet, soak: Soak, tmp_path: Path
) -> None:
    """The primary is killed, paused, stepped down or cut off; some racers are killed, too."""
    async with racing(
        url=f"{replica_set.url}&timeoutMS=3000",
        bucket=unused_name(),
        seed=soak.seed,
        directory=tmp_path,
        processes=2 if soak.factor == 1 else 4,
    ) as race:
        short = soak.factor == 1
        for fault in [race.random.choice(FAULTS)] if short else FAULTS * (soak.factor // 2 or 1):
            primary = await asyncio.to_thread(replica_set.wait_for_primary)
            await race.settled(50 if short else 1000)
            race.kill_one()
            print(f"{fault.__name__} begins")
            await fault(primary, race, replica_set)
            await replicated(replica_set)
