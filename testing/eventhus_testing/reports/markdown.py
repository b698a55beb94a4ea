"""A report as Markdown, to be kept beside the code: a line changes only where behaviour does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from eventhus_testing.reports.behaviour import Behaviour
from eventhus_testing.reports.document import Chapter, Document, Part
from eventhus_testing.reports.model import FAILS, PENDING, Kind, Passage, Seen, Spec
from eventhus_testing.reports.words import Phrase

_SPECIAL = re.compile(r"[\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w)")

_STATUS = {FAILS: "✗ ", PENDING: "○ "}


def markdown(report: Document) -> str:
    """The whole text."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Document) -> Iterator[str]:
    yield "# Specifications"
    yield ""
    yield f"{report.summary}."
    if report.behaviours:
        yield f"{report.total}."
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
        yield from _kinds("Events", part.subject.events)
    for chapter in part.chapters:
        yield from _chapter(chapter)


def _behaviour(behaviour: Behaviour) -> Iterator[str]:
    subject = behaviour.subject
    yield "| Command | What comes of it |"
    yield "| --- | --- |"
    for command in subject.commands:
        outcomes = "; ".join(map(_outcome, behaviour.outcomes(command)))
        yield f"| {_name(command)} | {outcomes or '**no spec says**'} |"
    yield ""
    yield from _kinds("Commands", subject.commands)
    yield from _kinds("Events", subject.events)
    yield from _kinds("Refusals", subject.refusals)
    if behaviour.missing:
        yield f"**Not exercised:** {', '.join(map(_name, behaviour.missing))}"
        yield ""


def _outcome(seen: Seen) -> str:
    if seen.refusal is not None:
        return f"refused: {_name(seen.refusal)}"
    return "nothing" if seen.event is None else _name(seen.event)


def _kinds(title: str, kinds: Sequence[Kind]) -> Iterator[str]:
    if not kinds:
        return
    yield f"**{title}**"
    yield ""
    for kind in kinds:
        meaning = f": {_plain(kind.meaning)}" if kind.meaning else ""
        yield f"- {_name(kind)}{meaning}"
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
    for passage in spec.passages:
        yield from _passage(passage)
    yield ""
    if spec.failure:
        fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", spec.failure)), default=0))
        yield f"{fence}text"
        yield from spec.failure.splitlines()
        yield fence
        yield ""


def _passage(passage: Passage) -> Iterator[str]:
    if len(passage.phrases) == 1:
        yield f"- *{passage.word.capitalize()}* {_phrase(passage.phrases[0])}"
        return
    yield f"- *{passage.word.capitalize()}*"
    for phrase in passage.phrases:
        yield f"  - {_phrase(phrase)}"


def _phrase(phrase: Phrase) -> str:
    where = f"{_plain(phrase.where)} · " if phrase.where else ""
    fields = ", ".join(_plain(f"{name} {value}".strip()) for name, value in phrase.fields)
    head = _plain(phrase.head)
    if head and phrase.kind:
        head = f"**{head}**"
    return where + ": ".join(filter(None, [head, fields]))


def _name(kind: Kind) -> str:
    return _plain(kind.name)


def _plain(text: str) -> str:
    """A text that means itself."""
    return _SPECIAL.sub(lambda found: "\\" + found[0], text)
