"""One API for whoever operates an application: the command line and the console show it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from attrs import frozen

from eventhus.application import Application
from eventhus.domain.query import Query
from eventhus.domain.recorded import StreamId
from eventhus.operations.values import (
    ArmedKey,
    Conversation,
    Description,
    DocumentPage,
    Health,
    LoggedEvent,
    LogPage,
    ReaderKind,
    ReaderStatus,
    ShownLetter,
    StateAt,
    Step,
)
from eventhus.domain.start import Start
from eventhus.ports.leases import HeldLease
from eventhus.ports.store import StreamEnd
from eventhus.runtime.messaging.subscriber import EventHandler, Replayed
from eventhus.runtime.readers.building import OnBuildProgress
from eventhus.runtime.readers.reader_group import ParkedKey, ViewVersion

FoldedKind: TypeAlias = Literal["view", "process"]


@frozen(kw_only=True)
class Redactable:
    """Data on its way to somebody's screen.

    Attributes:
        kind: What it is: the fields of an event, a state, a document of a view or a process, or the
            body of a dead letter.
        name: The stored name of the event's class, the aggregate type, or the name of the view or
            process.
        data: The plain data.
    """

    kind: Literal["event", "state", "view", "process", "letter"]
    name: str
    data: Any


Redact: TypeAlias = Callable[[Redactable], Any]
"""Returns the data to show instead, such as a copy without the field ``email``."""


class Operations:
    """Looks into a running application, and mends what is stuck.

    Everything works on plain data. An event whose class is gone is shown as it is stored, with the
    reason why it cannot be decoded. Lists come in pages.

    Args:
        app: An application that has been entered. With ``work=False`` it looks at the work of other
            processes and takes part in nothing.
        redact: Changes data before it is returned; ``None`` returns it as it is.
        stalled_after_s: The time in seconds after which a reader that has not moved, while events
            wait for it, counts as standing still.
    """

    def __init__(
        self, app: Application, *, redact: Redact | None = None, stalled_after_s: float = 30.0
    ) -> None: ...

    # -- health and progress --
    async def health(self) -> Health: ...  # never raises for a store or bus that is away
    async def readers(self) -> Sequence[ReaderStatus]: ...  # relay, views (all versions), processes, groups
    async def leases(self, *, after: str = "", limit: int = 100) -> Sequence[HeldLease]: ...

    # -- the log --
    async def log(
        self, query: Query | None = None, *, before: int | None = None, limit: int = 50
    ) -> LogPage: ...  # newest first
    async def log_after(
        self, query: Query | None = None, *, after: int = 0, limit: int = 50
    ) -> LogPage: ...  # oldest first
    def tail(
        self, query: Query | None = None, *, after: int | None = None
    ) -> AsyncGenerator[LoggedEvent, None]: ...  # None: from the end, as it is now
    async def event(self, id_or_position: str | int) -> LoggedEvent | None: ...
    async def conversation(self, correlation_id: str, *, limit: int = 1000) -> Conversation: ...

    # -- streams --
    async def streams(
        self, *, stream_type: str | None = None, prefix: str = "", after: StreamId | None = None,
        limit: int = 50,
    ) -> Sequence[StreamEnd]: ...
    async def stream(
        self, stream: StreamId, *, after_version: int = 0, limit: int = 50
    ) -> Sequence[Step]: ...  # each event with what it changed
    async def state(self, stream: StreamId, *, version: int | None = None) -> StateAt: ...

    # -- views and processes, by name --
    async def documents(
        self, kind: FoldedKind, name: str, *, where: Mapping[str, Any] | None = None,
        order_by: Sequence[str] = (), after: str | None = None, limit: int = 50,
    ) -> DocumentPage: ...  # values of where as text are converted to the type of the field
    async def document(self, kind: FoldedKind, name: str, key: str) -> Any: ...
    async def deadlines(self, process: str, *, limit: int = 50) -> Sequence[ArmedKey]: ...
    async def parked(
        self, kind: FoldedKind, name: str, *, after: str | None = None, limit: int = 50
    ) -> Sequence[ParkedKey]: ...
    async def retry(self, kind: FoldedKind, name: str, key: str) -> None: ...
    async def skip(
        self, kind: FoldedKind, name: str, key: str, position: int, *, why: str
    ) -> None: ...
    async def build(self, view: str, *, on_progress: OnBuildProgress | None = None) -> None: ...
    async def reset(self, view: str) -> None: ...
    async def prune(self, *names: str) -> Sequence[ViewVersion]: ...

    # -- groups and dead letters --
    async def dead_letters(
        self, group: str, *, after: int = 0, limit: int = 50
    ) -> Sequence[ShownLetter]: ...
    async def replay(
        self, group: str, *, number: int | None = None, handler: EventHandler | None = None
    ) -> Replayed: ...  # None: the handler that this process has subscribed with the group
    async def discard(self, group: str, number: int) -> None: ...
    async def move(self, group: str, start: Start) -> None: ...
    async def republish(self, *, after: int = 0) -> None: ...

    # -- the domain and the environment --
    def describe(self) -> Description: ...
    async def doctor(self) -> Sequence[Finding]: ...  # ports.diagnosis.Finding: name, status ok|warning|error, detail, advice
