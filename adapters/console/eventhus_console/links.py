"""Links between the pages, and the parameters in them.

Every page is one path segment, and names travel in the query. So all links are relative, and work
under every prefix, even one that a proxy strips without telling.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode

from eventhus.domain.recorded import StreamId

MOST_FIELDS = 64
LONGEST_NUMBER = 18  # digits: positions fit 64 bits


class BadRequest(Exception):
    """A parameter of a link is missing or of another form."""


class NotFound(Exception):
    """The log or the application has no such thing. The message says what was looked for."""


def link(path: str, **parameters: object) -> str:
    """Return a relative link; a parameter that is ``None`` or empty is left out.

    >>> link("stream", type="Account", id="a/1", version=None)
    'stream?type=Account&id=a%2F1'
    """
    given = [(name, value) for name, value in parameters.items() if value not in {None, ""}]
    return f"{path}?{urlencode(given, errors='surrogatepass')}" if given else path


def stream_link(stream: StreamId, **parameters: object) -> str:
    """Return the link to a stream."""
    return link("stream", type=stream.aggregate_type, id=stream.aggregate_id, **parameters)


class Parameters:
    """The parameters of a link or a form.

    Raises:
        BadRequest: They are not URL-encoded UTF-8, or too many.
    """

    def __init__(self, encoded: bytes) -> None:
        try:
            pairs = parse_qsl(
                encoded.decode("ascii"),
                keep_blank_values=True,
                errors="surrogatepass",
                max_num_fields=MOST_FIELDS,
            )
        except ValueError:
            raise BadRequest(
                "the parameters are not those of a link or form of this console"
            ) from None
        self._values = dict(pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._values.items())

    def text(self, name: str) -> str:
        """Return a parameter without spaces around it; empty if it is missing."""
        return self._values.get(name, "").strip()

    def exact(self, name: str) -> str:
        """Return a parameter as it is.

        Raises:
            BadRequest: It is missing or empty.
        """
        value = self._values.get(name, "")
        if not value:
            raise BadRequest(f"the parameter {name} is missing")
        return value

    def number(self, name: str) -> int | None:
        """Return a parameter as a number, from 0; ``None`` if it is missing.

        Raises:
            BadRequest: It is not a number.
        """
        value = self.text(name)
        if not value:
            return None
        if not (value.isascii() and value.isdecimal() and len(value) <= LONGEST_NUMBER):
            raise BadRequest(f"the parameter {name} must be a whole number, from 0")
        return int(value)

    def stream(self) -> StreamId:
        """Return the stream that ``type`` and ``id`` name.

        Raises:
            BadRequest: One of them is missing.
        """
        return StreamId(self.exact("type"), self.exact("id"))
