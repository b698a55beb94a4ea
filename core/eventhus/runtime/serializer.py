"""Converts between the domain's events and plain data, with the codec and the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import attrs

from eventhus.domain.catalog import PROCESS_EVENT_TYPES, Catalog
from eventhus.domain.recorded import EventData, Recorded, unchecked_event_data
from eventhus.errors import CodecError
from eventhus.ports.codec import Codec
from eventhus.ports.store import StoredEvent


class EventSerializer:
    """Encodes and decodes events. Every type is compiled once, at construction."""

    def __init__(self, catalog: Catalog, codec: Codec) -> None:
        self._catalog = catalog
        types = catalog.types()
        self._encoders = {t.cls: (t, codec.encoder(t.cls)) for t in types}
        self._decoders = {t.cls: codec.decoder(t.cls) for t in types}
        for own in PROCESS_EVENT_TYPES:  # their form must not depend on the codec
            self._encoders[own.cls] = (own, attrs.asdict)
            self._decoders[own.cls] = partial(_process_event, own.cls)
        self._current = {
            (t.name, t.schema): self._decoders[t.cls] for t in (*types, *PROCESS_EVENT_TYPES)
        }

    def encode(self, event: object) -> EventData:
        """Return an event as plain data.

        Raises:
            KeyError: No aggregate declares the event's class.
            CodecError: A field holds a value that its type does not admit.
        """
        event_type, encoder = self._encoders[type(event)]
        try:
            data = encoder(event)
        except Exception as error:  # noqa: BLE001 - codecs may raise anything
            raise codec_error(event_type.name, error) from None
        tags = event_type.tags_of(event)
        return unchecked_event_data(event_type.name, data, event_type.schema, tags)

    def decode(self, stored: EventData) -> Any:
        """Return a stored event, upcast to the current schema.

        Raises:
            CodecError: The name or schema is unknown, or the data does not fit the class. It is
                chained to no other error, because that one may quote the data.
        """
        decoder = self._current.get((stored.type, stored.schema))
        try:
            if decoder is not None:
                return decoder(stored.data)
            event_type = self._catalog.of_name(stored.type)
            return self._decoders[event_type.cls](event_type.upcast(stored))
        except Exception as error:  # noqa: BLE001 - codecs may raise anything
            raise codec_error(stored.type, error) from None

    def decode_each(self, stored: Iterable[EventData]) -> Iterator[Any]:
        """Yield stored events as ``decode`` returns them, without a call for each."""
        decoders = self._current
        for each in stored:
            decoder = decoders.get((each.type, each.schema))
            if decoder is None:
                yield self.decode(each)
                continue
            try:
                event = decoder(each.data)
            except Exception as error:  # noqa: BLE001 - codecs may raise anything
                raise codec_error(each.type, error) from None
            yield event

    def recorded(self, stored: StoredEvent) -> Recorded[Any]:
        """Return a stored event in its envelope, decoded.

        Raises:
            CodecError: As for ``decode``. Names the stream and the version.
        """
        try:
            event = self.decode(stored.event)
        except CodecError as error:
            raise error.at(stored.stream, stored.version) from None
        return stored.with_event(event)


def _process_event(cls: type[Any], data: Any) -> Any:
    if not (isinstance(data, dict) and all(isinstance(value, str) for value in data.values())):
        raise CodecError(cls.__name__, "", "its fields must be text")
    return cls(**data)


def codec_error(name: str, error: Exception) -> CodecError:
    """Return the error to raise for one that a codec or an upcaster has raised.

    Raise it ``from None``: tracebacks are logged, and the original error may quote personal data.

    Args:
        name: The stored name of the event, or the class that was encoded or decoded.
        error: The original error.
    """
    if isinstance(error, CodecError):
        return error
    return CodecError(name, "", f"the codec raised {type(error).__name__}")
