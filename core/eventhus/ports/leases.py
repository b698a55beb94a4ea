"""The port to leases: who of many processes may do what only one may do at a time."""

from __future__ import annotations

from typing import Protocol

from attrs import frozen


@frozen(kw_only=True)
class Lease:
    """The right of one owner to do something alone, for a while.

    Attributes:
        name: What may be done.
        owner: Who may do it.
        token: Counts the owners: a later one's is always higher. It is what tells a holder that
            was paused, and does not know that its time is over, from the one that came next.
    """

    name: str
    owner: str
    token: int


class Leases(Protocol):
    """Gives each lease to one owner at a time, by the clock of the store."""

    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        """Take a lease that nobody holds, or go on holding one's own, from now on for ``ttl_s``.

        Args:
            name: What may be done.
            owner: Who asks: unique for ever, so that one that comes back after a crash is another.
            ttl_s: For how long, in seconds, above 0. Ask again well before that.

        Returns:
            The lease, with the token that it had if its owner held it until now, else with a
            higher one than ever before. ``None`` while another holds it.

            Where the checkpoint of the same name was saved with a higher token than the lease
            knows of, since the lease was deleted or restored, the new one is above that: who
            holds a lease can save the checkpoint.

        Raises:
            InvalidArgument: ``ttl_s`` is not above 0.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Let others have it at once. Does nothing where its time is over."""
        ...
