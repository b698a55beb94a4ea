"""The wire format of events, the same as that of the Go toolkit of the same name.

The body is compact UTF-8 JSON with five keys in this order: ``aggregate_id``, ``aggregate_type``,
``version``, ``type``, ``data``. Everything else travels in headers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from eventhus.adapter_support.message_position import POSITION
from eventhus.domain.recorded import EventData, Metadata, Recorded, StreamId
from eventhus.domain.tags import checked_tags
from eventhus.errors import CodecError
from eventhus.ports.bus import Message
from eventhus.ports.store import StoredEvent

T = TypeVar("T")

RECORDED_AT = "Eventhus-Recorded-At"
SCHEMA = "Eventhus-Schema"
CORRELATION_ID = "Eventhus-Correlation-Id"
CAUSATION_ID = "Eventhus-Causation-Id"
TAGS = "Eventhus-Tags"  # as one JSON list
METADATA = "Eventhus-Metadata"  # the caller's values, as one JSON object
TRACE = ("traceparent", "tracestate")  # also as headers of their own, where tracers look

_TRACE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")  # what a header may hold unescaped


# Made once: json.dumps would make an encoder per event, and json.loads would detect encodings.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().decode

_NO_METADATA = Metadata()
_NO_TAGS: frozenset[str] = frozenset()

_MOST = 2**63 - 1  # databases hold 64 bits


def to_body(stored: StoredEvent) -> bytes:
    """Return an event as JSON.

    Raises:
        CodecError: The stored data is not plain: something else than this library wrote it.
    """
    try:
        return _encode(
            {
                "aggregate_id": stored.stream.aggregate_id,
                "aggregate_type": stored.stream.aggregate_type,
                "version": stored.version,
                "type": stored.event.type,
                "data": stored.event.data,
            }
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:  # their texts may quote the data
        raise CodecError(
            stored.event.type,
            "",
            f"the stored data has no form in JSON ({type(error).__name__})",
            stored.stream,
            stored.version,
        ) from None


def to_message(stored: StoredEvent) -> Message:
    """Return an event as a message.

    Raises:
        CodecError: As for ``to_body``.
    """
    metadata = stored.metadata
    headers = {
        POSITION: str(stored.position),
        RECORDED_AT: stored.recorded_at.isoformat(),
        SCHEMA: str(stored.event.schema),
    }
    # Ids and values come from callers and may hold any character: JSON escapes them.
    if metadata.correlation_id is not None:
        headers[CORRELATION_ID] = json.dumps(metadata.correlation_id)
    if metadata.causation_id is not None:
        headers[CAUSATION_ID] = json.dumps(metadata.causation_id)
    if stored.event.tags:
        headers[TAGS] = json.dumps(sorted(stored.event.tags))
    if metadata.values:
        headers[METADATA] = json.dumps(dict(metadata.values))
        for key in TRACE:
            if _TRACE.fullmatch(value := metadata.values.get(key, "")):
                headers[key] = value
    return Message(
        id=stored.id,
        stream=stored.stream,
        type=stored.event.type,
        body=to_body(stored),
        headers=headers,
    )


def from_message(message: Message) -> StoredEvent:
    """Return the event in a message.

    The body is enough. Without headers, as when another program has published it, the position is
    0, the schema is 1, and the time is that of publishing.

    Raises:
        CodecError: The body or a header is not of the form that ``to_message`` gives.
    """
    headers = message.headers
    try:
        body = _of(dict, _decode(message.body.decode()))
        return Recorded(
            stream=StreamId(body["aggregate_type"], body["aggregate_id"]),
            version=_number(body["version"], least=1),
            position=_number(int(headers.get(POSITION, 0)), least=0),
            id=message.id,
            event=EventData(
                _of(str, body["type"]),
                _of(dict, body["data"]),
                _number(int(headers.get(SCHEMA, 1)), least=1),
                checked_tags(_of(list, _decode(headers[TAGS]))) if TAGS in headers else _NO_TAGS,
            ),
            recorded_at=_recorded_at(message),
            metadata=_metadata(headers),
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CodecError(
            "message", "", f"{message.id} is not an event on the wire: {type(error).__name__}"
        ) from None  # the error may quote the data


def _recorded_at(message: Message) -> datetime:
    text = message.headers.get(RECORDED_AT)
    at = message.published_at if text is None else datetime.fromisoformat(text)
    if at is None or at.utcoffset() is None:
        raise ValueError("a time without its offset")
    return at


def _metadata(headers: Mapping[str, str]) -> Metadata:
    correlation_id, causation_id = headers.get(CORRELATION_ID), headers.get(CAUSATION_ID)
    pairs = headers.get(METADATA)
    values = (
        {key: headers[key] for key in TRACE if key in headers}
        if pairs is None
        else _of(dict, _decode(pairs))
    )
    if not values and correlation_id is causation_id is None:
        return _NO_METADATA
    return Metadata(
        correlation_id=None if correlation_id is None else _decode(correlation_id),
        causation_id=None if causation_id is None else _decode(causation_id),
        values=values,
    )


def _number(value: object, *, least: int) -> int:
    number = _of(int, value)
    if not least <= number <= _MOST:
        raise ValueError("a number that no store can hold")
    return number


def _of(cls: type[T], value: object) -> T:
    if type(value) is not cls:
        raise TypeError(cls.__name__)
    return value
