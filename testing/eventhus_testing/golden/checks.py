"""A file of sample stored events, which shows when code can no longer read what is stored.

Events are kept for ever, and their classes change. Keep a sample of each, as it is stored, in a
file beside the tests, and let one test hold it against the classes of today::

    from eventhus_testing import golden

    def test_stored_events_can_be_read() -> None:
        golden.check(
            aggregates=[account],
            path=Path(__file__).with_name("events.golden.json"),
            samples=[AccountCreated("ann"), DepositPerformed(100)],
        )

To write the file, and to add to it when there are new events or schemas, call ``golden.update``
in place of ``golden.check``, once. Nothing ever changes or deletes a sample that is there: they
are what logs hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from eventhus import Aggregate
from eventhus.domain.catalog import Catalog, EventType
from eventhus.errors import CodecError
from eventhus.ports import Codec, EventData
from eventhus_cattrs import CattrsCodec
from eventhus_testing.app_internals import EventSerializer
from eventhus_testing.golden import file as golden_file
from eventhus_testing.golden import texts
from eventhus_testing.golden.file import MalformedSamples
from eventhus_testing.golden.sample_values import NoSampleValue, sample_value
from eventhus_testing.golden.schema_diff import as_text, change_of

__all__ = ["MalformedSamples", "check", "update"]

Aggregates = Iterable[Aggregate[Any, Any, Any]]
Missing = Mapping[tuple[str, int], EventType]
"""What there is no sample of: each a name and a schema."""


def check(
    *,
    aggregates: Aggregates,
    path: Path,
    samples: Iterable[object] = (),
    codec: Codec | None = None,
) -> None:
    """Every stored sample can be read, and every type of event has one of each of its schemas.

    A sample of today's schema must also be written again as it is stored.

    Args:
        aggregates: Those of the application.
        path: The file.
        samples: Events for ``update`` to add; here they only have to be events.
        codec: The application's; ``None`` takes the one of ``eventhus_cattrs``.

    Raises:
        AssertionError: It is not so. The message says what to do, with the code to paste.
        TypeError: One of ``samples`` is not an event of the aggregates.
        MalformedSamples: The file is not of the form that ``update`` gives it.
    """
    __tracebackhide__ = True
    checked = _Checked.of(aggregates, path, codec)
    for sample in samples:
        checked.stored(sample)
    if problems := checked.problems():
        raise AssertionError(problems)
    if missing := checked.missing():
        raise AssertionError(texts.missing(path.name, missing, exists=path.exists()))


def update(
    *,
    aggregates: Aggregates,
    path: Path,
    samples: Iterable[object] = (),
    codec: Codec | None = None,
) -> None:
    """Add the samples that are missing to the file, and fail if there were any.

    It fails so that it is noticed, and cannot take the place of ``check`` for good.

    Args:
        aggregates: As for ``check``.
        path: As for ``check``.
        samples: Events to add, where they are not in the file. One of an earlier schema is given
            as it was stored: an ``EventData``. A type without one gets a small
            value of each field.
        codec: As for ``check``.

    Raises:
        AssertionError: Samples were added; or nothing was, because ``check`` would find something
            else than missing samples, or a sample that is missing cannot be made.
        TypeError: One of ``samples`` is not an event of the aggregates.
        MalformedSamples: As for ``check``.
    """
    __tracebackhide__ = True
    checked = _Checked.of(aggregates, path, codec)
    if problems := checked.problems():
        raise AssertionError(problems)
    added = [each for each in map(checked.stored, samples) if each not in checked.events]
    missing = checked.missing(added)
    unmade: dict[tuple[str, int], str] = {}
    for (name, schema), event_type in missing.items():
        if schema < event_type.schema:
            unmade[name, schema] = "nobody knows any more what its class was like"
            continue
        try:
            added.append(checked.stored(sample_value(event_type.cls)))
        except (NoSampleValue, CodecError) as reason:
            unmade[name, schema] = str(reason)
    if unmade:
        raise AssertionError(texts.unmade(path.name, unmade))
    if added:
        golden_file.write(path, [*checked.events, *added])
        raise AssertionError(texts.added(path.name, added))


@frozen
class _Checked:
    """A file of samples, and what it is to be held against."""

    file: str
    aggregates: Collection[Aggregate[Any, Any, Any]]
    catalog: Catalog
    codec: Codec
    serializer: EventSerializer
    events: list[EventData]

    @classmethod
    def of(cls, aggregates: Aggregates, path: Path, codec: Codec | None) -> _Checked:
        aggregates = tuple(aggregates)
        codec = codec or CattrsCodec()
        catalog = Catalog(aggregates)
        serializer = EventSerializer(catalog, codec)
        return cls(path.name, aggregates, catalog, codec, serializer, golden_file.read(path))

    def stored(self, sample: object) -> EventData:
        """A sample as it is stored."""
        if isinstance(sample, EventData):
            return sample
        try:
            return self.serializer.encode(sample)
        except KeyError:
            raise TypeError(
                f"samples: {sample!r} is not an event of "
                f"{', '.join(aggregate.name for aggregate in self.aggregates)}"
            ) from None

    def missing(self, added: Iterable[EventData] = ()) -> Missing:
        """The names and schemas of which there is no sample."""
        there = {(event.type, event.schema) for event in [*self.events, *added]}
        missing: dict[tuple[str, int], EventType] = {}
        for event_type in self.catalog.types():
            for schema in range(1, event_type.schema + 1):
                names = {event_type.name}
                if schema < event_type.schema:  # it may have been stored under an earlier name
                    names |= self.catalog.names_of([event_type.cls])
                if there.isdisjoint((name, schema) for name in names):
                    missing[event_type.name, schema] = event_type
        return missing

    def problems(self) -> str:
        """What is wrong with the samples that are there; empty where nothing is.

        It is the first of each type. Where today's schema is wrong, earlier ones lead to it.
        """
        found: dict[str, str] = {}
        for event in sorted(self.events, key=lambda each: -each.schema):
            if event.type not in found and (problem := self._problem(event)):
                found[event.type] = problem
        return "\n\n\n".join(found[name] for name in sorted(found))

    def _problem(self, stored: EventData) -> str | None:
        try:
            event_type = self.catalog.of_name(stored.type)
        except CodecError:
            return texts.unknown_name(self.file, stored, self._new_names(stored))
        aggregate = self._aggregate(event_type)
        if stored.schema > event_type.schema:
            return texts.unknown_schema(self.file, stored, event_type)
        data: Mapping[str, Any] = stored.data
        try:
            data = event_type.upcast(stored)
            event = self.serializer.decode(stored)
        except CodecError as error:
            if stored.schema < event_type.schema:
                return texts.unreadable(self.file, stored, event_type, data, error)
            change = change_of(event_type.cls, stored.data, self.codec, problem=error)
            return texts.changed(self.file, stored, event_type, aggregate, change)
        if stored.schema == event_type.schema:
            now = self.serializer.encode(event).data
            if as_text(now) != as_text(stored.data):
                change = change_of(event_type.cls, stored.data, self.codec, now=now)
                return texts.changed(self.file, stored, event_type, aggregate, change)
        return None

    def _new_names(self, stored: EventData) -> list[tuple[EventType, Aggregate[Any, Any, Any]]]:
        """The types that a sample of an unknown name may be of: new ones, which read it if any."""
        there = {event.type for event in self.events}
        new = [each for each in self.catalog.types() if each.name not in there]
        reading = [each for each in new if self._reads(each, stored)]
        return [(each, self._aggregate(each)) for each in reading or new]

    def _reads(self, event_type: EventType, stored: EventData) -> bool:
        try:
            renamed = EventData(event_type.name, stored.data, stored.schema)
            self.serializer.decode(renamed)
        except CodecError:
            return False
        return True

    def _aggregate(self, event_type: EventType) -> Aggregate[Any, Any, Any]:
        return next(each for each in self.aggregates if event_type.cls in each.events)
