"""Stores that give a lease to more than one, or to nobody, or forget who came later."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Self

from attrs import evolve

from eventhus.errors import InvalidArgument
from eventhus.ports import Checkpoint, HeldLease, Lease
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import caught_by


@caught_by("test_a_lease_has_one_holder")
@caught_by("test_every_name_is_a_lease_of_its_own")
@caught_by("test_two_stores_agree_on_the_holder")
class GivesToEverybody(MemoryStore):
    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        self._leases.pop(name, None)
        return await super().acquire(name, owner, ttl_s=ttl_s)


@caught_by("test_a_lease_has_one_holder")
class GivesToThoseWithAShorterTerm(MemoryStore):
    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        held = self._leases.get(name)
        if held is not None and held.until_s > time.monotonic() + ttl_s:
            del self._leases[name]
        return await super().acquire(name, owner, ttl_s=ttl_s)


@caught_by("test_one_of_many_gets_a_lease")
@caught_by("test_an_invalid_ttl_is_refused")
@caught_by("test_two_buckets_share_no_lease")
class GivesToNobody(MemoryStore):
    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        return None


@caught_by("test_a_lease_is_renewed")
class NeverRenews(MemoryStore):
    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        held = self._leases.get(name)
        lease = await super().acquire(name, owner, ttl_s=ttl_s)
        if held is not None and lease == held.lease:
            self._leases[name] = held
        return lease


@caught_by("test_a_lease_expires")
class EndsTooEarly(MemoryStore):
    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        return await super().acquire(name, owner, ttl_s=ttl_s / 10)


@caught_by("test_an_owner_that_returns_late_gets_a_new_token")
@caught_by("test_a_lease_is_released")
class CountsOwners(MemoryStore):
    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        lease = await super().acquire(name, owner, ttl_s=ttl_s)
        return lease and evolve(lease, token=1 + ord(owner[:1] or "a") - ord("a"))


@caught_by("test_a_lease_is_released")
class ForgetsTokens(MemoryStore):
    async def release(self, lease: Lease) -> None:
        self._leases.pop(lease.name, None)


@caught_by("test_a_new_token_is_above_that_of_the_checkpoint")
class CountsFromOneAgain(MemoryStore):
    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        saved = self._checkpoints.copy()
        self._checkpoints.clear()
        try:
            return await super().acquire(name, owner, ttl_s=ttl_s)
        finally:
            self._checkpoints.update(saved)


@caught_by("test_releasing_a_lost_lease_does_nothing")
class ReleasesForAll(MemoryStore):
    async def release(self, lease: Lease) -> None:
        held = self._leases.get(lease.name)
        if held is not None:
            await super().release(held.lease)


@caught_by("test_releasing_a_lost_lease_does_nothing")
class ReleasesByOwner(MemoryStore):
    async def release(self, lease: Lease) -> None:
        held = self._leases.get(lease.name)
        if held is not None and held.lease.owner == lease.owner:
            await super().release(held.lease)


@caught_by("test_every_name_is_a_lease_of_its_own")
class TrimsNamesOfLeases(MemoryStore):
    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        return await super().acquire(name.strip(), owner, ttl_s=ttl_s)


@caught_by("test_any_text_names_an_owner")
class CutsOwners(MemoryStore):
    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        lease = await super().acquire(name, owner[:1], ttl_s=ttl_s)
        return lease and evolve(lease, owner=owner)


@caught_by("test_a_checkpoint_with_an_older_token_is_refused")
class SavesUnderAnyLease(MemoryStore):
    async def save_checkpoint(
        self, name: str, position: int, *, event_id: str = "", token: int = 0, **rest: Any
    ) -> None:
        await super().save_checkpoint(name, position, event_id=event_id, **rest)


@caught_by("test_held_leases_are_listed_by_name")
class ListsLeasesThatWereReleased(MemoryStore):
    async def release(self, lease: Lease) -> None:
        await super().release(lease)
        self.released = lease

    async def leases(self, **page: Any) -> Sequence[HeldLease]:
        found = [*await super().leases(**page)]
        return [evolve(found[0], name=self.released.name), *found] if found else []


@caught_by("test_held_leases_are_listed_by_name")
class ListsLeasesInTheOrderOfTheirOwners(MemoryStore):
    async def leases(self, **page: Any) -> Sequence[HeldLease]:
        return sorted(await super().leases(**page), key=lambda lease: lease.owner)


@caught_by("test_held_leases_are_listed_by_name")
class ListsLeasesWithoutANameAgain(MemoryStore):
    async def leases(self, *, after: str | None = None, limit: int = 100) -> Sequence[HeldLease]:
        return await super().leases(after=after or None, limit=limit)


@caught_by("test_a_held_lease_tells_since_when")
class CountsFromTheRenewal(MemoryStore):
    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        lease = await super().acquire(name, owner, ttl_s=ttl_s)
        self._leases[name] = self._leases[name]._replace(since=datetime.now(UTC))
        return lease


@caught_by("test_a_held_lease_tells_since_when")
class TellsTimesWithoutAZone(MemoryStore):
    async def leases(self, **page: Any) -> Sequence[HeldLease]:
        found = await super().leases(**page)
        return [evolve(each, since=each.since.replace(tzinfo=None)) for each in found]


@caught_by("test_an_expired_lease_is_not_listed")
class CountsFromTheFirstTime(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.first: dict[tuple[str, str], datetime] = {}

    async def leases(self, **page: Any) -> Sequence[HeldLease]:
        return [
            evolve(each, since=self.first.setdefault((each.name, each.owner), each.since))
            for each in await super().leases(**page)
        ]


@caught_by("test_an_invalid_page_of_leases_is_refused")
class ListsNoLeasesAfterInvalidNames(MemoryStore):
    async def leases(self, **page: Any) -> Sequence[HeldLease]:
        try:
            return await super().leases(**page)
        except InvalidArgument:
            return []


@caught_by("test_two_stores_agree_on_the_holder")
class HasLeasesOfItsOwn(MemoryStore):
    async def __aenter__(self) -> Self:
        self._leases = {}
        return self


@caught_by("test_a_forgotten_checkpoint_is_as_if_it_was_never_saved")
class ForgetsUnderAnyLease(MemoryStore):
    async def forget_checkpoint(self, name: str, *, token: int = 0) -> None:
        token = max(token, self._checkpoints[name][1])
        await super().forget_checkpoint(name, token=token)


@caught_by("test_a_forgotten_checkpoint_is_as_if_it_was_never_saved")
class ForgetsTheTokenOfCheckpoints(MemoryStore):
    async def forget_checkpoint(self, name: str, *, token: int = 0) -> None:
        await super().forget_checkpoint(name, token=token)
        self._checkpoints.pop(name)


@caught_by("test_a_forgotten_checkpoint_is_as_if_it_was_never_saved")
class SavesTheStartInsteadOfForgetting(MemoryStore):
    async def forget_checkpoint(self, name: str, *, token: int = 0) -> None:
        await self.save_checkpoint(name, 0, token=token)


@caught_by("test_a_forgotten_checkpoint_is_as_if_it_was_never_saved")
class KeepsWhatIsDoneOfForgottenCheckpoints(MemoryStore):
    async def forget_checkpoint(self, name: str, *, token: int = 0) -> None:
        before = self._checkpoints[name][0]
        await super().forget_checkpoint(name, token=token)
        self._checkpoints[name] = (Checkpoint(done=before.done), token)
