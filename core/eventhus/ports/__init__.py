"""Protocols that adapters implement, and the values that they exchange with the runtime."""

from eventhus.domain.deadlines import ArmedDeadline
from eventhus.domain.indexes import IndexField, IndexValue
from eventhus.domain.query import QueryItem
from eventhus.domain.recorded import EventData
from eventhus.domain.start import Start
from eventhus.ports.bus import (
    DeadLetter,
    EventBus,
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
from eventhus.ports.leases import Lease, Leases
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
)
from eventhus.ports.views import (
    COUNTED,
    Bounds,
    Parked,
    Selected,
    Selection,
    Skipped,
    ViewDocument,
    ViewStore,
    ViewWrite,
)

__all__ = [
    "COUNTED",
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
    "GroupStore",
    "IndexField",
    "IndexValue",
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
    "Selected",
    "Selection",
    "Skipped",
    "Slice",
    "Snapshot",
    "SnapshotStore",
    "Start",
    "Storage",
    "StoredCommit",
    "StoredEvent",
    "Subscription",
    "ViewDocument",
    "ViewStore",
    "ViewWrite",
    "event_id",
]
