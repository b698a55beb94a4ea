"""Failure texts of aggregate specs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from eventhus.ports import EventData
from eventhus_testing.matching.excerpts import wrapped
from eventhus_testing.rules.rules import RuleBroken
from eventhus_testing.specs.expectations import Miss, event_texts, outcome_texts
from eventhus_testing.specs.recording import Check, note
from eventhus_testing.specs.story import Call, Story
from eventhus_testing.texts.page import ACTUAL, NOTE, SAME, Passage, mark, page

AnyStory: TypeAlias = Story[Any, Any, Any]


@contextmanager
def adding_story(story: AnyStory, word: str, causes: Iterable[object]) -> Iterator[None]:
    """Add the story to the text of a broken rule.

    Args:
        story: The story before the step.
        word: The step: "given" or "when".
        causes: The commands, events or calls of the step.
    """
    __tracebackhide__ = True
    try:
        yield
    except RuleBroken as broken:
        causes = [*causes]
        passages = _before(story)
        if broken.rule == "unchanged":
            passages.pop()  # it may have been changed
        if word == "given":
            passages[0] = (word, mark(SAME, map(wrapped, [*story.given, *causes])))
        else:
            passages.append((word, mark(SAME, map(wrapped, causes))))
        passages.append(("but", [(ACTUAL, broken.problem), *mark(NOTE, broken.notes)]))
        headline = f"{story.aggregate.name}: rule {broken.rule!r} is broken"
        switch = f"rules=Rules({broken.rule}=False) switches it off"
        text = page(f"{headline} ({switch})", passages)
        note(story).checks.append(Check(word, tuple(causes), text))
        raise broken.with_text(text) from broken.__cause__


def missing_when(name: str) -> str:
    """Return the message for a missing attribute, which may belong to an outcome."""
    hint = "; call .when(...) first"
    return f"a spec has no {name!r}{hint if name.startswith(('then', 'and_')) else ''}"


def refused_history(story: AnyStory) -> str:
    """Return the text for a given command that was refused."""
    hint = (NOTE, "pass a command that should be refused to when")
    then = ("then", [*mark(ACTUAL, outcome_texts(story.events, story.refusal)), hint])
    happened = "was refused, but given_commands takes only commands that are accepted"
    return _page(story, happened, [then])


def otherwise(story: AnyStory, miss: Miss) -> str:
    """Return the text of a failed check."""
    return _page(story, miss.happened, miss.passages)


def _page(story: AnyStory, happened: str, outcome: Sequence[Passage]) -> str:
    """Return the headline, the story and the outcome as one text."""
    causes = story.causes
    return page(
        f"{story.aggregate.name}: {_subject(causes[-1])} {happened} (- expected, + actual)",
        [*_before(story), ("when", mark(SAME, map(wrapped, causes))), *outcome],
    )


def _subject(cause: object) -> str:
    match cause:
        case Call():
            return "a call"
        case EventData():
            return "reading a stored event"
        case _:
            return type(cause).__qualname__


def _before(story: AnyStory) -> list[Passage]:
    passages: list[Passage] = [("given", mark(SAME, event_texts(story.given)))]
    for step in story.earlier:
        passages.append(("when", [(SAME, wrapped(step.cause))]))
        passages.append(("then", mark(SAME, outcome_texts(step.events, step.refusal))))
    state = story.steps[0].before if story.steps else story.state
    passages.append(("state", [(SAME, wrapped(state))]))
    return passages
