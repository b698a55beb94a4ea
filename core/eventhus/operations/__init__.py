"""The API for operating an application: health, the log, states, views and dead letters.

The command line and the web console show what ``Operations`` returns.
"""

from eventhus.operations.folded import FoldedKind
from eventhus.operations.operations import Operations
from eventhus.operations.redaction import Redact, Redactable
from eventhus.operations.values import (
    ArmedKey,
    CommandInfo,
    Conversation,
    Description,
    Difference,
    DocumentPage,
    Effect,
    EventInfo,
    FieldInfo,
    Health,
    LoggedEvent,
    LogPage,
    ReaderInfo,
    ReaderKind,
    ReaderStatus,
    ShownDocument,
    ShownLetter,
    StateAt,
    Step,
)

__all__ = [
    "ArmedKey",
    "CommandInfo",
    "Conversation",
    "Description",
    "Difference",
    "DocumentPage",
    "Effect",
    "EventInfo",
    "FieldInfo",
    "FoldedKind",
    "Health",
    "LogPage",
    "LoggedEvent",
    "Operations",
    "ReaderInfo",
    "ReaderKind",
    "ReaderStatus",
    "Redact",
    "Redactable",
    "ShownDocument",
    "ShownLetter",
    "StateAt",
    "Step",
]
