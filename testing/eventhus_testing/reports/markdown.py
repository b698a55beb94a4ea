"""Renders a report as Markdown, whose lines change only when the behaviour does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from eventhus_testing.reports.behaviour import Behaviour
from eventhus_testing.reports.document import Chapter, Document, Part
from eventhus_testing.reports.model import FAILS, PENDING, Clause, CommandOutcome, Spec, Term
from eventhus_testing.reports.words import Phrase

_SPECIAL = re.compile(r"[\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w)")

_STATUS = {FAILS: "✗ ", PENDING: "○ "}


def markdown(report: Document) -> str:
    """Return the text."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Document) -> Iterator[str]:
    yield "# Specifications"
    yield ""
    yield f"{report.summary}."
    if report.behaviours:
        yield f"{report.coverage}."
    yield ""
    for part in report.parts:
        yield from _part(part)


def _part(part: Part) -> Iterator[str]:
    nature = part.subject.nature
    yield f"## {_plain(part.subject.name)} ({nature})"
    yield ""
    if part.subject.meaning:
        yield _plain(part.subject.meaning)
        yield ""
    if part.behaviour is not None:
        yield from _behaviour(part.behaviour)
    else:
        yield from _terms("Events", part.subject.events)
    for chapter in part.chapters:
        yield from _chapter(chapter)


def _behaviour(behaviour: Behaviour) -> Iterator[str]:
    subject = behaviour.subject
    if subject.commands:
        yield "| Command | Outcomes |"
        yield "| --- | --- |"
        for command in subject.commands:
            outcomes = "; ".join(map(_outcome, behaviour.outcomes_of(command)))
            yield f"| {_name(command)} | {outcomes or '**no spec**'} |"
        yield ""
    yield from _terms("Commands", subject.commands)
    yield from _terms("Events", subject.events)
    yield from _terms("Refusals", subject.refusals)
    yield from _terms("Deadlines", subject.deadlines)
    if behaviour.missing:
        yield f"**Not exercised:** {', '.join(map(_name, behaviour.missing))}"
        yield ""


def _outcome(outcome: CommandOutcome) -> str:
    if outcome.refusal is not None:
        return f"refused: {_name(outcome.refusal)}"
    return "nothing" if outcome.event is None else _name(outcome.event)


def _terms(title: str, terms: Sequence[Term]) -> Iterator[str]:
    if not terms:
        return
    yield f"**{title}**"
    yield ""
    for term in terms:
        meaning = f": {_plain(term.meaning)}" if term.meaning else ""
        yield f"- {_name(term)}{meaning}"
    yield ""


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield f"### {_STATUS.get(chapter.status, '✓ ')}{_plain(chapter.title)}"
    yield ""
    if chapter.meaning:
        yield _plain(chapter.meaning)
        yield ""
    for index, spec in enumerate(chapter.specs):
        if index:
            yield "---"
            yield ""
        yield from _spec(spec)
    if chapter.more:
        yield f"*… {chapter.more}*"
        yield ""


def _spec(spec: Spec) -> Iterator[str]:
    for clause in spec.clauses:
        yield from _clause(clause)
    yield ""
    if spec.failure:
        fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", spec.failure)), default=0))
        yield f"{fence}text"
        yield from spec.failure.splitlines()
        yield fence
        yield ""


def _clause(clause: Clause) -> Iterator[str]:
    if len(clause.phrases) == 1:
        yield f"- *{clause.word.capitalize()}* {_phrase(clause.phrases[0])}"
        return
    yield f"- *{clause.word.capitalize()}*"
    for phrase in clause.phrases:
        yield f"  - {_phrase(phrase)}"


def _phrase(phrase: Phrase) -> str:
    where = f"{_plain(phrase.where)} · " if phrase.where else ""
    fields = ", ".join(_plain(f"{name} {value}".strip()) for name, value in phrase.fields)
    head = _plain(phrase.head)
    if head and phrase.kind:
        head = f"**{head}**"
    return where + ": ".join(filter(None, [head, fields]))


def _name(term: Term) -> str:
    return _plain(term.name)


def _plain(text: str) -> str:
    """Escape the characters that have a meaning in Markdown."""
    return _SPECIAL.sub(lambda found: "\\" + found[0], text)
