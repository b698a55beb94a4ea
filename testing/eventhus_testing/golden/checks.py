"""Checks that today's classes can still read a file of sample stored events.

Events are kept for ever, and their classes change. Keep a stored sample of each event in a file
beside the tests, and let one test read the samples with today's classes::

    from eventhus_testing import golden

    def test_stored_events_can_be_read() -> None:
        golden.check(
            aggregates=[account],
            path=Path(__file__).with_name("events.golden.json"),
            samples=[AccountCreated("ann"), DepositPerformed(100)],
        )

To write the file, and to add new events or schemas to it, replace ``golden.check`` with
``golden.update`` for one run. Existing samples are never changed or deleted, because stores hold
such events.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from eventhus import Aggregate, Decision
from eventhus.composition import check_parts
from eventhus.domain.catalog import Catalog, EventType
from eventhus.domain.decider import Decider
from eventhus.errors import CodecError
from eventhus.ports import Codec, EventData
from eventhus_cattrs import CattrsCodec
from eventhus_testing.app_internals import EventSerializer
from eventhus_testing.golden import file as golden_file
from eventhus_testing.golden import texts
from eventhus_testing.golden.file import MalformedSamples
from eventhus_testing.golden.sample_values import NoSampleValue, sample_value
from eventhus_testing.golden.schema_diff import change_of, json_text

__all__ = ["MalformedSamples", "check", "update"]

Aggregates = Iterable[Aggregate[Any, Any, Any]]
Decisions = Iterable[Decision[Any, Any, Any]]
Missing = Mapping[tuple[str, int], EventType]
"""The types of events without a sample, by name and schema."""


def check(
    *,
    aggregates: Aggregates = (),
    decisions: Decisions = (),
    path: Path,
    samples: Iterable[object] = (),
    codec: Codec | None = None,
) -> None:
    """Check that every sample can be read, and that every schema of every event has a sample.

    A sample of the current schema must also be encoded exactly as it is stored.

    Args:
        aggregates: The aggregates of the application.
        decisions: Its decisions.
        path: The file of samples.
        samples: The events that ``update`` adds. Here they are only checked to be events.
        codec: The codec of the application; ``None`` is a ``CattrsCodec``.

    Raises:
        AssertionError: A sample cannot be read, is encoded differently, or is missing. The
            message shows the code to paste.
        TypeError: One of ``samples`` is not an event of the aggregates or decisions.
        MalformedSamples: The file is not in the format that ``update`` writes.
    """
    __tracebackhide__ = True
    checked = _Checked.of(aggregates, decisions, path, codec)
    for sample in samples:
        checked.stored(sample)
    if problems := checked.problems():
        raise AssertionError(problems)
    if missing := checked.missing():
        raise AssertionError(texts.missing(path.name, missing, exists=path.exists()))


def update(
    *,
    aggregates: Aggregates = (),
    decisions: Decisions = (),
    path: Path,
    samples: Iterable[object] = (),
    codec: Codec | None = None,
) -> None:
    """Add the missing samples to the file, and fail if there were any.

    The failure makes sure that nobody keeps ``update`` in place of ``check``.

    Args:
        aggregates: As for ``check``.
        decisions: As for ``check``.
        path: As for ``check``.
        samples: Events to add unless the file has them. Give an event of an earlier schema as it
            was stored, as an ``EventData``. A type without a sample gets one that is made up.
        codec: As for ``check``.

    Raises:
        AssertionError: Samples were added. Or none were, because ``check`` would report more than
            missing samples, or because a missing sample cannot be made up.
        TypeError: One of ``samples`` is not an event of the aggregates or decisions.
        MalformedSamples: As for ``check``.
    """
    __tracebackhide__ = True
    checked = _Checked.of(aggregates, decisions, path, codec)
    if problems := checked.problems():
        raise AssertionError(problems)
    added = [each for each in map(checked.stored, samples) if each not in checked.events]
    missing = checked.missing(added)
    unmade: dict[tuple[str, int], str] = {}
    for (name, schema), event_type in missing.items():
        if schema < event_type.schema:
            unmade[name, schema] = "its class has changed since, so no sample can be made up"
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
    """A file of samples, and the classes that should read it."""

    file: str
    deciders: Collection[Decider[Any, Any, Any]]
    catalog: Catalog
    codec: Codec
    serializer: EventSerializer
    events: list[EventData]

    @classmethod
    def of(
        cls, aggregates: Aggregates, decisions: Decisions, path: Path, codec: Codec | None
    ) -> _Checked:
        aggregates = check_parts(Aggregate, aggregates)
        decisions = check_parts(Decision, decisions)
        codec = CattrsCodec() if codec is None else codec
        catalog = Catalog(aggregates, decisions)
        serializer = EventSerializer(catalog, codec)
        events = golden_file.read(path)
        return cls(path.name, (*aggregates, *decisions), catalog, codec, serializer, events)

    def stored(self, sample: object) -> EventData:
        """Return a sample as it is stored."""
        if isinstance(sample, EventData):
            return sample
        try:
            return self.serializer.encode(sample)
        except KeyError:
            raise TypeError(
                f"samples: {sample!r} is not an event of "
                f"{', '.join(decider.name for decider in self.deciders)}"
            ) from None

    def missing(self, added: Iterable[EventData] = ()) -> Missing:
        """Return the names and schemas that have no sample."""
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
        """Describe the first problem of each type of event; empty when there is none.

        The newest schema comes first, because a problem there also breaks the earlier ones.
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
        decider = self._decider(event_type)
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
            return texts.changed(self.file, stored, event_type, decider, change)
        if stored.schema == event_type.schema:
            now = self.serializer.encode(event).data
            if json_text(now) != json_text(stored.data):
                change = change_of(event_type.cls, stored.data, self.codec, now=now)
                return texts.changed(self.file, stored, event_type, decider, change)
        return None

    def _new_names(self, stored: EventData) -> list[tuple[EventType, Decider[Any, Any, Any]]]:
        """Return the types that may be the new name of a sample's type.

        They are the types without samples, and of these only those that can read it, if any can.
        """
        there = {event.type for event in self.events}
        new = [each for each in self.catalog.types() if each.name not in there]
        reading = [each for each in new if self._reads(each, stored)]
        return [(each, self._decider(each)) for each in reading or new]

    def _reads(self, event_type: EventType, stored: EventData) -> bool:
        try:
            renamed = EventData(event_type.name, stored.data, stored.schema)
            self.serializer.decode(renamed)
        except CodecError:
            return False
        return True

    def _decider(self, event_type: EventType) -> Decider[Any, Any, Any]:
        return next(each for each in self.deciders if event_type.cls in each.events)
