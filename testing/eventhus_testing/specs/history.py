"""Events in their envelopes, as a log would hand them out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from attrs import evolve, field, frozen

from eventhus import Metadata, Recorded, StreamId
from eventhus_testing.rules.rules import RuleBroken
from eventhus_testing.specs.recording import Check, note
from eventhus_testing.texts.page import ACTUAL, NOTE, SAME, Passage, mark, page

E = TypeVar("E")

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""When events are recorded, unless something else is said."""

ANY_TYPE = "Aggregate"
"""The aggregate type of streams of which only the id is given."""


def stream_of(stream: StreamId | str) -> StreamId:
    """The stream that an aggregate id stands for where the type does not matter.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(stream, StreamId):
        return stream
    if not isinstance(stream, str):
        raise TypeError(f"say first whose events they are: 'a1', or a StreamId; found {stream!r}")
    return StreamId(ANY_TYPE, stream)


@frozen
class History(Generic[E]):
    """A log that grows: positions and versions count themselves.

    Attributes:
        events: The events so far, in order.
        at: When the next ones are recorded.
        metadata: What the next ones carry.
        versions: The last version of each stream.
    """

    events: tuple[Recorded[E], ...] = ()
    at: datetime = LONG_AGO
    metadata: Metadata = field(factory=Metadata)
    versions: Mapping[StreamId, int] = field(factory=dict[StreamId, int])

    def with_events(self, stream: StreamId | str, events: Iterable[E]) -> History[E]:
        """The log with more events of one stream at its end."""
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
    """A moment that has an offset from UTC.

    Raises:
        TypeError: It has none.
    """
    if moment.tzinfo is None:
        raise TypeError(f"events are recorded at aware moments: give {moment!r} a tzinfo")
    return moment


def text(recorded: Recorded[object]) -> str:
    """An event in its envelope, for people: what and where, and what else was said about it."""
    stream = recorded.stream
    where = stream.aggregate_id if stream.aggregate_type == ANY_TYPE else str(stream)
    words = [f"{where}: {recorded.event!r}"]
    if recorded.recorded_at != LONG_AGO:
        words.append(f"at {recorded.recorded_at.isoformat()}")
    metadata = recorded.metadata
    pairs = {
        "correlation_id": metadata.correlation_id,
        "causation_id": metadata.causation_id,
        **metadata.values,
    }
    said = ", ".join(f"{name}={value!r}" for name, value in pairs.items() if value is not None)
    if said:
        words.append(f"with {said}")
    return " ".join(words)


def check_any(stream: StreamId | str, events: Collection[object]) -> None:
    """Refuse a ``when`` in which nothing happens: whatever is expected of it says nothing.

    Raises:
        TypeError: There is no event, or something else where it should say whose they are.
    """
    __tracebackhide__ = True
    stream_of(stream)
    if not events:
        raise TypeError("when takes at least one event, behind whose it is")


def check_shown(who: str, classes: Collection[type], events: Iterable[object]) -> None:
    """Refuse events that a view or a process is never shown.

    Args:
        who: The view or process.
        classes: What it is shown.
        events: What is to be given to it.

    Raises:
        TypeError: Names the event and what it takes instead.
    """
    __tracebackhide__ = True
    for event in events:
        if type(event) not in classes:
            takes = ", ".join(sorted(cls.__qualname__ for cls in classes))
            raise TypeError(f"{event!r} is not an event of {who}; it is shown {takes}")


def passage(word: str, events: Iterable[Recorded[object]]) -> Passage:
    """Events behind a word, in the text of a failure."""
    return word, mark(SAME, [text(recorded) for recorded in events] or ["nothing"])


@contextmanager
def adding_story(
    name: str, story: Any, log: History[E], stream: StreamId | str, events: Collection[E]
) -> Iterator[None]:
    """Tell the story around a broken rule.

    Args:
        name: The view's or the process's.
        story: The story before.
        log: What happened before.
        stream: Where something happens.
        events: What happens.
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
