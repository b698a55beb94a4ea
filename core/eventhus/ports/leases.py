"""Leases: mutual exclusion across processes, with fencing tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from attrs import frozen


@frozen(kw_only=True)
class Lease:
    """The exclusive right of one owner to do some work for a limited time.

    Attributes:
        name: The work.
        owner: The holder.
        token: The fencing token: each new holder gets a higher one. It lets a store refuse the
            writes of a holder that was paused and does not know that its lease has expired.
    """

    name: str
    owner: str
    token: int


@frozen(kw_only=True)
class HeldLease:
    """A lease as somebody holds it now, by the clock of the store.

    Attributes:
        name: The work.
        owner: The holder.
        token: The fencing token.
        since: When the holder acquired it; renewing it changes nothing. Timezone-aware, UTC.
        until: When it expires unless the holder renews it. Timezone-aware, UTC.
    """

    name: str
    owner: str
    token: int
    since: datetime
    until: datetime


@frozen(kw_only=True)
class DamagedLease:
    """A stored lease that cannot be read, because another program has changed it.

    Attributes:
        name: The work.
        problem: The reason and the remedy, without data.
    """

    name: str
    problem: str


class Leases(Protocol):
    """Grants each lease to one owner at a time, by the clock of the store."""

    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        """Acquire a free lease, or renew one that ``owner`` holds, for ``ttl_s`` from now on.

        Args:
            name: The work.
            owner: The caller, unique for ever: a process that returns after a crash is a new owner.
            ttl_s: The term in seconds, above 0. Renew well before it ends.

        Returns:
            The lease, or ``None`` while another owner holds it. A renewed lease keeps its token; a
            new one has a higher token than the lease ever had. It is also higher than the token
            of the checkpoint of the same name, even if the lease was deleted or restored
            meanwhile, so its holder can always save that checkpoint.

        Raises:
            InvalidArgument: ``ttl_s`` is not above 0 and below a billion.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Release a lease so that others can acquire it. Do nothing if it has expired."""
        ...

    async def leases(
        self, *, after: str | None = None, limit: int = 100
    ) -> Sequence[HeldLease | DamagedLease]:
        """Return the next leases that are held now, in the order of their names' code points.

        Those that are damaged are among them, held or not.

        Args:
            after: Start after this name; ``None`` starts at the first one.
            limit: The maximum number of leases, at least 1. Fewer means the end.

        Raises:
            InvalidArgument: ``after`` is beyond its limit, or ``limit`` is below 1.
        """
        ...
