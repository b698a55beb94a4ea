"""Tests of ``counted_ids``."""

from eventhus import Application
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore
from eventhus_testing.doubles.ids import counted_ids
from examples.bank.account import CreateAccount, PerformDeposit, account


def test_ids_are_unique_and_ascend_as_text() -> None:
    new_id = counted_ids("c")
    made = [new_id() for _ in range(1000)]
    assert ("c-000001", "c-001000") == (made[0], made[-1])
    assert made == sorted(set(made))


def test_each_source_begins_at_one() -> None:
    assert "id-000001" == counted_ids()() == counted_ids()()


async def test_ids_of_commits_and_events_come_from_the_source() -> None:
    async with Application(
        bucket="bank",
        aggregates=[account],
        store=MemoryStore(),
        codec=CattrsCodec(),
        new_id=counted_ids("commit"),
    ) as app:
        await app.dispatch(CreateAccount(aggregate_id="a1", owner="ann"))
        committed = await app.dispatch(PerformDeposit(aggregate_id="a1", amount=1))
    assert ["commit-000002-1"] == [event.id for event in committed.events]
    assert "commit-000002" == committed.events[0].metadata.correlation_id
