"""The names of attributes: those of the semantic conventions of OpenTelemetry, and our own."""

from __future__ import annotations

from typing import Final

BUCKET: Final = "eventhus.bucket"
COMMAND: Final = "eventhus.command.type"
TARGET: Final = "eventhus.command.target"
OUTCOME: Final = "eventhus.outcome"
REJECTION: Final = "eventhus.rejection.type"
STREAM_TYPE: Final = "eventhus.stream.type"
STREAMS: Final = "eventhus.streams"
EVENT: Final = "eventhus.event.type"
EVENTS: Final = "eventhus.events"
ATTEMPT: Final = "eventhus.attempt"
READER: Final = "eventhus.reader"

ERROR_TYPE: Final = "error.type"

DB_SYSTEM: Final = "db.system.name"
DB_OPERATION: Final = "db.operation.name"

SYSTEM: Final = "messaging.system"
DESTINATION: Final = "messaging.destination.name"
OPERATION: Final = "messaging.operation.name"
OPERATION_TYPE: Final = "messaging.operation.type"
GROUP: Final = "messaging.consumer.group.name"
MESSAGE_ID: Final = "messaging.message.id"
CONVERSATION_ID: Final = "messaging.message.conversation_id"
MESSAGE_COUNT: Final = "messaging.batch.message_count"


def system_of(bus: str) -> str:
    """Return the messaging system of a class of buses, such as ``nats`` for ``NatsBus``.

    ``eventhus`` is the system where no broker is between the log and the handlers.
    """
    if bus in {"LogBus", "MemoryBus"}:
        return "eventhus"
    return bus.removesuffix("Bus").lower()


def database_of(store: str) -> str:
    """Return the database system of a class of stores, such as ``mongodb`` for ``MongoStore``."""
    name = store.removesuffix("Store").lower()
    return "mongodb" if name == "mongo" else name


def error_type(error: BaseException) -> str:
    """Return the canonical name of the class of an error, and nothing that it says."""
    cls = type(error)
    if cls.__module__ == "builtins":
        return cls.__qualname__
    return f"{cls.__module__}.{cls.__qualname__}"
