"""Cancelling: a cancelled append is stored as a whole or not at all."""

from __future__ import annotations

import asyncio

from eventhus.ports import Storage
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    accounts,
    appended_once,
    commit,
    filled,
    moments,
)


class Cancelling(Cases):
    """Cancelled calls, and the calls beside them."""

    @case
    async def test_a_cancelled_append_is_stored_as_a_whole_or_not_at_all(
        self, store: Storage
    ) -> None:
        """At any moment: the commit is there whole or not at all, and can be appended again."""
        tried = await moments(store)
        given = [
            commit(stream, size=3, expected_version=0, command_id=f"k{number}")
            for number, stream in enumerate(accounts(1 + len(tried)))
        ]
        appending = [asyncio.create_task(store.append(given[0]))]
        appending[0].cancel()  # before it has begun
        for each, moment in zip(given[1:], tried, strict=True):
            appending.append(asyncio.create_task(store.append(each)))
            await moment()
            appending[-1].cancel()
            await asyncio.wait(appending)
        await appended_once(store, given, appending)

    @case
    async def test_a_cancelled_append_affects_no_other(self, store: Storage) -> None:
        """The others are stored, even if they shared a batch with a cancelled one."""
        for batch, moment in enumerate(await moments(store, few=True)):
            streams = accounts(30 * (batch + 1))[-30:]
            given = [commit(stream, size=3, expected_version=0) for stream in streams]
            appending = [asyncio.create_task(store.append(each)) for each in given]
            await moment()
            for task in appending[::2]:
                task.cancel()
            await asyncio.wait(appending)
            assert [] == [task for task in appending[1::2] if task.cancelled() or task.exception()]
            await appended_once(store, given, appending)

    @case
    async def test_a_cancelled_load_affects_no_other(self, store: Storage) -> None:
        """Those that are not cancelled get what they asked for."""
        log = await filled(store)
        own = [recorded.event for recorded in log if recorded.stream == ACCOUNT]
        for moment in await moments(store, few=True):
            loading = [
                asyncio.create_task(store.load(ACCOUNT, limit=1 + size)) for size in range(7)
            ]
            await moment()
            for task in loading[::2]:
                task.cancel()
            await asyncio.wait(loading)
            assert [] == [task for task in loading[1::2] if task.cancelled()]
            loaded = [list(task.result().events) for task in loading[1::2]]
            assert [own[:2], own[:4], own[:6]] == loaded
