"""Groups on JetStream and a bus that is away, as operations show them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eventhus import Recorded, Replayed
from eventhus.errors import InvalidArgument, ReaderBusy
from eventhus.operations import Health, Operations, ReaderStatus, health
from eventhus_memory import MemoryStore
from eventhus_nats import NatsBus
from eventhus_testing.servers import nats_server
from tests.adapters.nats.support import until_so
from tests.adapters.nats.test_wire import Create, bank


async def group_of(operations: Operations) -> ReaderStatus:
    """Return the status of the only group."""
    (found,) = [each for each in await operations.readers() if each.kind == "group"]
    return found


async def test_a_group_its_dead_letters_and_its_place_are_shown_and_mended(
    nats_url: str, nats_bucket: str
) -> None:
    refused = {"Ada"}

    async def handle(recorded: Recorded[Any]) -> None:
        if recorded.event.owner in refused:
            raise ValueError("not Ada")

    async with bank(NatsBus.open(nats_url, nats_bucket), MemoryStore()) as app:
        subscription = await app.subscribe(handle, group="billing", attempts=1, start="beginning")
        for owner in ("Ada", "Bob", "Cy"):
            await app.dispatch(Create(aggregate_id=owner, owner=owner))
        operations = Operations(app)

        async def all_is_handled() -> bool:
            group = await group_of(operations)
            return (group.position, group.waiting, group.dead_letters) == (3, 0, 1)

        await until_so(all_is_handled)
        found = await operations.health()
        assert (("group billing has 1 dead letter",), True) == (found.problems, found.is_live)
        (letter,) = await operations.dead_letters("billing")
        assert ({"owner": "Ada"}, "ValueError", 1) == (
            letter.body["data"],
            letter.error,
            letter.position,
        )
        refused.clear()
        assert Replayed(handled=1, failed=0) == await operations.replay("billing")
        assert (await operations.health()).is_healthy
        with pytest.raises(InvalidArgument, match="no group 'shipping'; there are: billing"):
            await operations.dead_letters("shipping")
        with pytest.raises(ReaderBusy):
            await operations.move("billing", 1)
        await subscription.close()
        await operations.move("billing", 1)
        group = await group_of(operations)
        assert (1, 2, False) == (group.position, group.waiting, group.is_declared)
        assert group.waiting_since is not None


async def test_a_bus_that_is_away_and_a_relay_behind_are_problems(
    nats_executable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "ANSWER_S", 0.5)
    with nats_server() as server:
        async with bank(NatsBus.open(server.url, "bank"), MemoryStore()) as app:
            operations = Operations(app)
            seen: list[Health] = []

            async def is_reported(*problems: str) -> bool:
                seen.append(await operations.health())
                return all(each in "; ".join(seen[-1].problems) for each in problems)

            async def is_healthy() -> bool:
                return (await operations.health()).is_healthy

            await until_so(is_healthy)
            server.pause()
            try:
                await app.dispatch(Create(aggregate_id="a", owner="Ada"))
                await until_so(lambda: is_reported("the bus did not answer", "relay fails"))
                assert (True, True, 1) == (seen[-1].is_live, seen[-1].is_ready, seen[-1].head)
            finally:
                server.resume()
            await until_so(is_healthy)
