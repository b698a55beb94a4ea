"""A run: writers, a follower, whatever the test does to them, and the check at the end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from random import Random
from subprocess import Popen
from time import monotonic
from typing import NoReturn

import pytest
from attrs import frozen

from eventhus import StreamId
from eventhus.errors import StoreUnavailable
from eventhus.ports import StoredEvent
from eventhus_mongo import MongoStore
from eventhus_testing.servers.processes import Room, room
from tests.adapters.mongo.faults.checker import Acknowledged, violations
from tests.adapters.mongo.faults.journal import Entry, Failed, Refused, entries
from tests.adapters.mongo.faults.writer import LANES, Writer

PATIENCE_S = 60  # far beyond what anything here takes
_ROOT = Path(__file__).parents[4]
_MAIN = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("tests.adapters.mongo.faults.writer", run_name="__main__", alter_sys=True)
"""


@frozen
class Soak:
    """How a run is repeated, and how long it is.

    Attributes:
        seed: What it chooses by.
        factor: How many times as long as in the daily tests.
    """

    seed: int
    factor: int


class Follower:
    """Follows the log and keeps all that it gets.

    Attributes:
        events: All so far.
        writes: How many whole writes of each lane are among them, by ``writer.lane``.
        interruptions: What it was told when the store went away; it went on behind what it had.
    """

    def __init__(self, store: MongoStore) -> None:
        self.events: list[StoredEvent] = []
        self.writes: Counter[str] = Counter()
        self.interruptions: list[StoreUnavailable] = []
        self._store = store

    async def run(self) -> NoReturn:
        """Follow for ever."""
        while True:
            try:
                async with aclosing(self._store.follow(after=self.position)) as pages:
                    async for page in pages:
                        self._take(page.events)
            except StoreUnavailable as unavailable:
                self.interruptions.append(unavailable)

    @property
    def position(self) -> int:
        """Of the last event."""
        return self.events[-1].position if self.events else 0

    def _take(self, batch: Sequence[StoredEvent]) -> None:
        self.events += batch
        for event in batch:
            data = event.event.data
            if data["number"] == data["size"]:
                self.writes[data["key"].rpartition(".")[0]] += 1


