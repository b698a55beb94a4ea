"""Finds the view, process or group that a name stands for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eventhus_cli.exit_codes import USAGE, Failure
from eventhus_cli.screen import age
from eventhus_cli.session import Session
from eventhus_cli.texts import escaped

if TYPE_CHECKING:
    from eventhus.operations import FoldedKind, ReaderKind, ReaderStatus

FOLDED: Sequence[ReaderKind] = ("view", "process")


async def reader_named(
    session: Session, name: str, kinds: Sequence[ReaderKind] = FOLDED
) -> ReaderStatus:
    """Return the reader of a name: in its declared version, or else in the newest one.

    Args:
        session: The running command.
        name: The name, such as ``orders``, or ``view:orders`` if a process has the name, too.
        kinds: What it may be.

    Raises:
        Failure: There is none, or one of each kind.
    """
    prefix, colon, rest = name.partition(":")
    if colon and prefix in kinds:
        kinds, name = [each for each in kinds if each == prefix], rest
    known = await session.operations.readers(*kinds)
    found = [each for each in known if each.name == name]
    if len({each.kind for each in found}) > 1:
        raise Failure(
            f"{name} is both a view and a process; write view:{name} or process:{name}", USAGE
        )
    if found:
        return max(found, key=lambda each: (each.is_declared, each.version))
    names = ", ".join(sorted({each.name for each in known})) or "none"
    raise Failure(f"there is no {' or '.join(kinds)} {escaped(name)}; there is: {names}", USAGE)


def label(reader: ReaderStatus) -> str:
    """Return the name of a reader for people, such as ``view orders v2``."""
    name = reader.kind if reader.kind == reader.name else f"{reader.kind} {reader.name}"
    return escaped(name if reader.version == 1 else f"{name} v{reader.version}")


async def list_readers(session: Session, kind: ReaderKind, plural: str) -> None:
    """Write the readers of one kind, which are the answer under the key ``plural``."""
    found = await session.operations.readers(kind)
    if session.screen.is_json:
        session.screen.json(**{plural: found})
    elif found:
        show_readers(session, found, datetime.now(UTC))
    else:
        session.screen.line(f"no {plural}")


def show_readers(session: Session, readers: Sequence[ReaderStatus], now: datetime) -> None:
    """Write a table of readers, without the columns that have nothing to say."""
    columns = ("READER", "POSITION", "WAITING", "SINCE", "PARKED", "DEAD", "HELD BY")
    rows = [
        (
            f"{label(each)}{'' if _is_known(session, each) else ' (not declared)'}",
            each.position,
            each.waiting,
            age(each.waiting_since, now),
            each.parked or "",
            each.dead_letters or "",
            each.owner or "",
        )
        for each in readers
    ]
    shown = [index for index in range(len(columns)) if any(row[index] != "" for row in rows)]
    session.screen.table(
        [columns[index] for index in shown], [[row[index] for index in shown] for row in rows]
    )


def _is_known(session: Session, reader: ReaderStatus) -> bool:
    """Return False for a reader that this application would be expected to declare."""
    return reader.is_declared or reader.kind == "group" or session.is_raw


def folded_kind(reader: ReaderStatus) -> FoldedKind:
    """Return the kind of a view or a process."""
    return "view" if reader.kind == "view" else "process"
