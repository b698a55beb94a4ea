"""Leases and checkpoints in memory."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from attrs import evolve

from eventhus.adapter_support import (
    check_checkpoint,
    check_lease,
    check_leases_page,
    check_reader,
    check_ttl,
)
from eventhus.errors import LeaseLost
from eventhus.ports import Checkpoint, HeldLease, Lease


class _Held(NamedTuple):
    """A lease, when it was acquired, and its expiry by the machine's monotonic clock."""

    lease: Lease
    since: datetime
    until_s: float


class MemoryLeases:
    """The stores of leases and of checkpoints in memory."""

    def __init__(self) -> None:
        super().__init__()
        # By name, each with the token that it was saved with.
        self._checkpoints: defaultdict[str, tuple[Checkpoint, int]] = defaultdict(
            lambda: (Checkpoint(), 0)
        )
        self._leases: dict[str, _Held] = {}

    async def load_checkpoint(self, name: str) -> Checkpoint:
        """See ``CheckpointStore.load_checkpoint``."""
        check_reader(name)
        return self._checkpoints[name][0]

    async def save_checkpoint(
        self,
        name: str,
        position: int,
        *,
        event_id: str = "",
        token: int = 0,
        done: Sequence[tuple[int, int]] = (),
    ) -> None:
        """See ``CheckpointStore.save_checkpoint``."""
        checkpoint = Checkpoint(position, event_id, done)
        check_checkpoint(name, checkpoint, token)
        if token < self._checkpoints[name][1]:
            raise LeaseLost(name, token)
        self._checkpoints[name] = (evolve(checkpoint, saved_at=datetime.now(UTC)), token)

    async def forget_checkpoint(self, name: str, *, token: int = 0) -> None:
        """See ``CheckpointStore.forget_checkpoint``."""
        check_checkpoint(name, Checkpoint(), token)
        if token < self._checkpoints[name][1]:
            raise LeaseLost(name, token)
        self._checkpoints[name] = (Checkpoint(), token)

    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        """See ``Leases.acquire``."""
        check_reader(name, owner)
        check_ttl(ttl_s)
        now = time.monotonic()
        free = _Held(Lease(name=name, owner=owner, token=0), datetime.now(UTC), until_s=0.0)
        lease, since, until_s = self._leases.get(name, free)
        over = until_s <= now
        if not over and lease.owner != owner:
            return None
        _, saved = self._checkpoints[name]
        if over or lease.token < saved:
            lease = Lease(name=name, owner=owner, token=max(lease.token, saved) + 1)
        self._leases[name] = _Held(lease, datetime.now(UTC) if over else since, now + ttl_s)
        return lease

    async def release(self, lease: Lease) -> None:
        """See ``Leases.release``."""
        check_lease(lease)
        held = self._leases.get(lease.name)
        if held is not None and held.lease == lease:
            self._leases[lease.name] = held._replace(until_s=0.0)

    async def leases(self, *, after: str | None = None, limit: int = 100) -> Sequence[HeldLease]:
        """See ``Leases.leases``."""
        check_leases_page(after, limit)
        now_s, now = time.monotonic(), datetime.now(UTC)
        held = sorted(
            (
                each
                for each in self._leases.values()
                if each.until_s > now_s and (after is None or each.lease.name > after)
            ),
            key=lambda each: each.lease.name,
        )
        return [
            HeldLease(
                name=each.lease.name,
                owner=each.lease.owner,
                token=each.lease.token,
                since=each.since,
                until=now + timedelta(seconds=each.until_s - now_s),
            )
            for each in held[:limit]
        ]
