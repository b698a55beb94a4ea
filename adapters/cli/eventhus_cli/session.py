"""Runs a command against an application that has been entered to look at it."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from attrs import frozen

from eventhus_cli.exit_codes import (
    DECLINED,
    FINE,
    INTERRUPTED,
    PIPE_CLOSED,
    PROBLEM,
    USAGE,
    Failure,
)
from eventhus_cli.loading import composed
from eventhus_cli.options import Options, current_options
from eventhus_cli.screen import Screen
from eventhus_cli.texts import escaped, without_secrets

if TYPE_CHECKING:
    from eventhus import Application
    from eventhus.operations import Operations


_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""The errors of a file that standard output is redirected to."""


@frozen
class Session:
    """The surroundings of a running command.

    Attributes:
        app: The application, entered to look at it unless the command does without.
        operations: Its operations.
        screen: Where to write.
        is_raw: True if a store is looked at without any code.
    """

    app: Application
    operations: Operations
    screen: Screen
    is_raw: bool


Body: TypeAlias = Callable[..., Awaitable[int | None]]
"""The body of a command: takes a session and the parameters that click has parsed."""


def operating(
    *, is_long: bool = False, is_entered: bool = True
) -> Callable[[Body], Callable[..., None]]:
    """Decorate the body of a command: it gets a session, and returns the exit code or ``None``.

    Args:
        is_long: True if the command may run as long as it likes once the application is entered.
        is_entered: False if the application must not be entered.
    """

    def decorate(body: Body) -> Callable[..., None]:
        @wraps(body)
        def run(**params: Any) -> None:
            options = current_options()
            with quiet_logs(is_debugging=options.is_debugging):
                app = composed(options.target())
                watched = app.watching() if is_entered else nullcontext()
                work = partial(body, **params)
                _exit(_operate(app, watched, options, work, is_long=is_long))

        return run

    return decorate


async def _operate(
    app: Application,
    watched: AbstractAsyncContextManager[Any],
    options: Options,
    body: Callable[[Session], Awaitable[int | None]],
    *,
    is_long: bool,
) -> int | None:
    from eventhus.operations import Operations

    async with asyncio.timeout(options.timeout_s) as limit, watched:
        if is_long:
            limit.reschedule(None)
        screen = Screen(is_json=options.is_json)
        code = await body(Session(app, Operations(app), screen, is_raw="store" in options.target()))
        limit.reschedule(None)  # leaving has a time limit of its own
    return code


def _exit(work: Any) -> None:
    """Run a coroutine to its end, and end the command with the exit code that it returns."""
    try:
        code = asyncio.run(work)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        _drop_the_rest()
        code = PIPE_CLOSED
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        _drop_the_rest()
        message = f"the answer cannot be written: {error.strerror}"
        raise Failure(message, PROBLEM) from error
    click.get_current_context().exit(FINE if code is None else code)


def _drop_the_rest() -> None:
    """Keep the interpreter from failing to flush standard output when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def confirm(question: str, *, is_agreed: bool) -> None:
    """Ask before something dangerous.

    Args:
        question: Says what is done, and to how many.
        is_agreed: True if ``--yes`` was given.

    Raises:
        Failure: The answer is no, or nobody can be asked.
    """
    if is_agreed:
        return
    question = escaped(question)
    if not sys.stdin.isatty():
        raise Failure(f"{question} Nobody can be asked here; add --yes to do it", USAGE)
    with _interruptible():
        try:
            agrees = click.confirm(question, err=True)
        except click.Abort as abort:
            if isinstance(abort.__cause__ or abort.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            agrees = False  # the end of the input
    if not agrees:
        raise Failure("nothing was done", DECLINED)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have Ctrl-C raise at once, although asyncio would cancel a task when the loop next runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _WithoutSecrets(logging.Formatter):
    """Formats log records without credentials."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


@contextmanager
def quiet_logs(*, is_debugging: bool) -> Iterator[None]:
    """Show logs and warnings only while debugging: failures have a line of their own."""
    handler: logging.Handler = logging.NullHandler()  # else Python prints warnings
    root = logging.getLogger()
    level = root.level
    if is_debugging:
        handler = logging.StreamHandler()
        handler.setFormatter(_WithoutSecrets("%(levelname)s %(name)s: %(message)s"))
        root.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        with warnings.catch_warnings():
            if not is_debugging and not sys.warnoptions:
                warnings.simplefilter("ignore")
            yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
