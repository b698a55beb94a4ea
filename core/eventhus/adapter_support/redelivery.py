"""The next delivery of a message whose handler failed."""

from __future__ import annotations

from logging import Logger

from attrs import evolve

from eventhus.adapter_support.backoff import Backoff
from eventhus.adapter_support.failure_log import summary, unexpected
from eventhus.ports.bus import Message
from eventhus.printable import printable


def next_attempt(
    message: Message, failure: BaseException, *, backoff: Backoff, logger: Logger
) -> tuple[Message, float]:
    """Log a failure, and return the message with its next attempt, and the seconds until then."""
    delay_s = backoff.delay_s(message.attempt)
    logger.warning(
        "the handler failed on %s: %s; again in %.2f s",
        printable(message.id),
        summary(failure),
        delay_s,
        exc_info=unexpected(failure),
    )
    return evolve(message, attempt=message.attempt + 1), delay_s


def log_last_failure(message: Message, failure: BaseException, *, logger: Logger) -> None:
    """Log a failure while a subscription is closing. Its next member gets the message again."""
    logger.warning(
        "the handler failed on %s while the subscription was closing: %s",
        printable(message.id),
        summary(failure),
        exc_info=unexpected(failure),
    )
