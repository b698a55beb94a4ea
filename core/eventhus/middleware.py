"""Middleware: its types, and a log line and a measurement for every command."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import perf_counter
from typing import Literal, TypeAlias

from attrs import frozen

from eventhus.errors import Rejected
from eventhus.printable import printable
from eventhus.runtime.commands.envelope import Committed, Envelope, Handler, Middleware

__all__ = [
    "CommandOutcome",
    "Envelope",
    "Handler",
    "Middleware",
    "Timing",
    "log_commands",
    "time_commands",
]

_logger = logging.getLogger(__name__)

CommandOutcome: TypeAlias = Literal["accepted", "unchanged", "rejected", "failed"]
"""How a command ended: see ``Timing``."""


@frozen(kw_only=True)
class Timing:
    """The duration of one command, including the wait for its turn.

    Attributes:
        command: The name of the command's class.
        outcome: ``accepted`` with events, ``unchanged`` without, ``rejected`` by the domain, or
            ``failed`` on any other error, cancellation included.
        seconds: From dispatch to answer.
    """

    command: str
    outcome: CommandOutcome
    seconds: float


def time_commands(observe: Callable[[Timing], None]) -> Middleware:
    """Make middleware that measures every command.

    Args:
        observe: Called once after each command, to feed your metrics. If it raises, the error is
            logged, because the command already has its answer.
    """

    def middleware(handle: Handler) -> Handler:
        async def timed(envelope: Envelope) -> Committed:
            started = perf_counter()
            outcome: CommandOutcome = "failed"
            try:
                committed = await handle(envelope)
                outcome = "accepted" if committed.events else "unchanged"
                return committed
            except Rejected:
                outcome = "rejected"
                raise
            finally:
                timing = Timing(
                    command=type(envelope.command).__name__,
                    outcome=outcome,
                    seconds=perf_counter() - started,
                )
                try:
                    observe(timing)
                except Exception:
                    _logger.exception("a command was not measured")

        return timed

    return middleware


def log_commands(logger: logging.Logger) -> Middleware:
    """Make middleware that logs a line for every command, without any of its data.

    Accepted commands are logged at ``INFO``, refused ones at ``WARNING`` with the class of the
    refusal, all others at ``ERROR`` with the class of the error.

    Args:
        logger: Receives the lines.
    """

    def middleware(handle: Handler) -> Handler:
        async def logged(envelope: Envelope) -> Committed:
            command: object = envelope.command  # untyped callers may pass anything
            label = (
                type(command).__name__,
                printable(str(getattr(command, "aggregate_id", "-"))),
            )
            try:
                committed = await handle(envelope)
            except Rejected as refusal:
                logger.warning("%s %s: rejected, %s", *label, type(refusal).__name__)
                raise
            except BaseException as error:
                logger.error("%s %s: failed, %s", *label, type(error).__name__)  # noqa: TRY400
                raise
            logger.info("%s %s: version %d", *label, committed.version)
            return committed

        return logged

    return middleware
