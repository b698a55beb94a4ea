"""Handlers without a bus lose nothing and keep the order, whatever becomes of their processes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from subprocess import Popen
from typing import Any

from eventhus import Application, Delivered, Recorded, Rejected, Replayed
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.servers.processes import Room, room
from tests.adapters.mongo.faults.run import PATIENCE_S, Soak
from tests.adapters.mongo.support import Client, async_client
from tests.adapters.mongo.test_bank import followed
from tests.bank import Deposit, Deposited, Open, Withdraw, account, note

ROUNDS = 8
WORKERS = 2
ACCOUNTS = [f"a{number}" for number in range(8)]
POISON = 9
_ROOT = Path(__file__).parents[4]
_WORKER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from tests.adapters.mongo.faults.test_killed_handlers import work
asyncio.run(work(*sys.argv[2:]))
"""


def bank(url: str, bucket: str) -> Application:
    return Application(
        bucket=bucket,
        aggregates=[account, note],
        store=MongoStore.open(url, bucket),
        codec=CattrsCodec(),
    )


def noting(journal: str | Path) -> Callable[[Delivered[Any]], Awaitable[None]]:
    """Return a handler that notes each event once it is handled, and fails on poison."""
    # Once a write returns, SIGKILL does not take it away, and the lines of processes do not mix.
    file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    random = Random()

    async def handle(delivered: Delivered[Any]) -> None:
        await asyncio.sleep(random.random() * 0.01)
        if delivered.event.amount == POISON:
            raise ValueError("poison")
        os.write(file, f"{json.dumps([str(delivered.stream), delivered.version])}\n".encode())

    return handle


async def subscribed(app: Application, journal: str | Path) -> None:
    await app.subscribe(
        noting(journal),
        group="mailer",
        types=[Deposited],
        start="beginning",
        concurrency=len(ACCOUNTS) // 2,
        attempts=2,
    )


async def work(url: str, bucket: str, journal: str) -> None:
    """Handle events until the end of the process."""
    async with bank(url, bucket) as app:
        await subscribed(app, journal)
        await app.run()


async def test_killed_handlers(
    mongo_url: str, mongo_bucket: str, soak: Soak, tmp_path: Path
) -> None:
    """Of two workers, one is killed with SIGKILL, or both are made to work at once."""
    random, journal = Random(soak.seed), tmp_path / "journal"
    worker = [sys.executable, "-c", _WORKER, str(_ROOT), mongo_url, mongo_bucket, str(journal)]
    with room() as workers:
        running = [_start(workers, worker, tmp_path) for _ in range(WORKERS)]
        async with async_client(mongo_url) as client, bank(mongo_url, mongo_bucket) as quiet:
            writing = asyncio.create_task(_write(quiet, Random(soak.seed)))
            for number in range(ROUNDS * soak.factor):
                await _growth(journal, random.randint(1, 100), [writing], running)
                if number % 2:
                    victim = running.pop(random.randrange(len(running)))
                    victim.kill()
                    await asyncio.to_thread(victim.wait)
                    running.append(_start(workers, worker, tmp_path))
                await _expire(client, mongo_bucket)
            await _growth(journal, 1, [writing], running)
            writing.cancel()
            await asyncio.wait([writing])
        for process in running:
            process.kill()
            await asyncio.to_thread(process.wait)
    async with async_client(mongo_url) as client:
        await _expire(client, mongo_bucket)
        async with bank(mongo_url, mongo_bucket) as app:
            await subscribed(app, journal)
            head = await app._store.head()
            async with asyncio.timeout(PATIENCE_S):
                while (await app._store.load_checkpoint("group_mailer")).position < head:
                    await asyncio.sleep(0.01)
            await _check(app, await followed(app, to=head), journal)


async def _check(app: Application, log: Sequence[Recorded[Any]], journal: Path) -> None:
    deposits = [each for each in log if isinstance(each.event, Deposited)]
    poisoned = [each for each in deposits if each.event.amount == POISON]
    noted = [tuple(json.loads(line)) for line in journal.read_text().splitlines()]
    letters = await app.dead_letters(group="mailer", limit=len(log) + 1)
    print(f"{len(deposits)} deposits, {len(poisoned)} poisoned, handled {len(noted)} times")
    for key in ACCOUNTS:
        stream = f"Account/{key}"
        sound = [
            (stream, each.version)
            for each in deposits
            if str(each.stream) == stream and each.event.amount != POISON
        ]
        assert sound == [*dict.fromkeys(each for each in noted if each[0] == stream)]
        assert [each.id for each in poisoned if str(each.stream) == stream] == [
            each.id for each in letters if str(each.stream) == stream
        ]
    assert {("ValueError", "poison", 2)} == {(e.error, e.reason, e.attempts) for e in letters}

    replayed: list[str] = []

    async def mended(delivered: Delivered[Any]) -> None:
        replayed.append(delivered.id)

    assert Replayed(handled=len(letters), failed=0) == await app.replay(mended, group="mailer")
    assert [each.id for each in letters] == replayed
    assert [] == await app.dead_letters(group="mailer")


def _start(workers: Room, command: Sequence[str], directory: Path) -> Popen[bytes]:
    return workers.run(command, directory / "workers.log")


async def _write(app: Application, random: Random) -> None:
    while True:
        aggregate_id, amount = random.choice(ACCOUNTS), random.randint(1, POISON)
        command = random.choice(
            [
                Open(aggregate_id=aggregate_id),
                Withdraw(aggregate_id=aggregate_id, amount=amount),
                *[Deposit(aggregate_id=aggregate_id, amount=amount)] * 4,
            ]
        )
        with suppress(Rejected):
            await app.dispatch(command)
        await asyncio.sleep(0.005)  # leaves the workers a share of the machine


async def _growth(
    journal: Path,
    lines: int,
    tasks: Sequence[asyncio.Task[None]],
    running: Sequence[Popen[bytes]],
) -> None:
    """Wait until so many more events were handled."""

    def noted() -> int:
        return journal.read_text().count("\n") if journal.exists() else 0

    before = noted()
    async with asyncio.timeout(PATIENCE_S):
        while noted() < before + lines:
            assert not any(task.done() for task in tasks)
            assert all(process.poll() is None for process in running)
            await asyncio.sleep(0.005)


async def _expire(client: Client, bucket: str) -> None:
    """Make every lease run out now, as it would within seconds."""
    await client[bucket].leases.update_many(
        {}, {"$set": {"until": datetime(2000, 1, 1, tzinfo=UTC)}}
    )
