"""``eventhus views``."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

import click

from eventhus_cli.commands.readers import label, list_readers, reader_named
from eventhus_cli.exit_codes import USAGE, Failure
from eventhus_cli.options import Group, paged
from eventhus_cli.session import Session, confirm, operating
from eventhus_cli.texts import compact, indented

yes = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


@click.group(cls=Group)
def views() -> None:
    """List, search, build, reset and prune views."""


@views.command("list")
@operating()
async def list_(session: Session) -> None:
    """List the versions of views, and how far each has come."""
    await list_readers(session, "view", "views")


@views.command()
@click.argument("name", metavar="VIEW")
@click.argument("key")
@operating()
async def show(session: Session, name: str, key: str) -> None:
    """Show the value of a view for a key."""
    document = await session.operations.document("view", name, key)
    if document is None:
        raise Failure(
            f"view {name} has nothing for that key; eventhus views find lists keys", USAGE
        )
    if session.screen.is_json:
        session.screen.json(document=document)
    else:
        session.screen.line(indented(document.data))


@views.command()
@click.argument("name", metavar="VIEW")
@click.option(
    "--where",
    "-w",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Only values with this in an indexed field. May be repeated.",
)
@click.option(
    "--order-by",
    "-o",
    multiple=True,
    metavar="FIELD",
    help="Order by an indexed field; -FIELD descends. May be repeated.",
)
@click.option("--after", metavar="CURSOR", help="The cursor of the page before.")
@paged()
@operating()
async def find(
    session: Session,
    *,
    name: str,
    where: Sequence[str],
    order_by: Sequence[str],
    after: str | None,
    limit: int,
) -> None:
    """List the values of a view, along its declared indexes."""
    page = await session.operations.documents(
        "view",
        name,
        where=dict(map(_condition, where)),
        order_by=order_by,
        after=after,
        limit=limit,
    )
    if session.screen.is_json:
        session.screen.json(documents=page.documents, cursor=page.cursor, position=page.position)
        return
    session.screen.table(
        ("KEY", "POSITION", "VALUE"),
        [(each.key, each.position, compact(each.data)) for each in page.documents],
    )
    if page.cursor is not None:
        session.screen.more(f"--after {quote(page.cursor)}")


def _condition(text: str) -> tuple[str, str]:
    field, equals, value = text.partition("=")
    if not equals:
        raise Failure("--where takes FIELD=VALUE, such as customer=c1", USAGE)
    return field, value


@views.command()
@click.argument("names", metavar="VIEW...", nargs=-1, required=True)
@operating(is_long=True)
async def build(session: Session, names: Sequence[str]) -> None:
    """Build versions of views ahead of a deployment, up to the end of the log as it is now.

    An interrupted build goes on from where it was when it is started again.
    """
    from eventhus_terminal import showing_progress

    wanted = [await reader_named(session, name, ["view"]) for name in names]
    with showing_progress() as on_progress:
        for each in wanted:
            await session.operations.build(each.name, on_progress=on_progress)
    if session.screen.is_json:
        session.screen.json(built=[each.name for each in wanted])


@views.command()
@click.argument("name", metavar="VIEW")
@yes
@operating(is_long=True)
async def reset(session: Session, *, name: str, yes: bool) -> None:
    """Delete what a view has projected, so that it is folded again from the log.

    Stop the workers first: a view that one of them follows cannot be reset.
    """
    view = await reader_named(session, name, ["view"])
    confirm(f"Delete {label(view)} and fold {view.head:,} events again?", is_agreed=yes)
    await session.operations.reset(view.name)
    if session.screen.is_json:
        session.screen.json(reset=view.name)
    else:
        session.screen.line(f"{label(view)} was reset; a worker folds it again")


@views.command()
@click.argument("names", metavar="[VIEW]...", nargs=-1)
@yes
@operating(is_long=True)
async def prune(session: Session, *, names: Sequence[str], yes: bool) -> None:
    """Delete the versions of views that are older than the declared ones.

    Do this once no process runs the older code. VIEW names views that no code declares any more:
    all of their versions are deleted.
    """
    readers = await session.operations.readers("view")
    declared = {each.name: each.version for each in readers if each.is_declared}
    old = [
        each
        for each in readers
        if each.version < declared.get(each.name, 0)
        or (each.name in names and each.name not in declared)
    ]
    if old:
        listed = ", ".join(f"{each.name} v{each.version}" for each in old)
        plural = "" if len(old) == 1 else "s"
        confirm(f"Delete {len(old)} version{plural} of views: {listed}?", is_agreed=yes)
    pruned = await session.operations.prune(*names)
    if session.screen.is_json:
        session.screen.json(pruned=pruned)
    else:
        deleted = ", ".join(f"{each.name} v{each.version}" for each in pruned)
        session.screen.line(f"deleted: {deleted or 'nothing, no version is older'}")
