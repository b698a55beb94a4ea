"""Pages from templates. Every text in them is escaped twice over: for HTML, and for the eye."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from eventhus.printable import printable
from eventhus_console import plain_data
from eventhus_console.links import link, stream_link

_UNITS = (
    ("d", 86_400),
    ("h", 3_600),
    ("min", 60),
    ("s", 0.9995),
)  # what is rounded to 1000 ms is a second


def visible(value: Any) -> Any:
    """Return text with escapes in place of control characters, direction marks and surrogates.

    Jinja calls this for every expression in a template, before it escapes HTML. So no text
    can hide, reorder what stands around it, or break the encoding of the page.
    """
    if isinstance(value, Markup):
        return value
    return printable(value) if isinstance(value, str) else value


def clock(at: datetime) -> str:
    """Return a time of the day as the pages show it."""
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"


def duration(length: timedelta) -> str:
    """Return a length of time in its largest unit.

    >>> duration(timedelta(minutes=3, seconds=5)), duration(timedelta(milliseconds=40))
    ('3 min', '40 ms')
    """
    seconds = length.total_seconds()
    for unit, size in _UNITS:
        if abs(seconds) >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds * 1000:.0f} ms"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun.

    >>> count(1, "event"), count(1200, "event")
    ('1 event', '1,200 events')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


class Renderer:
    """Renders the pages of one application.

    Attributes:
        environment: Finds the templates, and escapes what they show.
    """

    def __init__(self, bucket: str) -> None:
        self.environment = Environment(
            loader=PackageLoader("eventhus_console"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=visible,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.globals.update(
            bucket=bucket,
            link=link,
            stream_link=stream_link,
            lines=plain_data.lines,
            scalar=plain_data.scalar,
        )
        self.environment.filters.update(
            clock=clock, duration=duration, count=count, preview=plain_data.preview
        )

    def page(self, template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """Return a page as a response."""
        return HTMLResponse(self.text(template, values), status)

    def text(self, template: str, values: Mapping[str, Any]) -> str:
        """Return a page, or a part of one, as HTML."""
        return self.environment.get_template(template).render(values)
