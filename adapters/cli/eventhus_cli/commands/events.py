"""Events as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventhus_cli.screen import Screen, moment
from eventhus_cli.texts import compact, escaped, indented, one_line

if TYPE_CHECKING:
    from eventhus.operations import LoggedEvent


def show_event(screen: Screen, event: LoggedEvent) -> None:
    """Write an event as a line, or as some lines where one is too narrow."""
    head = f"{event.position:,}  {moment(event.recorded_at)}"
    where = f"{event.stream} v{event.version}"
    kind, data = escaped(event.type), compact(event.data)
    problem = f"  ! {one_line(event.problem)}" if event.problem else ""
    if screen.is_narrow:
        lines = [f"{head}  {kind}", f"  {where}", f"  {data}", *([problem] if problem else [])]
    else:
        lines = [f"{head:>28}  {kind:<20}  {where:<24}  {data}{problem}"]
    for line in lines:
        screen.cropped(line)


def show_details(screen: Screen, event: LoggedEvent) -> None:
    """Write everything that an event has."""
    fields: list[tuple[str, object]] = [
        ("position", event.position),
        ("id", event.id),
        ("type", event.type if event.schema == 1 else f"{event.type} (schema {event.schema})"),
        ("stream", event.stream),
        ("version", event.version),
        ("recorded", event.recorded_at),
        ("correlation", event.correlation_id),
        ("causation", event.causation_id),
        *[("tag", tag) for tag in event.tags],
        *[(f"metadata {key}", value) for key, value in event.metadata.items()],
        ("problem", event.problem),
    ]
    screen.fields([each for each in fields if each[1] is not None])
    screen.line(indented(event.data))
