"""``eventhus status``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from eventhus_cli.exit_codes import AWAY, FINE, PROBLEM
from eventhus_cli.options import Command
from eventhus_cli.plain import plain
from eventhus_cli.screen import age
from eventhus_cli.session import Session, operating
from eventhus_cli.texts import escaped, one_line

if TYPE_CHECKING:
    from eventhus.operations import Health, ReaderStatus


@click.command(cls=Command)
@operating()
async def status(session: Session) -> int:
    """Tell whether everything goes on: readers, lag, parked keys, dead letters.

    Exits with 1 if somebody has to look at something.
    """
    health = await session.operations.health()
    if session.screen.is_json:
        answer = plain(health)
        session.screen.json(bucket=session.app.bucket, is_healthy=health.is_healthy, **answer)
    else:
        _show(session, health)
    if health.head is None:
        return AWAY
    return FINE if health.is_healthy else PROBLEM


def _show(session: Session, health: Health) -> None:
    screen = session.screen
    verdict = "healthy" if health.is_healthy else "NOT HEALTHY"
    ready = "ready" if health.is_ready else "not ready"
    events = "" if health.head is None else f", {health.head:,} events"
    screen.line(f"bucket {session.app.bucket}: {verdict}, {ready}{events}")
    if health.readers:
        screen.line()
        screen.table(
            ("READER", "POSITION", "WAITING", "SINCE", "PARKED", "DEAD", "HELD BY"),
            [_row(each, health.at) for each in health.readers],
        )
    if health.problems:
        screen.line()
        for problem in health.problems:
            screen.wrapped(one_line(problem), "!")


def _row(reader: ReaderStatus, now: datetime) -> tuple[object, ...]:
    return (
        label(reader),
        reader.position,
        reader.waiting,
        age(reader.waiting_since, now),
        reader.parked or None,
        reader.dead_letters or None,
        reader.owner,
    )


def label(reader: ReaderStatus) -> str:
    """Return the name of a reader for people, such as ``view orders v2``."""
    name = reader.kind if reader.kind == reader.name else f"{reader.kind} {reader.name}"
    version = "" if reader.version == 1 else f" v{reader.version}"
    is_known = reader.is_declared or reader.kind == "group"  # whose members are elsewhere
    return escaped(f"{name}{version}{'' if is_known else ' (not declared)'}")
