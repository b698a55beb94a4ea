"""Which commands, events and refusals of an aggregate the specs exercise, and which they do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import floor

import attrs
from attrs import frozen

from eventhus_testing.reports.model import AGGREGATE, Kind, Seen, Subject, TestRecord


@frozen
class Behaviour:
    """What the specs of an aggregate exercise.

    Attributes:
        subject: The aggregate. Its refusals are those that were seen, and those that are defined
            beside it and that no aggregate was seen to refuse with.
        seen: What came of its commands, sorted.
    """

    subject: Subject
    seen: tuple[Seen, ...] = ()

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What there is to exercise."""
        return (*self.subject.commands, *self.subject.events, *self.subject.refusals)

    @property
    def missing(self) -> tuple[Kind, ...]:
        """What no spec exercises."""
        exercised = {
            kind for seen in self.seen for kind in (seen.command, seen.event, seen.refusal)
        }
        return tuple(kind for kind in self.kinds if kind not in exercised)

    def share(self, kinds: Sequence[Kind]) -> str:
        """How many of some of its kinds are exercised."""
        missing = sum(1 for kind in kinds if kind in self.missing)
        return f"{len(kinds) - missing} of {len(kinds)}"

    def outcomes(self, command: Kind) -> tuple[Seen, ...]:
        """What came of a command."""
        return tuple(seen for seen in self.seen if seen.command == command)


@frozen
class Total:
    """How much of some aggregates is exercised.

    Attributes:
        exercised: How many kinds of commands, events and refusals are.
        kinds: How many there are.
    """

    exercised: int
    kinds: int

    @classmethod
    def of(cls, behaviours: Iterable[Behaviour]) -> Total:
        """That of some aggregates together."""
        counts = [(len(each.kinds), len(each.missing)) for each in behaviours]
        kinds = sum(count for count, _ in counts)
        return cls(kinds - sum(missing for _, missing in counts), kinds)

    @property
    def percent(self) -> float:
        """The share; of nothing, none."""
        return 100 * self.exercised / self.kinds if self.kinds else 0.0

    def __str__(self) -> str:
        # Rounded down: what is not whole must not look so.
        percent = floor(self.percent * 10) / 10
        return f"{self.exercised} of {self.kinds} types exercised, {percent:g} %"


def behaviours(records: Iterable[TestRecord]) -> list[Behaviour]:
    """What the specs exercise of each aggregate that some are about, by name."""
    found: dict[Subject, dict[Seen, None]] = {}
    for record in records:
        if record.subject.nature == AGGREGATE:
            found.setdefault(record.subject, {}).update(dict.fromkeys(record.seen))
    refused = {kind for seen in found.values() for kind in (each.refusal for each in seen) if kind}
    return [
        _behaviour(subject, found[subject], refused)
        for subject in sorted(found, key=lambda subject: subject.key)
    ]


def _behaviour(subject: Subject, seen: Iterable[Seen], refused: set[Kind]) -> Behaviour:
    seen = sorted(seen, key=lambda each: _place(subject, each))
    here = dict.fromkeys(each.refusal for each in seen if each.refusal is not None)
    refusals = [kind for kind in subject.refusals if kind in here or kind not in refused]
    others = [kind for kind in here if kind not in subject.refusals]
    return Behaviour(
        attrs.evolve(subject, refusals=(*refusals, *sorted(others, key=lambda kind: kind.id))),
        tuple(seen),
    )


def _place(subject: Subject, seen: Seen) -> tuple[object, ...]:
    """Sorts outcomes as the aggregate declares them: events, then nothing, then refusals."""
    return (
        *_index(subject.commands, seen.command),
        seen.refusal is not None,
        seen.event is None,
        *_index(subject.events, seen.event),
        *_index(subject.refusals, seen.refusal),
    )


def _index(kinds: Sequence[Kind], kind: Kind | None) -> Iterator[object]:
    yield kinds.index(kind) if kind in kinds else len(kinds)
    yield kind.id if kind else ""
