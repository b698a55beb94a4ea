"""Dead letters on JetStream: where they are, and that they wait for somebody."""

from typing import Any

from eventhus import Recorded, Replayed
from eventhus_memory import MemoryStore
from eventhus_nats import NatsBus
from eventhus_testing.conformance.bus_harness import messages
from tests.nats.support import plain, until
from tests.nats.test_wire import Create, bank


async def test_from_failure_to_replay(nats_url: str, nats_bucket: str) -> None:
    """On the group's subject with the error in its headers; a later process handles it."""
    store = MemoryStore()
    handled: list[str] = []

    async def refuse(recorded: Recorded[Any]) -> None:
        if recorded.event.owner == "Ada":
            raise ValueError("not Ada")
        handled.append(recorded.event.owner)

    async def accept(recorded: Recorded[Any]) -> None:
        handled.append(recorded.event.owner)

    async with bank(NatsBus.open(nats_url, nats_bucket), store) as app:
        await app.subscribe(refuse, group="billing", attempts=2)
        await app.dispatch(Create(aggregate_id="a", owner="Ada"))
        await app.dispatch(Create(aggregate_id="b", owner="Bob"))
        async with plain(nats_url) as (_, jetstream):
            stream = f"{nats_bucket}_dead"
            await until(lambda: handled == ["Bob"])
            while not (await jetstream.stream_info(stream)).state.messages:
                pass
            letter = await jetstream.get_msg(stream, 1)
    headers = letter.headers or {}
    assert (f"{nats_bucket}.dead.billing", "builtins.ValueError", '"not Ada"', "2") == (
        letter.subject,
        headers["Eventhus-Error-Type"],
        headers["Eventhus-Error"],
        headers["Eventhus-Error-Attempts"],
    )

    async with bank(NatsBus.open(nats_url, nats_bucket), store) as app:
        assert Replayed(handled=1, failed=0) == await app.replay(accept, group="billing")
        assert (0, 0) == (
            (again := await app.replay(accept, group="billing")).handled,
            again.failed,
        )
    assert ["Bob", "Ada"] == handled


async def test_many(nats_url: str, nats_bucket: str) -> None:
    """However many there are, between those of others."""
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        for number, each in enumerate(messages("a", 120)):
            await bus.bury(each, "gh"[number % 2])
        found = [letter.message.id async for letter in bus.dead_letters("g")]
    assert [each.id for each in messages("a", 120)][::2] == found
