"""Actions: the changes that the console can make, by POST only."""

from __future__ import annotations

from collections.abc import Mapping

from eventhus.domain.start import Start
from eventhus.errors import EventhusError
from eventhus_console.links import BadRequest, link
from eventhus_console.pages.groups import group_page
from eventhus_console.pages.readers import folded_page, kind_of
from eventhus_console.visit import Page, Redirect, Show, Visit


async def retry(visit: Visit) -> Page | Redirect:
    """Fold a parked key again."""
    kind, name = kind_of(visit.given.exact("kind")), visit.given.exact("name")
    try:
        await visit.operations.retry(kind, name, visit.given.exact("key"))
    except EventhusError as error:
        return await folded_page(visit, kind, name, problem=str(error), status=409)
    return Redirect(link(kind, name=name, done="retried"))


async def skip(visit: Visit) -> Page | Redirect:
    """Leave the event that parked a key out of its value."""
    given = visit.given
    kind, name = kind_of(given.exact("kind")), given.exact("name")
    position = given.number("position")
    if position is None:
        raise BadRequest("the parameter position is missing")
    try:
        await visit.operations.skip(kind, name, given.exact("key"), position, why=given.text("why"))
    except EventhusError as error:
        return await folded_page(visit, kind, name, problem=str(error), status=409)
    return Redirect(link(kind, name=name, done="skipped"))


async def replay(visit: Visit) -> Page | Redirect:
    """Hand a dead letter to its handler again, or all of a group."""
    name, number = visit.given.exact("name"), visit.given.number("number")
    try:
        replayed = await visit.operations.replay(name, number=number)
    except EventhusError as error:
        return await group_page(visit, name, problem=str(error), status=409)
    return Redirect(
        link(
            "group",
            name=name,
            done="replayed",
            handled=str(replayed.handled),
            failed=str(replayed.failed),
        )
    )


async def discard(visit: Visit) -> Page | Redirect:
    """Delete a dead letter."""
    name, number = visit.given.exact("name"), visit.given.number("number")
    if number is None:
        raise BadRequest("the parameter number is missing")
    try:
        await visit.operations.discard(name, number)
    except EventhusError as error:
        return await group_page(visit, name, problem=str(error), status=409)
    return Redirect(link("group", name=name, done="discarded"))


async def move(visit: Visit) -> Page | Redirect:
    """Move a consumer group along the log."""
    name = visit.given.exact("name")
    try:
        await visit.operations.move(name, _start(visit))
    except EventhusError as error:
        return await group_page(visit, name, problem=str(error), status=409)
    return Redirect(link("group", name=name, done="moved"))


async def delete_group(visit: Visit) -> Page | Redirect:
    """Delete a consumer group."""
    name = visit.given.exact("name")
    try:
        await visit.operations.delete_group(name)
    except EventhusError as error:
        return await group_page(visit, name, problem=str(error), status=409)
    return Redirect(link("groups", done="deleted"))


def _start(visit: Visit) -> Start:
    match visit.given.exact("to"):
        case "beginning":
            return "beginning"
        case "now":
            return "now"
        case _:
            position = visit.given.number("position")
            if position is None:
                raise BadRequest("a position is missing")
            return position


ACTIONS: Mapping[str, Show] = {
    "retry": retry,
    "skip": skip,
    "replay": replay,
    "discard": discard,
    "move": move,
    "delete_group": delete_group,
}
