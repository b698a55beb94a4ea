"""``eventhus parked``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from eventhus_cli.commands.readers import FOLDED, folded_kind, label, reader_named
from eventhus_cli.exit_codes import FINE, PROBLEM
from eventhus_cli.options import Group, paged
from eventhus_cli.plain import plain
from eventhus_cli.session import Session, confirm, operating
from eventhus_cli.texts import escaped, for_shell, one_line

if TYPE_CHECKING:
    from eventhus import ParkedKey
    from eventhus.operations import ReaderStatus


@click.group(cls=Group)
def parked() -> None:
    """List, retry and skip the keys that wait because an event could not be handled."""


@parked.command("list")
@click.argument("name", metavar="[VIEW|PROCESS]", required=False)
@click.option("--after", metavar="KEY", help="Begin after this key.")
@paged()
@operating()
async def list_(session: Session, *, name: str | None, after: str | None, limit: int) -> None:
    """List the parked keys of one view or process, or of all."""
    if name is None:
        readers = [each for each in await session.operations.readers(*FOLDED) if each.parked]
    else:
        readers = [await reader_named(session, name)]
    found: list[tuple[ReaderStatus, ParkedKey]] = []
    for reader in readers:
        keys = await session.operations.parked(
            folded_kind(reader), reader.name, after=after, limit=limit, version=reader.version
        )
        found += [(reader, key) for key in keys]
    if session.screen.is_json:
        session.screen.json(
            parked=[
                {"kind": reader.kind, "name": reader.name, "version": reader.version, **plain(key)}
                for reader, key in found
            ]
        )
        return
    if not found:
        session.screen.line("no parked keys")
        return
    session.screen.table(
        ("READER", "KEY", "POSITION", "ERROR", "SINCE"),
        [(label(reader), key.key, key.position, key.error, key.at) for reader, key in found],
    )


@parked.command()
@click.argument("name", metavar="VIEW|PROCESS")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@operating(is_long=True)
async def retry(session: Session, *, name: str, keys: Sequence[str]) -> int:
    """Fold parked keys again with the code that runs here, and let them go on.

    Exits with 1 if an event of one of them still cannot be handled.
    """
    from eventhus.errors import KeyParked

    reader = await reader_named(session, name)
    kind = folded_kind(reader)
    released: list[str] = []
    failed: list[tuple[str, str]] = []
    for key in keys:
        try:
            await session.operations.retry(kind, reader.name, key)
        except KeyParked as error:
            failed.append((key, for_shell(str(error))))
        else:
            released.append(key)
    if session.screen.is_json:
        session.screen.json(
            released=released, still_parked=[{"key": key, "problem": text} for key, text in failed]
        )
    else:
        for key in released:
            session.screen.line(f"{escaped(key)} is no longer parked")
        for _, problem in failed:
            session.screen.wrapped(one_line(problem), "!")
    return PROBLEM if failed else FINE


@parked.command()
@click.argument("name", metavar="VIEW|PROCESS")
@click.argument("key")
@click.argument("position", type=click.IntRange(1))
@click.option("--why", required=True, help="The reason, which is kept with the key.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@operating(is_long=True)
async def skip(
    session: Session, *, name: str, key: str, position: int, why: str, yes: bool
) -> None:
    """Leave the event at POSITION out of the value of a key, and let the key go on."""
    reader = await reader_named(session, name)
    confirm(
        f"Leave 1 event, at position {position}, out of {label(reader)} for key {escaped(key)}?",
        is_agreed=yes,
    )
    await session.operations.skip(folded_kind(reader), reader.name, key, position, why=why)
    if session.screen.is_json:
        session.screen.json(released=[key], skipped=position)
    else:
        session.screen.line(f"{escaped(key)} is no longer parked")
