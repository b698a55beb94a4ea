"""``eventhus leases``, ``eventhus doctor`` and ``eventhus console``."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

import click
from attrs import evolve

from eventhus_cli.exit_codes import FINE, PROBLEM, USAGE, Failure
from eventhus_cli.options import Command, paged
from eventhus_cli.plain import plain
from eventhus_cli.session import Session, operating
from eventhus_cli.texts import one_line, without_secrets


@click.command(cls=Command)
@click.option("--after", metavar="NAME", help="Begin after this name.")
@paged(100)
@operating()
async def leases(session: Session, *, after: str | None, limit: int) -> int:
    """Show which process leads what: the leases that are held.

    Exits with 1 if one is damaged.
    """
    from eventhus.ports import DamagedLease, HeldLease

    found = await session.operations.leases(after=after, limit=limit)
    damaged = [each for each in found if isinstance(each, DamagedLease)]
    if session.screen.is_json:
        session.screen.json(leases=found)
        return PROBLEM if damaged else FINE
    rows = [plain(each) for each in found if isinstance(each, HeldLease)]
    if rows:
        session.screen.table([name.upper() for name in rows[0]], [[*row.values()] for row in rows])
    else:
        session.screen.line("no leases are held")
    if damaged:
        session.screen.line()
    for each in damaged:
        session.screen.wrapped(one_line(each.problem), "!")
    return PROBLEM if damaged else FINE


@click.command(cls=Command)
@operating(is_long=True, is_entered=False)
async def doctor(session: Session) -> int:
    """Check versions, rights, indexes, clocks and settings of the servers.

    Exits with 1 if something does not work or loses events. A server that is away is a finding.
    """
    found = [
        # A finding names no credentials, but not every adapter keeps to that.
        evolve(each, detail=without_secrets(each.detail), advice=without_secrets(each.advice))
        for each in await session.operations.doctor()
    ]
    if session.screen.is_json:
        session.screen.json(findings=found)
    else:
        session.screen.table(
            ("CHECK", "STATUS", "DETAIL", "ADVICE"),
            [(each.name, each.status, each.detail, each.advice) for each in found],
        )
    return PROBLEM if any(each.status == "error" for each in found) else FINE


@click.command(cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="The port; 0 chooses a free one.",
)
@operating(is_long=True)
async def console(session: Session, *, host: str, port: int) -> None:
    """Serve the web console to this machine, until Ctrl-C. It only shows things."""
    needed = ("jinja2", "starlette", "uvicorn")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise Failure(
            f"the console needs {' and '.join(missing)}; install eventhus[console]", USAGE
        )
    from eventhus_console import serve

    try:
        await serve(session.app, host=host, port=port, on_start=partial(_started, session))
    except OSError as error:
        raise Failure(f"cannot listen on {host}, port {port}: {error.strerror}", USAGE) from error


def _started(session: Session, url: str) -> None:
    if session.screen.is_json:
        session.screen.json_line({"url": url})
    else:
        session.screen.cropped(f"{url}  (Ctrl-C ends it)")
