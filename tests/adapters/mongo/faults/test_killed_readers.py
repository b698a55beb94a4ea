"""Workers that are killed amid whatever they do leave views and processes that are right."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from eventhus import Application, Command, Process, Recorded, Rejected
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.servers.processes import room
from tests.adapters.mongo.faults.run import Soak
from tests.adapters.mongo.support import Client, async_client
from tests.adapters.mongo.test_bank import followed
from tests.bank import Deposit, Open, Scribble, Withdraw, account, note
from tests.core.readers import Balance, balances, caught_up, odd, welcome

KILLS = 6
ACCOUNTS = [f"a{number}" for number in range(8)]
_ROOT = Path(__file__).parents[4]
_WORKER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from tests.adapters.mongo.faults.test_killed_readers import bank
asyncio.run(bank(*sys.argv[2:]).run())
"""


def bank(url: str, bucket: str) -> Application:
    """The bank, with all that follows from what happens in it."""
    return Application(
        bucket=bucket,
        aggregates=[account, note],
        views=[balances],
        processes=[welcome, odd],
        store=MongoStore.open(url, bucket),
        codec=CattrsCodec(),
    )


async def test_killed_readers(
    mongo_url: str, mongo_bucket: str, soak: Soak, tmp_path: Path
) -> None:
    """One worker at a time is killed with SIGKILL, and the next one goes on."""
    random = Random(soak.seed)
    worker = [sys.executable, "-c", _WORKER, str(_ROOT), mongo_url, mongo_bucket]
    quiet = Application(
        bucket=mongo_bucket,
        aggregates=[account, note],
        store=MongoStore.open(mongo_url, mongo_bucket),
        codec=CattrsCodec(),
    )
    with room() as workers:
        async with async_client(mongo_url) as client, quiet:
            writing = asyncio.create_task(_write(quiet, Random(soak.seed)))
            for number in range(KILLS * soak.factor):
                log = tmp_path / f"{number}.log"
                process = workers.run(worker, log)
                await _progress(client, mongo_bucket, random.randint(1, 60), writing)
                assert process.poll() is None, log.read_text()
                process.kill()
                await asyncio.to_thread(process.wait)
                # Its leases would run out within seconds.
                await client[mongo_bucket].leases.update_many(
                    {}, {"$set": {"until": datetime(2000, 1, 1, tzinfo=UTC)}}
                )
            writing.cancel()
            await asyncio.wait([writing])
        async with bank(mongo_url, mongo_bucket) as app:
            await caught_up(app, welcome, odd)
            await app.caught_up(balances)
            events = await followed(app, to=await app._store.head())
            print(f"{KILLS * soak.factor} kills, {len(events)} events")
            for key in ACCOUNTS:
                assert (key, folded(key, events)) == (key, await app.view(balances, key))
    assert _expected(welcome, events) + _expected(odd, events) == _answered(events)


async def _write(app: Application, random: Random) -> None:
    while True:
        aggregate_id = random.choice(ACCOUNTS)
        commands: list[Command] = [
            Open(aggregate_id=aggregate_id),
            Deposit(aggregate_id=aggregate_id, amount=random.randint(1, 9)),
            Withdraw(aggregate_id=aggregate_id, amount=random.randint(1, 9)),
        ]
        with suppress(Rejected):
            await app.dispatch(random.choice(commands))
        await asyncio.sleep(0.01)  # leaves the workers a share of the machine


async def _progress(client: Client, bucket: str, events: int, writing: asyncio.Task[None]) -> None:
    """Wait until the worker has gone over so many more events, in each of its tasks."""
    checkpoints = client[bucket].checkpoints

    async def positions() -> dict[str, int]:
        return {each["_id"]: each["position"] async for each in checkpoints.find()}

    before = Counter(await positions())
    wanted = {
        name: before[name] + events for name in ("view_balances", "process_welcome", "process_odd")
    }
    async with asyncio.timeout(60):
        while Counter(wanted) - Counter(await positions()):  # what some are short of
            assert not writing.done()
            await asyncio.sleep(0.005)


def folded(key: str, log: Sequence[Recorded[Any]]) -> Balance | None:
    value: Balance | None = None
    for recorded in log:
        if type(recorded.event) in balances.events and key in balances.keys(recorded):
            value = balances.next(key, value, recorded)
    return value


def _expected(process: Process[Any, Any], log: Sequence[Recorded[Any]]) -> Counter[tuple[str, str]]:
    """What each event must have led to, but for what is always refused: its id, and where."""
    states: dict[str, Any] = {}
    expected: Counter[tuple[str, str]] = Counter()
    for recorded in log:
        if type(recorded.event) not in process.events:
            continue
        for key in process.keys(recorded):
            state = process.next(key, states.get(key, process.initial), recorded)
            states[key] = state
            for command in process.reacted(key, state, recorded):
                if isinstance(command, Command) and not isinstance(command, Withdraw):
                    aggregate = note if isinstance(command, Scribble) else account
                    expected[recorded.id, f"{aggregate.name}/{command.aggregate_id}"] += 1
    return expected


def _answered(log: Sequence[Recorded[Any]]) -> Counter[tuple[str, str]]:
    return Counter(
        (each.metadata.causation_id, str(each.stream))
        for each in log
        if each.metadata.causation_id is not None
    )
