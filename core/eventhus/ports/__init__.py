"""What the runtime needs from the world, as protocols. Adapters implement them."""

from eventhus.ports.arguments import check_collection, check_group, check_page, check_ttl
from eventhus.ports.bus import (
    DeadLetter,
    EventBus,
    Message,
    MessageHandler,
    Publisher,
    Subscription,
)
from eventhus.ports.clock import Clock
from eventhus.ports.codec import Codec
from eventhus.ports.leases import Lease, Leases
from eventhus.ports.plain_data import check_plain_data
from eventhus.ports.store import (
    CheckpointStore,
    Commit,
    EventStore,
    Slice,
    Snapshot,
    SnapshotStore,
    Storage,
    StoredCommit,
    StoredEvent,
    event_id,
)
from eventhus.ports.turns import Turns
from eventhus.ports.views import ViewDocument, ViewStore, ViewWrite, check_writes

__all__ = [
    "CheckpointStore",
    "Clock",
    "Codec",
    "Commit",
    "DeadLetter",
    "EventBus",
    "EventStore",
    "Lease",
    "Leases",
    "Message",
    "MessageHandler",
    "Publisher",
    "Slice",
    "Snapshot",
    "SnapshotStore",
    "Storage",
    "StoredCommit",
    "StoredEvent",
    "Subscription",
    "Turns",
    "ViewDocument",
    "ViewStore",
    "ViewWrite",
    "check_collection",
    "check_group",
    "check_page",
    "check_plain_data",
    "check_ttl",
    "check_writes",
    "event_id",
]
