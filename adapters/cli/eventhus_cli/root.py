"""The command ``eventhus`` itself, with its commands and the handling of failures."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from io import StringIO, TextIOWrapper
from typing import Any

import click

from eventhus_cli.commands import add_commands
from eventhus_cli.exit_codes import INTERRUPTED, UNEXPECTED, Failure, failure_of
from eventhus_cli.options import Group, Options, common_options
from eventhus_cli.texts import one_line, without_secrets


class Root(Group):
    """The outermost group. Each failure is one line on standard error, and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = "eventhus",
        complete_var: str | None = "_EVENTHUS_COMPLETE",
        standalone_mode: bool = True,  # noqa: FBT001 - as click has it
        **extra: Any,
    ) -> Any:
        """Run the command, and exit with its code."""
        if sys.stdout is None:  # after >&- in a shell
            sys.stdout = StringIO()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character
        options = Options()
        try:
            code = super().main(
                args, prog_name, complete_var, standalone_mode=False, obj=options, **extra
            )
        except click.Abort:
            code = INTERRUPTED
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = error.exit_code
        except Exception as error:  # noqa: BLE001 - each gets a line
            code = _failed(error, options)
        if standalone_mode:
            sys.exit(code)
        return code


def _failed(error: Exception, options: Options) -> int:
    """Write one line about a failure, and return its exit code."""
    cause = error.__cause__ or error
    if options.is_debugging and not isinstance(cause, Failure | click.ClickException):
        click.echo(without_secrets("".join(traceback.format_exception(cause))), err=True)
    failure = _failure(error, options)
    click.echo(f"eventhus: {one_line(str(failure))}", err=True)
    return failure.exit_code


def _failure(error: Exception, options: Options) -> Failure:
    match error:
        case Failure():
            return error
        case click.ClickException():
            message = error.format_message()
            if isinstance(error, click.UsageError) and error.ctx is not None:
                message = f"{message.rstrip('.')}; see {error.ctx.command_path} --help"
            return Failure(message, error.exit_code)
        case _:
            unexpected = f"unexpected {type(error).__name__}: {error}; --debug shows where"
            return failure_of(error, options.timeout_s) or Failure(unexpected, UNEXPECTED)


@click.command(
    cls=Root,
    params=common_options(is_root=True),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="eventhus")
def eventhus() -> None:
    """Look at a running eventhus application, and mend what is stuck.

    The application is named by --app, by [tool.eventhus] app = "module:name" in pyproject.toml, or
    replaced by --store with --bucket. Commands take no part in its work.

    Exit codes: 0 fine, 1 a problem was found, 2 wrong usage, 3 the store or the bus is away, 4 not
    confirmed.
    """


add_commands(eventhus)
