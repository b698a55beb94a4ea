"""The options that every command has, before or after its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from attrs import define, field

from eventhus_cli.exit_codes import USAGE, Failure

TIMEOUT_S = 10.0

_FROM_OUTSIDE = ("app", "store", "bus", "bucket")  # may come from the environment


@define
class Options:
    """The values of the common options.

    Attributes:
        given: Those of the command line, by name.
        environment: Those of environment variables, by name.
    """

    given: dict[str, Any] = field(factory=dict[str, Any])
    environment: dict[str, str] = field(factory=dict[str, str])

    @property
    def is_json(self) -> bool:
        """True if the answer is wanted as JSON."""
        return bool(self.given.get("json"))

    @property
    def is_debugging(self) -> bool:
        """True if tracebacks and logs are wanted."""
        return bool(self.given.get("debug"))

    @property
    def timeout_s(self) -> float:
        """The time limit for answers of the store and the bus, in seconds."""
        return float(self.given.get("timeout", TIMEOUT_S))

    def target(self) -> dict[str, str]:
        """Return the options that say what to look at. The command line beats the environment.

        Raises:
            Failure: They contradict each other.
        """
        for source in (self.given, self.environment):
            named = {name: source[name] for name in _FROM_OUTSIDE if source.get(name)}
            if "app" in named and "store" in named:
                raise Failure(
                    "both an application and a store are named; give --app, or --store with "
                    "--bucket",
                    USAGE,
                )
            if "app" in named:
                return {"app": named["app"]}
            if "store" in named:
                extra = {name: self.environment[name] for name in self.environment if name != "app"}
                return {**extra, **named}
        return {}


def current_options() -> Options:
    """Return the options of the running command."""
    return click.get_current_context().ensure_object(Options)


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    options = context.ensure_object(Options)
    if value in (None, False):
        return
    name = parameter.name or ""
    source = context.get_parameter_source(name)
    if source is click.core.ParameterSource.ENVIRONMENT:
        options.environment[name] = value
    else:
        options.given[name] = value


def common_options(*, is_root: bool = False) -> list[click.Parameter]:
    """Return new common options.

    Args:
        is_root: True for those before the name of the command, which environment variables can set.
    """

    def option(name: str, help_text: str, **settings: Any) -> click.Option:
        if is_root and name in _FROM_OUTSIDE:
            settings |= {"envvar": f"EVENTHUS_{name.upper()}", "show_envvar": True}
        return click.Option(
            [f"--{name}"], help=help_text, callback=_keep, expose_value=False, **settings
        )

    return [
        option("app", "The application, or a function that returns it.", metavar="MODULE:NAME"),
        option("store", "Look at raw data in this store, without any code.", metavar="URL"),
        option("bucket", "The bucket in the store, with --store.", metavar="NAME"),
        option("bus", "The bus of the bucket, with --store.", metavar="URL"),
        option(
            "timeout",
            f"Wait at most so many seconds for an answer.  [default: {TIMEOUT_S:g}]",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
        ),
        option("json", "Answer as JSON.", is_flag=True),
        option("debug", "Show tracebacks and logs.", is_flag=True),
    ]


class Command(click.Command):
    """A command with the common options."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        settings["params"] = [*settings.get("params", ()), *common_options()]
        super().__init__(*args, **settings)


class Group(click.Group):
    """A group of commands, each with the common options."""

    command_class = Command

    def add(self, *commands: click.Command) -> None:
        """Add several commands."""
        for command in commands:
            self.add_command(command)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click has it
        """Return the names of the commands in the order in which they were added."""
        return [*self.commands]


def paged(limit: int = 50) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a command with the option for the size of a page."""
    return click.option(
        "--limit",
        type=click.IntRange(1, 1000),
        default=limit,
        show_default=True,
        help="Show at most so many.",
    )
