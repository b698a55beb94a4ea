"""CQRS and event sourcing with pure domains.

Write an aggregate as immutable values and two pure functions, ``decide`` and ``evolve``; run it
in an ``Application``; plug in the store and the bus of your choice without touching the domain.

This package holds the names that a domain and its composition root need. Further names are in
``eventhus.errors``, ``eventhus.middleware`` and, for adapters, ``eventhus.ports``.
"""

from eventhus import errors
from eventhus.application import Application
from eventhus.domain.aggregate import Aggregate
from eventhus.domain.command import Command
from eventhus.domain.deadlines import Cancel, Deadline
from eventhus.domain.decider import Upcaster
from eventhus.domain.decision import Decision
from eventhus.domain.finding import in_range, one_of
from eventhus.domain.process import Process
from eventhus.domain.process_events import CommandRefused, DeadlineOvertaken, DeadlineReached
from eventhus.domain.query import Query
from eventhus.domain.recorded import Metadata, Recorded, StreamId
from eventhus.domain.transaction import Transaction
from eventhus.domain.view import View
from eventhus.errors import ConcurrencyError, EventhusError, Rejected
from eventhus.ids import new_id
from eventhus.runtime.commands.envelope import Committed, Loaded
from eventhus.runtime.messaging.dead_letters import BuriedEvent
from eventhus.runtime.messaging.subscriber import Delivered, Replayed
from eventhus.runtime.readers.building import BuildProgress
from eventhus.runtime.readers.finding import ViewItem, ViewPage
from eventhus.runtime.readers.reader_group import ParkedKey, ViewVersion

__all__ = [
    "Aggregate",
    "Application",
    "BuildProgress",
    "BuriedEvent",
    "Cancel",
    "Command",
    "CommandRefused",
    "Committed",
    "ConcurrencyError",
    "Deadline",
    "DeadlineOvertaken",
    "DeadlineReached",
    "Decision",
    "Delivered",
    "EventhusError",
    "Loaded",
    "Metadata",
    "ParkedKey",
    "Process",
    "Query",
    "Recorded",
    "Rejected",
    "Replayed",
    "StreamId",
    "Transaction",
    "Upcaster",
    "View",
    "ViewItem",
    "ViewPage",
    "ViewVersion",
    "errors",
    "in_range",
    "new_id",
    "one_of",
]
