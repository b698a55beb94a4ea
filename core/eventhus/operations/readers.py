"""The progress of every reader of the log, in this process and others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import frozen

from eventhus.domain.query import Query
from eventhus.errors import IncompatibleBucket
from eventhus.operations.app_parts import AppParts
from eventhus.operations.folded import Folded, all_folded
from eventhus.operations.standstill import Standing
from eventhus.operations.values import ReaderKind, ReaderStatus
from eventhus.ports.bus import GroupStatus
from eventhus.ports.checkpoints import Checkpoint
from eventhus.ports.leases import DamagedLease, HeldLease
from eventhus.ports.registrations import Registration
from eventhus.ports.views import Selection
from eventhus.printable import printable
from eventhus.runtime.log_bus.group_member import reader_of
from eventhus.runtime.readers.process_versions import version_in_charge
from eventhus.runtime.readers.reader_condition import ReaderCondition
from eventhus.runtime.readers.registering import EVENTS, lease_of
from eventhus.runtime.readers.relay import CHECKPOINT, LEASE

MOST_COUNTED = 1_000  # dead letters of a group
MOST_LEASES = 10_000
"""The maximum number of leases that are read."""


@frozen(kw_only=True)
class Looked:
    """The status of a reader, and the facts that it is judged by.

    Attributes:
        status: The status to return.
        standing: The facts.
    """

    status: ReaderStatus
    standing: Standing


@frozen(kw_only=True)
class Surroundings:
    """The facts that all readers of one look share.

    Attributes:
        head: The end of the log.
        leases: The leases that are held or damaged, by name.
        now: The time.
    """

    head: int
    leases: Mapping[str, HeldLease | DamagedLease]
    now: datetime

    def lease(self, name: str) -> tuple[HeldLease | None, str | None]:
        """Return a lease, if it is held, and the reason why it cannot be read."""
        found = self.leases.get(name)
        return (None, found.problem) if isinstance(found, DamagedLease) else (found, None)


@frozen(kw_only=True)
class _Found:
    """The stored facts of a reader. The attributes are those of its status and its standing."""

    kind: ReaderKind
    name: str
    label: str
    version: int = 1
    is_declared: bool
    position: int | None
    waiting: int | None = None
    moved_at: datetime | None
    query: Query | None = None
    condition: ReaderCondition | None
    lease: HeldLease | None
    has_lease: bool = True
    parked: int = 0
    dead_letters: int = 0
    damage: str | None = None


class Readers:
    """The readers of one bucket, with the position at which each was last seen.

    Args:
        parts: The application.
        stalled_after_s: As for ``Operations``.
    """

    def __init__(self, parts: AppParts, stalled_after_s: float) -> None:
        self._parts = parts
        self._stalled_after_s = stalled_after_s
        # The last position of each reader, and the time when it was first seen there.
        self._seen: dict[tuple[ReaderKind, str, int], tuple[int | None, datetime]] = {}

    async def surroundings(self) -> Surroundings:
        """Look at the log and the leases."""
        head, leases = await asyncio.gather(self._parts.store.head(), self._leases())
        return Surroundings(head=head, leases=leases, now=self._parts.clock.now())

    async def _leases(self) -> Mapping[str, HeldLease | DamagedLease]:
        return {each.name: each for each in await self._parts.store.leases(limit=MOST_LEASES)}

    async def of_store(self, around: Surroundings, *, declared_only: bool) -> list[Looked]:
        """Look at the relay, the views and the processes."""
        folded = [
            each for each in await all_folded(self._parts) if each.reader or not declared_only
        ]
        found = [*await asyncio.gather(*(self._folded(each, around) for each in folded))]
        relay = await self._relay(around)
        return found if relay is None else [relay, *found]

    async def of_groups(self, around: Surroundings, groups: Sequence[GroupStatus]) -> list[Looked]:
        """Look at the consumer groups that the bus has described."""
        return [*await asyncio.gather(*(self._group(each, around) for each in groups))]

    async def _relay(self, around: Surroundings) -> Looked | None:
        relay = self._parts.relay
        lease, damage = around.lease(LEASE)
        checkpoint, unread = await self._checkpoint(CHECKPOINT)
        if relay is None and checkpoint.saved_at is None and unread is None:
            return None
        found = _Found(
            kind="relay",
            name="relay",
            label="relay",
            is_declared=relay is not None,
            position=None if unread else checkpoint.position,
            moved_at=checkpoint.saved_at,
            condition=None if relay is None else relay.condition,
            lease=lease,
            damage=unread or damage,
        )
        return await self._looked(found, around)

    async def _checkpoint(self, name: str) -> tuple[Checkpoint, str | None]:
        """Return a checkpoint, and the reason why it cannot be read."""
        try:
            return await self._parts.store.load_checkpoint(name), None
        except IncompatibleBucket as error:  # which must not hide the other readers
            return Checkpoint(), printable(error.problem)

    async def _is_in_charge(self, folded: Folded) -> bool:
        """Return whether no other version of a process has taken over. Views all work."""
        if folded.kind == "view":
            return True
        return folded.version == await version_in_charge(self._parts.store, folded.name)

    async def _folded(self, folded: Folded, around: Surroundings) -> Looked:
        store, registration, reader = self._parts.store, folded.registration, folded.reader
        lease, damage = around.lease(lease_of(folded.kind, folded.name, folded.version))
        checkpoint, parked, unread = Checkpoint(), 0, None
        try:
            checkpoint, page, is_in_charge = await asyncio.gather(
                store.load_checkpoint(folded.collection),
                store.select_documents(folded.collection, Selection(limit=1)),
                self._is_in_charge(folded),
            )
            parked = page.parked
            if not is_in_charge:
                lease = damage = None  # another version holds it
        except IncompatibleBucket as error:  # which must not hide the other readers
            unread = printable(error.problem)
        fold = None if reader is None else self._parts.fold_of(reader)
        start = 0 if registration is None else registration.start.position
        found = _Found(
            kind=folded.kind,
            name=folded.name,
            label=folded.label,
            version=folded.version,
            is_declared=reader is not None,
            position=None if unread else max(checkpoint.position, start),
            moved_at=checkpoint.saved_at,
            query=_query_of(registration) if fold is None else fold.query,
            condition=None if fold is None else fold.condition,
            lease=lease,
            parked=parked,
            damage=unread or folded.damage or damage,
        )
        return await self._looked(found, around)

    async def _group(self, group: GroupStatus, around: Surroundings) -> Looked:
        checkpoint, lease, damage = Checkpoint(), None, group.damage
        members = [each.condition for each in self._parts.members if each.group == group.name]
        has_lease = self._parts.bus is None
        if has_lease:
            name = reader_of(group.name)
            checkpoint, _ = await self._checkpoint(name)  # the group says what is damaged
            lease, unread = around.lease(name)
            damage = damage or unread
        found = _Found(
            kind="group",
            name=group.name,
            label=f"group {group.name}",
            is_declared=any(each.group == group.name for each in self._parts.subscribers),
            position=group.position,
            waiting=group.waiting,
            moved_at=checkpoint.saved_at,
            condition=condition_of(members, lease),
            lease=lease,
            has_lease=has_lease,
            dead_letters=min(group.dead_letters, MOST_COUNTED),
            damage=damage,
        )
        return await self._looked(found, around)

    async def _looked(self, found: _Found, around: Surroundings) -> Looked:
        """Compare a reader with the log, and judge it."""
        position, waiting = found.position, found.waiting
        if waiting is None and position is not None:
            waiting = max(0, around.head - position)
        waiting_since, damage = None, found.damage
        if position is not None and waiting:
            try:
                waiting_since = await self._time_after(position, found.query)
            except IncompatibleBucket as error:  # which must not hide the other readers
                damage = printable(error.problem)
        standing = Standing(
            label=found.label,
            position=position,
            waiting_since=waiting_since,
            moved_at=found.moved_at,
            seen_at=self._seen_at(found, around.now),
            lease=found.lease,
            has_lease=found.has_lease,
            condition=found.condition,
            parked=found.parked,
            dead_letters=found.dead_letters,
            damage=damage,
        )
        is_known = found.is_declared or found.kind == "group" or found.lease is not None
        is_judged = is_known or damage is not None
        status = ReaderStatus(
            kind=found.kind,
            name=found.name,
            version=found.version,
            is_declared=found.is_declared,
            position=position,
            head=around.head,
            waiting=waiting,
            waiting_since=waiting_since,
            moved_at=found.moved_at,
            owner=None if found.lease is None else found.lease.owner,
            owned_since=None if found.lease is None else found.lease.since,
            parked=found.parked,
            dead_letters=found.dead_letters,
            error=standing.error,
            problems=standing.problems(around.now, self._stalled_after_s) if is_judged else (),
        )
        return Looked(status=status, standing=standing)

    async def _time_after(self, position: int, query: Query | None) -> datetime | None:
        """Return the time of the next event of a query after a position, if there is one."""
        page = await self._parts.store.read(query, after=position, limit=1)
        return page.events[0].recorded_at if page.events else None

    def _seen_at(self, found: _Found, now: datetime) -> datetime:
        """Return the time when this process first saw a reader at its position."""
        reader = (found.kind, found.name, found.version)
        position, since = self._seen.get(reader, (None, now))
        if position != found.position:
            since = now
        self._seen[reader] = (found.position, since)
        return since


def condition_of(
    members: Sequence[ReaderCondition], lease: HeldLease | None
) -> ReaderCondition | None:
    """Return the condition of a failing member, else of the leader, else of any member.

    Args:
        members: The conditions of the members of a group in this process.
        lease: The lease of the group; ``None`` if it is free.
    """
    return min(
        members,
        key=lambda each: (each.failure is None, lease is not None and lease.owner != each.owner),
        default=None,
    )


def _query_of(registration: Registration | None) -> Query | None:
    """Return the events that an undeclared version reads; ``None`` if they are not known."""
    names = () if registration is None else registration.made_from.get(EVENTS, ())
    return Query.of(*names) if names else None