class Run:
    """Writers on one bucket, and one follower.

    Attributes:
        bucket: Theirs.
        random: What the test chooses by.
        follower: Follows through a store of its own.
        store: For whatever the test wants to ask.
    """

    def __init__(
        self, *, url: str, bucket: str, seed: int, directory: Path, room: Room, store: MongoStore
    ) -> None:
        self.random = Random(seed)
        self.store = store
        self.follower = Follower(store)
        self._url = url
        self.bucket = bucket
        self._seed = seed
        self._directory = directory
        self._room = room
        self._processes: dict[int, Popen[bytes]] = {}
        self._tasks: dict[int, tuple[Writer, asyncio.Task[None]]] = {}

    def start_process(self, number: int) -> None:
        """Start a writer in a process of its own, or start it again."""
        arguments = [self._url, self.bucket, self._seed, number, self._journal(number)]
        self._processes[number] = self._room.run(
            [sys.executable, "-c", _MAIN, str(_ROOT), *map(str, arguments)], self._log(number)
        )

    def kill_process(self, number: int) -> None:
        """End a writer's process with SIGKILL."""
        self._processes[number].kill()
        self._processes.pop(number).wait()

    def start_task(self, number: int) -> None:
        """Start a writer in this process, with a store of its own."""
        writer = Writer(
            url=self._url,
            bucket=self.bucket,
            seed=self._seed,
            number=number,
            journal=self._journal(number),
        )
        self._tasks[number] = writer, asyncio.create_task(writer.run())

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition, and fail if a writer ends or the time is up.

        Raises:
            AssertionError: It does.
        """
        deadline = monotonic() + PATIENCE_S
        while not condition():
            for number, process in self._processes.items():
                assert process.poll() is None, f"writer {number}: {self._log(number).read_text()}"
            for _, task in self._tasks.values():
                if task.done():
                    task.result()
            assert monotonic() < deadline, (
                f"{what}: not within {PATIENCE_S} s; the follower is at {self.follower.position}"
            )
            await asyncio.sleep(0.005)

    async def progress(self) -> None:
        """Wait until every lane of every writer has gone on.

        Of two writes that a lane stores from now on, it must have been told of the first.
        """
        lanes = [f"{n}.{lane}" for n in [*self._processes, *self._tasks] for lane in range(LANES)]
        before = self.follower.writes.copy()
        await self.until(
            lambda: all(self.follower.writes[lane] >= before[lane] + 2 for lane in lanes),
            "all lanes go on",
        )

    async def growth(self, events: int) -> None:
        """Wait until the log has grown by so many events."""
        position = self.follower.position + events
        await self.until(lambda: self.follower.position >= position, f"position {position}")

    async def finish(self) -> None:
        """Let the writers come to an end, and check what they leave.

        Raises:
            AssertionError: Something is wrong with it; says what.
        """
        for writer, _ in self._tasks.values():
            writer.stop()
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for _, task in self._tasks.values():
            await asyncio.wait_for(task, PATIENCE_S)
        for number, process in self._processes.items():
            code = await asyncio.to_thread(process.wait, PATIENCE_S)
            assert code == 0, f"writer {number}: {self._log(number).read_text()}"
        self._tasks.clear()
        self._processes.clear()

        head = await self.store.head()
        await self.until(lambda: self.follower.position >= head, f"follower at {head}")
        log = await self._whole_log()
        assert head == len(log)
        told = [entry for path in self._directory.glob("*.journal") for entry in entries(path)]
        print(self._summary(told, log))
        found = violations(
            acknowledged=[entry for entry in told if isinstance(entry, Acknowledged)],
            refused=[entry.key for entry in told if isinstance(entry, Refused)],
            log=log,
            followed=self.follower.events,
        )
        found = found or await self._streams(log)
        if found:
            kept = self._directory / "log"
            kept.write_text("".join(f"{event}\n" for event in log))
            kept.with_name("followed").write_text(
                "".join(f"{event}\n" for event in self.follower.events)
            )
            pytest.fail("\n".join([f"{len(found)} violations; see {kept}", *found[:20]]))

    async def _whole_log(self) -> list[StoredEvent]:
        log: list[StoredEvent] = []
        while page := (await self.store.read(after=len(log))).events:
            log += page
        return log

    async def _streams(self, log: Sequence[StoredEvent]) -> list[str]:
        """Where a stream does not hold what the log says it does."""
        streams: dict[StreamId, list[StoredEvent]] = {}
        for event in log:
            streams.setdefault(event.stream, []).append(event)
        return [
            f"stream: {stream} is not what the log holds of it"
            for stream, events in streams.items()
            if events != [*await self.store.history(stream, limit=len(log))]
        ]

    def _summary(self, told: Sequence[Entry], log: Sequence[StoredEvent]) -> str:
        kinds = Counter(type(entry).__name__ for entry in told)
        errors = Counter(
            entry.error.partition("(")[0] for entry in told if isinstance(entry, Failed | Refused)
        )
        return (
            f"{len(log)} events; {dict(kinds)}; writers were told {dict(errors)}; "
            f"the follower was interrupted {len(self.follower.interruptions)} times"
        )

    def _journal(self, number: int) -> Path:
        return self._directory / f"{number}.journal"

    def _log(self, number: int) -> Path:
        return self._directory / f"{number}.log"


@asynccontextmanager
async def running(*, url: str, bucket: str, seed: int, directory: Path) -> AsyncIterator[Run]:
    """A run without writers yet, whose follower follows."""
    with room() as opened:
        async with MongoStore.open(url, bucket) as store, asyncio.TaskGroup() as tasks:
            run = Run(
                url=url, bucket=bucket, seed=seed, directory=directory, room=opened, store=store
            )
            following = tasks.create_task(run.follower.run())
            yield run
            following.cancel()
