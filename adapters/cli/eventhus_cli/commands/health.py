"""``eventhus status``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import click

from eventhus_cli.commands.readers import show_readers
from eventhus_cli.exit_codes import AWAY, FINE, PROBLEM
from eventhus_cli.options import Command
from eventhus_cli.plain import plain
from eventhus_cli.session import Session, operating
from eventhus_cli.texts import one_line

if TYPE_CHECKING:
    from eventhus.operations import Health


@click.command(cls=Command)
@operating()
async def status(session: Session) -> int:
    """Show the health: readers, lag, parked keys, dead letters.

    Exits with 1 if something needs attention.
    """
    health = await session.operations.health()
    if session.is_raw and health.head is not None:
        health = await _with_undeclared(session, health)
    if session.screen.is_json:
        answer = plain(health)
        session.screen.json(bucket=session.app.bucket, is_healthy=health.is_healthy, **answer)
    else:
        _show(session, health)
    if health.head is None:
        return AWAY
    return FINE if health.is_healthy else PROBLEM


async def _with_undeclared(session: Session, health: Health) -> Health:
    """Return the health with every reader that the store knows, since no code declares them."""
    groups = [each for each in health.readers if each.kind == "group"]
    readers = [*await session.operations.readers("relay", "view", "process"), *groups]
    known = {problem for each in health.readers for problem in each.problems}
    more = [problem for each in readers for problem in each.problems if problem not in known]
    if not health.head:
        more.append("the bucket holds no events; check --store and --bucket")
    return attrs.evolve(health, readers=readers, problems=(*health.problems, *more))


def _show(session: Session, health: Health) -> None:
    screen = session.screen
    verdict = "healthy" if health.is_healthy else "NOT HEALTHY"
    ready = "ready" if health.is_ready else "not ready"
    events = "" if health.head is None else f", {health.head:,} events"
    screen.line(f"bucket {session.app.bucket}: {verdict}, {ready}{events}")
    if health.readers:
        screen.line()
        show_readers(session, health.readers, health.at)
    if health.problems:
        screen.line()
        for problem in health.problems:
            screen.wrapped(one_line(problem), "!")
