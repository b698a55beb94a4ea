"""The envelope of an event: its stream, position, time and metadata."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Generic, Self, TypeVar

from attrs import field, frozen

from eventhus.domain.unchecked import unchecked
from eventhus.errors import InvalidArgument
from eventhus.printable import printable, set_in_order

E_co = TypeVar("E_co", covariant=True)
F = TypeVar("F")

_NO_VALUES: Mapping[str, str] = MappingProxyType({})


def is_text(value: object) -> bool:
    """Return whether a value is a ``str`` that UTF-8 can encode; lone surrogates cannot be."""
    if not isinstance(value, str):
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_id(value: object) -> bool:
    """Return whether a value is non-empty text."""
    return isinstance(value, str) and value != "" and (value.isascii() or is_text(value))


def _read_only(values: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(values)) if values else _NO_VALUES


@frozen(weakref_slot=False)
class StreamId:
    """The name of one aggregate's stream of events.

    Both parts may be any non-empty text. The same id under two types is two streams.

    Raises:
        InvalidArgument: A part is empty, not a ``str``, or holds a lone surrogate.
    """

    aggregate_type: str
    aggregate_id: str

    def __attrs_post_init__(self) -> None:
        if not (is_id(self.aggregate_type) and is_id(self.aggregate_id)):
            part, value = ("type", self.aggregate_type)
            if is_id(value):
                part, value = ("id", self.aggregate_id)
            raise InvalidArgument(
                f"an aggregate's {part} must be a non-empty str of whole Unicode characters, found "
                f"{'an empty one' if value == '' else type(value).__name__}"
            )

    def __hash__(self) -> int:
        # Streams are keys everywhere, Python keeps the hash of a str, and ids under two types that
        # are equal are rare.
        return hash(self.aggregate_id)

    def __str__(self) -> str:
        return printable(f"{self.aggregate_type}/{self.aggregate_id}")


@frozen(weakref_slot=False)
class Metadata:
    """The context of an event: the conversation, the cause, and the caller's own pairs.

    Attributes:
        correlation_id: The conversation that the event belongs to. If the caller gives none, the
            runtime starts a new one with the id of the commit.
        causation_id: The id of the message that caused the command, such as an event's ``id``.
        values: The caller's own pairs of text, copied and read-only.

    Raises:
        InvalidArgument: An id is empty, or an id, key or value is not Unicode text.
    """

    correlation_id: str | None = None
    causation_id: str | None = None
    values: Mapping[str, str] = field(default=_NO_VALUES, converter=_read_only, hash=False)

    def __attrs_post_init__(self) -> None:
        for message_id in (self.correlation_id, self.causation_id):
            if message_id is not None and not is_id(message_id):
                raise InvalidArgument(
                    "a correlation_id or causation_id must be a non-empty str of Unicode characters"
                )
        for key, value in self.values.items():
            if not (is_text(key) and is_text(value)):
                raise InvalidArgument(
                    f"metadata values must be pairs of str of whole Unicode characters, "
                    f"found {key!r}: {type(value).__name__}"
                )

    def __reduce__(self) -> tuple[type[Self], tuple[str | None, str | None, dict[str, str]]]:
        # A mapping proxy cannot be pickled or copied, a dict can.
        return type(self), (self.correlation_id, self.causation_id, dict(self.values))


@frozen(weakref_slot=False)
class EventData:
    """An event as plain data, the only form that a store sees.

    Attributes:
        type: The stored name of the event's class.
        data: JSON-compatible: ``None``, ``bool``, ``int`` within 64 bits, finite ``float``,
            ``str``, and lists and ``str``-keyed dicts of these, at most 90 deep.
        schema: The version of the data's shape, from 1.
        tags: Names by which a query finds the event, such as ``course:c1``. Non-empty text.
    """

    type: str
    data: Mapping[str, Any] = field(hash=False)
    schema: int = 1
    tags: frozenset[str] = field(default=frozenset(), repr=set_in_order)


@frozen(kw_only=True, weakref_slot=False)
class Recorded(Generic[E_co]):
    """An event and its place in the log.

    Attributes:
        stream: The stream of the aggregate that the event happened to.
        version: The place in the stream: 1, 2, 3, … without a gap.
        position: The place in the log of the whole bucket: 1, 2, 3, … without a gap.
        id: Unique in the bucket, and the same at every reading and redelivery.
        event: The event itself.
        recorded_at: The time of the commit: timezone-aware, UTC, to the microsecond. Clocks differ
            between machines, so only ``version`` and ``position`` order events.
        metadata: The conversation, the cause, and the caller's own pairs.
    """

    stream: StreamId
    version: int
    position: int
    id: str
    event: E_co
    recorded_at: datetime
    metadata: Metadata

    def caused(self, values: Mapping[str, str] | None = None) -> Metadata:
        """Return metadata for a command that this event causes: same conversation, this cause.

        Args:
            values: Added to the caller's own pairs of this event, which are carried on.
        """
        carried = self.metadata.values
        return Metadata(
            correlation_id=self.metadata.correlation_id,
            causation_id=self.id,
            values={**carried, **values} if values else carried,
        )

    def with_event(self, event: F) -> Recorded[F]:
        """Return the same envelope around another form of the event."""
        return unchecked_recorded(
            stream=self.stream,
            version=self.version,
            position=self.position,
            id=self.id,
            event=event,
            recorded_at=self.recorded_at,
            metadata=self.metadata,
        )


unchecked_stream_id = unchecked(StreamId)
unchecked_metadata = unchecked(Metadata)
unchecked_event_data = unchecked(EventData)
unchecked_recorded = unchecked(Recorded)
