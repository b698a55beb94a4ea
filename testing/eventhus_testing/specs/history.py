"""Given events as recorded events, with positions, versions and metadata."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from attrs import evolve, field, frozen

from eventhus import Metadata, Recorded, StreamId
from eventhus.domain.process_events import PROCESS_EVENTS
from eventhus.namesakes import namesake
from eventhus_testing.matching.excerpts import wrapped
from eventhus_testing.rules.rules import RuleBroken
from eventhus_testing.specs.recording import Check, note
from eventhus_testing.texts.page import ACTUAL, NOTE, SAME, Passage, mark, page

E = TypeVar("E")

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""The default time at which events are recorded."""

ANY_TYPE = "Aggregate"
"""The aggregate type of streams that are given by id only."""


def stream_of(stream: StreamId | str) -> StreamId:
    """Return the stream for a ``StreamId`` or an aggregate id.

    Raises:
        TypeError: The argument is neither.
    """
    if isinstance(stream, StreamId):
        return stream
    if not isinstance(stream, str):
        raise TypeError(
            f"the first argument must be an aggregate id or a StreamId; found {stream!r}"
        )
    return StreamId(ANY_TYPE, stream)


@frozen
class History(Generic[E]):
    """A log that assigns positions and versions to the events appended to it.

    Attributes:
        events: The events so far, in order.
        at: The time at which the next events are recorded.
        metadata: The metadata of the next events.
        versions: The current version of each stream.
    """

    events: tuple[Recorded[E], ...] = ()
    at: datetime = LONG_AGO
    metadata: Metadata = field(factory=Metadata)
    versions: Mapping[StreamId, int] = field(factory=dict[StreamId, int])

    def with_events(self, stream: StreamId | str, events: Iterable[E]) -> History[E]:
        """Return the history with more events of one stream at its end."""
        recorded = [*self.events]
        stream = stream_of(stream)
        version = self.versions.get(stream, 0)
        for event in events:
            version += 1
            recorded.append(
                Recorded(
                    stream=stream,
                    version=version,
                    position=len(recorded) + 1,
                    id=f"event-{len(recorded) + 1}",
                    event=event,
                    recorded_at=self.at,
                    metadata=self.metadata,
                )
            )
        return evolve(self, events=tuple(recorded), versions={**self.versions, stream: version})


def aware(moment: datetime) -> datetime:
    """Return the moment, which must be an aware datetime.

    Raises:
        TypeError: The moment is naive.
    """
    if moment.tzinfo is None:
        raise TypeError(f"at takes an aware datetime; add a tzinfo to {moment!r}")
    return moment


def text(recorded: Recorded[object]) -> str:
    """Return a readable text of an event with its stream and any explicit time or metadata."""
    stream = recorded.stream
    is_own = type(recorded.event) in PROCESS_EVENTS  # whose stream and cause follow from the key
    where = stream.aggregate_id if is_own or stream.aggregate_type == ANY_TYPE else str(stream)
    words = [f"{where}: {wrapped(recorded.event)}"]
    if recorded.recorded_at != LONG_AGO:
        words.append(f"at {recorded.recorded_at.isoformat()}")
    metadata = recorded.metadata
    pairs = {
        "correlation_id": metadata.correlation_id,
        "causation_id": metadata.causation_id,
        **metadata.values,
    }
    said = ", ".join(f"{name}={value!r}" for name, value in pairs.items() if value is not None)
    if said and not is_own:
        words.append(f"with {said}")
    return " ".join(words)


def check_any(stream: StreamId | str, events: Collection[object]) -> None:
    """Refuse a ``when`` without a stream or without events.

    Raises:
        TypeError: No event is given, or the first argument is not a stream.
    """
    __tracebackhide__ = True
    stream_of(stream)
    if not events:
        raise TypeError("when takes a stream and at least one event")


def check_handled(who: str, classes: Collection[type], events: Iterable[object]) -> None:
    """Refuse events that a view or a process does not handle.

    Args:
        who: The view or the process, for the message.
        classes: The event classes that it handles.
        events: The events.

    Raises:
        TypeError: An event has another class. The message lists the handled classes.
    """
    __tracebackhide__ = True
    for event in events:
        if type(event) not in classes:
            takes = ", ".join(sorted(cls.__qualname__ for cls in classes))
            advice = namesake(type(event), classes) or f"it handles {takes}"
            raise TypeError(f"{event!r} is not an event of {who}; {advice}")


def passage(word: str, events: Iterable[Recorded[object]]) -> Passage:
    """Return the passage of a failure text that lists events after a word."""
    return word, mark(SAME, [text(recorded) for recorded in events] or ["nothing"])


@contextmanager
def adding_story(
    name: str, story: Any, log: History[E], stream: StreamId | str, events: Collection[E]
) -> Iterator[None]:
    """Add the story to the text of a broken rule.

    Args:
        name: The name of the view or the process.
        story: The story before the step.
        log: The events before the step.
        stream: The stream of the new events.
        events: The new events.
    """
    __tracebackhide__ = True
    try:
        yield
    except RuleBroken as broken:
        happening = log.with_events(stream, events).events[len(log.events) :]
        text = page(
            f"{name}: rule {broken.rule!r} is broken "
            f"(rules=Rules({broken.rule}=False) switches it off)",
            [
                passage("given", log.events),
                passage("when", happening),
                ("but", [(ACTUAL, broken.problem), *mark(NOTE, broken.notes)]),
            ],
        )
        note(story).checks.append(Check("when", tuple(events), text))
        raise broken.with_text(text) from broken.__cause__
