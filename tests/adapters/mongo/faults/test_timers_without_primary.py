"""Deadlines stay exact while the primary is lost or replaced under load."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from random import Random
from subprocess import Popen

from eventhus import Application, Command, Metadata, Rejected
from eventhus.errors import OutcomeUnknown, StoreUnavailable, TooManyConflicts
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.servers import MongoReplicaSet, unused_name
from eventhus_testing.servers.processes import Room, room
from tests.adapters.mongo.faults.dunning import COMMAND, fates, unsettled, violations
from tests.adapters.mongo.faults.primary import FAULTS, replicated
from tests.adapters.mongo.faults.run import PATIENCE_S, Soak
from tests.adapters.mongo.faults.test_killed_timers import command, expire, handled, worker
from tests.adapters.mongo.support import async_client
from tests.bank import Deposit, Open, Rename, account, note

WRITERS = 3
WORKERS = 2
BURST = [f"b{number}" for number in range(40)]
ACROSS_MS = 2000  # far longer than it takes a fault to begin


class Load:
    """Writers in this process, and workers in others, on one bucket.

    Attributes:
        bucket: Theirs.
        told: How many events each command has led to, as its writer was told.
        errors: What writers were told instead, by class; they sent the command again.
    """

    def __init__(self, app: Application, url: str, bucket: str, random: Random, path: Path) -> None:
        self.bucket = bucket
        self.told: dict[str, int] = {}
        self.errors = Counter[str]()
        self._app = app
        self._url = url
        self._random = random
        self._path = path
        self._running: list[Popen[bytes]] = []
        self._writing: list[asyncio.Task[None]] = []
        self._is_over = False

    async def start(self, workers: Room) -> None:
        """Start to write, and start the workers."""
        for number in range(WRITERS):
            writing = self._write(number, Random(self._random.random()))
            self._writing.append(asyncio.create_task(writing))
        for number in range(WORKERS):
            self._running.append(
                workers.run(worker(self._url, self.bucket), self._path / f"{number}.log")
            )
        await self.progress()

    async def progress(self) -> None:
        """Wait until the workers have gone over more events."""
        async with asyncio.timeout(PATIENCE_S):
            wanted = await self._position() + self._random.randint(1, 60)
            while await self._position() < wanted:
                for number, each in enumerate(self._running):
                    assert each.poll() is None, (self._path / f"{number}.log").read_text()
                assert not any(each.done() for each in self._writing)
                await asyncio.sleep(0.005)

    async def send(self, sent: Command, command_id: str) -> None:
        """Send a command until it is known what became of it."""
        metadata = Metadata(values={COMMAND: command_id})
        while True:
            try:
                committed = await self._app.dispatch(sent, command_id=command_id, metadata=metadata)
            except Rejected:
                self.told[command_id] = 0
                return
            except (StoreUnavailable, OutcomeUnknown, TooManyConflicts) as error:
                self.errors[type(error).__name__] += 1
            else:
                self.told[command_id] = len(committed.events)
                return

    async def burst(self, number: int) -> None:
        """Return once the workers are amid reactions to many deadlines that pass at once."""
        commands = {key: Rename(aggregate_id=key, owner=str(number % 2)) for key in BURST}
        async with asyncio.TaskGroup() as tasks:
            for key, each in commands.items():
                tasks.create_task(self.send(each, f"{key} {number}"))
        wanted = await self._position() + 1
        async with asyncio.timeout(PATIENCE_S):
            while await self._position() < wanted:
                await asyncio.sleep(0.001)

    async def head(self) -> int:
        """Return the position of the last event."""
        while True:
            with suppress(StoreUnavailable):
                return await self._app._store.head()

    async def stop(self) -> None:
        """Let the writers settle what they have sent."""
        self._is_over = True
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*self._writing)

    async def _write(self, number: int, random: Random) -> None:
        for each in count():
            if self._is_over:
                return
            await self.send(command(random), f"{number}.{each}")
            await asyncio.sleep(0.03)  # leaves the workers a share of the machine

    async def _position(self) -> int:
        while True:
            with suppress(StoreUnavailable):
                return (await self._app._store.load_checkpoint("process_dunning")).position


@asynccontextmanager
async def loaded(url: str, bucket: str, random: Random, path: Path) -> AsyncIterator[Load]:
    app = Application(
        bucket=bucket,
        aggregates=[account, note],
        store=MongoStore.open(url, bucket),
        codec=CattrsCodec(),
    )
    with room() as workers:
        async with app:
            load = Load(app, url, bucket, random, path)
            await load.start(workers)
            yield load
            await load.progress()
            await load.stop()
    async with async_client(url) as client:
        await expire(client, bucket)


async def test_timers_while_the_primary_is_replaced(
    replica_set: MongoReplicaSet, soak: Soak, tmp_path: Path
) -> None:
    """Two workers go on by themselves; a deadline passes, and another is cancelled, in each fault.

    Each short run has another fault.
    """
    random, heads = Random(soak.seed), list[int]()
    url, bucket = f"{replica_set.url}&timeoutMS=3000", unused_name()
    first = random.randrange(len(FAULTS))
    faults = [FAULTS[(first + number) % len(FAULTS)] for number in range(soak.factor)]
    async with loaded(url, bucket, random, tmp_path) as load:
        for key in ("late", "spared", *BURST):
            await load.send(Open(aggregate_id=key, owner="2"), f"{key} opened")
        for number, fault in enumerate(faults):
            primary = await asyncio.to_thread(replica_set.wait_for_primary)
            in_time = Rename(aggregate_id="spared", owner=str(PATIENCE_S * 1000 + number))
            await load.send(in_time, f"spared {number}")
            late = Rename(aggregate_id="late", owner=str(ACROSS_MS + number))
            await load.send(late, f"late {number}")
            await load.burst(number)
            heads.append(await load.head())
            print(f"{fault.__name__} at position {heads[-1]}")
            async with asyncio.TaskGroup() as tasks:
                cancelling = Deposit(aggregate_id="spared", amount=1)
                tasks.create_task(load.send(cancelling, f"spared {number} cancelled"))
                await fault(primary, load, replica_set)
            await replicated(replica_set)
    log = await handled(url, bucket)
    kinds = Counter(type(each.event).__name__ for each in log)
    print(f"{len(faults)} faults, {len(load.told)} commands, {len(log)} events: {dict(kinds)}")
    print(f"writers were told {dict(load.errors)}")
    assert [] == violations(log) + unsettled(load.told, log)
    for head in heads:
        met = fates(log, head)
        print(f"deadlines that were armed at position {head}: {dict(met)}")
        assert met["reached"] > 0
        assert met["cancelled"] > 0
