"""The log, snapshots and checkpoints of an application in MongoDB."""

from eventhus_mongo.store import MongoStore

__all__ = ["MongoStore"]
