"""Checks of a bus: its server, its account, its user and its streams."""

from eventhus_nats.diagnosis.examine import diagnose_core, diagnose_jetstream

__all__ = ["diagnose_core", "diagnose_jetstream"]
