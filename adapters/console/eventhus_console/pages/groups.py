"""Consumer groups and their dead letters."""

from __future__ import annotations

from eventhus_console.links import NotFound, link
from eventhus_console.visit import Page, Visit

LIMIT = 20


async def groups(visit: Visit) -> Page:
    """List the consumer groups."""
    statuses = await visit.operations.readers("group")
    return Page(
        template="groups.html", values={"statuses": statuses, "done": visit.given.text("done")}
    )


async def group(visit: Visit) -> Page:
    """Show a consumer group and its dead letters."""
    return await group_page(visit, visit.given.exact("name"))


async def group_page(
    visit: Visit, name: str, *, problem: str | None = None, status: int = 200
) -> Page:
    """Return the page of a consumer group.

    Args:
        visit: The request.
        name: The name of the group.
        problem: Why an action did not succeed, to show at the top.
        status: The status of the response.
    """
    every = await visit.operations.readers("group")
    found = next((each for each in every if each.name == name), None)
    if found is None:
        raise NotFound(f"there is no consumer group {name}")
    after = visit.given.number("after") or 0 if problem is None else 0
    letters = await visit.operations.dead_letters(name, after=after, limit=LIMIT)
    more = link("group", name=name, after=letters[-1].number) if len(letters) == LIMIT else None
    return Page(
        template="group.html",
        status=status,
        values={
            "status": found,
            "letters": letters,
            "more": more,
            "is_continued": after > 0,
            "problem": problem,
            "done": visit.given.text("done"),
            "counts": [visit.given.number("handled") or 0, visit.given.number("failed") or 0],
        },
    )
