"""The limits of ids, names and keys, which ``eventhus.ports.store`` and ``.bus`` list.

Without them, one id of some megabytes would fail the other operations that share its request to the
server.
"""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import Final

from eventhus.domain.query import Query
from eventhus.domain.recorded import EventData, Metadata, StreamId, is_id, is_text
from eventhus.domain.tags import checked_tags
from eventhus.errors import InvalidArgument
from eventhus.ports.bus import Message

ID_BYTES: Final = 1024
"""The longest aggregate_id, command_id, correlation_id, causation_id or key of a document."""

NAME_BYTES: Final = 255
"""The longest aggregate_type, event type, commit id, name or key of metadata."""

VALUE_BYTES: Final = 8 * 1024
"""The longest value of metadata."""

PAIRS: Final = 64
"""The most pairs of metadata of a commit."""

PARTS: Final = 1_000
"""The most parts of a commit."""

TAGS: Final = 10_000
"""The most tags in a commit, over all events. MongoDB indexes at most 100,000 in a document."""

TAG_BYTES: Final = 255
"""The longest tag."""

EVENT_TAGS_BYTES: Final = 4_000
"""The most for all tags of an event, as the JSON in the header of a message."""

ITEMS: Final = 100
"""The most items of a query."""

ITEM_TYPES: Final = 1_000
"""The most types of an item of a query."""

ITEM_TAGS: Final = 100
"""The most tags of an item of a query."""

RANGES: Final = 10_000
"""The most ranges of a checkpoint."""

LARGEST: Final = 2**62 - 1
"""Of a version, a position, a token or another number. Two of them add up to less than 64 bits."""

MOST_GROUPS: Final = 1_000
"""The most consumer groups that a bus describes."""

MOST_LETTERS: Final = 10_000
"""The most dead letters that a bus counts in a group."""

REASON_BYTES: Final = 1024
"""The longest reason for skipping an event."""

LINE_BYTES: Final = 64 * 1024
"""The longest line of a registration."""

METADATA_BYTES: Final = 26_000
"""The most for all metadata of a commit, as the JSON in the header of a message."""

MESSAGE_ID_BYTES: Final = 512
"""The longest id of a message. That of an event is the id of its commit and a number."""

HEADERS_BYTES: Final = 60_000
"""The most for all headers of a message.

Those of every event that a store accepts fit. With the id, they stay below the 65,535 bytes that
JetStream stores.
"""

_HEADER_FRAME = len(": \r\n")  # bytes of a header besides its name and value
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # a token of HTTP


def check_stream(stream: StreamId) -> None:
    """Check the name of a stream. Every operation of a store on one stream calls this first.

    Raises:
        InvalidArgument: The type or the id is beyond its limit.
    """
    check_text("aggregate_type", stream.aggregate_type, NAME_BYTES)
    check_text("aggregate_id", stream.aggregate_id, ID_BYTES)


def check_command_id(command_id: str) -> None:
    """Check an idempotency key. ``find`` of every store calls this first.

    Raises:
        InvalidArgument: It is beyond its limit.
    """
    check_text("command_id", command_id, ID_BYTES)


def check_commit_names(id_: str, types: Iterable[str], metadata: Metadata) -> None:
    """Check the id, the events' types and the metadata of a commit.

    Raises:
        InvalidArgument: One of them is beyond its limit.
    """
    check_text("commit id", id_, NAME_BYTES)
    for type_ in types:
        check_text("event type", type_, NAME_BYTES)
    check_metadata(metadata)


def check_metadata(metadata: Metadata) -> None:
    """Check the metadata of a commit.

    Raises:
        InvalidArgument: It is beyond its limits.
    """
    if metadata.correlation_id is not None:
        check_text("correlation_id", metadata.correlation_id, ID_BYTES)
    if metadata.causation_id is not None:
        check_text("causation_id", metadata.causation_id, ID_BYTES)
    if not metadata.values:
        return
    if len(metadata.values) > PAIRS:
        raise InvalidArgument(f"metadata has {len(metadata.values):,} values; the limit is {PAIRS}")
    characters = 0
    for key, value in metadata.values.items():
        check_text("metadata key", key, NAME_BYTES)
        check_text("metadata value", value, VALUE_BYTES)
        characters += len(key) + len(value)
    # A character takes at most twelve bytes, and a pair its quotes, a colon and a comma.
    if characters * 12 + len(metadata.values) * 8 > METADATA_BYTES:
        size_bytes = len(json.dumps(dict(metadata.values)))
        if size_bytes > METADATA_BYTES:
            raise InvalidArgument(
                f"the metadata has {size_bytes:,} bytes as ASCII JSON; the limit is "
                f"{METADATA_BYTES:,}"
            )


