"""What the runtime needs from the world, as protocols. Adapters implement them."""

from eventhus.ports.bus import EventBus, Message, MessageHandler, Subscription
from eventhus.ports.clock import Clock
from eventhus.ports.codec import Codec
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
]
