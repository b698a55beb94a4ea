"""Checks and building blocks that every adapter needs."""

from eventhus.adapter_support.arguments import (
    check_armed_page,
    check_checkpoint,
    check_collection,
    check_condition,
    check_group,
    check_group_start,
    check_groups_page,
    check_indexes,
    check_lease,
    check_leases_page,
    check_letter_number,
    check_letters_page,
    check_page,
    check_parked_page,
    check_registration,
    check_saved_letter,
    check_selection,
    check_snapshot,
    check_start,
    check_ttl,
    check_writes,
    checked_commit,
    checked_restored,
    group_with_letters,
    unknown_group,
)
from eventhus.adapter_support.backoff import Backoff
from eventhus.adapter_support.examination import Check, examine
from eventhus.adapter_support.failure_log import summary, unexpected
from eventhus.adapter_support.handler_failure import handler_failure
from eventhus.adapter_support.inspecting import (
    check_event_id,
    check_related_page,
    check_streams_page,
)
from eventhus.adapter_support.limits import (
    check_command_id,
    check_keys,
    check_letter,
    check_messages,
    check_query,
    check_reader,
    check_stream,
)
from eventhus.adapter_support.message_position import message_position
from eventhus.adapter_support.plain_data import check_plain_data
from eventhus.adapter_support.redelivery import log_last_failure, next_attempt
from eventhus.adapter_support.stream_queues import StreamQueues
from eventhus.adapter_support.tasks import keeping_cancellations, stop
from eventhus.adapter_support.worker_pool import WorkerPool

__all__ = [
    "Backoff",
    "Check",
    "StreamQueues",
    "WorkerPool",
    "check_armed_page",
    "check_checkpoint",
    "check_collection",
    "check_command_id",
    "check_condition",
    "check_event_id",
    "check_group",
    "check_group_start",
    "check_groups_page",
    "check_indexes",
    "check_keys",
    "check_lease",
    "check_leases_page",
    "check_letter",
    "check_letter_number",
    "check_letters_page",
    "check_messages",
    "check_page",
    "check_parked_page",
    "check_plain_data",
    "check_query",
    "check_reader",
    "check_registration",
    "check_related_page",
    "check_saved_letter",
    "check_selection",
    "check_snapshot",
    "check_start",
    "check_stream",
    "check_streams_page",
    "check_ttl",
    "check_writes",
    "checked_commit",
    "checked_restored",
    "examine",
    "group_with_letters",
    "handler_failure",
    "keeping_cancellations",
    "log_last_failure",
    "message_position",
    "next_attempt",
    "stop",
    "summary",
    "unexpected",
    "unknown_group",
]
