"""The order of a report: a part for each subject, a chapter for each test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from attrs import frozen

from eventhus_testing.reports.behaviour import Behaviour, Total, behaviours
from eventhus_testing.reports.model import (
    AGGREGATE,
    FAILS,
    HOLDS,
    PENDING,
    PROCESS,
    VIEW,
    Spec,
    Subject,
    TestRecord,
)
from eventhus_testing.reports.records import shortened
from eventhus_testing.reports.words import natural

MOST = 20  # specs in one chapter


@frozen(kw_only=True)
class Chapter:
    """The specs of one test.

    Attributes:
        id: Of the test, as pytest has it.
        title: The name of the test, in words.
        meaning: Its docstring.
        specs: What it shows, and never two that read the same.
        more: What is not shown; empty where there is no more.
    """

    id: str
    title: str
    meaning: str
    specs: tuple[Spec, ...]
    more: str

    @property
    def status(self) -> str:
        """The worst of its specs."""
        found = {spec.status for spec in self.specs}
        return next(status for status in (FAILS, PENDING, HOLDS) if status in found)


@frozen
class Part:
    """What there is to say about one subject.

    Attributes:
        subject: What it is about.
        behaviour: What its specs exercise, if it is an aggregate.
        chapters: The tests, in the order of the files and the lines there.
    """

    subject: Subject
    behaviour: Behaviour | None
    chapters: tuple[Chapter, ...]


@frozen
class Document:
    """A report."""

    parts: tuple[Part, ...]

    @property
    def behaviours(self) -> list[Behaviour]:
        """What is exercised of each aggregate."""
        return [part.behaviour for part in self.parts if part.behaviour is not None]

    @property
    def total(self) -> Total:
        """What is exercised of all of them."""
        return Total.of(self.behaviours)

    @property
    def summary(self) -> str:
        """How many tests show what they should."""
        statuses = Counter(chapter.status for part in self.parts for chapter in part.chapters)
        counts = [f"{statuses[HOLDS]} of {statuses.total()} specs hold"]
        if statuses[FAILS]:
            counts.append(f"{statuses[FAILS]} failing")
        if statuses[PENDING]:
            counts.append(f"{statuses[PENDING]} pending")
        return ", ".join(counts)


def document(records: Sequence[TestRecord]) -> Document:
    """Put what tests tell in order."""
    by_key: dict[tuple[str, str, str], list[TestRecord]] = {}
    for record in records:
        by_key.setdefault(record.subject.key, []).append(record)
    exercised = {each.subject.key: each for each in behaviours(records)}
    natures = [AGGREGATE, VIEW, PROCESS]
    parts = []
    for key in sorted(by_key, key=lambda key: (natures.index(key[0]), key)):
        behaviour = exercised.get(key)
        subject = by_key[key][0].subject if behaviour is None else behaviour.subject
        parts.append(Part(subject, behaviour, tuple(_chapters(by_key[key]))))
    return Document(tuple(parts))


def _chapters(records: Iterable[TestRecord]) -> list[Chapter]:
    by_test: dict[tuple[str, int, str], list[TestRecord]] = {}
    for record in records:
        by_test.setdefault((record.path, record.line, record.id), []).append(record)
    return [_chapter(by_test[place]) for place in sorted(by_test)]


def _chapter(cases: Iterable[TestRecord]) -> Chapter:
    cases = sorted(cases, key=lambda record: natural(record.case))
    specs = list(dict.fromkeys(spec for record in cases for spec in record.specs))
    shown = shortened(specs, MOST)
    more = len(specs) - len(shown) + sum(record.more for record in cases)
    first = cases[0]
    if first.generated:
        # Without a number, since it changes from run to run.
        and_more = "and others like it, made up by hypothesis"
    else:
        and_more = f"and {more} more" if more else ""
    return Chapter(
        id=first.id,
        title=first.title,
        meaning=first.meaning,
        specs=tuple(shown),
        more=and_more,
    )
