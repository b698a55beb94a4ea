"""Converts between the domain's events and plain data, with the codec and the catalog."""

from __future__ import annotations

from typing import Any

from eventhus.domain.catalog import Catalog
from eventhus.domain.recorded import EventData, Recorded
from eventhus.errors import CodecError
from eventhus.ports.codec import Codec
from eventhus.ports.store import StoredEvent


class EventSerializer:
    """Encodes and decodes events. Every type is compiled once, at construction."""

    def __init__(self, catalog: Catalog, codec: Codec) -> None:
        self._catalog = catalog
        types = catalog.types()
        self._encoders = {t.cls: (t.name, codec.encoder(t.cls), t.schema) for t in types}
        self._decoders = {t.cls: codec.decoder(t.cls) for t in types}
        self._current = {(t.name, t.schema): self._decoders[t.cls] for t in types}

    def encode(self, event: object) -> EventData:
        """Return an event as plain data.

        Raises:
            KeyError: No aggregate declares the event's class.
            CodecError: A field holds what its type does not admit.
        """
        name, encoder, schema = self._encoders[type(event)]
        return EventData(name, encoder(event), schema)

    def decode(self, stored: EventData) -> Any:
        """Return a stored event, upcast to the current schema.

        Raises:
            CodecError: The name or schema is unknown, or the data does not fit the class.
        """
        decoder = self._current.get((stored.type, stored.schema))
        if decoder is not None:
            return decoder(stored.data)
        event_type = self._catalog.of_name(stored.type)
        return self._decoders[event_type.cls](event_type.upcast(stored))

    def recorded(self, stored: StoredEvent) -> Recorded[Any]:
        """Return a stored event in its envelope, decoded.

        Raises:
            CodecError: As for ``decode``. Names the stream and the version.
        """
        try:
            event = self.decode(stored.event)
        except CodecError as error:
            raise error.at(stored.stream, stored.version) from error.__cause__
        return stored.with_event(event)
