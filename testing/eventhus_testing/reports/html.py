"""Renders a report as one HTML page without scripts or external resources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files

from eventhus_testing.reports.behaviour import Behaviour
from eventhus_testing.reports.document import Chapter, Document, Part
from eventhus_testing.reports.model import FAILS, HOLDS, PENDING, CommandOutcome, Spec, Term
from eventhus_testing.reports.words import Phrase

_SHORT = 20  # characters of a field that fit on one line of the smallest phone

_STATUS = {HOLDS: ("✓", "holds"), FAILS: ("✗", "fails"), PENDING: ("○", "pending")}


def html(report: Document) -> str:
    """Return the page."""
    return "\n".join(_page(report)) + "\n"


def _page(report: Document) -> Iterator[str]:
    style = files("eventhus_testing.reports").joinpath("page.css").read_text(encoding="utf-8")
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield "<title>Specifications</title>"
    yield f"<style>\n{style}</style>"
    yield "</head>"
    yield "<body>"
    yield "<header>"
    yield "<h1>Specifications</h1>"
    yield f'<p class="verdict">{_escaped(report.summary)}</p>'
    if report.behaviours:
        yield _meter(report.coverage.percent, str(report.coverage))
    yield from _contents(report)
    yield "</header>"
    yield "<main>"
    for part in report.parts:
        yield from _part(part)
    yield "</main>"
    yield "</body>"
    yield "</html>"


def _meter(percent: float, text: str) -> str:
    return (
        f'<div class="meter" aria-hidden="true"><span style="width:{percent:.1f}%"></span></div>'
        f'<p class="measure">{_escaped(text)}</p>'
    )


def _contents(report: Document) -> Iterator[str]:
    if len(report.parts) < 2:  # noqa: PLR2004 - a single part needs no contents
        return
    yield '<nav aria-label="Contents"><ul>'
    for part in report.parts:
        count = len(part.chapters)
        failing = sum(1 for chapter in part.chapters if chapter.status == FAILS)
        note = f"{count} spec{'' if count == 1 else 's'}"
        note += f", {failing} failing" if failing else ""
        yield (
            f'<li><a href="#{_anchor(part)}">{_escaped(part.subject.name)}</a> '
            f'<span class="quiet">{part.subject.nature}, {note}</span></li>'
        )
    yield "</ul></nav>"


def _part(part: Part) -> Iterator[str]:
    subject = part.subject
    yield f'<section class="part" id="{_anchor(part)}">'
    yield f'<p class="nature">{subject.nature}</p>'
    yield f"<h2>{_escaped(subject.name)}</h2>"
    if subject.meaning:
        yield f'<p class="lead">{_escaped(subject.meaning)}</p>'
    if part.behaviour is not None:
        yield from _behaviour(part.behaviour)
    for chapter in part.chapters:
        yield from _chapter(chapter)
    yield from _vocabulary(part)
    yield "</section>"


def _behaviour(behaviour: Behaviour) -> Iterator[str]:
    if not (behaviour.subject.commands or behaviour.missing):
        return
    yield '<div class="behaviour">'
    if behaviour.subject.commands:
        yield "<h3>Outcomes of each command</h3>"
        yield "<dl>"
        for command in behaviour.subject.commands:
            yield f"<dt>{_mark('command')}{_escaped(command.name)}</dt>"
            outcomes = behaviour.outcomes_of(command)
            yield f"<dd>{_chips(outcomes)}</dd>"
        yield "</dl>"
    if behaviour.missing:
        names = "".join(f"<li>{_escaped(term.name)}</li>" for term in behaviour.missing)
        yield f'<div class="missing"><h4>Not exercised</h4><ul>{names}</ul></div>'
    yield "</div>"


def _chips(outcomes: Iterable[CommandOutcome]) -> str:
    chips = []
    for outcome in outcomes:
        if outcome.refusal is not None:
            refused = f'<span class="unseen">refused: </span>{_escaped(outcome.refusal.name)}'
            chips.append(f"<li>{_mark('refusal')}{refused}</li>")
        elif outcome.event is not None:
            chips.append(f"<li>{_mark('event')}{_escaped(outcome.event.name)}</li>")
        else:
            chips.append('<li class="quiet">nothing</li>')
    return f'<ul class="chips">{"".join(chips)}</ul>' if chips else '<em class="quiet">no spec</em>'


def _vocabulary(part: Part) -> Iterator[str]:
    subject = part.subject
    yield '<details class="words"><summary>Vocabulary</summary>'
    for title, kind, terms in (
        ("Commands", "command", subject.commands),
        ("Events", "event", subject.events),
        ("Refusals", "refusal", subject.refusals),
        ("Deadlines", "event", subject.deadlines),
    ):
        yield from _terms(title, kind, terms)
    yield "</details>"


def _terms(title: str, kind: str, terms: Sequence[Term]) -> Iterator[str]:
    if not terms:
        return
    yield f"<h4>{title}</h4><dl>"
    for each in terms:
        yield f"<dt>{_mark(kind)}{_escaped(each.name)}</dt><dd>{_escaped(each.meaning)}</dd>"
    yield "</dl>"


def _chapter(chapter: Chapter) -> Iterator[str]:
    sign, status = _STATUS[chapter.status]
    yield f'<article class="{status}">'
    yield (
        f'<h3><span class="status" role="img" aria-label="{status}">{sign}</span>'
        f"{_escaped(chapter.title)}</h3>"
    )
    if chapter.meaning:
        yield f'<p class="meaning">{_escaped(chapter.meaning)}</p>'
    for spec in chapter.specs:
        yield from _spec(spec)
    if chapter.more:
        yield f'<p class="more">… {_escaped(chapter.more)}</p>'
    if chapter.status == FAILS:
        yield f'<p class="where">{_escaped(chapter.id)}</p>'
    yield "</article>"


def _spec(spec: Spec) -> Iterator[str]:
    yield f'<dl class="story {_STATUS[spec.status][1]}">'
    for clause in spec.clauses:
        yield f"<dt>{_escaped(clause.word)}</dt>"
        for phrase in clause.phrases:
            yield f"<dd>{_phrase(phrase)}</dd>"
    yield "</dl>"
    if spec.failure:
        yield f'<pre tabindex="0">{_failure(spec.failure)}</pre>'


def _phrase(phrase: Phrase) -> str:
    parts = [_mark(phrase.kind)]
    if phrase.where:
        parts.append(f'<span class="of">{_escaped(phrase.where)}</span> ')
    if phrase.head:
        parts.append(f"<b>{_escaped(phrase.head)}</b> " if phrase.kind else _escaped(phrase.head))
    return "".join(parts) + " ".join(_field(name, value) for name, value in phrase.fields)


def _field(name: str, value: str) -> str:
    text = f"<i>{_escaped(name)}</i>&nbsp;{_escaped(value)}" if value else _escaped(name)
    is_short = value and len(name) + len(value) <= _SHORT
    return f'<span class="field{" short" if is_short else ""}">{text}</span>'


def _failure(text: str) -> str:
    lines = []
    for line in text.splitlines():
        found = re.match(r"[a-z ]{6} ([-+?]) ", line)
        kind = {"-": "expected", "+": "actual", "?": "note"}[found[1]] if found else ""
        lines.append(f'<span class="{kind}">{_escaped(line)}</span>' if kind else _escaped(line))
    return "\n".join(lines)


def _mark(kind: str) -> str:
    return f'<span class="mark {kind}"></span>' if kind else ""


def _anchor(part: Part) -> str:
    return re.sub(r"[^\w.-]+", "-", "-".join(part.subject.key))


def _escaped(text: str) -> str:
    return escape(text)
