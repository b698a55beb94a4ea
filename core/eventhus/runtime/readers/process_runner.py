"""Runs a process: follows the log and sends the commands that the process returns."""

from __future__ import annotations

import logging
from typing import Any, TypeVar

from eventhus.domain.command import Command
from eventhus.domain.process import Process
from eventhus.domain.recorded import Recorded
from eventhus.errors import (
    NotRunning,
    OutcomeUnknown,
    Rejected,
    StoreUnavailable,
    TooManyConflicts,
)
from eventhus.runtime.commands.envelope import RESERVED, Envelope, Handler
from eventhus.runtime.readers.documents import FoldedValue
from eventhus.runtime.readers.keyed_fold import FoldContext, KeyedFold

S = TypeVar("S")

_PASSING = (NotRunning, OutcomeUnknown, StoreUnavailable, TooManyConflicts)
"""Errors that say nothing about the command: it may succeed a moment later."""

_logger = logging.getLogger(__name__)


class ProcessRunner(KeyedFold[S]):
    """Sends each event's commands, and then saves the state of the process.

    A crash in between sends the commands again, under the same ids, and the log holds each id once.

    The ids alone are not enough; the lease is needed, too. A command that is refused or changes
    nothing leaves no trace in the log, so a second runner that came to it later would carry it out
    on an aggregate that has changed since. With the lease, this is limited to the one event that a
    crash repeats.
    """

    def __init__(self, process: Process[Any, S], context: FoldContext[S], handle: Handler) -> None:
        super().__init__(process, f"process {process.name}", context)
        self._process = process
        self._handle = handle

    async def _fold(self, folded: FoldedValue[S], recorded: Recorded[Any]) -> bool:
        before: Any = (
            folded.value if folded.exists else self._process.initial
        )  # None may be a state
        with self._naming(recorded):
            state = self._process.evolve(before, recorded)
            commands = self._process.reacted(state, recorded)
            self._documents.encode(state)  # a state that cannot be stored must not send anything
        for index, command in enumerate(commands):
            await self._dispatch(command, index, recorded)
        folded.value, folded.exists, folded.last = state, True, recorded
        return bool(commands)

    async def _dispatch(self, command: Command, index: int, recorded: Recorded[Any]) -> None:
        name = type(command).__qualname__
        envelope = Envelope(
            command=command,
            command_id=f"{RESERVED}{self._process.name}/{recorded.id}/{index}",
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
            raise self._stopped(recorded, f"{type(error).__name__} was raised by {name}") from error
