"""The texts of failures: the story in the words of the spec, and where it went elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from eventhus.ports import EventData
from eventhus_testing.rules.rules import RuleBroken
from eventhus_testing.specs.expectations import Miss, event_texts, outcome_texts
from eventhus_testing.specs.recording import Check, note
from eventhus_testing.specs.story import Call, Story
from eventhus_testing.texts.page import ACTUAL, NOTE, SAME, Passage, mark, page

AnyStory: TypeAlias = Story[Any, Any, Any]


@contextmanager
def adding_story(story: AnyStory, word: str, causes: Iterable[object]) -> Iterator[None]:
    """Tell the story around a broken rule.

    Args:
        story: The story before.
        word: What is being done, in the words of specs.
        causes: What it is done with.
    """
    __tracebackhide__ = True
    try:
        yield
    except RuleBroken as broken:
        causes = [*causes]
        passages = _before(story)
        if broken.rule == "unchanged":
            passages.pop()  # the state, which is no more what it was before
        if word == "given":
            passages[0] = (word, mark(SAME, map(repr, [*story.given, *causes])))
        else:
            passages.append((word, mark(SAME, map(repr, causes))))
        passages.append(("but", [(ACTUAL, broken.problem), *mark(NOTE, broken.notes)]))
        headline = f"{story.aggregate.name}: rule {broken.rule!r} is broken"
        switch = f"rules=Rules({broken.rule}=False) switches it off"
        text = page(f"{headline} ({switch})", passages)
        note(story).checks.append(Check(word, tuple(causes), text))
        raise broken.with_text(text) from broken.__cause__


def missing_when(name: str) -> str:
    """A spec was asked for what only an outcome has, or for what there is not at all."""
    hint = "; nothing has been done yet: put .when(...) before it"
    return f"a spec has no {name!r}{hint if name.startswith(('then', 'and_')) else ''}"


def refused_history(story: AnyStory) -> str:
    """A command was given as history, and is none."""
    hint = (NOTE, "a command that is to be refused goes into when")
    then = ("then", [*mark(ACTUAL, outcome_texts(story.events, story.refusal)), hint])
    return _page(story, "was given, and is refused: what is given has happened", [then])


def otherwise(story: AnyStory, miss: Miss) -> str:
    """Something was expected of an outcome, and did not come."""
    return _page(story, miss.happened, miss.passages)


def _page(story: AnyStory, happened: str, outcome: Sequence[Passage]) -> str:
    """The whole text: a headline, the story up to its last step, and what came of that."""
    causes = story.causes
    return page(
        f"{story.aggregate.name}: {_subject(causes[-1])} {happened} (- expected, + actual)",
        [*_before(story), ("when", mark(SAME, map(repr, causes))), *outcome],
    )


def _subject(cause: object) -> str:
    match cause:
        case Call():
            return "a call"
        case EventData():
            return "reading what is stored"
        case _:
            return type(cause).__qualname__


def _before(story: AnyStory) -> list[Passage]:
    passages: list[Passage] = [("given", mark(SAME, event_texts(story.given)))]
    for step in story.earlier:
        passages.append(("when", [(SAME, repr(step.cause))]))
        passages.append(("then", mark(SAME, outcome_texts(step.events, step.refusal))))
    state = story.steps[0].before if story.steps else story.state
    passages.append(("state", [(SAME, repr(state))]))
    return passages
