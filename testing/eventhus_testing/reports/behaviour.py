"""Measures which commands, events and refusals the specs exercise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import floor

import attrs
from attrs import frozen

from eventhus_testing.reports.model import DECIDING, CommandOutcome, Subject, Term, TestRecord


@frozen
class Behaviour:
    """The behaviour of an aggregate, a decision, a transaction or a process that specs exercise.

    Attributes:
        subject: The subject. Its refusals are those that specs exercise, and those that are
            defined in its modules and that no spec of any subject exercises.
        outcomes: The outcomes of its commands, sorted, or the reached deadlines of a process.
    """

    subject: Subject
    outcomes: tuple[CommandOutcome, ...] = ()

    @property
    def terms(self) -> tuple[Term, ...]:
        """Return all commands, events and refusals of the subject, or its deadlines."""
        if self.subject.nature not in DECIDING:
            return self.subject.deadlines
        return (*self.subject.commands, *self.subject.events, *self.subject.refusals)

    @property
    def missing(self) -> tuple[Term, ...]:
        """Return the terms that no spec exercises."""
        exercised = {
            term for each in self.outcomes for term in (each.command, each.event, each.refusal)
        }
        return tuple(term for term in self.terms if term not in exercised)

    def share(self, terms: Sequence[Term]) -> str:
        """Return how many of some terms are exercised, such as ``2 of 3``."""
        missing = sum(1 for term in terms if term in self.missing)
        return f"{len(terms) - missing} of {len(terms)}"

    def outcomes_of(self, command: Term) -> tuple[CommandOutcome, ...]:
        """Return the outcomes of a command."""
        return tuple(each for each in self.outcomes if each.command == command)


@frozen
class Coverage:
    """The share of commands, events, refusals and deadlines that specs exercise.

    Attributes:
        exercised: The number of exercised terms.
        terms: The number of terms.
    """

    exercised: int
    terms: int

    @classmethod
    def of(cls, behaviours: Iterable[Behaviour]) -> Coverage:
        """Return the coverage of some subjects together."""
        counts = [(len(each.terms), len(each.missing)) for each in behaviours]
        terms = sum(count for count, _ in counts)
        return cls(terms - sum(missing for _, missing in counts), terms)

    @property
    def percent(self) -> float:
        """Return the share in percent; 0 if there are no terms."""
        return 100 * self.exercised / self.terms if self.terms else 0.0

    def __str__(self) -> str:
        # Rounded down, so that 99.99 does not become 100.
        percent = floor(self.percent * 10) / 10
        return f"{self.exercised} of {self.terms} types exercised, {percent:g} %"


def behaviours(records: Iterable[TestRecord]) -> list[Behaviour]:
    """Return the exercised behaviour of each subject with commands or deadlines, by name."""
    found: dict[Subject, dict[CommandOutcome, None]] = {}
    deadlines: dict[Subject, set[Term]] = {}
    for record in records:
        if record.deadlines:
            deadlines.setdefault(record.subject, set()).update(record.deadlines)
        if record.subject.nature in DECIDING or record.deadlines:
            found.setdefault(record.subject, {}).update(dict.fromkeys(record.outcomes))
    refused = {
        each.refusal for outcomes in found.values() for each in outcomes if each.refusal is not None
    }
    return [
        _behaviour(subject, found[subject], refused)
        if subject.nature in DECIDING
        else _behaviour_in_time(subject, found[subject], deadlines[subject])
        for subject in sorted(found, key=lambda subject: subject.key)
    ]


def _behaviour_in_time(
    process: Subject, outcomes: Iterable[CommandOutcome], deadlines: Iterable[Term]
) -> Behaviour:
    in_order = tuple(sorted(deadlines, key=lambda term: term.id))
    return Behaviour(attrs.evolve(process, deadlines=in_order), tuple(outcomes))


def _behaviour(
    subject: Subject, outcomes: Iterable[CommandOutcome], refused: set[Term]
) -> Behaviour:
    outcomes = sorted(outcomes, key=lambda each: _place(subject, each))
    here = dict.fromkeys(each.refusal for each in outcomes if each.refusal is not None)
    refusals = [term for term in subject.refusals if term in here or term not in refused]
    others = [term for term in here if term not in subject.refusals]
    return Behaviour(
        attrs.evolve(subject, refusals=(*refusals, *sorted(others, key=lambda term: term.id))),
        tuple(outcomes),
    )


def _place(subject: Subject, outcome: CommandOutcome) -> tuple[object, ...]:
    """Return a sort key: in declared order, and events before nothing before refusals."""
    return (
        *_index(subject.commands, outcome.command),
        outcome.refusal is not None,
        outcome.event is None,
        *_index(subject.events, outcome.event),
        *_index(subject.refusals, outcome.refusal),
    )


def _index(terms: Sequence[Term], term: Term | None) -> Iterator[object]:
    yield terms.index(term) if term in terms else len(terms)
    yield term.id if term else ""
