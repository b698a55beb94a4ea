"""Runs a process: follows the log and sends the commands that come next."""

from __future__ import annotations

import logging
from typing import Any, TypeVar

from eventhus.domain.aggregate import Command
from eventhus.domain.process import Process
from eventhus.domain.recorded import Recorded
from eventhus.errors import (
    NotRunning,
    OutcomeUnknown,
    Rejected,
    StoreUnavailable,
    TooManyConflicts,
)
from eventhus.runtime.commands.envelope import Envelope, Handler
from eventhus.runtime.readers.documents import FoldedValue
from eventhus.runtime.readers.keyed_fold import FoldContext, KeyedFold

S = TypeVar("S")

_PASSING = (NotRunning, OutcomeUnknown, StoreUnavailable, TooManyConflicts)
"""What says nothing about the command: the same one may be carried out a moment later."""

_logger = logging.getLogger(__name__)


class ProcessRunner(KeyedFold[S]):
    """Runs the instances of a process: each event's commands are sent, and then its state saved.

    A crash in between sends them again, under the same ids, and the log holds each id once.

    A lease, and not the ids alone, keeps it to one process at a time. A command that is refused or
    changes nothing leaves no trace in the log: another process that came to it later would carry
    it out on what has become of its aggregate since. With the lease, this is left to the one event
    that a crash repeats.
    """

    def __init__(self, process: Process[Any, S], setting: FoldContext[S], handle: Handler) -> None:
        super().__init__(process, f"process {process.name}", setting)
        self._process = process
        self._handle = handle

    async def _fold(self, kept: FoldedValue[S], recorded: Recorded[Any]) -> bool:
        before: Any = kept.value if kept.exists else self._process.initial  # None may be a state
        with self._at(recorded):
            state = self._process.evolve(before, recorded)
            commands = self._process.reacted(state, recorded)
            self._documents.encode(state)  # what cannot be saved must not have sent anything
        for index, command in enumerate(commands):
            await self._dispatch(command, index, recorded)
        kept.value, kept.exists, kept.last = state, True, recorded
        return bool(commands)

    async def _dispatch(self, command: Command, index: int, recorded: Recorded[Any]) -> None:
        name = type(command).__qualname__
        envelope = Envelope(
            command=command,
            command_id=f"{self._process.name}/{recorded.id}/{index}",
            metadata=recorded.caused(),
        )
        try:
            await self._handle(envelope)
        except Rejected as refusal:
            _logger.warning(
                "%s sent %s because of %s, version %d, and %s refused it",
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
