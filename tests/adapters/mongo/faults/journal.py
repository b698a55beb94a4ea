"""What a writer sends and is told, in a file that outlives it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from attrs import asdict, frozen

from tests.adapters.mongo.faults.checker import Acknowledged


@frozen(kw_only=True)
class Sent:
    """A write that is about to be sent for the first time; all it takes to send it again.

    Attributes:
        key: Names it.
        lane: Of its writer.
        stream: The aggregate's id.
        size: How many events it has.
        how: Whether it is a command, or a commit.
        after: The version that a commit expects; ``None`` for any.
        second: The id of another aggregate, to which one more event of a commit goes; if any.
        claim: The tag that no event may have behind ``above``, if the commit has a condition.
        above: The position behind which no event may have it.
    """

    key: str
    lane: int
    stream: str
    size: int
    how: Literal["append", "dispatch"]
    after: int | None
    second: str | None = None
    claim: str | None = None
    above: int = 0


@frozen(kw_only=True)
class Refused:
    """The store said that a write was not stored, and it will not be sent again."""

    key: str
    error: str


@frozen(kw_only=True)
class Failed:
    """A write could not be settled yet; it will be sent again."""

    key: str
    error: str


Entry: TypeAlias = Sent | Acknowledged | Refused | Failed

_CLASSES = {cls.__name__: cls for cls in (Sent, Acknowledged, Refused, Failed)}


class Journal:
    """The file of one writer, which goes on with it when it is started again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, entry: Entry) -> None:
        """Add a line. Once this returns, SIGKILL does not take it away."""
        line = json.dumps({"entry": type(entry).__name__, **asdict(entry)})
        os.write(self._file, f"{line}\n".encode())

    def close(self) -> None:
        os.close(self._file)


def entries(path: Path) -> Iterator[Entry]:
    """All that a writer has noted so far."""
    for line in path.read_text().splitlines():
        fields = json.loads(line)
        yield _CLASSES[fields.pop("entry")](**fields)
