"""A reader waits at an event that a newer version of the application wrote."""

import pytest

from eventhus import Recorded, StreamId, View
from eventhus.errors import ReaderStopped
from eventhus.ports import EventData
from eventhus_memory import MemoryStore
from eventhus_testing.conformance.store.samples import commit
from tests.bank import Deposited
from tests.core.readers import bank
from tests.core.support import add


def key(recorded: Recorded[Deposited]) -> str:
    return recorded.stream.aggregate_id


def total(value: int, recorded: Recorded[Deposited]) -> int:
    return value + recorded.event.amount


totals = View(name="totals", initial=0, key=key, evolve=total)


@pytest.mark.parametrize(
    "newer",
    [EventData("Refunded", {"card": "s3cret"}), EventData("Deposited", {"card": "s3cret"}, 7)],
)
async def test_a_view_waits_at_an_event_of_a_newer_version(newer: EventData) -> None:
    """Skipping it would make the view wrong for ever, once the new code asks for it."""
    store = MemoryStore()
    async with bank(store, views=[totals]) as app:
        await add(app, 1)
        await app.caught_up(totals)
        await store.append(commit(stream=StreamId("Account", "n"), events=[newer]))
        await add(app, 2)
        with pytest.raises(ReaderStopped, match=r"newer version|deploy the version") as caught:
            await app.caught_up(totals)
        assert 1 == await app.view(totals, "a")
    assert 2 == caught.value.position
    assert "s3cret" not in str(caught.value)
    assert 1 == (await store.load_checkpoint("view_totals")).position


@pytest.mark.parametrize("name", ["Opened", "Scribbled"])
async def test_events_that_the_view_does_not_use_are_skipped(name: str) -> None:
    store = MemoryStore()
    await store.append(commit(events=[EventData(name, {"of": "another shape"})]))
    await store.append(commit(stream=StreamId("Elsewhere", "x"), events=[EventData("Unknown", {})]))
    async with bank(store, views=[totals]) as app:
        await add(app, 2, aggregate_id="b")
        await app.caught_up(totals)
        assert 2 == await app.view(totals, "b")


async def test_caught_up_returns_when_a_newer_process_has_done_it() -> None:
    """The old process stands in front of the event; the work is done all the same."""
    store = MemoryStore()
    async with bank(store, views=[totals]) as app:
        await add(app, 1)
        await store.append(
            commit(stream=StreamId("Account", "n"), events=[EventData("Refunded", {})])
        )
        with pytest.raises(ReaderStopped):
            await app.caught_up(totals, 2)
        await store.save_checkpoint("view_totals", 2, token=99)
        await app.caught_up(totals, 2)
