"""Runs a process: follows the log and sends the commands that the process returns."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from eventhus.adapter_support.tasks import together
from eventhus.domain.command import Command
from eventhus.domain.deadlines import rearmed
from eventhus.domain.process import Process
from eventhus.domain.process_events import (
    CommandRefused,
    DeadlineOvertaken,
    DeadlineReached,
    reached_by,
    without_reached,
)
from eventhus.domain.recorded import Recorded
from eventhus.errors import ReaderStopped
from eventhus.ports.leases import Lease
from eventhus.ports.observer import Reacting
from eventhus.runtime.commands.envelope import Handler
from eventhus.runtime.readers.command_sender import CommandSender
from eventhus.runtime.readers.deadline_timer import DeadlineTimer
from eventhus.runtime.readers.documents import FoldedValue
from eventhus.runtime.readers.earlier_versions import EarlierVersions
from eventhus.runtime.readers.keyed_events import Poisoned
from eventhus.runtime.readers.keyed_fold import Batch, FoldContext, KeyedFold
from eventhus.runtime.readers.own_streams import OwnStreams
from eventhus.runtime.readers.process_versions import ProcessVersions
from eventhus.runtime.readers.registering import lease_of

S = TypeVar("S")


class ProcessRunner(KeyedFold[S]):
    """Sends each event's commands, and then saves the state of the process.

    Commands of different keys go out side by side, those of one key in the order of its events.

    The ids of commands alone are not enough to carry each out once; the lease is needed, too. A
    command that changes nothing leaves no trace in the log, nor does a refusal that the process
    does not take. A second runner that came to it later would carry it out on an aggregate that has
    changed since. With the lease, this is limited to the events that a crash repeats.

    A deadline is armed in the document of its key. A ``DeadlineReached`` whose deadline is not
    armed when it is handled does not count: an event that was stored while it was appended has
    cancelled or replaced it. The log is told so, for those who fold it again without reacting.

    Args:
        process: The process.
        context: Its surroundings.
        handle: Carries out a command.
        new_id: Makes the ids of commits.
        keys_at_once: The maximum number of keys that are worked on side by side.
    """

    def __init__(
        self,
        process: Process[Any, S],
        context: FoldContext[S],
        handle: Handler,
        new_id: Callable[[], str],
        *,
        keys_at_once: int,
    ) -> None:
        lease = lease_of("process", process.name, process.version)
        super().__init__(process, context, lease=lease)
        self._keys_at_once = keys_at_once
        self._process = process
        self._streams = OwnStreams(
            process.name,
            store=context.store,
            serializer=context.serializer,
            clock=context.clock,
            new_id=new_id,
            observing=context.observing,
        )
        self._commands = CommandSender(
            self.label,
            handle,
            self._streams,
            self._events,
            records_refusals=process.takes(CommandRefused),
        )
        self._versions = ProcessVersions(process, self.label, context.store)
        self._unsaved: list[FoldedValue[S]] = []
        self._saving = asyncio.Lock()
        self._earlier: EarlierVersions | None = None  # until all that they did is folded
        self._timer: DeadlineTimer | None = None
        if process.takes(DeadlineReached):
            self._timer = DeadlineTimer(
                self.label,
                context.documents,
                self._streams,
                store=context.store,
                clock=context.clock,
                handled=self._handled_all,
            )

    async def _read(self, lease: Lease) -> None:
        await self._versions.check()
        if await self._versions.takes_over():
            async with self._retrying():  # so that no retry of the other version goes on
                await self._versions.take_over(lease)
        self._earlier = await self._versions.earlier(lease)
        if self._timer is None:
            await super()._read(lease)
        else:
            await together([super()._read(lease), self._timer.run()])

    async def _check_may_retry(self) -> None:
        await self._versions.check()

    async def _handled_all(self) -> None:
        head = await self._store.head()
        while self._position < head:
            await self._change()

    def _saved(self, folded: FoldedValue[S]) -> None:
        if self._timer is not None:
            self._timer.saved(folded.deadlines)

    async def _save_one(self, folded: FoldedValue[S], lease: Lease) -> None:
        # The values that wait while others are being saved are saved together.
        self._unsaved.append(folded)
        async with self._saving:
            if folded.last is not None:  # or another key's call has saved it
                unsaved, self._unsaved = self._unsaved, []
                await self._save([folded, *(each for each in unsaved if each is not folded)], lease)

    async def _fold_each(self, batch: Batch[S]) -> None:
        if self._earlier is not None:
            if batch.events[0][1].position > self._earlier.until:
                self._earlier = None
            else:
                await self._earlier.look_up({key for key, _ in batch.events})
        self._unsaved = []  # those of a batch that failed are folded again
        by_key = defaultdict[str, list[Recorded[Any]]](list)
        for key, recorded in batch.events:
            by_key[key].append(recorded)
        keys = iter(by_key.items())
        stops: list[ReaderStopped] = []
        await together(
            self._fold_keys(batch, keys, stops) for _ in range(min(len(by_key), self._keys_at_once))
        )
        if stops:
            raise min(stops, key=_position)

    async def _fold_keys(
        self,
        batch: Batch[S],
        keys: Iterable[tuple[str, Sequence[Recorded[Any]]]],
        stops: list[ReaderStopped],
    ) -> None:
        """Fold the events of one key after the other, while others do the same with other keys.

        Args:
            batch: The batch.
            keys: The keys that nobody has begun, with their events.
            stops: The errors that stop the process. Every event before the earliest of theirs is
                still handled.
        """
        for key, events in keys:
            for recorded in events:
                if stops and recorded.position >= min(map(_position, stops)):
                    break
                try:
                    await self._fold_event(key, recorded, batch)
                except ReaderStopped as stopped:
                    stops.append(stopped)
                    break

    def _is_past(self, folded: FoldedValue[S], recorded: Recorded[Any]) -> bool:
        if self._earlier is None:
            return False
        past = self._earlier.past(folded.key)
        if recorded.position > past.handled:
            return False
        folded.deadlines = past.deadlines
        return True

    async def _fold(
        self, folded: FoldedValue[S], recorded: Recorded[Any], *, silently: bool = False
    ) -> bool:
        if self._observing is None or silently:
            return await self._fold_or_drop(folded, recorded, silently=silently)
        operation = Reacting(
            application=self._observing.application,
            reader=self.label,
            event=type(recorded.event).__name__,
            event_id=recorded.id,
            stream_type=recorded.stream.aggregate_type,
            metadata=recorded.metadata,
        )
        with self._observing.begin(operation) as underway:
            try:
                return await self._fold_or_drop(folded, recorded, silently=silently)
            except Poisoned as poisoned:
                underway.error = poisoned.error
                raise

    async def _fold_or_drop(
        self, folded: FoldedValue[S], recorded: Recorded[Any], *, silently: bool
    ) -> bool:
        """Fold one event, unless it is a deadline that does not count."""
        if isinstance(recorded.event, DeadlineReached) and await self._is_overtaken(
            folded, recorded, silently=silently
        ):
            folded.last = recorded
            return False
        return await super()._fold(folded, recorded, silently=silently)

    def _handled(self, folded: FoldedValue[S]) -> int:
        handled = super()._handled(folded)
        if self._earlier is None:
            return handled
        return max(handled, self._earlier.past(folded.key).handled)

    async def _is_overtaken(
        self, folded: FoldedValue[S], recorded: Recorded[Any], *, silently: bool
    ) -> bool:
        """Return whether a ``DeadlineReached`` does not count. The log remembers the answer."""
        command_id = self._streams.command_id(recorded.id, "overtaken")
        if silently:
            return await self._streams.has(command_id)
        if reached_by(recorded, folded.deadlines) is not None:
            return False
        await self._streams.append(
            folded.key,
            DeadlineOvertaken(recorded.event.name),
            cause=recorded,
            command_id=command_id,
        )
        return True

    def _evolve(self, folded: FoldedValue[S], recorded: Recorded[Any]) -> tuple[S | None, bool]:
        # None may be a state.
        before: Any = folded.value if folded.exists else self._process.initial
        return self._process.next(folded.key, before, recorded), True

    async def _react(
        self, folded: FoldedValue[S], value: S | None, recorded: Recorded[Any]
    ) -> bool:
        state: Any = value
        try:
            answers = self._process.reacted(folded.key, state, recorded)
            self._documents.encode(state)  # a state that cannot be stored must not send anything
            armed = without_reached(folded.deadlines, recorded)
            deadlines = rearmed(armed, answers, recorded)
        except Exception as error:
            raise Poisoned(error) from error
        commands = [each for each in answers if isinstance(each, Command)]
        await self._commands.send(folded.key, commands, recorded)
        folded.deadlines = deadlines
        return bool(commands)


def _position(stopped: ReaderStopped) -> int:
    return stopped.position
