"""The overview for the person on call, and the leases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from attrs import frozen

from eventhus.operations import Health, LoggedEvent, ReaderStatus
from eventhus_console.chart import HEIGHT, WIDTH, lag_chart
from eventhus_console.links import link
from eventhus_console.visit import Page, Visit

LATEST = 50  # events, to tell the rate from
SHOWN = 8  # of them
WINDOW = timedelta(minutes=1)
LEASES = 100


@frozen
class Problem:
    """A problem in one sentence, and the page that helps; ``None`` if none does."""

    text: str
    to: str | None


def reader_link(reader: ReaderStatus) -> str | None:
    """Return the link to the page of a reader; the relay has none."""
    version = None if reader.is_declared or reader.kind == "group" else reader.version
    return None if reader.kind == "relay" else link(reader.kind, name=reader.name, version=version)


def problems_of(health: Health) -> Sequence[Problem]:
    """Return every problem once, those of readers with a link to their page."""
    helping = {text: reader_link(each) for each in health.readers for text in each.problems}
    every = dict.fromkeys([*health.problems, *helping])
    return [Problem(text, helping.get(text)) for text in every]


def rate(events: Sequence[LoggedEvent], at: datetime) -> float:
    """Return the events a second of the last minute, from the newest events of the log."""
    recent = [each.recorded_at for each in events if at - each.recorded_at <= WINDOW]
    if len(recent) < len(events) or len(events) < LATEST:
        return len(recent) / WINDOW.total_seconds()
    return len(recent) / max((at - min(recent)).total_seconds(), 1.0)


async def overview(visit: Visit) -> Page:
    """Show health, problems first, and how far each reader has come."""
    health = await visit.operations.health()
    visit.samples.add(health)
    is_away = health.head is None
    newest = () if is_away else (await visit.operations.log(limit=LATEST)).events
    return Page(
        template="overview.html",
        status=503 if is_away else 200,
        values={
            "health": health,
            "problems": problems_of(health),
            "problems_now": len(health.problems),
            "newest": newest[:SHOWN],
            "rate": rate(newest, health.at),
            "chart": lag_chart(visit.samples()),
            "width": WIDTH,
            "height": HEIGHT,
            "reader_link": reader_link,
        },
    )


async def leases(visit: Visit) -> Page:
    """Show which process holds which lease."""
    after = visit.given.text("after")
    found = await visit.operations.leases(after=after or None, limit=LEASES)
    more = link("leases", after=found[-1].name) if len(found) == LEASES else None
    return Page(template="leases.html", values={"leases": found, "more": more, "after": after})
