"""The log, and one event of it."""

from __future__ import annotations

from collections.abc import Sequence

from eventhus.domain.query import Query
from eventhus.operations import LoggedEvent
from eventhus_console.links import BadRequest, NotFound, Parameters, link, stream_link
from eventhus_console.visit import Page, Redirect, Visit

LIMIT = 50


def query_of(given: Parameters) -> Query | None:
    """Return the filters of a link as a query; ``None`` for every event."""
    types = [each for each in [given.text("type")] if each]
    tags = [each for each in [given.text("tag")] if each]
    return Query.of(*types, tags=tags) if types or tags else None


async def log(visit: Visit) -> Page | Redirect:
    """Show a page of the log, the newest event first."""
    given = visit.given
    stream_type, _, stream_id = given.text("stream").partition("/")
    if stream_id:
        return Redirect(link("stream", type=stream_type, id=stream_id))
    if stream_type:
        return Redirect(link("streams", type=stream_type))
    filters = {"type": given.text("type"), "tag": given.text("tag")}
    before = given.number("before")
    if before == 0:
        raise BadRequest("the parameter before must be above 0")
    page = await visit.operations.log(query_of(given), before=before, limit=LIMIT)
    described = visit.operations.describe()
    return Page(
        template="log.html",
        values={
            "events": page.events,
            "filters": filters,
            "before": before,
            "newest": link("log", **filters),
            "older": None if page.is_last else link("log", **filters, before=page.position),
            # Later events than those of the page: from its newest one, or where an empty one ends.
            "tail": link(
                "tail",
                **filters,
                after=page.events[0].position if page.events else max(page.position - 1, 0),
            ),
            "types": sorted({each.name for each in described.events}),
        },
    )


async def event(visit: Visit) -> Page:
    """Show one event with its causes and effects."""
    position = visit.given.number("at")
    asked = visit.given.exact("id") if position is None else position
    found = await visit.operations.event(asked)
    if found is None:
        raise NotFound(f"the log holds no event {asked}")
    cause: LoggedEvent | None = None
    if found.causation_id and found.causation_id != found.id:
        cause = await visit.operations.event(found.causation_id)
    effects: Sequence[LoggedEvent] = ()
    if found.correlation_id:
        related = await visit.operations.conversation(found.correlation_id)
        effects = [each for _, each in related.walk() if each.causation_id == found.id]
    return Page(
        template="event.html",
        values={
            "event": found,
            "cause": cause,
            "effects": effects,
            "before": link("event", at=found.position - 1) if found.position > 1 else None,
            "after": link("event", at=found.position + 1),
            "changed": stream_link(found.stream, version=found.version),
        },
    )
