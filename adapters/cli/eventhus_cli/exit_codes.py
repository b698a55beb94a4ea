"""The exit codes of the command line, and the failures that carry them."""

from __future__ import annotations

from typing import Final

from eventhus_cli.texts import for_shell

FINE: Final = 0
PROBLEM: Final = 1  # something was found that needs attention
USAGE: Final = 2  # the command, an argument or the application's code is wrong
AWAY: Final = 3  # the store or the bus does not answer, or refuses
DECLINED: Final = 4  # the answer to a question was not yes
UNEXPECTED: Final = 70  # a defect; EX_SOFTWARE of sysexits.h
INTERRUPTED: Final = 130  # 128 + SIGINT
PIPE_CLOSED: Final = 141  # 128 + SIGPIPE


class Failure(Exception):
    """Ends the command with a message and an exit code.

    Args:
        message: One sentence for the person at the terminal.
        exit_code: The exit code.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def failure_of(error: Exception, timeout_s: float) -> Failure | None:
    """Return the failure that ends the command after an error; ``None`` if it is unexpected.

    Args:
        error: The error.
        timeout_s: The time limit that the command had, in seconds.
    """
    from eventhus import errors

    message = for_shell(str(error))
    match error:
        case errors.StoreUnavailable() | errors.BusUnavailable() | errors.BucketError():
            return Failure(message, AWAY)
        case errors.OutcomeUnknown():
            return Failure(message, AWAY)
        case errors.UsageError():
            return Failure(message, USAGE)
        case errors.EventhusError():
            return Failure(message or type(error).__name__, PROBLEM)
        case TimeoutError():
            return Failure(
                f"the store or the bus did not answer within {timeout_s:g} s; eventhus doctor "
                f"tells which and why, and --timeout allows more time",
                AWAY,
            )
        case OSError():
            return Failure(f"{type(error).__name__}: {message}", AWAY)
        case _:
            return None
