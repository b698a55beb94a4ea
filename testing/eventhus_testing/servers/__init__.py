"""Real servers for tests, each in a process of its own that never outlives the test run."""

from eventhus_testing.servers.mongo import (
    MongoReplicaSet,
    MongoServer,
    find_mongod,
    mongo_replica_set,
    standalone_mongo,
)
from eventhus_testing.servers.processes import ServerFailed, ServerProcess

__all__ = [
    "MongoReplicaSet",
    "MongoServer",
    "ServerFailed",
    "ServerProcess",
    "find_mongod",
    "mongo_replica_set",
    "standalone_mongo",
]
