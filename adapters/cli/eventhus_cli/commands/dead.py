"""``eventhus dead``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from eventhus_cli.exit_codes import FINE, PROBLEM, USAGE, Failure
from eventhus_cli.loading import HANDLER, load
from eventhus_cli.options import Group, paged
from eventhus_cli.session import Session, confirm, operating
from eventhus_cli.texts import escaped, indented

if TYPE_CHECKING:
    from eventhus.operations import ShownLetter

COUNTED = 1000  # letters that a question counts


@click.group(cls=Group)
def dead() -> None:
    """List, show, replay and discard dead letters: events that a group could not handle."""


@dead.command("list")
@click.argument("group")
@click.option(
    "--after", type=click.IntRange(0), default=0, metavar="NUMBER", help="Begin after this number."
)
@paged()
@operating()
async def list_(session: Session, *, group: str, after: int, limit: int) -> None:
    """List the dead letters of a consumer group, oldest first."""
    letters = await session.operations.dead_letters(group, after=after, limit=limit)
    if session.screen.is_json:
        session.screen.json(dead_letters=letters)
        return
    if not letters:
        session.screen.line("no dead letters")
        return
    session.screen.table(
        ("NUMBER", "EVENT", "STREAM", "ERROR", "ATTEMPTS", "SINCE"),
        [
            (each.number, each.type, each.stream, each.error, each.attempts, each.at)
            for each in letters
        ],
    )
    if len(letters) == limit:
        session.screen.more(f"--after {letters[-1].number}")


@dead.command()
@click.argument("group")
@click.argument("number", type=click.IntRange(1))
@operating()
async def show(session: Session, *, group: str, number: int) -> None:
    """Show one dead letter with its body."""
    letter = await _letter(session, group, number)
    if session.screen.is_json:
        session.screen.json(dead_letter=letter)
        return
    session.screen.fields(
        [
            ("number", letter.number),
            ("event", letter.event_id),
            ("type", letter.type),
            ("stream", letter.stream),
            ("error", letter.error),
            ("attempts", letter.attempts),
            ("since", letter.at),
        ]
    )
    session.screen.line(indented(letter.body))


@dead.command()
@click.argument("group")
@click.option(
    "--handler",
    required=True,
    metavar="MODULE:NAME",
    help="The async function that handles the events.",
)
@click.option("--number", type=click.IntRange(1), help="Replay only this letter.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@operating(is_long=True)
async def replay(
    session: Session, *, group: str, handler: str, number: int | None, yes: bool
) -> int:
    """Pass dead letters to a handler again, oldest first. Handled ones are deleted.

    The handler runs here, in this process. Exits with 1 if a letter failed again.
    """
    function = load(handler, HANDLER)
    if number is None:
        count = len(await session.operations.dead_letters(group, limit=COUNTED))
        more = " or more" if count == COUNTED else ""
        counted = f"{count:,}{more} dead letters" if count != 1 else "1 dead letter"
    else:
        await _letter(session, group, number)
        count, counted = 1, f"1 dead letter, number {number},"
    if count:
        confirm(f"Handle {counted} of group {group} again, with {handler}?", is_agreed=yes)
    replayed = await session.operations.replay(group, number=number, handler=function)
    if session.screen.is_json:
        session.screen.json(handled=replayed.handled, failed=replayed.failed)
    else:
        session.screen.line(f"handled {replayed.handled:,}, failed again {replayed.failed:,}")
    return PROBLEM if replayed.failed else FINE


@dead.command()
@click.argument("group")
@click.argument("numbers", metavar="NUMBER...", type=click.IntRange(1), nargs=-1, required=True)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@operating(is_long=True)
async def discard(session: Session, *, group: str, numbers: Sequence[int], yes: bool) -> None:
    """Delete dead letters without handling their events."""
    wanted = sorted({*numbers})
    letters = [await _letter(session, group, number) for number in wanted]
    listed = ", ".join(f"{each.number} ({escaped(each.type)})" for each in letters)
    plural = "" if len(letters) == 1 else "s"
    confirm(
        f"Delete {len(letters)} dead letter{plural} of group {group} for good: {listed}?",
        is_agreed=yes,
    )
    for number in wanted:
        await session.operations.discard(group, number)
    if session.screen.is_json:
        session.screen.json(discarded=wanted)
    else:
        session.screen.line(f"discarded {len(wanted)}")


async def _letter(session: Session, group: str, number: int) -> ShownLetter:
    letters = await session.operations.dead_letters(group, after=number - 1, limit=1)
    if not letters or letters[0].number != number:
        raise Failure(
            f"group {group} has no dead letter {number}; eventhus dead list {group} shows those "
            f"that it has",
            USAGE,
        )
    return letters[0]
