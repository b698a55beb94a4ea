"""Checks of the bucket's streams: settings that lose messages, or stop publishing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import nats.js.errors
from nats.js.api import DiscardPolicy, RetentionPolicy, StreamConfig, StreamInfo

from eventhus.ports import Finding
from eventhus_nats.connection import Connection
from eventhus_nats.diagnosis.names import DEAD_LETTERS, LEASES, STREAM
from eventhus_nats.group_leases import LEASE_S, leases_name
from eventhus_nats.streams import StreamSettings, dead_stream, differences

_DAY_S = 24 * 3600.0
_WINDOW_S = 10.0  # within which a relay that crashed publishes again
_NEARLY_FULL = 0.8
_COPIES = 3
_LATER = "is created with the first event or subscription"


async def stream_info(connection: Connection, name: str) -> StreamInfo | None:
    """Return what the server knows of a stream; ``None`` if it does not exist.

    Raises:
        BusUnavailable: The server did not answer.
        AccessDenied: The user may not ask.
        nats.js.errors.APIError: The answer was an error.
    """
    try:
        info: StreamInfo = await connection.ask(connection.jetstream.stream_info(name))
    except nats.js.errors.NotFoundError:
        return None
    return info


async def of_events(
    connection: Connection, subjects: str, want: StreamSettings
) -> Iterable[Finding]:
    """Return whether the stream of events keeps them until they are handled."""
    info = await stream_info(connection, connection.bucket)
    if info is None:
        return [*_new_findings(STREAM, "events", want.replicas or 1)]
    findings = [
        *_mismatches(STREAM, info, subjects, want),
        *event_findings(info, connection.client.max_payload),
    ]
    return findings or [Finding.ok(STREAM, f"the stream {connection.bucket} keeps all events")]


async def of_dead_letters(
    connection: Connection, subjects: str, want: StreamSettings
) -> Iterable[Finding]:
    """Return whether the stream of dead letters keeps them until somebody discards them."""
    name = dead_stream(connection.bucket)
    info = await stream_info(connection, name)
    if info is None:
        return [Finding.ok(DEAD_LETTERS, f"the stream of dead letters {_LATER}")]
    want = StreamSettings(retention="limits", replicas=want.replicas)
    findings = [
        *_mismatches(DEAD_LETTERS, info, subjects, want),
        *letter_findings(info, connection.client.max_payload),
    ]
    return findings or [Finding.ok(DEAD_LETTERS, f"the stream {name} keeps all dead letters")]


async def of_leases(connection: Connection) -> Iterable[Finding]:
    """Return whether the leases of groups end when they must."""
    name = leases_name(connection.bucket)
    info = await stream_info(connection, f"KV_{name}")
    if info is None:
        return [Finding.ok(LEASES, "no group has subscribed yet")]
    ttl_s = info.config.max_age or 0
    if ttl_s != LEASE_S:
        return [
            Finding.error(
                LEASES,
                f"the entries of the key-value bucket {name} expire after {ttl_s:g} s, not "
                f"{LEASE_S:g} s",
                "delete it while no group has a member",
            )
        ]
    return [*_copy_findings(LEASES, info)] or [Finding.ok(LEASES, "leases end when they must")]


def event_findings(info: StreamInfo, max_payload: int) -> Iterator[Finding]:
    """Return the problems of a stream of events."""
    config = info.config
    yield from _common_findings(STREAM, info, max_payload)
    if config.retention == RetentionPolicy.WORK_QUEUE:
        yield Finding.error(
            STREAM,
            "retention is workqueue, so only one group gets each message",
            "create the stream anew with retention limits, and call app.republish()",
        )
    if config.retention == RetentionPolicy.INTEREST and not info.state.consumer_count:
        yield Finding.warning(
            STREAM,
            "retention is interest and there is no group, so messages are dropped at once",
            "subscribe the groups before events are published, or use retention limits",
        )
    if 0 < (config.max_age or 0) < _DAY_S:
        yield Finding.warning(
            STREAM,
            f"messages are deleted after {config.max_age:g} s, handled or not",
            "raise max_age above the longest outage of a group",
        )
    if config.duplicate_window < _WINDOW_S:
        yield Finding.warning(
            STREAM,
            f"the duplicate window is {config.duplicate_window:g} s, so a relay that restarts "
            f"publishes events twice",
            "raise duplicate_window to 2 minutes",
        )
    if info.state.num_deleted and config.retention == RetentionPolicy.LIMITS:
        yield Finding.warning(
            STREAM,
            f"messages that were deleted by hand: {info.state.num_deleted:,}",
            "let the groups read those events from the log",
        )


def letter_findings(info: StreamInfo, max_payload: int) -> Iterator[Finding]:
    """Return the problems of a stream of dead letters."""
    config = info.config
    yield from _common_findings(DEAD_LETTERS, info, max_payload)
    if config.max_age:
        yield Finding.warning(
            DEAD_LETTERS,
            f"dead letters are deleted after {config.max_age:g} s, replayed or not",
            f"set max_age to 0: nats stream edit {config.name} --max-age 0",
        )
    if config.deny_delete:
        yield Finding.error(
            DEAD_LETTERS,
            "deny_delete is set, so letters that were replayed or discarded stay",
            "create the stream anew without it",
        )


def _mismatches(
    check: str, info: StreamInfo, subjects: str, want: StreamSettings
) -> Iterator[Finding]:
    """Return the differences because of which a bus refuses the stream."""
    for difference in differences(info.config, subjects, want):
        yield Finding.error(
            check,
            f"the stream {info.config.name} has {difference}",
            f"open the bus with this setting, or change it: nats stream edit {info.config.name}",
        )


def _common_findings(check: str, info: StreamInfo, max_payload: int) -> Iterator[Finding]:
    config = info.config
    edit = f"change it: nats stream edit {config.name}"
    if config.sealed:
        yield Finding.error(
            check, "the stream is sealed, so nothing can be published", "create it anew"
        )
    if config.mirror is not None:
        yield Finding.error(
            check,
            "the stream is a mirror, so nothing can be published",
            "open the bus on the server of the original",
        )
    if config.sources:
        yield Finding.warning(
            check, "messages of other streams flow into the stream", "remove its sources"
        )
    if config.subject_transform is not None:
        yield Finding.warning(
            check, "the server changes the subjects of messages", "remove subject_transform"
        )
    if getattr(config.persist_mode, "value", config.persist_mode) == "async":
        yield Finding.error(
            check,
            "persist_mode is async, so a crash of the server loses acknowledged messages",
            "create the stream anew without it",
        )
    if 0 < (config.max_msg_size or 0) < max_payload:
        yield Finding.warning(
            check,
            f"max_msg_size is {config.max_msg_size:,} bytes, below the {max_payload:,} that the "
            f"server takes; a larger event stops the relay",
            edit,
        )
    if 0 < (config.max_consumers or 0) <= info.state.consumer_count:
        yield Finding.error(
            check,
            f"all {config.max_consumers} consumers that the stream may have are there, so no "
            f"further group can subscribe",
            f"raise max_consumers, which needs a new stream in place of {config.name}",
        )
    yield from _room_findings(check, config, info)
    yield from _copy_findings(check, info)
    lost = info.state.lost
    if lost is not None and lost.msgs:
        yield Finding.error(
            check,
            f"the server has lost {len(lost.msgs):,} messages of the stream",
            "look into the log of the server, and let the groups read those events from the log",
        )


def _room_findings(check: str, config: StreamConfig, info: StreamInfo) -> Iterator[Finding]:
    if config.discard != DiscardPolicy.NEW:
        return
    for what, used, limit in (
        ("messages", info.state.messages, config.max_msgs or 0),
        ("bytes", info.state.bytes, config.max_bytes or 0),
    ):
        if limit <= 0:
            continue
        detail = f"{used:,} of {limit:,} {what} are used, and a full stream accepts nothing"
        advice = f"raise the limit: nats stream edit {config.name}"
        if used >= limit:
            yield Finding.error(check, detail, advice)
        elif used > _NEARLY_FULL * limit:
            yield Finding.warning(check, detail, advice)


def _copy_findings(check: str, info: StreamInfo) -> Iterator[Finding]:
    copies = info.config.num_replicas or 1
    if copies < _COPIES:
        yield _few_copies(check, copies)
    cluster = info.cluster
    if cluster is None:
        return
    if not cluster.leader:
        yield Finding.error(
            check, "the stream has no leader, so it takes no messages", "bring its servers back"
        )
    away = [each for each in cluster.replicas or () if each.offline or not each.current]
    if away:
        yield Finding.warning(
            check,
            f"{len(away)} of {copies} copies of the stream are away or not up to date",
            "bring the servers back that hold them",
        )


def _new_findings(check: str, what: str, copies: int) -> Iterator[Finding]:
    if copies < _COPIES:
        yield _few_copies(check, copies)
    else:
        yield Finding.ok(check, f"the stream of {what} {_LATER}")


def _few_copies(check: str, copies: int) -> Finding:
    return Finding.warning(
        check,
        "one server holds the stream, and its loss loses it"
        if copies == 1
        else f"{copies} servers hold the stream, and the loss of one stops it",
        "run a cluster of three servers, and open the bus with replicas=3",
    )
