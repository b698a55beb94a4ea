"""Diagnoses: what a store finds out about itself."""

from __future__ import annotations

import asyncio

from eventhus.ports import Storage
from eventhus_testing.conformance import diagnosing
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.samples import commit


async def fresh_findings(store: Storage) -> None:
    """Check the findings of a fresh store."""
    findings = await diagnosing.fresh_findings(store)
    assert findings, "a store tells at least about its connection"


class Diagnosing(Cases):
    """Findings of a fresh bucket, while a store is entered and while it is not."""

    @case
    async def test_a_fresh_store_has_no_errors(self, store: Storage) -> None:
        """Also beside another diagnosis, and with a log."""
        await asyncio.gather(fresh_findings(store), fresh_findings(store))
        await store.append(commit(expected_version=0))
        await fresh_findings(store)

    @case
    async def test_a_diagnosis_needs_no_entered_store(self, store: Storage) -> None:
        """It leaves one that is in use alone."""
        await fresh_findings(self.store(f"{self.bucket}_2"))
        assert 1 == (await store.append(commit(expected_version=0))).position

    @case
    async def test_a_diagnosis_leaves_no_trace_in_the_log(self, store: Storage) -> None:
        """Nor among the registrations."""
        await fresh_findings(store)
        assert 0 == await store.head()
        assert not await store.registrations()
