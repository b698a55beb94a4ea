"""Checks of the arguments of stores and buses, shared by all of them."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite

from attrs import astuple, evolve

from eventhus.adapter_support.limits import (
    LARGEST,
    LINE_BYTES,
    MESSAGE_ID_BYTES,
    NAME_BYTES,
    PARTS,
    RANGES,
    check_command_id,
    check_commit_names,
    check_keys,
    check_letter,
    check_query,
    check_reader,
    check_stream,
    check_tags,
    check_text,
)
from eventhus.adapter_support.plain_data import check_plain_data
from eventhus.domain.indexes import DIGITS, IndexField, IndexValue
from eventhus.domain.names import is_name
from eventhus.domain.recorded import StreamId, is_text
from eventhus.errors import InvalidArgument, InvalidCommit
from eventhus.ports.bus import Message
from eventhus.ports.checkpoints import Checkpoint
from eventhus.ports.leases import Lease
from eventhus.ports.registrations import Registration
from eventhus.ports.store import Commit, Snapshot, StoredCommit
from eventhus.ports.views import Bounds, Selection, ViewDocument, ViewWrite

_VERSION = re.compile(r"v(?:[2-9]|[1-9][0-9]{1,5})")
_EXACT = 2**53  # beyond it, walks along an index of MongoDB 6.0 go wrong at fractions
_EXPONENTS = range(-6176, 6112)
LONGEST_TTL_S = 1e9  # of a lease: 31 years


def check_page(
    limit: int, *, after: int = 0, after_version: int = 0, before: int | None = None
) -> None:
    """Check the bounds of a page of events. Every reading method of a store calls this first.

    A slice would count a negative start from the end, and a driver may read a limit of 0 as none.

    Raises:
        InvalidArgument: ``limit`` or ``before`` is below 1, ``after`` or ``after_version`` is
            negative, or one of them needs more than 62 bits, because databases add them up in 64.
    """
    if limit < 1:
        raise InvalidArgument(f"limit is {_shown(limit)}; ask for at least 1")
    for name, start in (("after", after), ("after_version", after_version)):
        if start < 0:
            raise InvalidArgument(f"{name} is {_shown(start)}; 0 starts at the first event")
    if before is not None and before < 1:
        raise InvalidArgument(f"before is {_shown(before)}; the first event has position 1")
    check_numbers(limit=limit, after=after, after_version=after_version, before=before or 0)


def check_numbers(**numbers: int) -> None:
    """Check versions, positions and tokens.

    Raises:
        InvalidArgument: One of them is negative or needs more than 62 bits.
    """
    for name, number in numbers.items():
        if number > LARGEST:
            raise InvalidArgument(f"{name} is {_shown(number)}; no log has so many events")
        if number < 0:
            raise InvalidArgument(f"{name} is {_shown(number)}; it must be at least 0")


def _shown(number: int) -> str:
    if abs(number) <= LARGEST:
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
    check_count("concurrency", concurrency)


def unknown_group(group: str) -> InvalidArgument:
    """Return the error for a group that does not exist."""
    return InvalidArgument(
        f"there is no group {group!r}; it begins where its first subscription says"
    )


def group_with_letters(group: str) -> InvalidArgument:
    """Return the error for a group that cannot be deleted because it has dead letters."""
    return InvalidArgument(f"group {group!r} has dead letters; replay or discard them first")


def check_start(start: object) -> None:
    """Check where a subscription begins.

    Raises:
        InvalidArgument: It is neither ``"beginning"`` nor ``"now"`` nor a position.
    """
    if start in ("beginning", "now"):
        return
    if not isinstance(start, int) or isinstance(start, bool):
        raise InvalidArgument(
            f"start must be 'beginning', 'now' or a position of the log, found {start!r}"
        )
    check_numbers(start=start)


def check_group_start(group: str, start: Checkpoint) -> None:
    """Check the arguments of ``create_group``. Every store calls this first.

    Raises:
        InvalidArgument: ``group`` has another form, or ``start`` is beyond its limit.
    """
    check_group(group)
    check_numbers(position=start.position)
    check_text("event_id", start.event_id, MESSAGE_ID_BYTES)


def check_saved_letter(group: str, message: Message) -> None:
    """Check the arguments of ``save_letter``. Every store calls this first.

    Raises:
        InvalidArgument: ``group`` has another form, or a text of the message is not Unicode.
    """
    check_group(group)
    check_letter(message)
    if not is_text(message.type):
        raise InvalidArgument(
            f"the type of message {message.id!r} is not a str of whole Unicode characters"
        )


def check_groups_page(after: str, limit: int) -> None:
    """Check the arguments of ``GroupStore.groups``. Every store calls this first.

    Raises:
        InvalidArgument: ``after`` is beyond the limit of names, or ``limit`` is below 1.
    """
    check_text("name of a group", after, NAME_BYTES)
    check_page(limit)


def check_leases_page(after: str | None, limit: int) -> None:
    """Check the arguments of ``leases``. Every store calls this first.

    Raises:
        InvalidArgument: ``after`` is beyond the limit of names, or ``limit`` is below 1.
    """
    check_reader(after or "")
    check_page(limit)


def check_letters_page(group: str, after: int, limit: int = 1) -> None:
    """Check the bounds of some dead letters. Every store and every bus calls this first.

    Raises:
        InvalidArgument: ``group`` has another form, ``limit`` is below 1, or ``after`` is negative.
    """
    check_group(group)
    check_page(limit, after=after)


def check_letter_number(group: str, number: int) -> None:
    """Check the arguments of ``delete_letter``. Every store calls this first.

    Raises:
        InvalidArgument: ``group`` has another form, or ``number`` is out of range.
    """
    check_group(group)
    check_numbers(number=number)


def check_count(what: str, count: object) -> None:
    """Check a number that is at least 1.

    Raises:
        InvalidArgument: It is below 1, or not an int.
    """
    if not isinstance(count, int) or count < 1:
        raise InvalidArgument(f"{what} must be an int of at least 1, found {count!r}")


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


def check_checkpoint(name: str, checkpoint: Checkpoint, token: int) -> None:
    """Check a checkpoint. ``save_checkpoint`` of every store calls this first.

    Raises:
        InvalidArgument: The name, the event's id, a number or the number of ranges is beyond its
            limit, or the ranges do not ascend from the position.
    """
    check_reader(name)
    check_numbers(position=checkpoint.position, token=token)
    check_text("event_id", checkpoint.event_id, MESSAGE_ID_BYTES)
    if len(checkpoint.done) > RANGES:
        raise InvalidArgument(
            f"the checkpoint {name!r} has {len(checkpoint.done):,} ranges; the limit is {RANGES:,}"
        )
    end = checkpoint.position
    for first, last in checkpoint.done:
        if not end < first <= last:
            raise InvalidArgument(
                f"the ranges of checkpoint {name!r} do not ascend: {_shown(first)} to "
                f"{_shown(last)} comes after {_shown(end)}"
            )
        end = last
    check_numbers(last=end)


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
        InvalidArgument: The name is not ``view_`` or ``process_``, a valid name, and possibly
            ``.v`` and a version above 1.
    """
    kind, _, rest = collection.partition("_")
    name, dot, version = rest.partition(".")
    is_version = not dot or _VERSION.fullmatch(version)
    if kind not in ("view", "process") or not is_name(name) or not is_version:
        raise InvalidArgument(
            f"collection {collection!r} is not view_ or process_ and 1 to 63 letters, digits, "
            f"hyphens and underscores, and possibly .v2 or a later version"
        )


