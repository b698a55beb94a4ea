"""Protocols that adapters implement, and the values that they exchange with the runtime."""

from eventhus.domain.deadlines import ArmedDeadline
from eventhus.domain.indexes import IndexField, IndexValue
from eventhus.domain.query import QueryItem
from eventhus.domain.recorded import EventData
from eventhus.domain.start import Start
from eventhus.ports.bus import (
    DeadLetter,
    EventBus,
    GroupStatus,
    Message,
    MessageHandler,
    MessageSource,
    NotHandledHere,
    Publisher,
    Subscription,
)
from eventhus.ports.checkpoints import Checkpoint, CheckpointStore
from eventhus.ports.clock import Clock
from eventhus.ports.codec import Codec
from eventhus.ports.groups import GroupStore
from eventhus.ports.inspection import Inspection, StreamEnd
from eventhus.ports.leases import HeldLease, Lease, Leases
from eventhus.ports.registrations import Registration, RegistrationStore
from eventhus.ports.store import (
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
    split_event_id,
)
from eventhus.ports.views import (
    Bounds,
    Parked,
    Selection,
    Skipped,
    ViewDocument,
    ViewStore,
    ViewWrite,
)

__all__ = [
    "ArmedDeadline",
    "Bounds",
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
    "GroupStatus",
    "GroupStore",
    "HeldLease",
    "IndexField",
    "IndexValue",
    "Inspection",
    "Lease",
    "Leases",
    "Message",
    "MessageHandler",
    "MessageSource",
    "NotHandledHere",
    "Page",
    "Parked",
    "Part",
    "Place",
    "Publisher",
    "QueryItem",
    "Registration",
    "RegistrationStore",
    "Selection",
    "Skipped",
    "Slice",
    "Snapshot",
    "SnapshotStore",
    "Start",
    "Storage",
    "StoredCommit",
    "StoredEvent",
    "StreamEnd",
    "Subscription",
    "ViewDocument",
    "ViewStore",
    "ViewWrite",
    "event_id",
    "split_event_id",
]
