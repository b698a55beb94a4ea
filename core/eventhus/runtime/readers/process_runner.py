"""Runs a process: follows the log and sends the commands that the process returns."""

from __future__ import annotations

import logging
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, TypeVar

from eventhus.adapter_support.tasks import together
from eventhus.domain.command import Command
from eventhus.domain.deadlines import rearmed
from eventhus.domain.process import Process
from eventhus.domain.process_events import (
    DeadlineOvertaken,
    DeadlineReached,
    reached_by,
    without_reached,
)
from eventhus.domain.recorded import Recorded
from eventhus.errors import (
    BucketError,
    BusError,
    CodecError,
    CommitTooLarge,
    ConflictError,
    InvalidCommit,
    NotRunning,
    OutcomeUnknown,
    Rejected,
    StoreError,
    StoreUnavailable,
)
from eventhus.ports.leases import Lease
from eventhus.runtime.commands.envelope import Envelope, Handler
from eventhus.runtime.readers.deadline_timer import DeadlineTimer
from eventhus.runtime.readers.documents import FoldedValue
from eventhus.runtime.readers.keyed_events import Poisoned
from eventhus.runtime.readers.keyed_fold import FoldContext, KeyedFold
from eventhus.runtime.readers.own_streams import OwnStreams

S = TypeVar("S")

_PASSING = (BusError, ConflictError, NotRunning, OSError, OutcomeUnknown, StoreUnavailable)
"""Errors that say nothing about the command: it may succeed a moment later.

``OSError`` includes ``TimeoutError`` and ``ConnectionError``.
"""

_logger = logging.getLogger(__name__)


class ProcessRunner(KeyedFold[S]):
    """Sends each event's commands, and then saves the state of the process.

    A crash in between sends the commands again, under the same ids, and the log holds each id once.

    The ids alone are not enough; the lease is needed, too. A command that is refused or changes
    nothing leaves no trace in the log, so a second runner that came to it later would carry it out
    on an aggregate that has changed since. With the lease, this is limited to the one event that a
    crash repeats.

    A deadline is armed in the document of its key. A ``DeadlineReached`` whose deadline is not
    armed when it is handled does not count: an event that was stored while it was appended has
    cancelled or replaced it. The log is told so, for those who fold it again without reacting.

    Args:
        process: The process.
        context: Its surroundings.
        handle: Carries out a command.
        new_id: Makes the ids of commits.
    """

    def __init__(
        self,
        process: Process[Any, S],
        context: FoldContext[S],
        handle: Handler,
        new_id: Callable[[], str],
    ) -> None:
        super().__init__(process, context)
        self._process = process
        self._handle = handle
        self._streams = OwnStreams(
            process.name,
            store=context.store,
            serializer=context.serializer,
            clock=context.clock,
            new_id=new_id,
        )
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
        if self._timer is None:
            await super()._read(lease)
        else:
            await together([super()._read(lease), self._timer.run()])

    async def _handled_all(self) -> None:
        head = await self._store.head()
        while self._position < head:
            await self._change()

    def _saved(self, folded: FoldedValue[S]) -> None:
        if self._timer is not None:
            self._timer.saved(folded.deadlines)

    async def _fold(
        self, folded: FoldedValue[S], recorded: Recorded[Any], *, silently: bool = False
    ) -> bool:
        if isinstance(recorded.event, DeadlineReached) and await self._is_overtaken(
            folded, recorded, silently=silently
        ):
            folded.last = recorded
            return False
        return await super()._fold(folded, recorded, silently=silently)

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
        before: Any = (
            folded.value if folded.exists else self._process.initial
        )  # None may be a state
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
        # One event may concern several keys. Any text may be a key, so the id has its digest.
        digest = blake2b(folded.key.encode(), digest_size=8).hexdigest()
        commands = [each for each in answers if isinstance(each, Command)]
        for index, command in enumerate(commands):
            await self._dispatch(command, f"{index}/{digest}", recorded)
        folded.deadlines = deadlines
        return bool(commands)

    async def _dispatch(self, command: Command, number: str, recorded: Recorded[Any]) -> None:
        name = type(command).__qualname__
        envelope = Envelope(
            command=command,
            command_id=self._streams.command_id(recorded.id, number),
            metadata=recorded.caused(),
        )
        try:
            await self._handle(envelope)
        except Rejected as refusal:
            _logger.warning(
                "%s sent %s because of %s, version %d; it was refused with %s",
                self.label,
                name,
                recorded.stream,
                recorded.version,
                type(refusal).__name__,
            )
        except _PASSING:
            raise
        except Exception as error:
            problem = f"{type(error).__name__} was raised by {name}"
            if _is_not_the_commands(error):
                raise self._events.stopped(recorded, problem) from error
            raise Poisoned(error, problem) from error


def _is_not_the_commands(error: Exception) -> bool:
    """Return whether an error would meet other commands, too, until somebody acts.

    A stored event that cannot be decoded was most likely written by a newer version, to which this
    process has to make way.
    """
    if isinstance(error, CodecError):
        return error.stream is not None
    if isinstance(error, CommitTooLarge | InvalidCommit):
        return False
    return isinstance(error, BucketError | StoreError)
