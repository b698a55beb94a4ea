"""The observer, which is told what an application does, to make spans and metrics of it.

An operation has a beginning and an end, and operations nest. A fact has neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from attrs import frozen

from eventhus.domain.recorded import Metadata
from eventhus.domain.unchecked import unchecked


@frozen(kw_only=True)
class ObservedApplication:
    """The application that something happens in.

    Attributes:
        bucket: Its bucket.
        store: The name of the class of its store, such as ``MongoStore``.
        bus: The name of the class that delivers events to its handlers, such as ``NatsBus``;
            ``LogBus`` for an application without a bus.
    """

    bucket: str
    store: str
    bus: str


@frozen(kw_only=True, weakref_slot=False)
class Dispatching:
    """A command, from its dispatch to its answer. Processes dispatch commands, too.

    Attributes:
        application: The application.
        command: The name of the command's class.
        target: The name of the aggregate, decision or transaction that handles it; empty if there
            is none.
        metadata: The metadata that the events get, before the values of the observation.
    """

    application: ObservedApplication
    command: str
    target: str
    metadata: Metadata


@frozen(kw_only=True, weakref_slot=False)
class Deciding:
    """One run of ``decide`` inside a ``Dispatching``. Another may follow on a newer state.

    Attributes:
        application: The application.
        command: The name of the command's class.
    """

    application: ObservedApplication
    command: str


@frozen(kw_only=True, weakref_slot=False)
class Appending:
    """An attempt to append a commit to the log.

    Attributes:
        application: The application.
        stream_type: The aggregate type of its first stream.
        streams: The number of its streams.
        events: The number of its events.
        attempt: 1, and one more after each conflict.
        metadata: The metadata of the commit.
    """

    application: ObservedApplication
    stream_type: str
    streams: int
    events: int
    attempt: int
    metadata: Metadata


@frozen(kw_only=True)
class Publishing:
    """The publication of a batch of events by the relay.

    Attributes:
        application: The application.
        metadata: The metadata of each event, in the order of the log; at least one.
    """

    application: ObservedApplication
    metadata: Sequence[Metadata]


@frozen(kw_only=True)
class Handling:
    """A call of an event handler.

    Attributes:
        application: The application.
        group: The consumer group.
        event: The name of the event's class.
        event_id: The id of the event.
        stream_type: The aggregate type of its stream.
        metadata: The metadata of the event.
        attempt: 1 at the first delivery, one more for each redelivery and retry.
    """

    application: ObservedApplication
    group: str
    event: str
    event_id: str
    stream_type: str
    metadata: Metadata
    attempt: int


@frozen(kw_only=True)
class Reacting:
    """The reaction of a process to an event, with the commands that it sends.

    Attributes:
        application: The application.
        reader: The label of the process, such as ``process transfers``.
        event: The name of the event's class.
        event_id: The id of the event.
        stream_type: The aggregate type of its stream.
        metadata: The metadata of the event.
    """

    application: ObservedApplication
    reader: str
    event: str
    event_id: str
    stream_type: str
    metadata: Metadata


@frozen(kw_only=True)
class Projecting:
    """The projection of a batch of events into a view, which ends when its values are saved.

    Attributes:
        application: The application.
        reader: The label of the view, such as ``view orders`` or ``view orders v2``.
        metadata: The metadata of each event, in the order of the log; at least one.
    """

    application: ObservedApplication
    reader: str
    metadata: Sequence[Metadata]


Operation: TypeAlias = (
    Dispatching | Deciding | Appending | Publishing | Handling | Reacting | Projecting
)
"""Something that begins and ends. Later versions may add others."""


@frozen(kw_only=True, weakref_slot=False)
class Ended:
    """The end of an operation.

    Attributes:
        outcome: ``accepted`` if it was done. A command is ``unchanged`` if it was done without
            events, and ``rejected`` by the domain; so is its decision. An append meets a
            ``conflict`` if another writer was first. Everything else has ``failed``, cancellation
            included.
        events: The number of events that a command has led to.
        error: The error that ended the operation, if one did. Its message may quote the data of an
            event.
    """

    outcome: Literal["accepted", "unchanged", "rejected", "conflict", "failed"] = "accepted"
    events: int = 0
    error: BaseException | None = None


@frozen(kw_only=True)
class EventBuried:
    """An event that has become a dead letter.

    Attributes:
        application: The application.
        group: The consumer group.
        error: The error of the last attempt.
    """

    application: ObservedApplication
    group: str
    error: BaseException


@frozen(kw_only=True)
class EventParked:
    """An event that could not be folded and has parked its key.

    Attributes:
        application: The application.
        reader: The label of the view or process, such as ``view orders``.
        error: The error.
    """

    application: ObservedApplication
    reader: str
    error: BaseException


@frozen(kw_only=True)
class ReaderFailed:
    """A reader of the log that has stopped and will try again.

    Attributes:
        application: The application.
        reader: The label of the reader, such as ``view orders`` or ``relay``.
        error: The error.
    """

    application: ObservedApplication
    reader: str
    error: BaseException


@frozen(kw_only=True)
class ReaderProgress:
    """The place of a reader in the log, as every process sees it, whichever one reads.

    Attributes:
        application: The application.
        reader: The label of the reader: ``relay``, ``view orders``, ``process transfers``, or
            ``group mailer`` if its group reads the log.
        position: The position up to which everything is done.
        head: The position of the last event in the log.
        parked: The number of parked keys, at most ``max_parked``.
    """

    application: ObservedApplication
    reader: str
    position: int
    head: int
    parked: int


@frozen(kw_only=True)
class ReaderLeft:
    """A reader that is not reported any more: it was closed, or the application is being left.

    Attributes:
        application: The application.
        reader: The label of the reader.
    """

    application: ObservedApplication
    reader: str


Fact: TypeAlias = EventBuried | EventParked | ReaderFailed | ReaderProgress | ReaderLeft
"""Something that happened. Later versions may add others."""


class Observation(Protocol):
    """An operation that an observer was told of and that has not ended."""

    @property
    def values(self) -> Mapping[str, str]:
        """Pairs to add to the metadata of the events that a command leads to, such as a trace.

        Only those of a ``Dispatching`` are read, once, right after it began. Pairs that are beyond
        the limits of metadata are left out.
        """
        ...

    def finish(self, ended: Ended) -> None:
        """Take note that the operation has ended: called once, in the task that began it."""
        ...


class Observer(Protocol):
    """A listener to what an application does. The work waits for it, so it must not block.

    The first error that it raises in each kind of operation and fact is logged as an error. It
    changes nothing about the work, and the observer is called again the next time.

    Operations begin and end in one task, and those of one task nest. An observer can therefore keep
    the current one in a ``ContextVar``, set it in ``begin`` and reset it in ``finish``.
    """

    def begin(self, operation: Operation) -> Observation | None:
        """Take note that an operation begins; return ``None`` if its end does not matter.

        Ignore operations of unknown classes, which later versions may add.
        """
        ...

    def note(self, fact: Fact) -> None:
        """Take note of a fact. Ignore those of unknown classes."""
        ...


unchecked_dispatching = unchecked(Dispatching)
unchecked_deciding = unchecked(Deciding)
unchecked_appending = unchecked(Appending)
unchecked_ended = unchecked(Ended)
