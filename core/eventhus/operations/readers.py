"""The progress of every reader of the log, in whichever process it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from attrs import frozen

from eventhus.domain.query import Query
from eventhus.operations.app_parts import AppParts
from eventhus.operations.folded import Folded, all_folded
from eventhus.operations.standstill import Standing
from eventhus.operations.values import ReaderKind, ReaderStatus
from eventhus.ports.checkpoints import Checkpoint
from eventhus.ports.store import StoredEvent
from eventhus.runtime.readers.reader_condition import ReaderCondition
from eventhus.runtime.readers.registering import EVENTS, collection_of
from eventhus.runtime.readers.relay import CHECKPOINT, LEASE

if TYPE_CHECKING:
    from eventhus.ports.bus import GroupStatus
    from eventhus.ports.leases import HeldLease

MOST_COUNTED = 1_000
_LEASES = 1_000  # that are loaded at once
_MOST_LEASES = 10_000


@frozen(kw_only=True)
class Looked:
    """A reader as it was found, and its judgement.

    Attributes:
        status: For whoever asked.
        standing: What the judgement is based on.
    """

    status: ReaderStatus
    standing: Standing


@frozen(kw_only=True)
class Surroundings:
    """What is the same for all readers.

    Attributes:
        head: The end of the log.
        leases: The leases that are held, by name.
        now: The time.
    """

    head: int
    leases: Mapping[str, HeldLease]
    now: datetime


class Readers:
    """Looks at the readers of one bucket, and remembers where they were.

    Args:
        parts: The application.
        stalled_after_s: As for ``Operations``.
    """

    def __init__(self, parts: AppParts, stalled_after_s: float) -> None:
        self._parts = parts
        self._stalled_after_s = stalled_after_s
        # Where each reader was seen, and since when it has been seen there.
        self._seen: dict[tuple[ReaderKind, str, int], tuple[int | None, datetime]] = {}

    async def surroundings(self) -> Surroundings:
        """Look at the log and the leases."""
        head, leases = await asyncio.gather(self._parts.store.head(), self._leases())
        return Surroundings(head=head, leases=leases, now=self._parts.clock.now())

    async def _leases(self) -> Mapping[str, HeldLease]:
        found: dict[str, HeldLease] = {}
        after: str | None = None
        while len(found) < _MOST_LEASES:
            page = await self._parts.store.leases(after=after, limit=_LEASES)
            found |= {each.name: each for each in page}
            if len(page) < _LEASES:
                break
            after = page[-1].name
        return found

    async def of_store(self, around: Surroundings, *, declared_only: bool) -> list[Looked]:
        """Look at the relay, the views and the processes."""
        folded = [
            each for each in await all_folded(self._parts) if each.reader or not declared_only
        ]
        in_charge = await self._in_charge(folded)
        looks = [self._folded(each, around, in_charge) for each in folded]
        found = [*await asyncio.gather(*looks)]
        relay = await self._relay(around)
        return found if relay is None else [relay, *found]

    async def of_groups(self, around: Surroundings, groups: Sequence[GroupStatus]) -> list[Looked]:
        """Look at the consumer groups that the bus has described."""
        return [*await asyncio.gather(*(self._group(each, around) for each in groups))]

    async def _relay(self, around: Surroundings) -> Looked | None:
        relay = self._parts.relay
        checkpoint = await self._parts.store.load_checkpoint(CHECKPOINT)
        if relay is None and checkpoint.saved_at is None:
            return None
        return await self._looked(
            "relay",
            "relay",
            checkpoint,
            around,
            is_declared=relay is not None,
            condition=None if relay is None else relay.condition,
            lease=around.leases.get(LEASE),
        )

    async def _in_charge(self, folded: Iterable[Folded]) -> Mapping[str, int]:
        """Return the version in charge of each process."""
        names = sorted({each.name for each in folded if each.kind == "process"})
        checkpoints = await asyncio.gather(
            *(
                self._parts.store.load_checkpoint(f"{collection_of('process', name)}/version")
                for name in names
            )
        )
        return {
            name: max(1, checkpoint.position)
            for name, checkpoint in zip(names, checkpoints, strict=True)
        }

    async def _folded(
        self, folded: Folded, around: Surroundings, in_charge: Mapping[str, int]
    ) -> Looked:
        store = self._parts.store
        checkpoint, parked = await asyncio.gather(
            store.load_checkpoint(folded.collection),
            store.load_parked(folded.collection, limit=MOST_COUNTED),
        )
        start = 0 if folded.registration is None else folded.registration.start.position
        condition: ReaderCondition | None = None
        query: Query | None
        if folded.reader is not None:
            fold = self._parts.fold_of(folded.reader)
            condition, query = fold.condition, fold.query
        else:
            query = _query_of(folded)
        lease = around.leases.get(_lease_name(folded))
        if folded.kind == "process" and folded.version != in_charge[folded.name]:
            lease = None  # another version holds it
        return await self._looked(
            folded.kind,
            folded.name,
            checkpoint,
            around,
            label=folded.label,
            version=folded.version,
            is_declared=folded.reader is not None,
            begins_after=start,
            query=query,
            condition=condition,
            lease=lease,
            parked=len(parked),
        )

    async def _group(self, group: GroupStatus, around: Surroundings) -> Looked:
        has_lease = self._parts.bus is None
        name = collection_of("group", group.name)
        checkpoint: Checkpoint | None = None
        if has_lease:
            checkpoint = await self._parts.store.load_checkpoint(name)
        lease = around.leases.get(name) if has_lease else None
        members = [each for each in self._parts.members if each.group == group.name]
        conditions = sorted(
            (each.condition for each in members),
            key=lambda each: (each.failure is None, lease is None or lease.owner != each.owner),
        )
        position = group.position
        return await self._looked(
            "group",
            group.name,
            Checkpoint(position or 0, saved_at=None if checkpoint is None else checkpoint.saved_at),
            around,
            is_declared=any(each.group == group.name for each in self._parts.subscribers),
            is_known=position is not None,
            waiting=group.waiting,
            condition=conditions[0] if conditions else None,
            lease=lease,
            has_lease=has_lease,
            dead_letters=min(group.dead_letters, MOST_COUNTED),
        )

    async def _looked(
        self,
        kind: ReaderKind,
        name: str,
        checkpoint: Checkpoint,
        around: Surroundings,
        *,
        is_declared: bool,
        condition: ReaderCondition | None,
        lease: HeldLease | None,
        label: str = "",
        version: int = 1,
        begins_after: int = 0,
        is_known: bool = True,
        waiting: int | None = None,
        query: Query | None = None,
        has_lease: bool = True,
        parked: int = 0,
        dead_letters: int = 0,
    ) -> Looked:
        position = max(checkpoint.position, begins_after) if is_known else None
        if waiting is None and position is not None:
            waiting = max(0, around.head - position)
        first: StoredEvent | None = None
        if position is not None and waiting:
            page = await self._parts.store.read(query, after=position, limit=1)
            first = page.events[0] if page.events else None
        standing = Standing(
            label=label or (name if kind == "relay" else f"{kind} {name}"),
            position=position,
            waiting_since=None if first is None else first.recorded_at,
            moved_at=checkpoint.saved_at,
            seen_at=self._seen_at((kind, name, version), position, around.now),
            lease=lease,
            has_lease=has_lease,
            condition=condition,
            parked=parked,
            dead_letters=dead_letters,
        )
        is_judged = is_declared or kind == "group" or lease is not None
        status = ReaderStatus(
            kind=kind,
            name=name,
            version=version,
            is_declared=is_declared,
            position=position,
            head=around.head,
            waiting=waiting,
            waiting_since=standing.waiting_since,
            moved_at=checkpoint.saved_at,
            owner=None if lease is None else lease.owner,
            owned_since=None if lease is None else lease.since,
            parked=parked,
            dead_letters=dead_letters,
            error=standing.error,
            problems=standing.problems(around.now, self._stalled_after_s) if is_judged else (),
        )
        return Looked(status=status, standing=standing)

    def _seen_at(
        self, reader: tuple[ReaderKind, str, int], position: int | None, now: datetime
    ) -> datetime:
        """Return since when this process has seen a reader at its position."""
        known = self._seen.get(reader)
        if known is None or known[0] != position:
            self._seen[reader] = known = (position, now)
        return known[1]


def _lease_name(folded: Folded) -> str:
    """Return the name of a lease. All versions of a process share one."""
    version = folded.version if folded.kind == "view" else 1
    return collection_of(folded.kind, folded.name, version)


def _query_of(folded: Folded) -> Query | None:
    """Return the events that a version reads which no code here declares, as far as it is known."""
    registered = folded.registration
    names: Sequence[str] = () if registered is None else registered.made_from.get(EVENTS, ())
    return Query.of(*names) if names else None
