"""The limits of ids, names and keys, which ``eventhus.ports.store`` and ``.bus`` list.

Without them, one id of some megabytes would fail the other operations that share its request to the
server.
"""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from eventhus.domain.recorded import Metadata, StreamId, is_id, is_text
from eventhus.errors import InvalidArgument
from eventhus.ports.bus import Message

ID_BYTES: Final = 1024
"""Of an aggregate_id, command_id, correlation_id, causation_id or a key of a document."""

NAME_BYTES: Final = 255
"""Of an aggregate_type, an event's type, a commit's id, a name or a key of metadata."""

VALUE_BYTES: Final = 8 * 1024
"""Of a value of metadata."""

PAIRS: Final = 64
"""Of metadata in a commit."""

METADATA_BYTES: Final = 30_000
"""Of all metadata of a commit, as the JSON that the header of a message holds."""

MESSAGE_ID_BYTES: Final = 512
"""Of the id of a message. That of an event is the id of its commit and a number."""

HEADERS_BYTES: Final = 60_000
"""Of all headers of a message.

Those of every event that a store accepts fit. With the id, they stay below the 65,535 bytes that
JetStream stores.
"""

HEADER_FRAME: Final = len(": \r\n")
"""The bytes of a header besides its name and value."""

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # a token of HTTP


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
    characters = 0
    for key, value in metadata.values.items():
        _check("metadata key", key, NAME_BYTES)
        _check("metadata value", value, VALUE_BYTES)
        characters += len(key) + len(value)
    # A character takes at most twelve bytes, and a pair its quotes, a colon and a comma.
    if characters * 12 + len(metadata.values) * 8 > METADATA_BYTES:
        size_bytes = len(json.dumps(dict(metadata.values)))
        if size_bytes > METADATA_BYTES:
            raise InvalidArgument(
                f"the metadata has {size_bytes:,} bytes as ASCII JSON; the limit is "
                f"{METADATA_BYTES:,}"
            )


def check_keys(keys: Collection[str]) -> None:
    """Check keys of documents.

    Raises:
        InvalidArgument: A key is beyond its limit.
    """
    for key in keys:
        _check("document key", key, ID_BYTES)


def check_reader(name: str, owner: str = "") -> None:
    """Check the name of a lease or checkpoint, and the owner of a lease.

    Raises:
        InvalidArgument: One of them is beyond its limit.
    """
    _check("lease or checkpoint name", name, NAME_BYTES)
    _check("lease owner", owner, NAME_BYTES)


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
    for name, text, is_valid in (
        ("message id", message.id, is_id),
        ("message type", message.type, is_text),
    ):
        if not is_valid(text):
            raise InvalidArgument(
                f"the {name} of {message.stream} is not a str of whole Unicode characters, or empty"
            )
    _check("message id", message.id, MESSAGE_ID_BYTES)
    _check("message type", message.type, NAME_BYTES)
    size_bytes = 0
    for name, value in message.headers.items():
        if not (_HEADER_NAME.fullmatch(name) and value.isascii() and value.isprintable()):
            raise InvalidArgument(
                f"a header of message {message.id!r} is not a name of letters, digits and "
                f"punctuation with a value of printable ASCII; encode it as JSON"
            )
        _check("name of a header", name, NAME_BYTES)
        size_bytes += len(name) + len(value) + HEADER_FRAME
    if size_bytes > HEADERS_BYTES:
        raise InvalidArgument(
            f"the headers of message {message.id!r} have {size_bytes:,} bytes; the limit is "
            f"{HEADERS_BYTES:,}"
        )


def _check(name: str, text: str, limit_bytes: int) -> None:
    if not isinstance(text, str):
        raise InvalidArgument(f"the {name} is of type {type(text).__name__}, not str")
    if len(text) * 4 <= limit_bytes:  # a character has at most four bytes
        return
    # Another check refuses lone surrogates.
    size_bytes = len(text.encode(errors="surrogatepass"))
    if size_bytes > limit_bytes:
        raise InvalidArgument(
            f"the {name} has {size_bytes:,} bytes in UTF-8; the limit is {limit_bytes:,}"
        )
