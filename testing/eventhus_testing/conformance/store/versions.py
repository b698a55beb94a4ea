"""Versions: optimistic concurrency by the expected version."""

from __future__ import annotations

import pytest

from eventhus import ConcurrencyError
from eventhus.ports import Storage
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    CUSTOMER,
    OTHER,
    commit,
    first_version,
    place,
    whole_log,
)


class Versions(Cases):
    """The expected version, with one writer."""

    @pytest.mark.parametrize("expected", [3, None])
    @case
    async def test_the_expected_version_is_accepted(
        self, store: Storage, expected: int | None
    ) -> None:
        """The exact version, or none at all, goes behind what is there."""
        await store.append(commit(size=1, expected_version=0 if expected else None))
        await store.append(commit(size=2, expected_version=1 if expected else None))
        stored = await store.append(commit(expected_version=expected))
        assert (4, 4) == place(stored)
        assert 4 == len(await store.history(ACCOUNT))

    @pytest.mark.parametrize(
        "expected",
        [
            pytest.param(0, id="new stream"),
            pytest.param(1, id="stale"),
            pytest.param(2, id="amid a commit"),
            pytest.param(4, id="ahead"),
            pytest.param(8, id="the head of the log"),
            pytest.param(1000, id="far ahead"),
            pytest.param(-1, id="negative"),
        ],
    )
    @case
    async def test_another_version_is_refused(self, store: Storage, expected: int) -> None:
        """The error tells where the stream ends, and nothing is written."""
        await store.append(commit(OTHER, size=5))
        await store.append(commit(size=1))
        await store.append(commit(size=2))
        before = await whole_log(store)
        with pytest.raises(ConcurrencyError) as caught:
            await store.append(commit(size=2, expected_version=expected))
        refused = caught.value
        assert (ACCOUNT, expected, 3) == (refused.stream, refused.expected, refused.actual)
        assert before == await whole_log(store)
        stored = await store.append(commit(expected_version=3))
        assert (4, 9) == place(stored)

    @pytest.mark.parametrize("expected", [1, 5, -1])
    @case
    async def test_a_missing_stream_is_at_version_0(self, store: Storage, expected: int) -> None:
        """Whatever else the log holds."""
        await store.append(commit(OTHER, size=5))
        await store.append(commit(CUSTOMER, size=1))
        with pytest.raises(ConcurrencyError) as caught:
            await store.append(commit(expected_version=expected))
        assert 0 == caught.value.actual
        assert [] == list(await store.history(ACCOUNT))
        assert 1 == first_version(await store.append(commit(expected_version=0)))
