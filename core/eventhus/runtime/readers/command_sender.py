"""Sends the commands of a process, and records the refusals that it asks for."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from eventhus.domain.command import Command
from eventhus.domain.process_events import CommandRefused
from eventhus.domain.recorded import Recorded
from eventhus.errors import (
    BucketError,
    BusError,
    CodecError,
    CommandIdReused,
    CommitTooLarge,
    ConflictError,
    InvalidCommit,
    NotRunning,
    OutcomeUnknown,
    Rejected,
    StoreError,
    StoreUnavailable,
)
from eventhus.runtime.commands.envelope import Envelope, Handler
from eventhus.runtime.readers.keyed_events import KeyedEvents, Poisoned, raised
from eventhus.runtime.readers.own_streams import OwnStreams

_PASSING = (BusError, ConflictError, NotRunning, OSError, OutcomeUnknown, StoreUnavailable)
"""Errors that say nothing about the command: it may succeed a moment later.

``OSError`` includes ``TimeoutError`` and ``ConnectionError``.
"""

_logger = logging.getLogger(__name__)


class CommandSender:
    """Sends the commands of one process.

    A crash before the state is saved sends the commands again, under the same ids, and the log
    holds each id once. A recorded refusal has the id of its command. So the log holds either the
    events of a command or its refusal, and a command that was refused is not carried out later.

    Args:
        label: The name of the process in messages.
        handle: Carries out a command.
        streams: The streams of the process.
        events: Its events, to name one in an error.
        records_refusals: True if the process takes ``CommandRefused``. Otherwise a refusal is
            logged, and a crash may send a refused command once more.
    """

    def __init__(
        self,
        label: str,
        handle: Handler,
        streams: OwnStreams,
        events: KeyedEvents,
        *,
        records_refusals: bool,
    ) -> None:
        self._label = label
        self._handle = handle
        self._streams = streams
        self._events = events
        self._records_refusals = records_refusals

    async def send(self, key: str, commands: Iterable[Command], recorded: Recorded[Any]) -> None:
        """Send the commands that follow from an event, one after the other.

        Args:
            key: The key of the process.
            commands: The commands.
            recorded: The event.

        Raises:
            Poisoned: A command can never be carried out.
            ReaderStopped: This version of the application cannot carry it out.
        """
        # One event may concern several keys. Any text may be a key, so the id has its digest.
        digest = blake2b(key.encode(), digest_size=8).hexdigest()
        for index, command in enumerate(commands):
            command_id = self._streams.command_id(recorded.id, f"{index}/{digest}")
            await self._send(key, command, command_id, recorded)

    async def _send(
        self, key: str, command: Command, command_id: str, recorded: Recorded[Any]
    ) -> None:
        envelope = Envelope(command=command, command_id=command_id, metadata=recorded.caused())
        try:
            await self._handle(envelope)
        except Rejected as refusal:
            if not self._records_refusals:
                self._log(command, refusal, recorded)
                return
            await self._streams.append(
                key,
                CommandRefused(
                    type(command).__name__, type(refusal).__name__, command.aggregate_id
                ),
                cause=recorded,
                command_id=command_id,
            )
        except _PASSING:
            raise
        except Exception as error:
            if isinstance(error, CommandIdReused) and error.first == self._streams.of(key):
                return  # the refusal of an earlier attempt
            problem = raised(error, by=type(command).__qualname__)
            if _is_not_the_commands(error):
                raise self._events.stopped(recorded, problem) from error
            raise Poisoned(error, problem) from error

    def _log(self, command: Command, refusal: Rejected, recorded: Recorded[Any]) -> None:
        _logger.warning(
            "%s sent %s because of %s, version %d; it was refused with %s",
            self._label,
            type(command).__qualname__,
            recorded.stream,
            recorded.version,
            type(refusal).__name__,
        )


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
