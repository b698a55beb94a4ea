"""The answers of ``Operations``, as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from eventhus.domain.recorded import StreamId

ReaderKind: TypeAlias = Literal["relay", "view", "process", "group"]
"""The kind of a reader, which follows the log and keeps its position."""


@frozen(kw_only=True)
class LoggedEvent:
    """An event of the log as plain data. Its class need not exist.

    Attributes:
        stream: The stream of the event.
        version: Its version in the stream.
        position: Its position in the log.
        id: Its id.
        type: The stored name of its class.
        schema: The schema version that it was stored with.
        data: Its fields, as they are stored; ``None`` if ``redact`` failed on them.
        tags: Its tags.
        recorded_at: The time of its commit: timezone-aware, UTC.
        correlation_id: The conversation that it belongs to.
        causation_id: The id of the message that caused it, if there was one.
        metadata: Further metadata.
        problem: Why this application cannot decode it, or why it is not shown; ``None`` if all is
            well.
    """

    stream: StreamId
    version: int
    position: int
    id: str
    type: str
    schema: int
    data: Any = field(hash=False)
    tags: Sequence[str] = ()
    recorded_at: datetime
    correlation_id: str | None = None
    causation_id: str | None = None
    metadata: Mapping[str, str] = field(factory=dict[str, str], hash=False)
    problem: str | None = None


@frozen(kw_only=True)
class LogPage:
    """Some events of the log.

    Attributes:
        events: The events, in the order of reading.
        position: The ``after`` or ``before`` of the next page.
        is_last: True if there are no more in that direction.
    """

    events: Sequence[LoggedEvent]
    position: int
    is_last: bool


@frozen(kw_only=True)
class Difference:
    """One difference between two states.

    Attributes:
        path: Its place in the state, such as ``lines[2].price``; empty for the whole state.
        kind: ``added``, ``removed`` or ``changed``.
        before: The value before, as plain data; ``None`` if it was added.
        after: The value after, as plain data; ``None`` if it was removed.
    """

    path: str
    kind: Literal["added", "removed", "changed"]
    before: Any = field(hash=False, default=None)
    after: Any = field(hash=False, default=None)


@frozen(kw_only=True)
class Step:
    """An event of a stream, and the changes that it made to the state.

    Attributes:
        event: The event.
        differences: The first 200 differences between the states before and after it. Empty if
            there is a problem.
        is_cut: True if there are more.
        problem: Why the state is not known here; ``None`` if it is.
    """

    event: LoggedEvent
    differences: Sequence[Difference] = ()
    is_cut: bool = False
    problem: str | None = None


@frozen(kw_only=True)
class StateAt:
    """The state of a stream at one of its versions.

    Attributes:
        stream: The stream.
        version: The version of the last event folded into the state.
        data: The state, as plain data; ``None`` if there is a problem.
        problem: Why the state is not known: the stream has no events, no aggregate of this
            application has it, or an event could not be decoded or folded. ``None`` if it is known.
    """

    stream: StreamId
    version: int
    data: Any = field(hash=False, default=None)
    problem: str | None = None


@frozen(kw_only=True)
class Effect:
    """An event, and the events that it caused.

    Attributes:
        event: The event.
        effects: The events that name it as their cause, in the order of the log.
    """

    event: LoggedEvent
    effects: Sequence[Effect] = ()


@frozen(kw_only=True)
class Conversation:
    """The events that share a correlation id, as trees of causes and effects.

    Attributes:
        correlation_id: The id of the conversation.
        roots: The events whose cause is not among them, in the order of the log.
        size: The number of events in the trees.
        is_cut: True if the conversation has more events than were asked for.
    """

    correlation_id: str
    roots: Sequence[Effect]
    size: int
    is_cut: bool

    def walk(self) -> Iterator[tuple[int, LoggedEvent]]:
        """Yield each event after its cause, with the number of causes above it.

        It is not recursive, because a chain of causes may be very long.
        """
        ahead = [(0, root) for root in reversed(self.roots)]
        while ahead:
            depth, effect = ahead.pop()
            yield depth, effect.event
            ahead += [(depth + 1, each) for each in reversed(effect.effects)]


@frozen(kw_only=True)
class ReaderStatus:
    """The progress of a reader of the log, and its problems.

    Attributes:
        kind: Its kind.
        name: The name of the view, process or group; ``relay`` for the relay.
        version: The version of a view or process; 1 for the others.
        is_declared: True if this application declares it. Others are known from the store.
        position: Everything up to this position is handled. ``None`` if the bus does not know.
        head: The end of the log.
        waiting: The number of events that it has not handled; ``None`` if it is not known.
        waiting_since: The time of the first of these events; ``None`` if nothing waits, or it is
            not known.
        moved_at: The time when its checkpoint last moved, by the clock of the store; ``None`` if it
            never did.
        owner: The owner of its lease; ``None`` if the lease is free or not known.
        owned_since: The time when the owner acquired the lease.
        parked: The number of its parked keys, counted up to 1,000.
        dead_letters: The number of its dead letters, counted up to 1,000.
        error: The failure of the reader in this process, in one line; ``None`` if there is none.
        problems: The problems, one sentence each; empty if the reader is healthy.
    """

    kind: ReaderKind
    name: str
    version: int = 1
    is_declared: bool = True
    position: int | None
    head: int
    waiting: int | None
    waiting_since: datetime | None = None
    moved_at: datetime | None = None
    owner: str | None = None
    owned_since: datetime | None = None
    parked: int = 0
    dead_letters: int = 0
    error: str | None = None
    problems: Sequence[str] = ()


@frozen(kw_only=True)
class Health:
    """The health of a bucket, as this application sees it.

    Attributes:
        at: The time of the check: timezone-aware, UTC.
        is_live: False if a reader of this process is stuck or has ended, so that a restart helps.
        is_ready: True if the store answers, and every declared view has once reached the head that
            the first check found.
        head: The end of the log; ``None`` if the store does not answer.
        readers: Every declared reader, and every group that the bus or the store knows.
        problems: Everything that needs attention, one sentence each: readers that stand still while
            events wait for them, parked keys, dead letters, a store or a bus that does not answer.
    """

    at: datetime
    is_live: bool
    is_ready: bool
    head: int | None
    readers: Sequence[ReaderStatus] = ()
    problems: Sequence[str] = ()

    @property
    def is_healthy(self) -> bool:
        """True if there are no problems."""
        return not self.problems


@frozen(kw_only=True)
class ShownDocument:
    """A document of a view or a process.

    Attributes:
        key: The key.
        position: The position of the last event that was folded into it or, while it is parked,
            passed over.
        data: The value as plain data; ``None`` if the key is parked, the value is damaged, or
            ``redact`` failed.
        deadlines: For a process, the armed deadlines: name and time, the earliest first.
        problem: Why there is no value, or why this application cannot decode it; ``None`` if all is
            well.
    """

    key: str
    position: int
    data: Any = field(hash=False)
    deadlines: Sequence[tuple[str, datetime]] = ()
    problem: str | None = None


@frozen(kw_only=True)
class DocumentPage:
    """Some documents of a view or a process.

    Attributes:
        documents: The documents.
        cursor: The ``after`` of the next page; ``None`` at the end.
        position: The position that the view has reached; every event up to it is in the documents.
        parked: The number of parked keys, which no page shows; 1,000 stands for more, too.
    """

    documents: Sequence[ShownDocument]
    cursor: str | None
    position: int
    parked: int = 0


@frozen(kw_only=True)
class ArmedKey:
    """A key of a process with an armed deadline.

    Attributes:
        key: The key.
        name: The name of the deadline.
        due: When it is due: timezone-aware, UTC.
    """

    key: str
    name: str
    due: datetime


@frozen(kw_only=True)
class ShownLetter:
    """A dead letter.

    Attributes:
        group: The consumer group.
        number: Its number in the group.
        event_id: The id of its event.
        position: The position of its event in the log; ``None`` if it is unknown.
        stream: The stream of its event.
        type: The stored name of the event's class.
        error: The name of the class of the last error.
        attempts: The number of calls of a handler with it.
        at: The time when it was buried; ``None`` if it is not known.
        body: The body of the message, as plain data; the text if it is not JSON; ``None`` if
            ``redact`` failed.
        problem: Why the body is not shown; ``None`` if it is.
    """

    group: str
    number: int
    event_id: str
    position: int | None
    stream: StreamId
    type: str
    error: str
    attempts: int
    at: datetime | None
    body: Any = field(hash=False)
    problem: str | None = None


@frozen(kw_only=True)
class FieldInfo:
    """A field of a command or an event: its name, and its type as text."""

    name: str
    type: str


@frozen(kw_only=True)
class CommandInfo:
    """A command.

    Attributes:
        name: The name of its class.
        handled_by: The kind and the name of its handler, such as ``aggregate account``.
        fields: Its fields.
        doc: The first line of its docstring; empty if it has none.
    """

    name: str
    handled_by: str
    fields: Sequence[FieldInfo]
    doc: str = ""


@frozen(kw_only=True)
class EventInfo:
    """An event.

    Attributes:
        name: Its stored name.
        stream_type: The type of the streams that hold it.
        schema: Its schema version.
        fields: Its fields.
        doc: The first line of its docstring; empty if it has none.
    """

    name: str
    stream_type: str
    schema: int
    fields: Sequence[FieldInfo]
    doc: str = ""


@frozen(kw_only=True)
class ReaderInfo:
    """A view or a process.

    Attributes:
        kind: ``view`` or ``process``.
        name: Its name.
        version: Its version.
        reads: The stored names of the events that it reads.
        indexes: The fields of each declared index of a view; a hyphen stands for descending.
    """

    kind: Literal["view", "process"]
    name: str
    version: int
    reads: Sequence[str]
    indexes: Sequence[Sequence[str]] = ()


@frozen(kw_only=True)
class Description:
    """The domain of an application, for a table.

    Attributes:
        bucket: The name of the application.
        commands: Its commands.
        events: Its events.
        readers: Its views and processes.
    """

    bucket: str
    commands: Sequence[CommandInfo]
    events: Sequence[EventInfo]
    readers: Sequence[ReaderInfo]
