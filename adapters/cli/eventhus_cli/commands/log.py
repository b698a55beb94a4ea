"""``eventhus tail`` and ``eventhus event``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from eventhus_cli.commands.events import show_details, show_event
from eventhus_cli.exit_codes import USAGE, Failure
from eventhus_cli.options import Command
from eventhus_cli.session import Session, operating
from eventhus_cli.texts import escaped
from eventhus_cli.tree import DEEPEST, drawn

if TYPE_CHECKING:
    from eventhus.domain.query import Query
    from eventhus.operations import Conversation, LoggedEvent

PAGE = 200  # events that are read at once


@click.command(cls=Command)
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Begin with so many of the last events.",
)
@click.option(
    "--after", type=click.IntRange(0), metavar="POSITION", help="Begin after this position instead."
)
@click.option("--follow", "-f", is_flag=True, help="Go on with new events until Ctrl-C.")
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="NAME",
    help="Only events of this stored name. May be repeated.",
)
@click.option("--tag", "tags", multiple=True, help="Only events with all of these tags.")
@operating(is_long=True)
async def tail(
    session: Session,
    *,
    lines: int,
    after: int | None,
    follow: bool,
    types: Sequence[str],
    tags: Sequence[str],
) -> None:
    """Show the end of the log, and with -f new events as they come.

    With --json, each line is an event.
    """
    query = _query(types, tags)
    async with aclosing(_events(session, query, lines, after, is_live=follow)) as events:
        async for event in events:
            if session.screen.is_json:
                session.screen.json_line(event)
            else:
                show_event(session.screen, event)


async def _events(
    session: Session, query: Query | None, lines: int, after: int | None, *, is_live: bool
) -> AsyncGenerator[LoggedEvent, None]:
    operations = session.operations
    if after is None:
        newest = (await operations.log(limit=1)).events
        last = await _last(session, query, lines)
        for event in reversed(last):
            yield event
        # An event that comes between the two questions is among the last, or comes next.
        after = max([each.position for each in (*newest, *last[:1])], default=0)
    else:
        is_last = False
        while not is_last:
            page = await operations.log_after(query, after=after, limit=PAGE)
            for event in page.events:
                yield event
            after, is_last = page.position, page.is_last
    if is_live:
        async with aclosing(operations.tail(query, after=after)) as events:
            async for event in events:
                yield event


async def _last(session: Session, query: Query | None, lines: int) -> list[LoggedEvent]:
    """Return the last events, newest first."""
    found: list[LoggedEvent] = []
    before: int | None = None
    while len(found) < lines:
        limit = min(PAGE, lines - len(found))
        page = await session.operations.log(query, before=before, limit=limit)
        found += page.events
        before = page.position
        if page.is_last:
            break
    return found


def _query(types: Sequence[str], tags: Sequence[str]) -> Query | None:
    from eventhus.domain.query import Query

    return Query.of(*types, tags=tags) if types or tags else None


@click.command(cls=Command)
@click.argument("id_or_position", metavar="ID|POSITION")
@operating()
async def event(session: Session, id_or_position: str) -> None:
    """Show one event, and the tree of causes and effects that it belongs to."""
    wanted = int(id_or_position) if id_or_position.isdecimal() else id_or_position
    found = await session.operations.event(wanted)
    if found is None:
        raise Failure(f"the log has no event {id_or_position}; give its id or position", USAGE)
    conversation = None
    if found.correlation_id is not None:
        conversation = await session.operations.conversation(found.correlation_id)
    if session.screen.is_json:
        session.screen.json(event=found, conversation=_flat(conversation))
        return
    show_details(session.screen, found)
    if conversation is not None:
        _show_tree(session, conversation, found)


def _flat(conversation: Conversation | None) -> dict[str, object] | None:
    """Return the trees of a conversation as one list, since JSON is not parsed at any depth."""
    if conversation is None:
        return None
    return {
        "correlation_id": conversation.correlation_id,
        "size": conversation.size,
        "is_cut": conversation.is_cut,
        "events": [{"depth": depth, "event": each} for depth, each in conversation.walk()],
    }


def _show_tree(session: Session, conversation: Conversation, found: LoggedEvent) -> None:
    screen = session.screen
    screen.line()
    cut = ", of which these came first" if conversation.is_cut else ""
    screen.line(f"conversation {escaped(conversation.correlation_id)}{cut}")
    tree = [*conversation.walk()]
    branches = drawn([depth for depth, _ in tree])
    for branch, (depth, each) in zip(branches, tree, strict=True):
        deep = f"({depth} deep) " if depth > DEEPEST else ""
        mark = "  <-- this one" if each.id == found.id else ""
        screen.cropped(
            f"{branch}{deep}{escaped(each.type)}  {each.position}  {each.stream} "
            f"v{each.version}{mark}"
        )
