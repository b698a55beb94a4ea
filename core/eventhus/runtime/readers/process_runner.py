"""Runs a process: follows the log and sends the commands that the process returns."""

from __future__ import annotations

import logging
from hashlib import blake2b
from typing import Any, TypeVar

from eventhus.domain.command import Command
from eventhus.domain.process import Process
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
from eventhus.runtime.commands.envelope import RESERVED, Envelope, Handler
from eventhus.runtime.readers.documents import FoldedValue
from eventhus.runtime.readers.keyed_events import Poisoned
from eventhus.runtime.readers.keyed_fold import FoldContext, KeyedFold

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
    """

    def __init__(self, process: Process[Any, S], context: FoldContext[S], handle: Handler) -> None:
        super().__init__(process, context)
        self._process = process
        self._handle = handle

    def _evolve(self, folded: FoldedValue[S], recorded: Recorded[Any]) -> tuple[S | None, bool]:
        before: Any = (
            folded.value if folded.exists else self._process.initial
        )  # None may be a state
        return self._process.next(folded.key, before, recorded), True

    async def _react(self, key: str, value: S | None, recorded: Recorded[Any]) -> bool:
        state: Any = value
        try:
            commands = self._process.reacted(key, state, recorded)
            self._documents.encode(state)  # a state that cannot be stored must not send anything
        except Exception as error:
            raise Poisoned(error) from error
        # One event may concern several keys. Any text may be a key, so the id has its digest.
        digest = blake2b(key.encode(), digest_size=8).hexdigest()
        for index, command in enumerate(commands):
            await self._dispatch(command, f"{index}/{digest}", recorded)
        return bool(commands)

    async def _dispatch(self, command: Command, number: str, recorded: Recorded[Any]) -> None:
        name = type(command).__qualname__
        envelope = Envelope(
            command=command,
            command_id=f"{RESERVED}{self._process.name}/{recorded.id}/{number}",
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
