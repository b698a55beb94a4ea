"""The event bus on NATS JetStream."""

from eventhus_nats.bus import NatsBus

__all__ = ["NatsBus"]
