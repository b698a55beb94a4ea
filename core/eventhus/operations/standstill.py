"""Judges readers of the log: finds those that stand still while events wait for them."""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import frozen

from eventhus.adapter_support.failure_log import summary
from eventhus.ports.leases import HeldLease
from eventhus.printable import counted
from eventhus.runtime.readers.reader_condition import ReaderCondition


@frozen(kw_only=True)
class Standing:
    """The facts that a reader is judged by.

    Attributes:
        label: The reader, for messages.
        position: Everything up to this position is handled; ``None`` if it is not known.
        waiting_since: The time of the first event that it reads and has not handled; ``None`` if
            nothing waits.
        moved_at: The time when its checkpoint last moved; ``None`` if it never did.
        seen_at: The time when this process first saw it at this position.
        lease: Its lease; ``None`` if it is free or not known.
        has_lease: False if its lease is not known, as for a group of a bus.
        condition: Its condition in this process; ``None`` if it does not run here.
        parked: The number of its parked keys.
        dead_letters: The number of its dead letters.
        damage: The reason why its lease, its registration, its checkpoint, its documents or its
            next event cannot be read; ``None`` if they can.
    """

    label: str
    position: int | None
    waiting_since: datetime | None
    moved_at: datetime | None
    seen_at: datetime
    lease: HeldLease | None
    has_lease: bool
    condition: ReaderCondition | None
    parked: int
    dead_letters: int
    damage: str | None = None

    @property
    def failure(self) -> BaseException | None:
        """The failure of the reader in this process, if there is one.

        While events wait, a failure lasts until the reader makes progress.
        """
        condition = self.condition
        if condition is None:
            return None
        is_trying = condition.failure is None and self.waiting_since is not None
        return condition.last_failure if is_trying else condition.failure

    @property
    def error(self) -> str | None:
        """The failure in one line; ``None`` if there is none."""
        return None if self.failure is None else summary(self.failure)

    @property
    def leads_here(self) -> bool:
        """True if it runs in this process, and no other process holds its lease."""
        condition = self.condition
        if condition is None or not condition.is_running:
            return False
        return self.lease is None or self.lease.owner == condition.owner

    def stands_since(self, now: datetime) -> datetime | None:
        """Return the time since when it stands still; ``None`` if no events wait."""
        if self.waiting_since is None:
            return None
        signs: list[datetime] = []
        if self.moved_at is not None:
            signs.append(self.moved_at)
        if self.lease is not None:
            signs.append(self.lease.since)
        if self.condition is not None and self.leads_here:
            signs.append(now - timedelta(seconds=self.condition.idle_s))
        return max(self.waiting_since, *(signs or [self.seen_at]))

    def is_stalled(self, now: datetime, stalled_after_s: float) -> bool:
        """Return whether it has stood still for at least ``stalled_after_s`` seconds."""
        since = self.stands_since(now)
        return since is not None and (now - since).total_seconds() >= stalled_after_s

    def _is_frozen(self, now: datetime, stalled_after_s: float) -> bool:
        """Return whether it stands still although its last attempt did not fail."""
        has_failed = self.condition is not None and self.condition.failure is not None
        return not has_failed and self.is_stalled(now, stalled_after_s)

    def needs_restart(self, now: datetime, stalled_after_s: float) -> bool:
        """Return whether it is stuck or has ended in this process, without a failure to mend."""
        condition = self.condition
        if condition is None:
            return False
        if condition.has_ended:
            return True
        is_leader = self.lease is not None and self.lease.owner == condition.owner
        return is_leader and self._is_frozen(now, stalled_after_s)

    def problems(self, now: datetime, stalled_after_s: float) -> tuple[str, ...]:
        """Return why it is not healthy, one sentence each."""
        problems: list[str] = []
        if self.condition is not None and self.condition.has_ended:
            problems.append(f"{self.label} has ended in this process; restart the process")
        if self.damage is None and self._is_frozen(now, stalled_after_s):
            problems.append(self._stands_still(now))
        elif self.error is not None:
            problems.append(f"{self.label} fails in this process: {self.error}")
        elif self.damage is not None:
            problems.append(f"{self.label} cannot be read: {self.damage}")
        if self.parked:
            problems.append(f"{self.label} has {counted(self.parked, 'parked key')}")
        if self.dead_letters:
            problems.append(f"{self.label} has {counted(self.dead_letters, 'dead letter')}")
        return tuple(problems)

    def _stands_still(self, now: datetime) -> str:
        since = self.stands_since(now) or now
        where = "" if self.position is None else f" at position {self.position}"
        if self.leads_here and self.lease is not None:
            advice = "this process holds its lease; restart the process"
        elif self.lease is not None:
            advice = f"look at the process that holds its lease as {self.lease.owner}"
        elif self.has_lease:
            advice = "nobody holds its lease; start a worker"
        else:
            advice = "look at the processes that handle it"
        stood_s = (now - since).total_seconds()
        return (
            f"{self.label} has stood{where} for {stood_s:.0f} s while events wait for it; {advice}"
        )
