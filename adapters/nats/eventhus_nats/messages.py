"""Messages as NATS carries them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from attrs import frozen
from nats.aio.msg import Msg

from eventhus import StreamId, new_id
from eventhus.ports import Message

MSG_ID = "Nats-Msg-Id"
EXPECTED_LAST_SEQUENCE = "Nats-Expected-Last-Sequence"
EXPECTED_LAST_MSG_ID = "Nats-Expected-Last-Msg-Id"
_SERVERS = "Nats-"  # what begins so is between whoever publishes and the server

UNREADABLE = "unreadable"
"""The aggregate type under which what is no event is handled, each as a stream of its own."""

_PLAIN_ID = re.compile(r"[\x21-\x24\x26-\x7e]+")  # visible ASCII without %

_NS = 1_000_000_000

_decode = json.JSONDecoder().decode  # json.loads would look for encodings first


def encode_id(message_id: str) -> str:
    """An id as a header can hold it: all but visible ASCII, and ``%``, as ``%XX``."""
    if _PLAIN_ID.fullmatch(message_id):
        return message_id
    return quote(message_id, safe="!\"#$&'()*+,/:;<=>?@[\\]^`{|}")


@frozen
class Place:
    """Where a delivered message stands.

    Attributes:
        stream: The name of the JetStream stream.
        sequence: Its place in the stream, from 1.
        delivery: Which of its consumer's deliveries this is, from 1, redeliveries included.
        attempt: How often it has been delivered.
        at_ns: When the stream took it, in nanoseconds since 1970.
    """

    stream: str
    sequence: int
    delivery: int
    attempt: int
    at_ns: int


def place_of(msg: Msg) -> Place:
    """Read the subject that a delivery is to be acknowledged to.

    It is ``$JS.ACK.<stream>.<consumer>.<attempt>.<sequence>.<delivery>.<time>.<pending>``, with
    ``<domain>.<account>`` before the stream, and a random token at the end, from newer servers.
    """
    tokens = msg.reply.split(".")
    if len(tokens) > 9:  # noqa: PLR2004 - the form just described
        del tokens[2:4]
    return Place(
        stream=tokens[2],
        attempt=int(tokens[4]),
        sequence=int(tokens[5]),
        delivery=int(tokens[6]),
        at_ns=int(tokens[7]),
    )


def message_of(msg: Msg, place: Place | None = None) -> Message:
    """A message as it was published."""
    if place is None:  # without JetStream, nobody keeps when it was
        return message_from(msg.data, msg.headers, unnamed=new_id(), at=datetime.now(UTC))
    return message_from(
        msg.data,
        msg.headers,
        unnamed=f"{place.stream}-{place.sequence}",
        at=datetime.fromtimestamp(place.at_ns / _NS, UTC),
        attempt=place.attempt,
    )


def message_from(
    body: bytes,
    headers: Mapping[str, str] | None,
    *,
    unnamed: str,
    at: datetime | None = None,
    attempt: int = 1,
) -> Message:
    """A message of its parts; ``unnamed`` is the id of one that has none."""
    headers = headers or {}
    message_id = headers.get(MSG_ID) or unnamed
    if "%" in message_id:
        message_id = unquote(message_id)
    stream, type_ = _identity(body, message_id)
    return Message(
        id=message_id,
        stream=stream,
        type=type_,
        body=body,
        headers={key: value for key, value in headers.items() if not key.startswith(_SERVERS)},
        published_at=at,
        attempt=attempt,
    )


def _identity(body: bytes, message_id: str) -> tuple[StreamId, str]:
    try:
        fields = _decode(body.decode())
        return StreamId(fields["aggregate_type"], fields["aggregate_id"]), str(fields["type"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return StreamId(UNREADABLE, message_id), ""
