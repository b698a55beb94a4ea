"""Logging of failures: an outage in one line, anything unexpected with its traceback."""

from __future__ import annotations

from eventhus.errors import (
    BusUnavailable,
    EventhusError,
    LeaseLost,
    NotRunning,
    OutcomeUnknown,
    PublisherReplaced,
    Rejected,
    StoreUnavailable,
)
from eventhus.printable import printable

_OUTAGES = (
    BusUnavailable,
    LeaseLost,
    NotRunning,
    OutcomeUnknown,
    PublisherReplaced,
    StoreUnavailable,
)


def summary(error: BaseException) -> str:
    """Return the class of an error, with its message if the error is one of ours.

    The message of any other error may quote personal data.
    """
    name = type(error).__name__
    if isinstance(error, EventhusError) and not isinstance(error, Rejected):
        return printable(f"{name}: {error}")
    return name


def unexpected(error: BaseException, *outages: type[BaseException]) -> BaseException | None:
    """Return the error if its traceback is worth logging, and ``None`` if it is an outage.

    During an outage, every attempt fails the same way, and the place in the code says nothing.

    Args:
        error: The error, to be passed as ``exc_info``.
        outages: Other classes of errors that are outages at this place.
    """
    return None if isinstance(error, (*_OUTAGES, *outages)) else error


def raised_in(error: BaseException) -> str:
    """Return the function and line that raised an error; empty if it has no traceback.

    Unlike a traceback, it does not show the message of the error, which may quote personal data.
    """
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame
    return f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}, line {trace.tb_lineno}"
