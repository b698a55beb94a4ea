"""Racing: concurrent writers make one log without gaps."""

from __future__ import annotations

import asyncio

from eventhus import ConcurrencyError
from eventhus.ports import Storage, StoredCommit
from eventhus_testing.conformance.harness import Cases, case, one_store_and_two
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    accounts,
    commit,
    first_version,
    place,
    same,
    turns,
    whole_log,
)


class Racing(Cases):
    """Concurrent writers, through one store and through two on the same log."""

    @one_store_and_two
    @case
    async def test_many_writers_make_one_dense_log(self, store: Storage, stores: int) -> None:
        """There is no gap and no overlap, and the events of each writer are in its order."""
        streams = accounts(10)

        async def write(writer: int) -> list[StoredCommit]:
            to = [store, other][writer % stores]
            own: list[StoredCommit] = []
            for round_ in range(7):
                size = (writer + round_) % 7 + 1
                own.append(await to.append(commit(streams[writer % 10], size=size)))
                await turns(writer % 3)
            return own

        async with self.store(self.bucket) as other:
            owned = await asyncio.gather(*map(write, range(50)))
            log = await whole_log(store)
            histories = [
                [
                    *await store.history(stream, limit=100),
                    *await store.history(stream, after_version=100, limit=100),
                ]
                for stream in streams
            ]
        assert 50 * 28 == len(log)
        for own in owned:
            positions = [one.position for one in own]
            same(sorted(positions), positions)
            for one in own:
                same(one.recorded(), log[one.position - 1 : one.last_position])
        for stream, history in zip(streams, histories, strict=True):
            same([*range(1, 5 * 28 + 1)], [recorded.version for recorded in history])
            same([recorded for recorded in log if recorded.stream == stream], history)

    @one_store_and_two
    @case
    async def test_one_of_many_rivals_wins(self, store: Storage, stores: int) -> None:
        """One of those that expect the same version gets it, the others a ConcurrencyError."""
        async with self.store(self.bucket) as other:
            writers = [store, other][:stores] * 10
            for expected in range(0, 20, 2):
                answers = await asyncio.gather(
                    *[
                        writer.append(commit(size=2, expected_version=expected))
                        for writer in writers
                    ],
                    return_exceptions=True,
                )
                won = [each for each in answers if isinstance(each, StoredCommit)]
                lost = [each for each in answers if isinstance(each, ConcurrencyError)]
                assert (1, len(writers) - 1) == (len(won), len(lost))
                assert (expected + 1, expected + 1) == place(won[0])
                assert {(expected, expected + 2)} == {(each.expected, each.actual) for each in lost}
            assert 20 == len(await whole_log(store))

    @one_store_and_two
    @case
    async def test_rivals_on_one_stream_all_succeed_in_the_end(
        self, store: Storage, stores: int
    ) -> None:
        """Each tries again on the version that the error names."""

        async def write(writer: int) -> list[StoredCommit]:
            to = [store, other][writer % stores]
            expected = 0
            own: list[StoredCommit] = []
            while len(own) < 4:
                before = expected
                try:
                    own.append(await to.append(commit(expected_version=before)))
                    expected += 1
                except ConcurrencyError as refused:
                    expected = refused.actual
                assert before < expected <= 40
            return own

        async with self.store(self.bucket) as other:
            owned = await asyncio.gather(*map(write, range(10)))
            won = sorted((one for own in owned for one in own), key=first_version)
            assert [(version, version + 1) for version in range(40)] == [
                (one.commit.parts[0].expected_version, first_version(one)) for one in won
            ]
            log = await whole_log(store)
            same([event for one in won for event in one.recorded()], log)
            same(log, list(await store.history(ACCOUNT)))