def check_indexes(collection: str, indexes: Sequence[Sequence[IndexField]]) -> None:
    """Check the arguments of ``create_indexes``. Every store calls this first.

    Raises:
        InvalidArgument: The collection's name or that of a field has another form.
    """
    check_collection(collection)
    for index in indexes:
        _check_fields(collection, [each.name for each in index])


def check_selection(collection: str, selection: Selection) -> None:
    """Check the arguments of ``select_documents``. Every store calls this first.

    Raises:
        InvalidArgument: The collection's name or that of a field has another form, a value has no
            place in an index, or ``limit`` is below 1.
    """
    check_collection(collection)
    check_page(selection.limit)
    fields = [*selection.index, *selection.order]
    _check_fields(collection, [*selection.where, *(each.name for each in fields)])
    values: list[IndexValue] = []
    for wanted in selection.where.values():
        values += astuple(wanted) if isinstance(wanted, Bounds) else wanted
    if selection.after is not None:
        values += selection.after[0]
        check_keys((selection.after[1],))
    for value in values:
        _check_index_value(collection, value)


def _check_fields(collection: str, names: Iterable[str]) -> None:
    for name in names:
        if not (is_text(name) and name.isidentifier()):
            raise InvalidArgument(
                f"a field of an index of {collection} is not an identifier, found {name!r:.80}"
            )


