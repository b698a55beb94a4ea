"""The progress of readers that an observer is told of."""

from typing import Any

from eventhus import (
    Delivered,
)
from eventhus.ports import (
    ReaderLeft,
    ReaderProgress,
)
from eventhus_memory import MemoryStore
from tests.core.hooks import at, fail_with
from tests.core.observing import HERE, Recorder, broken, clumsy
from tests.core.readers import balances, bank
from tests.core.support import Proxy, RecordingBus, add
from tests.core.waiting import eventually, settle


async def test_the_progress_of_every_reader_is_told(recorder: Recorder) -> None:
    """Of the readers that this process leads, with their parked keys."""
    bus = RecordingBus()
    async with bank(
        bus=bus, views=[balances, broken], processes=[clumsy], observer=recorder
    ) as app:
        await add(app, 1)
        for reader in (balances, broken, clumsy):
            await app.caught_up(reader)
        recorder.facts.clear()
        await eventually(lambda: len({each.reader for each in recorder.told(ReaderProgress)}) == 4)
    assert {
        ("relay", 1, 1, 0),
        ("view balances", 1, 1, 0),
        ("view broken", 1, 1, 1),
        ("process clumsy", 1, 1, 1),
    } == {
        (each.reader, each.position, each.head, each.parked)
        for each in recorder.told(ReaderProgress)
    }


async def test_a_process_that_leads_nothing_tells_the_progress_of_the_others(
    recorder: Recorder,
) -> None:
    store = MemoryStore()
    async with bank(store, views=[balances]) as leader:
        await add(leader, 1)
        await leader.caught_up(balances)
    async with bank(store, views=[balances], observer=recorder, work=False) as app:
        await add(app, 2, 3)
        recorder.facts.clear()
        await eventually(lambda: recorder.facts)
    progress = recorder.told(ReaderProgress)[0]
    assert (1, 3) == (progress.position, progress.head)


async def test_a_process_that_only_watches_tells_no_progress(recorder: Recorder) -> None:
    """Another process tells it already."""
    async with bank(views=[balances], observer=recorder).watching() as app:
        await add(app, 1)
        await settle()
    assert [] == recorder.facts


async def test_the_progress_of_a_group_that_reads_the_log_is_told(recorder: Recorder) -> None:
    handled: list[Delivered[Any]] = []

    async def handle(delivered: Delivered[Any]) -> None:
        handled.append(delivered)

    async with bank(observer=recorder) as app:
        await app.subscribe(handle, group="mailer")
        await app.subscribe(handle)  # alone, and not worth a metric
        await add(app, 1)
        await eventually(lambda: len(handled) == 2)
        await eventually(
            lambda: [each for each in recorder.told(ReaderProgress) if each.position == 1]
        )
    assert {"group mailer"} == {each.reader for each in recorder.told(ReaderProgress)}


async def test_progress_is_told_again_after_an_outage_of_the_store(recorder: Recorder) -> None:
    store = Proxy()
    async with bank(store, views=[balances], observer=recorder) as app:
        await add(app, 1)
        await app.caught_up(balances)
        store.before["head"] = at([1, 2, 3], fail_with(ConnectionError("down")))
        before = store.calls["head"]
        await eventually(lambda: store.calls["head"] > before + 3)
        recorder.facts.clear()
        await eventually(lambda: recorder.facts)


async def test_a_reader_is_told_of_no_more_once_the_application_is_left(
    recorder: Recorder,
) -> None:
    """The last report about it is out of date by then."""
    async with bank(views=[balances], observer=recorder) as app:
        await eventually(lambda: recorder.facts)
        assert [] == recorder.told(ReaderLeft)
        await app.caught_up(balances)
    assert ReaderLeft(application=HERE, reader="view balances") == recorder.facts[-1]
    assert 1 == len(recorder.told(ReaderLeft))


async def test_a_group_is_told_of_no_more_once_its_subscription_is_closed(
    recorder: Recorder,
) -> None:
    async def handle(_: Delivered[Any]) -> None:
        pass

    async with bank(observer=recorder) as app:
        subscription = await app.subscribe(handle, group="mailer")
        await eventually(lambda: recorder.told(ReaderProgress))
        await subscription.close()
        await eventually(lambda: recorder.told(ReaderLeft))
        recorder.facts.clear()
        await settle()
        assert [] == recorder.facts
