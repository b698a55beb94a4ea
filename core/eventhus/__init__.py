"""CQRS and event sourcing with pure domains.

Write an aggregate as immutable values and two pure functions, ``decide`` and ``evolve``; run it
in an ``Application``; plug in the store and the bus of your choice without touching the domain.
"""

from eventhus.application import Application
from eventhus.domain.aggregate import Aggregate, Command, Upcaster
from eventhus.domain.catalog import Catalog, EventType
from eventhus.domain.process import Process
from eventhus.domain.recorded import EventData, Metadata, Recorded, StreamId
from eventhus.domain.view import View
from eventhus.errors import (
    AccessDenied,
    BusUnavailable,
    CodecError,
    CommandIdReused,
    CommitTooLarge,
    CompositionError,
    ConcurrencyError,
    EventhusError,
    IncompatibleBucket,
    InvalidArgument,
    InvalidCommit,
    LeaseLost,
    LogCorrupted,
    NotRunning,
    OutcomeUnknown,
    PublisherReplaced,
    ReaderStopped,
    Rejected,
    StoreUnavailable,
    TooManyConflicts,
    UndeclaredEvent,
    UnknownCommand,
)
from eventhus.ids import new_id
from eventhus.runtime.commands.envelope import Committed, Envelope, Handler, Loaded, Middleware
from eventhus.runtime.commands.middleware import Timing, log_commands, time_commands
from eventhus.runtime.messaging.subscriber import Delivered, Replayed

__all__ = [
    "AccessDenied",
    "Aggregate",
    "Application",
    "BusUnavailable",
    "Catalog",
    "CodecError",
    "Command",
    "CommandIdReused",
    "CommitTooLarge",
    "Committed",
    "CompositionError",
    "ConcurrencyError",
    "Delivered",
    "Envelope",
    "EventData",
    "EventType",
    "EventhusError",
    "Handler",
    "IncompatibleBucket",
    "InvalidArgument",
    "InvalidCommit",
    "LeaseLost",
    "Loaded",
    "LogCorrupted",
    "Metadata",
    "Middleware",
    "NotRunning",
    "OutcomeUnknown",
    "Process",
    "PublisherReplaced",
    "ReaderStopped",
    "Recorded",
    "Rejected",
    "Replayed",
    "StoreUnavailable",
    "StreamId",
    "Timing",
    "TooManyConflicts",
    "UndeclaredEvent",
    "UnknownCommand",
    "Upcaster",
    "View",
    "log_commands",
    "new_id",
    "time_commands",
]
