"""Leases: one holder at a time, with fencing tokens that increase."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from eventhus.errors import InvalidArgument, LeaseLost
from eventhus.ports import Checkpoint, HeldLease, Lease, Storage
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.names import HOSTILE

LONG_S = 60.0  # never over within a case
SHORT_S = 0.2
_CLOCK_S = 0.05  # what two clocks, one of them the server's, may disagree about so short a time


async def taken(store: Storage, name: str, owner: str, *, ttl_s: float = LONG_S) -> Lease:
    """Acquire a lease that must be free."""
    lease = await store.acquire(name, owner, ttl_s=ttl_s)
    assert lease is not None
    assert (name, owner) == (lease.name, lease.owner)
    return lease


async def taken_at_last(store: Storage, name: str, owner: str) -> Lease:
    """Acquire a lease once it has expired."""
    # What is waited for happens in the store, which sets no event.
    while (lease := await store.acquire(name, owner, ttl_s=LONG_S)) is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return lease


async def held(store: Storage, *, limit: int = 1000) -> list[HeldLease]:
    """Return all leases that are held, read page by page."""
    found: list[HeldLease] = []
    while True:
        page = await store.leases(after=found[-1].name if found else None, limit=limit)
        assert len(page) <= limit
        leases = [each for each in page if isinstance(each, HeldLease)]
        assert leases == [*page], "a lease is damaged"
        found += leases
        names = [each.name for each in found]
        assert sorted({*names}) == names
        if len(page) < limit:
            return found


class Leasing(Cases):
    """Leases, and the checkpoints that are saved under them."""

    @case
    async def test_a_lease_has_one_holder(self, store: Storage) -> None:
        """No other owner gets it before it expires."""
        lease = await taken(store, "relay", "a")
        assert lease.token > 0
        for owner in ("b", "", "A", "a "):
            for ttl_s in (LONG_S, SHORT_S, 10 * LONG_S):
                assert await store.acquire("relay", owner, ttl_s=ttl_s) is None
        assert lease == await store.acquire("relay", "a", ttl_s=LONG_S)

    @case
    async def test_one_of_many_gets_a_lease(self, store: Storage) -> None:
        """Through one store or through several."""
        async with self.store(self.bucket) as other:
            for name in map(str, range(5)):
                asked = [
                    each.acquire(name, f"{owner}", ttl_s=LONG_S)
                    for owner, each in enumerate([store, other] * 10)
                ]
                got = [lease for lease in await asyncio.gather(*asked) if lease is not None]
                assert [name] == [lease.name for lease in got]
                assert got == [await other.acquire(name, got[0].owner, ttl_s=LONG_S)]

    @case
    async def test_a_lease_is_renewed(self, store: Storage) -> None:
        """Asking again keeps it, with its token, for longer than it had."""
        lease = await taken(store, "relay", "a", ttl_s=SHORT_S)
        assert lease == await store.acquire("relay", "a", ttl_s=LONG_S)
        deadline = time.monotonic() + 2 * SHORT_S
        while time.monotonic() < deadline:
            assert await store.acquire("relay", "b", ttl_s=LONG_S) is None
            await asyncio.sleep(0.01)

    @case
    async def test_a_lease_expires(self, store: Storage) -> None:
        """Then, and not before, another gets it, with a higher token; the first one does not."""
        began = time.monotonic()
        lease = await taken(store, "relay", "a", ttl_s=SHORT_S)
        next_ = await taken_at_last(store, "relay", "b")
        assert time.monotonic() - began >= SHORT_S - _CLOCK_S
        assert next_.token > lease.token
        assert await store.acquire("relay", "a", ttl_s=LONG_S) is None
        assert next_ == await store.acquire("relay", "b", ttl_s=LONG_S)

    @case
    async def test_an_owner_that_returns_late_gets_a_new_token(self, store: Storage) -> None:
        """It gets a new token, since another may have held the lease meanwhile."""
        lease = await taken(store, "relay", "a", ttl_s=SHORT_S)
        await taken_at_last(store, "relay", "b")
        await store.release(await taken(store, "relay", "b"))
        assert (await taken(store, "relay", "a")).token > lease.token + 1

    @case
    async def test_a_lease_is_released(self, store: Storage) -> None:
        """Another gets it at once, with a higher token."""
        tokens: list[int] = []
        for owner in ("a", "b", "a"):
            lease = await taken(store, "relay", owner)
            tokens.append(lease.token)
            await store.release(lease)
        assert sorted(set(tokens)) == tokens

    @case
    async def test_a_new_token_is_above_that_of_the_checkpoint(self, store: Storage) -> None:
        """The holder can save the checkpoint, whether the lease was free or its own."""
        await store.save_checkpoint("relay", 5, token=7)
        lease = await taken(store, "relay", "a")
        assert lease.token > 7
        assert lease == await store.acquire("relay", "a", ttl_s=LONG_S)
        await store.save_checkpoint("relay", 6, token=lease.token + 7)
        assert await store.acquire("relay", "b", ttl_s=LONG_S) is None
        again = await taken(store, "relay", "a")
        assert again.token > lease.token + 7
        await store.save_checkpoint("relay", 7, token=again.token)
        assert again == await store.acquire("relay", "a", ttl_s=LONG_S)
        assert 7 == (await store.load_checkpoint("relay")).position

    @case
    async def test_releasing_a_lost_lease_does_nothing(self, store: Storage) -> None:
        """The later holder keeps the lease, even if it is the same owner again."""
        lost = await taken(store, "relay", "a", ttl_s=SHORT_S)
        held = await taken_at_last(store, "relay", "b")
        await store.release(lost)
        assert await store.acquire("relay", "a", ttl_s=LONG_S) is None
        await store.release(held)
        again = await taken(store, "relay", "a")
        await store.release(lost)
        await store.release(held)
        assert await store.acquire("relay", "b", ttl_s=LONG_S) is None
        assert again == await store.acquire("relay", "a", ttl_s=LONG_S)

    @case
    async def test_every_name_is_a_lease_of_its_own(self, store: Storage) -> None:
        """Any text names one, and names differ when their text does."""
        names = ["", "relay", " relay", "Relay", "relay/1", "$relay", *HOSTILE.values()]
        for owner, name in enumerate(names):
            await taken(store, name, f"{owner}")
        for owner, name in enumerate(names):
            assert await store.acquire(name, f"{owner + 1}", ttl_s=LONG_S) is None

    @case
    async def test_any_text_names_an_owner(self, store: Storage) -> None:
        """Owners differ when their text does."""
        for owner in ("$a", "$$NOW", *HOSTILE.values()):
            lease = await taken(store, "relay", owner)
            assert await store.acquire("relay", f"{owner[:-1]}2", ttl_s=LONG_S) is None
            await store.release(lease)

    @case
    async def test_an_invalid_ttl_is_refused(self, store: Storage) -> None:
        """It is refused, and nobody holds anything."""
        for ttl_s in (0, -1.0, float("inf"), float("nan")):
            with pytest.raises(InvalidArgument):
                await store.acquire("relay", "a", ttl_s=ttl_s)
        await taken(store, "relay", "b")

    @case
    async def test_two_buckets_share_no_lease(self, store: Storage) -> None:
        """Each has a holder of its own."""
        await taken(store, "relay", "a")
        async with self.store(f"{self.bucket}b") as elsewhere:
            await taken(elsewhere, "relay", "b")

    @case
    async def test_two_stores_agree_on_the_holder(self, store: Storage) -> None:
        """A lease of one is not free in the other, which can release it."""
        lease = await taken(store, "relay", "a")
        async with self.store(self.bucket) as other:
            assert await other.acquire("relay", "b", ttl_s=LONG_S) is None
            await other.release(lease)
            assert (await taken(store, "relay", "b")).token > lease.token

    @pytest.mark.parametrize("limit", [1, 2, 1000])
    @case
    async def test_held_leases_are_listed_by_name(self, store: Storage, limit: int) -> None:
        """Each with its owner and its token, page by page; released ones are not among them."""
        assert [] == await held(store, limit=limit)
        given: list[Lease] = []
        for number, name in enumerate(["relay", "", "b", "a", "B", *HOSTILE.values()]):
            lease = await taken(store, name, f"owner {number}")
            if number % 4 == 3:
                await store.release(lease)
            else:
                given.append(lease)
        await store.release(await taken(store, "c", "a"))
        given.append(await taken(store, "c", "b"))
        given.sort(key=lambda lease: lease.name)
        for each in [store, self.store(self.bucket)]:
            async with each as entered:
                found = await held(entered, limit=limit)
                assert given == [
                    Lease(name=one.name, owner=one.owner, token=one.token) for one in found
                ]
        async with self.store(f"{self.bucket}b") as elsewhere:
            assert [] == await held(elsewhere, limit=limit)

    @case
    async def test_a_held_lease_tells_since_when(self, store: Storage) -> None:
        """Renewing it, in whichever store, changes only its end; a new holder begins anew."""
        await taken(store, "relay", "a", ttl_s=LONG_S)
        [first] = await held(store)
        assert timedelta(0) == first.since.utcoffset() == first.until.utcoffset()
        assert abs((first.until - first.since).total_seconds() - LONG_S) < SHORT_S
        async with self.store(self.bucket) as other:
            await other.acquire("relay", "a", ttl_s=2 * LONG_S)
        [renewed] = await held(store)
        assert first.since == renewed.since
        assert renewed.until > first.until
        await store.release(Lease(name="relay", owner="a", token=renewed.token))
        while True:  # the clock of the store may be no finer than a millisecond
            lease = await taken(store, "relay", "b")
            [second] = await held(store)
            assert ("b", lease.token) == (second.owner, second.token)
            if second.since > first.since:
                break
            await store.release(lease)

    @case
    async def test_an_expired_lease_is_not_listed(self, store: Storage) -> None:
        """An owner that returns late holds it since its return."""
        await taken(store, "relay", "a", ttl_s=SHORT_S)
        [first] = await held(store)
        await taken(store, "another", "a")
        while len(await held(store)) > 1:  # noqa: ASYNC110 - a store sets no event
            await asyncio.sleep(0.01)
        assert ["another"] == [each.name for each in await held(store)]
        await taken(store, "relay", "a")
        [_, again] = await held(store)
        assert again.since > first.since

    @case
    async def test_an_invalid_page_of_leases_is_refused(self, store: Storage) -> None:
        """It is refused, whatever is held."""
        for after, limit in (("x" * 256, 1), ("a\ud800", 1), ("", 0), (None, -1)):
            with pytest.raises(InvalidArgument):
                await store.leases(after=after, limit=limit)

    @case
    async def test_a_checkpoint_with_an_older_token_is_refused(self, store: Storage) -> None:
        """It is refused, and the later holder's stays; no token at all is the oldest."""
        await store.save_checkpoint("relay", 5)
        await store.save_checkpoint("relay", 7, token=2)
        for token in (1, 0):
            with pytest.raises(LeaseLost) as caught:
                await store.save_checkpoint("relay", 9, token=token)
            assert ("relay", token) == (caught.value.name, caught.value.token)
            assert 7 == (await store.load_checkpoint("relay")).position
        for position, token in ((6, 2), (8, 3), (1, 3)):
            await store.save_checkpoint("relay", position, token=token)
            assert position == (await store.load_checkpoint("relay")).position

    @case
    async def test_a_forgotten_checkpoint_is_as_if_it_was_never_saved(self, store: Storage) -> None:
        """Its token stays: a former holder can neither save nor forget it."""
        for name in ("relay", "other"):
            await store.save_checkpoint(name, 5, event_id="e", token=3, done=[(7, 9)])
        for token in (2, 0):
            with pytest.raises(LeaseLost) as caught:
                await store.forget_checkpoint("relay", token=token)
            assert ("relay", token) == (caught.value.name, caught.value.token)
            assert 5 == (await store.load_checkpoint("relay")).position
        await store.forget_checkpoint("relay", token=4)
        async with self.store(self.bucket) as other:
            for each in (store, other):
                found = await each.load_checkpoint("relay")
                assert (Checkpoint(), None) == (found, found.saved_at)
            assert 5 == (await other.load_checkpoint("other")).position
            with pytest.raises(LeaseLost):
                await other.save_checkpoint("relay", 5, token=3)
        assert (await taken(store, "relay", "a")).token > 4
        await store.forget_checkpoint("never")
        found = await store.load_checkpoint("never")
        assert (Checkpoint(), None) == (found, found.saved_at)
        await store.save_checkpoint("relay", 1, token=9)
        assert (await store.load_checkpoint("relay")).saved_at is not None
