"""``eventhus describe``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from eventhus_cli.options import Command
from eventhus_cli.session import Session, operating

if TYPE_CHECKING:
    from eventhus.operations import FieldInfo


@click.command(cls=Command)
@operating(is_entered=False)
async def describe(session: Session) -> None:
    """Show the domain: commands, events with their versions, views and processes.

    It reads only the code, so it needs no server.
    """
    found = session.operations.describe()
    screen = session.screen
    if screen.is_json:
        screen.json(
            bucket=found.bucket,
            commands=found.commands,
            events=found.events,
            readers=found.readers,
        )
        return
    screen.line(f"bucket {found.bucket}")
    _table(
        session,
        ("COMMAND", "HANDLED BY", "FIELDS"),
        [(each.name, each.handled_by, _fields(each.fields)) for each in found.commands],
    )
    _table(
        session,
        ("EVENT", "STREAM", "SCHEMA", "FIELDS"),
        [(each.name, each.stream_type, each.schema, _fields(each.fields)) for each in found.events],
    )
    _table(
        session,
        ("READER", "VERSION", "READS", "INDEXES"),
        [
            (
                f"{each.kind} {each.name}",
                each.version,
                ", ".join(each.reads),
                ", ".join(map(_index, each.indexes)),
            )
            for each in found.readers
        ],
    )


def _table(session: Session, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        session.screen.line()
        session.screen.table(columns, rows)


def _fields(fields: Iterable[FieldInfo]) -> str:
    return ", ".join(f"{each.name}: {each.type}" for each in fields)


def _index(fields: Sequence[str]) -> str:
    return fields[0] if len(fields) == 1 else f"({', '.join(fields)})"
