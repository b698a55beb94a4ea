"""Conversion between messages and their form on NATS."""

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
_SERVERS = "Nats-"  # the prefix of headers that are instructions to the server

UNREADABLE = "unreadable"
"""The aggregate type of messages that are not events. Each of them is a stream of its own."""

_PLAIN_ID = re.compile(r"[\x21-\x24\x26-\x7e]+")  # visible ASCII without %

_NS = 1_000_000_000

_decode = json.JSONDecoder().decode  # json.loads would detect the encoding first


def encode_id(message_id: str) -> str:
    """Return an id in the form of a header: visible ASCII, with ``%`` and all else as ``%XX``."""
    if _PLAIN_ID.fullmatch(message_id):
        return message_id
    return quote(message_id, safe="!\"#$&'()*+,/:;<=>?@[\\]^`{|}")


@frozen
class Place:
    """The place of a delivered message in its stream.

    Attributes:
        stream: The name of the JetStream stream.
        sequence: The message's sequence in the stream, from 1.
        delivery: The number of this delivery of the consumer, from 1, with redeliveries.
        attempt: How often the message has been delivered.
        at_ns: When the stream stored it, in nanoseconds since 1970.
    """

    stream: str
    sequence: int
    delivery: int
    attempt: int
    at_ns: int


def place_of(msg: Msg) -> Place:
    """Parse the subject for the acknowledgement of a delivery.

    It is ``$JS.ACK.<stream>.<consumer>.<attempt>.<sequence>.<delivery>.<time>.<pending>``. Newer
    servers put ``<domain>.<account>`` before the stream, and a random token at the end.
    """
    tokens = msg.reply.split(".")
    if len(tokens) > 9:  # noqa: PLR2004 - the form of newer servers
        del tokens[2:4]
    return Place(
        stream=tokens[2],
        attempt=int(tokens[4]),
        sequence=int(tokens[5]),
        delivery=int(tokens[6]),
        at_ns=int(tokens[7]),
    )


def message_of(msg: Msg, place: Place | None = None) -> Message:
    """Return a received message as it was published. Without JetStream it has no place."""
    if place is None:  # nor a time of publication
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
    """Return a message made of its parts, with ``unnamed`` as its id if the headers have none."""
    # The driver returns values that are not ASCII as objects of another class.
    headers = {key: str(value) for key, value in (headers or {}).items()}
    message_id = _decode_id(headers.get(MSG_ID, ""), unnamed)
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


def is_place(message_id: str, stream: str) -> bool:
    """Return whether an id is the place of a message in a stream, as in ``bank-7``."""
    prefix, _, sequence = message_id.rpartition("-")
    return prefix == stream and sequence.isdecimal()


def _decode_id(header: str, unnamed: str) -> str:
    """Return the id that a header holds, or ``unnamed`` if it is not one that we write.

    Different messages must not get one id because their headers spell it in different ways, or
    because one header looks like the place that a message without a header gets as its id.
    """
    if _PLAIN_ID.fullmatch(header):
        message_id = header
    else:
        message_id = unquote(header)
        if not header or encode_id(message_id) != header:
            return unnamed
    stream, _, _ = unnamed.rpartition("-")
    return unnamed if stream and is_place(message_id, stream) else message_id


def _identity(body: bytes, message_id: str) -> tuple[StreamId, str]:
    try:
        fields = _decode(body.decode())
        return StreamId(fields["aggregate_type"], fields["aggregate_id"]), str(fields["type"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return StreamId(UNREADABLE, message_id), ""