def check_tags(events: Iterable[EventData]) -> None:
    """Check the tags of the events of a commit.

    Raises:
        InvalidArgument: A tag is not non-empty text, or they are beyond their limits.
    """
    tags: list[str] = []
    for event in events:
        if event.tags:
            own = checked_tags(event.tags)
            if sum(map(len, own)) * 12 + len(own) * 4 > EVENT_TAGS_BYTES:
                _check_count(
                    f"the JSON of the tags of {event.type} has",
                    len(json.dumps([*own])),
                    "bytes",
                    EVENT_TAGS_BYTES,
                )
            tags += own
    if len(tags) > TAGS:
        raise InvalidArgument(
            f"the events of the commit have {len(tags):,} tags; the limit is {TAGS:,}"
        )
    for tag in tags:
        check_text("tag", tag, TAG_BYTES)


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
            check_text("event type", type_, NAME_BYTES)
        for tag in item.tags:
            check_text("tag", tag, TAG_BYTES)


def check_keys(keys: Collection[str]) -> None:
    """Check keys of documents.

    Raises:
        InvalidArgument: A key is beyond its limit.
    """
    for key in keys:
        check_text("document key", key, ID_BYTES)


def check_reason(why: str) -> None:
    """Check the reason why an event is skipped.

    Raises:
        InvalidArgument: It is beyond its limit.
    """
    check_text("reason", why, REASON_BYTES)


def check_reader(name: str, owner: str = "") -> None:
    """Check the name of a lease or checkpoint, and the owner of a lease.

    Raises:
        InvalidArgument: One of them is beyond its limit.
    """
    check_text("lease or checkpoint name", name, NAME_BYTES)
    check_text("lease owner", owner, NAME_BYTES)


def _check_count(owner: str, count: int, things: str, limit: int) -> None:
    if count > limit:
        raise InvalidArgument(f"{owner} {count:,} {things}; the limit is {limit:,}")


def check_messages(messages: Sequence[Message]) -> None:
    """Check messages. ``publish`` of every bus calls this before it sends the first of them.

    Raises:
        InvalidArgument: A part of a message is beyond its limit or has another form.
    """
    for message in messages:
        check_message(message)


def check_message(message: Message) -> None:
    """Check the id, the stream, the type and the headers of a message.

    Raises:
        InvalidArgument: One of them is beyond its limit or has another form.
    """
    check_stream(message.stream)
    if message.id == "":
        raise InvalidArgument(f"a message of {message.stream} has an empty id")
    check_text("message id", message.id, MESSAGE_ID_BYTES)
    check_text("message type", message.type, NAME_BYTES)
    size_bytes = 0
    for name, value in message.headers.items():
        if not (_HEADER_NAME.fullmatch(name) and value.isascii() and value.isprintable()):
            raise InvalidArgument(
                f"a header of message {message.id!r} is not a name of letters, digits and "
                f"punctuation with a value of printable ASCII; encode it as JSON"
            )
        check_text("name of a header", name, NAME_BYTES)
        size_bytes += len(name) + len(value) + _HEADER_FRAME
    if size_bytes > HEADERS_BYTES:
        raise InvalidArgument(
            f"the headers of message {message.id!r} have {size_bytes:,} bytes; the limit is "
            f"{HEADERS_BYTES:,}"
        )


def check_letter(message: Message) -> None:
    """Check a new dead letter. ``bury`` of every bus calls this first.

    It may be beyond the limits, because another program may have published it.

    Raises:
        InvalidArgument: The id or a header is not whole Unicode text, or the id is empty.
    """
    if not (is_id(message.id) and all(map(is_text, chain(*message.headers.items())))):
        raise InvalidArgument(
            f"the id or a header of a message of {message.stream} is not a str of whole Unicode "
            f"characters, or the id is empty"
        )


def check_text(name: str, text: str, limit_bytes: int) -> None:
    """Check a text of any kind.

    Args:
        name: The name of the text, for the message, which does not quote it.
        text: The text.
        limit_bytes: The most bytes in UTF-8.

    Raises:
        InvalidArgument: It is not whole Unicode text, or beyond its limit.
    """
    if isinstance(text, str) and text.isascii() and len(text) <= limit_bytes:
        return
    if not is_text(text):
        raise InvalidArgument(f"the {name} is not a str of whole Unicode characters")
    size_bytes = len(text.encode())
    if size_bytes > limit_bytes:
        raise InvalidArgument(
            f"the {name} has {size_bytes:,} bytes in UTF-8; the limit is {limit_bytes:,}"
        )
