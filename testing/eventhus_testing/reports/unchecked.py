"""The text for a test that did something and never said what must come of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventhus import EventData
from eventhus_testing import history
from eventhus_testing.comparing import same
from eventhus_testing.notebook import Entry
from eventhus_testing.page import ACTUAL, NOTE, SAME, Passage, mark, page
from eventhus_testing.process_spec import ProcessStory
from eventhus_testing.story import Story
from eventhus_testing.view_spec import ViewStory

MOST = 3  # in full; the others are counted


def text(entries: Sequence[Entry]) -> str:
    """The stories of outcomes that nobody checked, each with what would check it.

    Args:
        entries: Of one test; at least one.
    """
    texts = [_text(entry.story) for entry in entries[:MOST]]
    if len(entries) > MOST:
        texts.append(f"and {len(entries) - MOST} more")
    return "\n\n".join(texts)


def _text(story: Any) -> str:
    match story:
        case ViewStory():
            name = f"{story.view.name}: the view's outcome"
            check = _view_check(story)
            passages = _of_events(story)
        case ProcessStory():
            name = f"{story.process.name}: the process's outcome"
            check = f".then_commands({_list(story.sent)})" if story.sent else ".then_nothing()"
            passages = _of_events(story)
            passages.append(("then", mark(ACTUAL, map(repr, story.sent)) or _NOTHING))
        case _:
            name = f"{story.aggregate.name}: the outcome of {_cause(story)}"
            check = _check(story)
            passages = _of_commands(story)
    word, lines = passages[-1]
    passages[-1] = word, [*lines, (NOTE, f"add {check}, or what should come of it instead")]
    return page(f"{name} was not checked: a when needs a then", passages)


_NOTHING = mark(ACTUAL, ["nothing"])


def _cause(story: Story[Any, Any, Any]) -> str:
    cause = story.steps[-1].cause
    return "stored events" if isinstance(cause, EventData) else type(cause).__qualname__


def _of_commands(story: Story[Any, Any, Any]) -> list[Passage]:
    given = [repr(each) for each in story.given]
    passages: list[Passage] = [("given", mark(SAME, given or ["nothing"]))]
    for step in story.earlier:
        passages.append(("when", [(SAME, repr(step.cause))]))
        passages.append(("then", mark(SAME, _came(step.events, step.refusal))))
    passages.append(("when", mark(SAME, [repr(step.cause) for step in story.steps])))
    passages.append(("then", mark(ACTUAL, _came(story.events, story.refusal))))
    return passages


def _came(events: Sequence[object], refusal: Exception | None) -> list[str]:
    texts = [*map(repr, events)]
    if refusal is not None:
        texts.append(f"refused with {type(refusal).__qualname__}: {refusal}".removesuffix(": "))
    return texts or ["nothing"]


def _check(story: Story[Any, Any, Any]) -> str:
    if story.refusal is not None:
        return f".then_rejected({type(story.refusal).__qualname__})"
    return f".then({_list(story.events)})" if story.events else ".then_nothing()"


def _list(values: Sequence[object]) -> str:
    return ", ".join(map(repr, values))


def _of_events(story: ViewStory[Any, Any] | ProcessStory[Any, Any]) -> list[Passage]:
    before = [history.text(recorded) for recorded in story.history.events[: story.given]]
    return [
        ("given", mark(SAME, before or ["nothing"])),
        ("when", mark(SAME, map(history.text, story.seen))),
    ]


def _view_check(story: ViewStory[Any, Any]) -> str:
    for key in {**story.before, **story.values}:
        value = story.values.get(key)
        if value is None:
            return f".then_no_view({key!r})"
        if not same(value, story.before.get(key)):
            return f".then_view({key!r}, {value!r})"
    return ".then_untouched()"
