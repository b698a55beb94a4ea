"""Streams, and one of them at each of its versions."""

from __future__ import annotations

from eventhus.domain.recorded import StreamId
from eventhus_console.links import NotFound, link, stream_link
from eventhus_console.visit import Page, Visit

LIMIT = 50
STEPS = 20


async def streams(visit: Visit) -> Page:
    """List streams, by type and by the beginning of their ids."""
    given = visit.given
    type_, prefix = given.text("type"), given.text("prefix")
    after = None
    if given.text("after_type"):
        after = StreamId(given.exact("after_type"), given.exact("after_id"))
    found = await visit.operations.streams(
        stream_type=type_ or None, prefix=prefix if type_ else "", after=after, limit=LIMIT
    )
    more = None
    if len(found) == LIMIT:
        last = found[-1].stream
        more = link(
            "streams",
            type=type_,
            prefix=prefix,
            after_type=last.aggregate_type,
            after_id=last.aggregate_id,
        )
    described = visit.operations.describe()
    return Page(
        template="streams.html",
        values={
            "streams": found,
            "type": type_,
            "prefix": prefix,
            "needs_type": bool(prefix and not type_),
            "is_continued": after is not None,
            "more": more,
            "types": sorted({each.stream_type for each in described.events}),
        },
    )


async def stream(visit: Visit) -> Page:
    """Show a stream at one of its versions: its state, and what each event changed."""
    id_ = visit.given.stream()
    end = await _end(visit, id_)
    wanted = visit.given.number("version")
    version = end if wanted is None else wanted
    if not 0 <= version <= end:
        raise NotFound(f"{id_} is at version {end}, so it has no version {version}")
    # The page of events that holds the version, so that stepping through it moves nothing.
    first = max((version - 1) // STEPS, 0) * STEPS
    steps = await visit.operations.stream(id_, after_version=first, limit=STEPS)
    state = await visit.operations.state(id_, version=version)
    here = next((each for each in steps if each.event.version == version), None)
    changes = here.differences if here else ()

    def at(number: int) -> str | None:
        return (
            stream_link(id_, version=number) if 0 <= number <= end and number != version else None
        )

    return Page(
        template="stream.html",
        values={
            "stream": id_,
            "version": version,
            "end": end,
            "steps": steps,
            "here": here,
            "state": state,
            "changed": [each.path for each in changes if each.kind != "removed"],
            "first_link": at(0),
            "previous_link": at(version - 1),
            "next_link": at(version + 1),
            "last_link": at(end),
            "earlier": stream_link(id_, version=first) if first else None,
            "later": stream_link(id_, version=first + STEPS + 1) if first + STEPS < end else None,
        },
    )


async def _end(visit: Visit, stream: StreamId) -> int:
    """Return the last version of a stream. Its id is the first that begins with itself."""
    found = await visit.operations.streams(
        stream_type=stream.aggregate_type, prefix=stream.aggregate_id, limit=1
    )
    if not found or found[0].stream != stream:
        raise NotFound(f"the log holds no stream {stream}")
    return found[0].version