def _check_index_value(collection: str, value: object) -> None:
    problem = ""
    if isinstance(value, str):
        problem = "" if is_text(value) else "a str holds half of a surrogate pair"
    elif isinstance(value, float):
        problem = "" if isfinite(value) else "a float is not finite"
    elif isinstance(value, datetime):
        problem = "" if value.utcoffset() is not None else "a time has no UTC offset"
    elif isinstance(value, int | Decimal):
        number = Decimal(value)
        exact = number.as_tuple()
        if not isinstance(exact.exponent, int):
            problem = "a Decimal is not finite"
        elif len(exact.digits) > DIGITS or exact.exponent not in _EXPONENTS:
            problem = f"a number has more than {DIGITS} digits"
        elif number.copy_abs() > _EXACT and number != number.to_integral_value():
            problem = f"a number beyond {_EXACT:,} has a fraction"
    elif value is not None:
        problem = f"{type(value).__name__} has no place in an index"
    if problem:
        raise InvalidArgument(f"a value of an indexed field of {collection} is refused: {problem}")


def check_registration(registration: Registration) -> None:
    """Check a registration. ``register`` of every store calls this first.

    Raises:
        InvalidArgument: The collection's name is of another form, or a text or number is beyond its
            limit.
    """
    check_collection(registration.collection)
    check_text("name of a registration", registration.name, NAME_BYTES)
    check_numbers(version=registration.version, position=registration.start.position)
    check_text("event_id", registration.start.event_id, MESSAGE_ID_BYTES)
    for topic, lines in registration.made_from.items():
        for text in (topic, *lines):
            check_text("line of a registration", text, LINE_BYTES)


def check_parked_page(collection: str, after: str | None, limit: int) -> None:
    """Check the arguments of ``load_parked``. Every store calls this first.

    Raises:
        InvalidArgument: The name of the collection is of another form, ``after`` is beyond the
            limit of keys, or ``limit`` is below 1.
    """
    check_collection(collection)
    check_page(limit)
    if after is not None:
        check_keys((after,))


def check_armed_page(collection: str, after: tuple[datetime, str] | None, limit: int) -> None:
    """Check the arguments of ``load_armed``. Every store calls this first.

    Raises:
        InvalidArgument: The collection is not that of a process, ``after`` has no time zone or a
            key beyond the limit, or ``limit`` is below 1.
    """
    check_collection(collection)
    if not collection.startswith("process_"):
        raise InvalidArgument(f"{collection!r} is the collection of a view, which has no deadlines")
    check_page(limit)
    if after is not None:
        check_keys((after[1],))
        _check_moment(f"after of a page of {collection}", after[0])


def checked_commit(commit: Commit) -> Commit:
    """Return the commit with its time in UTC. ``append`` of every store calls this first.

    Raises:
        InvalidArgument: An id, a name, the tags, the query or the metadata is beyond its limit.
        InvalidCommit: The commit has no parts, a part has no events, two parts have the same
            stream, a schema is below 1, or ``recorded_at`` has no UTC offset or no form in UTC.
    """
    _check_parts(commit)
    events = commit.events
    check_commit_names(commit.id, [event.type for event in events], commit.metadata)
    check_tags(events)
    if commit.command_id is not None:
        check_command_id(commit.command_id)
    if commit.condition is not None:
        check_query(commit.condition.query)
        check_page(1, after=commit.condition.after)
    for event in events:
        if not 0 < event.schema <= LARGEST:
            raise InvalidCommit(
                f"the schema of an event for {commit.stream} is {_shown(event.schema)}; "
                f"schemas are counted from 1"
            )
    if commit.recorded_at.tzinfo is UTC:
        return commit
    if commit.recorded_at.utcoffset() is None:
        raise InvalidCommit(
            f"recorded_at of the commit for {commit.stream} has no UTC offset; "
            f"use a timezone-aware time such as datetime.now(UTC)"
        )
    try:
        return evolve(commit, recorded_at=commit.recorded_at.astimezone(UTC))
    except OverflowError:
        raise InvalidCommit(
            f"recorded_at of the commit for {commit.stream} is before the year 1 or after the "
            f"year 9999 in UTC"
        ) from None


