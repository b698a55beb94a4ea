"""Makes the record of a test from its recorded specs and its outcome."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

import attrs
import pytest

from eventhus_testing.reports.deadlines import armed_in
from eventhus_testing.reports.model import FAILS, HOLDS, PENDING, Spec, Subject, TestRecord
from eventhus_testing.reports.narration import (
    command_outcomes,
    failure_of,
    first_paragraph,
    spec_of,
    subject_of,
)
from eventhus_testing.reports.words import words
from eventhus_testing.specs.process_story import ProcessStory
from eventhus_testing.specs.recording import Entry, Recording

MAX_SPECS = 5  # of one test that are shown
MAX_COMPARED = 200  # specs of one test that are compared to find duplicates


def records_of(
    item: pytest.Function, recording: Recording, status: str, failure: str = ""
) -> Iterator[TestRecord]:
    """Return the records of a test, one for each subject.

    Args:
        item: The test.
        recording: The specs of the test.
        status: The result: the test holds, fails, or was expected to fail.
        failure: The text of its failure.
    """
    by_subject: dict[Subject, list[Entry]] = {}
    for entry in recording.entries:
        if (subject := subject_of(entry.story)) is not None:
            by_subject.setdefault(subject, []).append(entry)
    callspec = getattr(item, "callspec", None)
    case = "" if callspec is None else str(callspec.id)
    path, line, _ = item.location
    generated = hasattr(item.obj, "hypothesis")
    for subject, entries in by_subject.items():
        if status == HOLDS:  # a failed check in a test that passed was expected
            entries = [entry for entry in entries if not failure_of(entry)]  # noqa: PLW2901
        specs, more = _specs(entries, status, failure, generated=generated)
        if specs:
            holding = entries if status == HOLDS else []
            outcomes = chain.from_iterable(map(command_outcomes, holding))
            deadlines = chain.from_iterable(
                armed_in(each.story) for each in holding if isinstance(each.story, ProcessStory)
            )
            yield TestRecord(
                subject=subject,
                id=item.nodeid.removesuffix(f"[{case}]"),
                title=_title(item),
                meaning=first_paragraph(item.function.__doc__),
                path=path,
                line=line or 0,
                case=case,
                generated=generated,
                specs=specs,
                more=more,
                outcomes=tuple(dict.fromkeys(outcomes)),
                deadlines=tuple(sorted({*deadlines}, key=lambda term: term.id)),
            )


def _specs(
    entries: Sequence[Entry], status: str, failure: str, *, generated: bool
) -> tuple[tuple[Spec, ...], int]:
    """Return the specs to show and the number of others."""
    ends = [entry for entry in entries if not entry.goes_on]
    failed = [entry for entry in ends if failure_of(entry)]
    if generated:
        # The first example is the simplest one; the last failure is as simple as it gets.
        failed = failed[-1:]
        ends = failed or (ends[-1:] if status == FAILS else ends[:1])
    read = [*ends[:MAX_COMPARED], *(entry for entry in failed if entry not in ends[:MAX_COMPARED])]
    specs = list(dict.fromkeys(map(spec_of, read)))
    if specs and status == FAILS and not failed:
        specs[-1] = attrs.evolve(specs[-1], status=FAILS, failure=failure)
    if status == PENDING:
        specs = [attrs.evolve(spec, status=PENDING) for spec in specs]
    shown = shortened(specs, MAX_SPECS)
    return tuple(shown), len(specs) - len(shown) + len(ends[MAX_COMPARED:])


def shortened(specs: Sequence[Spec], most: int) -> list[Spec]:
    """Return the first specs, and later ones that do not hold."""
    return [spec for index, spec in enumerate(specs) if index < most or spec.status != HOLDS]


def _title(item: pytest.Function) -> str:
    name = words(re.sub(r"^test_*", "", item.originalname) or item.originalname)
    if item.cls is None:
        return name
    group = words(re.sub(r"^Test_*|_*Tests?$", "", item.cls.__name__) or item.cls.__name__)
    return f"{group}: {name[:1].lower()}{name[1:]}" if group else name
