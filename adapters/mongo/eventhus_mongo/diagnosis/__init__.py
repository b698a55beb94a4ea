"""Checks of a store: its server, its user and its bucket."""

from eventhus_mongo.diagnosis.examine import diagnose
from eventhus_mongo.diagnosis.names import CONNECTION

__all__ = ["CONNECTION", "diagnose"]
