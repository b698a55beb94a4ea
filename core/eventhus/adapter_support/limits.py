"""The limits of ids, names and keys, which ``eventhus.ports.store`` lists.

Without them, one id of some megabytes would fail the other operations that share its request to the
server.
"""

from collections.abc import Collection, Iterable
from typing import Final

from eventhus.domain.query import Query
from eventhus.domain.recorded import EventData, Metadata, StreamId
from eventhus.domain.tags import checked_tags
from eventhus.errors import InvalidArgument

ID_BYTES: Final = 1024
"""Of an aggregate_id, command_id, correlation_id, causation_id or a key of a document."""

NAME_BYTES: Final = 255
"""Of an aggregate_type, an event's type, a commit's id, a name or a key of metadata."""

VALUE_BYTES: Final = 8 * 1024
"""Of a value of metadata."""

PAIRS: Final = 64
"""Of metadata in a commit."""

PARTS: Final = 1_000
"""Of a commit."""

TAGS: Final = 10_000
"""Of all events of a commit together. MongoDB refuses to index more than 100,000 in a document."""

TAG_BYTES: Final = 255
"""Of a tag."""

ITEMS: Final = 100
"""Of a query."""

ITEM_TYPES: Final = 1_000
"""Of an item of a query."""

ITEM_TAGS: Final = 100
"""Of an item of a query."""

REASON_BYTES: Final = 1024
"""Of the reason why an event is skipped."""


def check_stream(stream: StreamId) -> None:
    """Check the name of a stream. Every operation of a store on one stream calls this first.

    Raises:
        InvalidArgument: The type or the id is beyond its limit.
    """
    _check("aggregate_type", stream.aggregate_type, NAME_BYTES)
    _check("aggregate_id", stream.aggregate_id, ID_BYTES)


def check_command_id(command_id: str) -> None:
    """Check an idempotency key. ``find`` of every store calls this first.

    Raises:
        InvalidArgument: It is beyond its limit.
    """
    _check("command_id", command_id, ID_BYTES)


def check_commit_names(id_: str, types: Iterable[str], metadata: Metadata) -> None:
    """Check the id, the events' types and the metadata of a commit.

    Raises:
        InvalidArgument: One of them is beyond its limit.
    """
    _check("commit id", id_, NAME_BYTES)
    for type_ in types:
        _check("event type", type_, NAME_BYTES)
    for name, message_id in (
        ("correlation_id", metadata.correlation_id),
        ("causation_id", metadata.causation_id),
    ):
        if message_id is not None:
            _check(name, message_id, ID_BYTES)
    if len(metadata.values) > PAIRS:
        raise InvalidArgument(f"metadata has {len(metadata.values):,} values; the limit is {PAIRS}")
    for key, value in metadata.values.items():
        _check("metadata key", key, NAME_BYTES)
        _check("metadata value", value, VALUE_BYTES)


def check_tags(events: Iterable[EventData]) -> None:
    """Check the tags of the events of a commit.

    Raises:
        InvalidArgument: A tag is not non-empty text, or they are beyond their limits.
    """
    tags = [tag for event in events if event.tags for tag in checked_tags(event.tags)]
    if len(tags) > TAGS:
        raise InvalidArgument(
            f"the events of the commit have {len(tags):,} tags; the limit is {TAGS:,}"
        )
    for tag in tags:
        _check("tag", tag, TAG_BYTES)


def check_query(query: Query) -> None:
    """Check a query. Every operation of a store that takes one calls this first.

    Raises:
        InvalidArgument: It holds a class instead of a stored name, or is beyond its limits.
    """
    _check_count("the query has", len(query.items), "items", ITEMS)
    for item in query.items:
        types = item.types | item.other_than
        _check_count("an item of the query has", len(types), "types", ITEM_TYPES)
        _check_count("an item of the query has", len(item.tags), "tags", ITEM_TAGS)
        for type_ in types:
            if not isinstance(type_, str):
                raise InvalidArgument(
                    f"a store finds events by their stored names, and the query has the class "
                    f"{type_.__qualname__}; query through the application, or give the name"
                )
            _check("event type", type_, NAME_BYTES)
        for tag in item.tags:
            _check("tag", tag, TAG_BYTES)


def check_keys(keys: Collection[str]) -> None:
    """Check keys of documents.

    Raises:
        InvalidArgument: A key is beyond its limit.
    """
    for key in keys:
        _check("document key", key, ID_BYTES)


def check_reason(why: str) -> None:
    """Check the reason why an event is skipped.

    Raises:
        InvalidArgument: It is beyond its limit.
    """
    _check("reason", why, REASON_BYTES)


def check_reader(name: str, owner: str = "") -> None:
    """Check the name of a lease or checkpoint, and the owner of a lease.

    Raises:
        InvalidArgument: One of them is beyond its limit.
    """
    _check("lease or checkpoint name", name, NAME_BYTES)
    _check("lease owner", owner, NAME_BYTES)


def _check_count(owner: str, count: int, things: str, limit: int) -> None:
    if count > limit:
        raise InvalidArgument(f"{owner} {count:,} {things}; the limit is {limit:,}")


def _check(name: str, text: str, limit_bytes: int) -> None:
    if len(text) * 4 <= limit_bytes:  # a character has at most four bytes
        return
    # Another check refuses lone surrogates.
    size_bytes = len(text.encode(errors="surrogatepass"))
    if size_bytes > limit_bytes:
        raise InvalidArgument(
            f"the {name} has {size_bytes:,} bytes in UTF-8; the limit is {limit_bytes:,}"
        )
