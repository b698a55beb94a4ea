"""Handlers under fire: what was not acknowledged comes again, and order is kept."""

import asyncio
from pathlib import Path

from eventhus_testing.servers import nats_server
from tests.adapters.mongo.faults.run import Soak
from tests.adapters.nats.faults.support import WINDOW_MS, worker, writing


def effects(file: Path) -> list[tuple[str, int, int]]:
    """What handlers have noted: aggregate, version, attempt."""
    if not file.exists():
        return []
    lines = [line.split() for line in file.read_text().splitlines()]
    return [(aggregate_id, int(version), int(attempt)) for aggregate_id, version, attempt in lines]


async def complete(file: Path, events: int) -> None:
    """Wait until every event was handled at least once."""
    async with asyncio.timeout(90):
        while len({each[:2] for each in effects(file)}) < events:
            await asyncio.sleep(0.1)


async def handled_more(file: Path, by: int) -> None:
    """Wait until so many more events were handled."""
    goal = len(effects(file)) + by
    async with asyncio.timeout(60):
        while len(effects(file)) < goal:
            await asyncio.sleep(0.05)


async def test_a_handler_that_is_killed_behind_its_effect(
    mongo_url: str, bucket: str, nats_url: str, tmp_path: Path, soak: Soak
) -> None:
    """Its event comes again, marked, to the member that takes over; each aggregate in order."""
    file = tmp_path / "effects"
    arguments = ("handle", mongo_url, nats_url, bucket, str(WINDOW_MS), str(file))
    with worker(*arguments, "50") as first:
        assert first.stdout is not None
        assert "ready\n" == await asyncio.to_thread(first.stdout.readline)
        async with writing(mongo_url, bucket, soak.seed) as store:
            assert "hanging\n" == await asyncio.to_thread(first.stdout.readline)
            hanging = effects(file)[49]
            first.kill()
            with worker(*arguments, "-1"):
                await handled_more(file, 100 * soak.factor)
        async with store:
            with worker(*arguments, "-1"):
                await complete(file, await store.head())
                async with asyncio.timeout(90):
                    while [each[:2] for each in effects(file)].count(hanging[:2]) < 2:
                        await asyncio.sleep(0.1)
    found = effects(file)
    again = [each for each in found if each[:2] == hanging[:2]]
    assert (1, True) == (again[0][2], again[1][2] > 1)
    check_order(found)
    print(f"{len({each[:2] for each in found})} events, {len(found)} effects")


async def test_a_bus_that_is_restarted_under_handlers(
    mongo_url: str, bucket: str, nats_executable: Path, tmp_path: Path, soak: Soak
) -> None:
    """Nothing is lost, and what comes again comes behind nothing newer."""
    file = tmp_path / "effects"
    with nats_server() as server:
        arguments = ("handle", mongo_url, server.url, bucket, str(WINDOW_MS), str(file), "-1")
        with worker(*arguments) as handler:
            assert handler.stdout is not None
            assert "ready\n" == await asyncio.to_thread(handler.stdout.readline)
            async with writing(mongo_url, bucket, soak.seed) as store:
                for number in range(2 * soak.factor):
                    await handled_more(file, 100)
                    await asyncio.to_thread(server.stop if number % 2 else server.kill)
                    await asyncio.to_thread(server.start)
            async with store:
                await complete(file, await store.head())
    found = effects(file)
    check_order(found)
    print(f"{len({each[:2] for each in found})} events, {len(found)} effects")


def check_order(found: list[tuple[str, int, int]]) -> None:
    """The first time that each event is handled, those before it of its aggregate have been."""
    last: dict[str, int] = {}
    for aggregate_id, version, _ in found:
        if version > last.get(aggregate_id, 0):
            assert version == last.get(aggregate_id, 0) + 1
            last[aggregate_id] = version
