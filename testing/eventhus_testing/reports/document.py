"""The structure of a report: a part for each subject, and a chapter for each test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from attrs import frozen

from eventhus_testing.reports.behaviour import Behaviour, Coverage, behaviours
from eventhus_testing.reports.model import (
    DECIDING,
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

MAX_SPECS = 20  # in one chapter


@frozen(kw_only=True)
class Chapter:
    """The specs of one test.

    Attributes:
        id: The node id of the test.
        title: The name of the test in words.
        meaning: The first paragraph of its docstring.
        specs: The specs to show, without duplicates.
        more: A note on specs that are not shown; empty if there are none.
    """

    id: str
    title: str
    meaning: str
    specs: tuple[Spec, ...]
    more: str

    @property
    def status(self) -> str:
        """Return the worst status of the specs."""
        found = {spec.status for spec in self.specs}
        return next(status for status in (FAILS, PENDING, HOLDS) if status in found)


@frozen
class Part:
    """The part about one subject.

    Attributes:
        subject: The subject.
        behaviour: The behaviour that specs exercise; ``None`` for views, and for
            processes without deadlines.
        chapters: The chapters, sorted by file and line of the tests.
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
        """Return the exercised behaviour of each subject with commands or deadlines."""
        return [part.behaviour for part in self.parts if part.behaviour is not None]

    @property
    def coverage(self) -> Coverage:
        """Return the coverage of all of them together."""
        return Coverage.of(self.behaviours)

    @property
    def summary(self) -> str:
        """Return how many tests hold, fail and are pending."""
        statuses = Counter(chapter.status for part in self.parts for chapter in part.chapters)
        counts = [f"{statuses[HOLDS]} of {statuses.total()} specs hold"]
        if statuses[FAILS]:
            counts.append(f"{statuses[FAILS]} failing")
        if statuses[PENDING]:
            counts.append(f"{statuses[PENDING]} pending")
        return ", ".join(counts)


def document(records: Sequence[TestRecord]) -> Document:
    """Arrange the records of tests as a report."""
    by_key: dict[tuple[str, str, str], list[TestRecord]] = {}
    for record in records:
        by_key.setdefault(record.subject.key, []).append(record)
    exercised = {each.subject.key: each for each in behaviours(records)}
    natures = [*DECIDING, VIEW, PROCESS]
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
    shown = shortened(specs, MAX_SPECS)
    more = len(specs) - len(shown) + sum(record.more for record in cases)
    first = cases[0]
    if first.generated:
        # Without a number, because it differs from run to run.
        and_more = "and others that Hypothesis generated"
    else:
        and_more = f"and {more} more" if more else ""
    return Chapter(
        id=first.id,
        title=first.title,
        meaning=first.meaning,
        specs=tuple(shown),
        more=and_more,
    )
