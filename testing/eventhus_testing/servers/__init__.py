"""Real servers for tests, each in a process of its own that never outlives the test run."""

from eventhus_testing.servers.mongo import (
    MongoReplicaSet,
    MongoServer,
    find_mongod,
    mongo_replica_set,
    standalone_mongo,
)
from eventhus_testing.servers.names import unused_name
from eventhus_testing.servers.nats import NatsServer, find_nats_server, nats_server
from eventhus_testing.servers.processes import ServerFailed, ServerProcess

__all__ = [
    "MongoReplicaSet",
    "MongoServer",
    "NatsServer",
    "ServerFailed",
    "ServerProcess",
    "find_mongod",
    "find_nats_server",
    "mongo_replica_set",
    "nats_server",
    "standalone_mongo",
    "unused_name",
]
