"""Views and processes: their progress, their documents, and what waits for somebody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from eventhus.operations.values import ReaderInfo, ReaderStatus
from eventhus_console.links import BadRequest, NotFound, link
from eventhus_console.visit import Page, Visit

LIMIT = 50
PARKED = 20
DEADLINES = 20

FoldedKind = Literal["view", "process"]


async def views(visit: Visit) -> Page:
    """List the views."""
    return await _list(visit, "view")


async def processes(visit: Visit) -> Page:
    """List the processes."""
    return await _list(visit, "process")


async def view(visit: Visit) -> Page:
    """Show a view: its versions, its parked keys, and a page of what is found in it."""
    return await folded_page(visit, "view", visit.given.exact("name"))


async def process(visit: Visit) -> Page:
    """Show a process: its deadlines, its parked keys, and a page of its states."""
    return await folded_page(visit, "process", visit.given.exact("name"))


async def document(visit: Visit) -> Page:
    """Show the value of a view or the state of a process for one key."""
    kind = kind_of(visit.given.exact("kind"))
    name, key = visit.given.exact("name"), visit.given.exact("key")
    _declared(visit, kind, name)
    found = await visit.operations.document(kind, name, key)
    if found is None:
        raise NotFound(f"the {kind} {name} has no document with the key {key}")
    return Page(
        template="document.html",
        values={"kind": kind, "name": name, "key": key, "document": found},
    )


def kind_of(text: str) -> FoldedKind:
    """Return the kind that a link names.

    Raises:
        BadRequest: It names another one.
    """
    if text == "view":
        return "view"
    if text == "process":
        return "process"
    raise BadRequest("the parameter kind must be view or process")


async def folded_page(
    visit: Visit, kind: FoldedKind, name: str, *, problem: str | None = None, status: int = 200
) -> Page:
    """Return the page of a view or a process.

    Args:
        visit: The request. An action shows the page without filters.
        kind: The kind of the reader.
        name: Its name.
        problem: Why an action did not succeed, to show at the top.
        status: The status of the response.
    """
    info = _declared(visit, kind, name)
    operations, given = visit.operations, visit.given
    is_filtered = problem is None
    fields = [*dict.fromkeys(each.lstrip("-") for index in info.indexes for each in index)]
    where = {each: given.text(f"where.{each}") for each in fields} if is_filtered else {}
    asked = {each: value for each, value in where.items() if value}
    order = given.text("order") if is_filtered else ""
    cursor = given.text("after") if is_filtered else ""
    parked_after = given.text("parked") if is_filtered else ""
    found = await operations.documents(
        kind, name, where=asked, order_by=order.split(), after=cursor or None, limit=LIMIT
    )
    parked = await operations.parked(kind, name, after=parked_after or None, limit=PARKED)
    question = {**{f"where.{each}": value for each, value in asked.items()}, "order": order}
    return Page(
        template="folded.html",
        status=status,
        values={
            "kind": kind,
            "name": name,
            "info": info,
            "statuses": await _statuses(visit, kind, name),
            "deadlines": (
                await operations.deadlines(name, limit=DEADLINES) if kind == "process" else ()
            ),
            "most_deadlines": DEADLINES,
            "parked": parked,
            "more_parked": (
                link(kind, name=name, parked=parked[-1].key) if len(parked) == PARKED else None
            ),
            "found": found,
            "fields": fields,
            "where": where,
            "order": order,
            "orders": _orders(info),
            "is_continued": bool(cursor),
            "more": found.cursor and link(kind, name=name, **question, after=found.cursor),
            "problem": problem,
            "done": given.text("done") if is_filtered else "",
        },
    )


def _orders(info: ReaderInfo) -> Sequence[str]:
    """Return the orders that the indexes answer, each in both directions."""
    orders: dict[str, None] = {}
    for index in info.indexes:
        for start in range(len(index)):
            rest = index[start:]
            orders[" ".join(rest)] = None
            orders[" ".join(each[1:] if each[0] == "-" else f"-{each}" for each in rest)] = None
    return [*orders]


async def _list(visit: Visit, kind: FoldedKind) -> Page:
    statuses = [each for each in await visit.operations.readers() if each.kind == kind]
    infos = {each.name: each for each in visit.operations.describe().readers if each.kind == kind}
    return Page(
        template="folded_list.html", values={"kind": kind, "statuses": statuses, "infos": infos}
    )


async def _statuses(visit: Visit, kind: FoldedKind, name: str) -> Sequence[ReaderStatus]:
    every = await visit.operations.readers()
    return [each for each in every if (each.kind, each.name) == (kind, name)]


def _declared(visit: Visit, kind: FoldedKind, name: str) -> ReaderInfo:
    for each in visit.operations.describe().readers:
        if (each.kind, each.name) == (kind, name):
            return each
    raise NotFound(f"this application declares no {kind} {name}")