def checked_restored(commits: Sequence[StoredCommit]) -> list[StoredCommit]:
    """Return the commits with their times in UTC. ``restore`` of every store calls this first.

    Raises:
        InvalidArgument: As for ``checked_commit``.
        InvalidCommit: As for ``checked_commit``; or a position or a version does not follow from
            the commits before.
    """
    ends: dict[StreamId, int] = {}
    position = commits[0].position if commits else 0
    checked: list[StoredCommit] = []
    for stored in commits:
        commit = checked_commit(stored.commit)
        _check_number("position", stored.position, position, commit)
        for part, version in zip(commit.parts, stored.versions, strict=True):
            _check_number("version", version, ends.get(part.stream, version), commit)
            ends[part.stream] = version + len(part.events)
        position = stored.last_position + 1
        checked.append(evolve(stored, commit=commit))
    return checked


def _check_number(name: str, number: int, expected: int, commit: Commit) -> None:
    if number != expected or number < 1:
        raise InvalidCommit(
            f"commit {commit.id} of {commit.stream} comes at {name} {number} instead of "
            f"{max(expected, 1)}; restore commits in the order of their log, without gaps"
        )


def check_condition(commit: Commit, head: int) -> None:
    """Check that the condition of a commit, if any, does not begin after the head of the log.

    Raises:
        InvalidCommit: It does.
    """
    if commit.condition is not None and commit.condition.after > head:
        raise InvalidCommit(
            f"the condition of the commit for {commit.stream} begins after position "
            f"{commit.condition.after}, and the log ends at {head}; use the position of a page "
            f"that was read from this log"
        )


def _check_parts(commit: Commit) -> None:
    if not commit.parts:
        raise InvalidCommit(f"commit {commit.id} has no parts; append at least one event")
    if len(commit.parts) > PARTS:
        raise InvalidArgument(f"the commit has {len(commit.parts):,} parts; the limit is {PARTS:,}")
    for part in commit.parts:
        check_stream(part.stream)
        if not part.events:
            raise InvalidCommit(f"the commit for {part.stream} has no events; append at least one")
    if len(commit.parts) > 1 and len(commit.streams) < len(commit.parts):
        streams = Counter(part.stream for part in commit.parts)
        stream, times = streams.most_common(1)[0]
        raise InvalidCommit(
            f"the commit has {times} parts for {stream}; put all events of a stream into one"
        )


def check_writes(collection: str, writes: Sequence[ViewWrite]) -> None:
    """Check documents. ``save_documents`` of every store calls this first.

    Raises:
        InvalidArgument: The collection's name is of another form, a key is not whole Unicode
            text or beyond its limit, a position is out of range, data is not plain, or a deadline
            has no time in UTC or is one of a view. The message quotes none of it.
    """
    check_collection(collection)
    for write in writes:
        document = write.document
        check_keys((document.key,))
        check_numbers(position=document.position, replaces=write.replaces)
        if document.is_damaged:
            raise InvalidArgument(f"the document of {document.key!r} in {collection} is damaged")
        try:
            check_plain_data(document.data)
        except ValueError as error:
            raise InvalidArgument(
                f"the document of {document.key!r} in {collection} is not JSON-compatible: {error}"
            ) from error
        if write.indexed:
            _check_fields(collection, write.indexed)
            for value in write.indexed.values():
                _check_index_value(collection, value)
        if document.deadlines:
            _check_deadlines(collection, document)


def _check_deadlines(collection: str, document: ViewDocument) -> None:
    if not collection.startswith("process_"):
        raise InvalidArgument(f"a document of {collection} has deadlines; only processes have some")
    for each in document.deadlines:
        check_text("name of a deadline", each.name, NAME_BYTES)
        check_text("event_id of a deadline", each.event_id, MESSAGE_ID_BYTES)
        check_numbers(position=each.position)
        _check_moment(f"a deadline of {document.key!r} in {collection}", each.due)


def _check_moment(name: str, moment: datetime) -> None:
    if moment.utcoffset() is None:
        raise InvalidArgument(f"{name} has no UTC offset; use a timezone-aware time")
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise InvalidArgument(
            f"{name} is before the year 1 or after the year 9999 in UTC"
        ) from None
