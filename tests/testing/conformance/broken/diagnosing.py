"""Stores whose diagnoses raise, need something, find what is not there, or leave something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from eventhus.errors import NotRunning, StoreUnavailable
from eventhus.ports import Finding, Registration
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import caught_by


@caught_by("test_a_fresh_store_has_no_errors")
class RaisesWhenDiagnosed(MemoryStore):
    async def diagnose(self) -> Sequence[Finding]:
        raise StoreUnavailable("test", "away")


@caught_by("test_a_fresh_store_has_no_errors")
class FindsErrorsInAFreshBucket(MemoryStore):
    async def diagnose(self) -> Sequence[Finding]:
        return [Finding.error("memory.indexes", "missing", "create them")]


@caught_by("test_a_fresh_store_has_no_errors")
class GivesNoAdvice(MemoryStore):
    async def diagnose(self) -> Sequence[Finding]:
        return [Finding.warning("memory.store", "it keeps nothing", "")]


@caught_by("test_a_fresh_store_has_no_errors")
class FindsNothing(MemoryStore):
    async def diagnose(self) -> Sequence[Finding]:
        return []


@caught_by("test_a_diagnosis_needs_no_entered_store")
class DiagnosesOnlyInUse(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self._entered = False

    async def __aenter__(self) -> Self:
        self._entered = True
        return await super().__aenter__()

    async def diagnose(self) -> Sequence[Finding]:
        if not self._entered:
            raise NotRunning("enter it first")
        return await super().diagnose()


@caught_by("test_a_diagnosis_leaves_no_trace_in_the_log")
class RegistersItsDiagnosis(MemoryStore):
    async def diagnose(self) -> Sequence[Finding]:
        await self.register(Registration(collection="view_probe", name="probe"))
        return await super().diagnose()
