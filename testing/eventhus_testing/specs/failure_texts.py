"""Failure texts of specs of aggregates and decisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from eventhus import Decision
from eventhus.ports import EventData
from eventhus_testing.matching.excerpts import wrapped
from eventhus_testing.rules.boundaries import left_out_lines
from eventhus_testing.rules.rules import RuleBroken
from eventhus_testing.specs.expectations import Miss, event_texts, outcome_texts
from eventhus_testing.specs.recording import Check, note
from eventhus_testing.specs.story import Call, Story
from eventhus_testing.texts.page import ACTUAL, NOTE, SAME, Line, Passage, mark, page

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
            passages = [each for each in passages if each[0] != "state"]  # it may have changed
        text = broken_rule(story.decider.name, passages, word, (story.given, causes), broken)
        note(story).checks.append(Check(word, tuple(causes), text))
        raise broken.with_text(text) from broken.__cause__


def broken_rule(
    name: str,
    passages: Sequence[Passage],
    word: str,
    happened: tuple[Sequence[object], Sequence[object]],
    broken: RuleBroken,
) -> str:
    """Return the text of a broken rule.

    Args:
        name: The name of the subject.
        passages: The story before the step; the given events come first.
        word: The step: "given" or "when".
        happened: The given events, and the causes of the step.
        broken: The rule.
    """
    given, causes = happened
    if word == "given":
        passages = [(word, mark(SAME, map(wrapped, [*given, *causes]))), *passages[1:]]
    else:
        passages = [*passages, (word, mark(SAME, map(wrapped, causes)))]
    headline = f"{name}: rule {broken.rule!r} is broken"
    switch = f"rules=Rules({broken.rule}=False) switches it off"
    but = [(ACTUAL, broken.problem), *mark(NOTE, broken.notes)]
    return page(f"{headline} ({switch})", [*passages, ("but", but)])


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
        f"{story.decider.name}: {_subject(causes[-1])} {happened} (- expected, + actual)",
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
    if story.steps:
        passages.append(("state", [(SAME, wrapped(story.steps[0].before)), *_left_out(story)]))
    elif not story.is_of_decision:  # which has a state for each command only
        passages.append(("state", [(SAME, wrapped(story.state))]))
    return passages


def _left_out(story: AnyStory) -> list[Line]:
    """Return notes on the events that the boundary of the last command left out."""
    step = story.steps[-1]
    if step.query is None or not isinstance(story.decider, Decision):
        return []
    return mark(NOTE, left_out_lines(story.decider, step.query, step.left_out))
