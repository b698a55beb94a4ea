"""``eventhus streams``, ``eventhus stream`` and ``eventhus state``."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING

import click

from eventhus_cli.commands.events import show_event
from eventhus_cli.exit_codes import FINE, PROBLEM, USAGE, Failure
from eventhus_cli.options import Command, paged
from eventhus_cli.session import Session, operating
from eventhus_cli.texts import compact, escaped, indented, one_line

if TYPE_CHECKING:
    from eventhus import StreamId
    from eventhus.operations import Difference, Step

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


@click.command(cls=Command)
@click.option("--type", "stream_type", metavar="NAME", help="Only streams of this type.")
@click.option("--prefix", default="", help="Only streams whose id begins like this.")
@click.option("--after", metavar="TYPE/ID", help="Begin after this stream.")
@paged()
@operating()
async def streams(
    session: Session, *, stream_type: str | None, prefix: str, after: str | None, limit: int
) -> None:
    """List the streams of the log, with their last versions."""
    if prefix and stream_type is None:
        raise Failure("--prefix needs --type, the type of the streams", USAGE)
    found = await session.operations.streams(
        stream_type=stream_type,
        prefix=prefix,
        after=None if after is None else _stream_id(after, None),
        limit=limit,
    )
    if session.screen.is_json:
        session.screen.json(streams=found)
        return
    session.screen.table(
        ("STREAM", "VERSION", "POSITION"),
        [(each.stream, each.version, each.position) for each in found],
    )
    if len(found) == limit:
        session.screen.more(f"--after {quote(str(found[-1].stream))}")


@click.command(cls=Command)
@click.argument("stream_name", metavar="TYPE/ID")
@click.argument("stream_id", metavar="", required=False)
@click.option(
    "--after",
    type=click.IntRange(0),
    default=0,
    metavar="VERSION",
    help="Begin after this version.",
)
@paged()
@operating()
async def stream(
    session: Session, *, stream_name: str, stream_id: str | None, after: int, limit: int
) -> None:
    """Show the events of a stream, and what each of them changed.

    If the type or the id holds a slash, give them as two arguments.
    """
    wanted = _stream_id(stream_name, stream_id)
    steps = await session.operations.stream(wanted, after_version=after, limit=limit)
    if not steps and not after:
        raise _no_stream(wanted)
    if session.screen.is_json:
        session.screen.json(stream=wanted, steps=steps)
        return
    for step in steps:
        _show_step(session, step)
    if len(steps) == limit:
        session.screen.more(f"--after {steps[-1].event.version}")


def _show_step(session: Session, step: Step) -> None:
    screen = session.screen
    show_event(screen, step.event)
    if step.problem:
        screen.wrapped(one_line(step.problem), "    !")
    for difference in step.differences:
        screen.cropped(f"    {_SIGNS[difference.kind]} {_change(difference)}")


def _change(difference: Difference) -> str:
    path = escaped(difference.path) or "state"
    match difference.kind:
        case "added":
            return f"{path}: {compact(difference.after)}"
        case "removed":
            return f"{path}: {compact(difference.before)}"
        case "changed":
            return f"{path}: {compact(difference.before)} -> {compact(difference.after)}"


@click.command(cls=Command)
@click.argument("stream_name", metavar="TYPE/ID")
@click.argument("stream_id", metavar="", required=False)
@click.option("--version", type=click.IntRange(0), help="As it was at this version.")
@operating()
async def state(
    session: Session, *, stream_name: str, stream_id: str | None, version: int | None
) -> int:
    """Show the state of an aggregate, as it is or as it was.

    Exits with 1 if the state is not known, because no aggregate of the application has the stream,
    or an event cannot be folded.
    """
    wanted = _stream_id(stream_name, stream_id)
    found = await session.operations.state(wanted, version=version)
    if not found.version and not version:
        raise _no_stream(wanted)
    if session.screen.is_json:
        session.screen.json(
            stream=found.stream, version=found.version, data=found.data, problem=found.problem
        )
    else:
        session.screen.line(f"{found.stream} at version {found.version}")
        if found.problem:
            session.screen.wrapped(one_line(found.problem), "!")
        else:
            session.screen.line(indented(found.data))
    return PROBLEM if found.problem else FINE


def _no_stream(stream: StreamId) -> Failure:
    return Failure(f"the log has no stream {stream}; eventhus streams lists those it has", USAGE)


def _stream_id(name: str, rest: str | None) -> StreamId:
    from eventhus import StreamId

    parts: Sequence[str] = (name, rest) if rest is not None else name.split("/", 1)
    if len(parts) < 2 or not all(parts):  # noqa: PLR2004 - a type and an id
        raise Failure(
            f"{escaped(name)} is not a stream; write its type and id, such as Account/a1", USAGE
        )
    return StreamId(*parts)
