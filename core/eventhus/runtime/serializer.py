"""Puts the codec and the catalog between the domain's events and plain data."""

from __future__ import annotations

from typing import Any

from eventhus.domain.catalog import Catalog, EventType
from eventhus.domain.recorded import EventData, Recorded
from eventhus.errors import CodecError
from eventhus.ports.codec import Codec
from eventhus.ports.store import StoredEvent


class EventSerializer:
    """Encodes and decodes events; every type is compiled once, here."""

    def __init__(self, catalog: Catalog, codec: Codec) -> None:
        self._catalog = catalog
        types = catalog.types()
        self._encoders = {t.cls: (t.name, codec.encoder(t.cls), t.schema) for t in types}
        self._decoders = {t.cls: codec.decoder(t.cls) for t in types}

    def encode(self, event: object) -> EventData:
        """The event as plain data.

        Raises:
            KeyError: No aggregate declares the event's class.
            CodecError: A field holds what its type does not admit.
        """
        name, encoder, schema = self._encoders[type(event)]
        return EventData(name, encoder(event), schema)

    def decode(self, stored: StoredEvent) -> Any:
        """The event, brought to today's schema.

        Raises:
            CodecError: The name or schema is unknown, or the data does not fit the class.
                Names the stream and the version.
        """
        data = stored.event
        try:
            event_type: EventType = self._catalog.of_name(data.type)
            return self._decoders[event_type.cls](event_type.upcast(data))
        except CodecError as error:
            raise error.at(stored.stream, stored.version) from error.__cause__

    def recorded(self, stored: StoredEvent) -> Recorded[Any]:
        """The event in its envelope. Raises like ``decode``."""
        return Recorded(
            stream=stored.stream,
            version=stored.version,
            position=stored.position,
            id=stored.id,
            event=self.decode(stored),
            recorded_at=stored.recorded_at,
            metadata=stored.metadata,
        )
