"""Protocols that adapters implement, and the values that they exchange with the runtime."""

from eventhus.domain.deadlines import ArmedDeadline
from eventhus.domain.query import QueryItem
from eventhus.domain.recorded import EventData
from eventhus.ports.bus import (
    DeadLetter,
    EventBus,
    Message,
    MessageHandler,
    NotHandledHere,
    Publisher,
    Subscription,
)
from eventhus.ports.clock import Clock
from eventhus.ports.codec import Codec
from eventhus.ports.leases import Lease, Leases
from eventhus.ports.store import (
    Checkpoint,
    CheckpointStore,
    Commit,
    Condition,
    EventStore,
    Page,
    Part,
    Place,
    Slice,
    Snapshot,
    SnapshotStore,
    Storage,
    StoredCommit,
    StoredEvent,
    event_id,
)
from eventhus.ports.views import Parked, Skipped, ViewDocument, ViewStore, ViewWrite

__all__ = [
    "ArmedDeadline",
    "Checkpoint",
    "CheckpointStore",
    "Clock",
    "Codec",
    "Commit",
    "Condition",
    "DeadLetter",
    "EventBus",
    "EventData",
    "EventStore",
    "Lease",
    "Leases",
    "Message",
    "MessageHandler",
    "NotHandledHere",
    "Page",
    "Parked",
    "Part",
    "Place",
    "Publisher",
    "QueryItem",
    "Skipped",
    "Slice",
    "Snapshot",
    "SnapshotStore",
    "Storage",
    "StoredCommit",
    "StoredEvent",
    "Subscription",
    "ViewDocument",
    "ViewStore",
    "ViewWrite",
    "event_id",
]
