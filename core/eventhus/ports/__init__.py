"""What the runtime needs from the world, as protocols. Adapters implement them."""

from eventhus.ports.arguments import check_page
from eventhus.ports.bus import EventBus, Message, MessageHandler, Subscription
from eventhus.ports.clock import Clock
from eventhus.ports.codec import Codec
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

__all__ = [
    "CheckpointStore",
    "Clock",
    "Codec",
    "Commit",
    "EventBus",
    "EventStore",
    "Message",
    "MessageHandler",
    "Slice",
    "Snapshot",
    "SnapshotStore",
    "Storage",
    "StoredCommit",
    "StoredEvent",
    "Subscription",
    "check_page",
    "check_plain_data",
    "event_id",
]
