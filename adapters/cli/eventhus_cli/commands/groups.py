"""``eventhus groups``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from eventhus_cli.commands.readers import list_readers, reader_named
from eventhus_cli.exit_codes import USAGE, Failure
from eventhus_cli.options import Group
from eventhus_cli.session import Session, confirm, operating

if TYPE_CHECKING:
    from eventhus.domain.start import Start


@click.group(cls=Group)
def groups() -> None:
    """List consumer groups, move them to another place, and delete them."""


@groups.command("list")
@operating()
async def list_(session: Session) -> None:
    """List the consumer groups, and how far each has come."""
    await list_readers(session, "group", "groups")


@groups.command()
@click.argument("group")
@click.option(
    "--to",
    "place",
    required=True,
    metavar="beginning|now|POSITION",
    help="Where it goes on: after this position.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@operating(is_long=True)
async def move(session: Session, *, group: str, place: str, yes: bool) -> None:
    """Move a group, so that it handles events again, or leaves some out."""
    start = _start(place)
    reader = await reader_named(session, group, ["group"])
    to = {"beginning": 0, "now": reader.head}.get(str(start), start)
    consequence = ""
    if reader.position is not None and isinstance(to, int):
        events = to - reader.position
        if events > 0:
            consequence = f", leaving out up to {events:,} events"
        elif events < 0:
            consequence = f", handling up to {-events:,} events again"
    place = "an unknown place" if reader.position is None else f"{reader.position}"
    confirm(f"Move group {group} from {place} to {to}{consequence}?", is_agreed=yes)
    await session.operations.move(group, start)
    if session.screen.is_json:
        session.screen.json(moved=group, to=start)
    else:
        session.screen.line(f"group {group} goes on after {to}")


@groups.command()
@click.argument("group")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@operating(is_long=True)
async def delete(session: Session, *, group: str, yes: bool) -> None:
    """Delete a group that no code subscribes to any more.

    It must have no dead letters: replay or discard them first.
    """
    reader = await reader_named(session, group, ["group"])
    waiting = f", for which {reader.waiting:,} events wait" if reader.waiting else ""
    confirm(f"Delete group {group}{waiting}?", is_agreed=yes)
    await session.operations.delete_group(group)
    if session.screen.is_json:
        session.screen.json(deleted=group)
    else:
        session.screen.line(f"group {group} was deleted")


def _start(place: str) -> Start:
    if place == "beginning":
        return "beginning"
    if place == "now":
        return "now"
    if not place.isdecimal():
        raise Failure("--to takes beginning, now or a position of the log", USAGE)
    return int(place)
