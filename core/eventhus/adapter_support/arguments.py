"""Checks of the arguments of stores and buses, shared by all of them."""

from collections.abc import Sequence
from datetime import UTC, timedelta

from attrs import evolve

from eventhus.adapter_support.limits import (
    MESSAGE_ID_BYTES,
    NAME_BYTES,
    check_command_id,
    check_commit_names,
    check_keys,
    check_reader,
    check_stream,
    check_text,
)
from eventhus.adapter_support.plain_data import check_plain_data
from eventhus.domain.names import is_name
from eventhus.errors import InvalidArgument, InvalidCommit
from eventhus.ports.leases import Lease
from eventhus.ports.store import Commit, Snapshot
from eventhus.ports.views import ViewWrite

MOST = 2**62  # events in a log, by far
LONGEST_TTL_S = 1e9  # of a lease: 31 years


def check_page(limit: int, *, after: int = 0, after_version: int = 0) -> None:
    """Check the bounds of a page of events. Every reading method of a store calls this first.

    A slice would count a negative start from the end, and a driver may read a limit of 0 as none.

    Raises:
        InvalidArgument: ``limit`` is below 1, ``after`` or ``after_version`` is negative, or one of
            them needs more than 62 bits, because databases add them up in 64.
    """
    if limit < 1:
        raise InvalidArgument(f"limit is {_shown(limit)}; ask for at least 1 event")
    for name, start in (("after", after), ("after_version", after_version)):
        if start < 0:
            raise InvalidArgument(f"{name} is {_shown(start)}; 0 starts at the first event")
    check_numbers(limit=limit, after=after, after_version=after_version)


def check_numbers(**numbers: int) -> None:
    """Check versions, positions and tokens.

    Raises:
        InvalidArgument: One of them is negative or needs more than 62 bits.
    """
    for name, number in numbers.items():
        if number > MOST:
            raise InvalidArgument(f"{name} is {_shown(number)}; no log has so many events")
        if number < 0:
            raise InvalidArgument(f"{name} is {_shown(number)}; it must be at least 0")


def _shown(number: int) -> str:
    if abs(number) <= MOST:
        return str(number)
    try:
        return f"{number:.3e}"
    except OverflowError:
        return f"a number of {number.bit_length():,} bits"


def check_group(group: str | None, concurrency: int = 1) -> None:
    """Check the arguments of a subscription.

    Raises:
        InvalidArgument: ``group`` is not of the form that every bus takes, or ``concurrency`` is
            below 1.
    """
    if group is not None and not is_name(group):
        raise InvalidArgument(
            f"group {group!r} is not 1 to 63 letters, digits, hyphens and underscores"
        )
    if concurrency < 1:
        raise InvalidArgument(f"concurrency must be at least 1, found {concurrency}")


def check_ttl(ttl_s: float) -> None:
    """Check the duration of a lease, in seconds.

    Raises:
        InvalidArgument: It is not above 0, or not below a billion.
    """
    if not 0 < ttl_s < LONGEST_TTL_S:
        raise InvalidArgument(
            f"the ttl_s of a lease must be above 0 and below {LONGEST_TTL_S:.0e}, found {ttl_s}"
        )


def check_lease(lease: Lease) -> None:
    """Check a lease. ``release`` of every store calls this first.

    Raises:
        InvalidArgument: The name, the owner or the token is beyond its limit.
    """
    check_reader(lease.name, lease.owner)
    check_numbers(token=lease.token)


def check_checkpoint(name: str, position: int, event_id: str, token: int) -> None:
    """Check a checkpoint. ``save_checkpoint`` of every store calls this first.

    Raises:
        InvalidArgument: The name, the event's id or a number is beyond its limit.
    """
    check_reader(name)
    check_numbers(position=position, token=token)
    check_text("event_id", event_id, MESSAGE_ID_BYTES)


def check_snapshot(snapshot: Snapshot) -> None:
    """Check the names and numbers of a snapshot. ``save_snapshot`` of every store calls this first.

    Raises:
        InvalidArgument: One of them is beyond its limit.
    """
    check_stream(snapshot.stream)
    check_numbers(version=snapshot.version, position=snapshot.position)
    check_text("event_id", snapshot.event_id, MESSAGE_ID_BYTES)
    check_text("fingerprint", snapshot.fingerprint, NAME_BYTES)


def check_collection(collection: str) -> None:
    """Check the name of a collection of documents.

    Raises:
        InvalidArgument: The name is not ``view_`` or ``process_`` followed by a valid name.
    """
    kind, _, name = collection.partition("_")
    if kind not in ("view", "process") or not is_name(name):
        raise InvalidArgument(
            f"collection {collection!r} is not view_ or process_ and 1 to 63 letters, digits, "
            f"hyphens and underscores"
        )


def checked_commit(commit: Commit) -> Commit:
    """Return the commit with its time in UTC. ``append`` of every store calls this first.

    Raises:
        InvalidArgument: An id, a name or the metadata is beyond its limit.
        InvalidCommit: The commit has no events, a schema is below 1, or its ``recorded_at`` has no
            UTC offset or has no form in UTC.
    """
    check_stream(commit.stream)
    check_commit_names(commit.id, (event.type for event in commit.events), commit.metadata)
    if commit.command_id is not None:
        check_command_id(commit.command_id)
    if not commit.events:
        raise InvalidCommit(f"the commit for {commit.stream} has no events; append at least one")
    for event in commit.events:
        if not 0 < event.schema <= MOST:
            raise InvalidCommit(
                f"the schema of an event for {commit.stream} is {_shown(event.schema)}; "
                f"schemas are counted from 1"
            )
    offset = commit.recorded_at.utcoffset()
    if offset is None:
        raise InvalidCommit(
            f"recorded_at of the commit for {commit.stream} has no UTC offset; "
            f"use a timezone-aware time such as datetime.now(UTC)"
        )
    if offset == timedelta(0) and commit.recorded_at.tzinfo is UTC:
        return commit
    try:
        return evolve(commit, recorded_at=commit.recorded_at.astimezone(UTC))
    except OverflowError:
        raise InvalidCommit(
            f"recorded_at of the commit for {commit.stream} is before the year 1 or after the "
            f"year 9999 in UTC"
        ) from None


def check_writes(collection: str, writes: Sequence[ViewWrite]) -> None:
    """Check documents. ``save_documents`` of every store calls this first.

    Raises:
        InvalidArgument: The collection's name is of another form, a key is not whole Unicode
            text or beyond its limit, a position is out of range, or data is not plain. The message
            quotes none of it.
    """
    check_collection(collection)
    for write in writes:
        document = write.document
        check_keys((document.key,))
        check_numbers(position=document.position, replaces=write.replaces)
        try:
            check_plain_data(document.data)
        except ValueError as error:
            raise InvalidArgument(
                f"the document of {document.key!r} in {collection} is not JSON-compatible: {error}"
            ) from error
