"""The text for a test that did something and never said what must come of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventhus.ports import EventData
from eventhus_testing.specs import history
from eventhus_testing.specs.process_spec import ProcessStory
from eventhus_testing.specs.recording import Entry
from eventhus_testing.specs.story import Story
from eventhus_testing.specs.view_spec import NO_VALUE, ViewStory
from eventhus_testing.texts.page import ACTUAL, NOTE, SAME, Passage, mark, page
from eventhus_testing.values.comparing import same

MOST = 3  # in full; the others are counted


def text(entries: Sequence[Entry]) -> str:
    """The stories of outcomes that nobody checked, each with what would check it.

    Args:
        entries: Of one test; at least one.
    """
    texts = [_given(entry.story) or _text(entry.story) for entry in entries[:MOST]]
    if len(entries) > MOST:
        texts.append(f"and {len(entries) - MOST} more")
    return "\n\n".join(texts)


def _given(story: Any) -> str | None:
    """Return the text for a spec in which nothing was done; ``None`` if something was."""
    match story:
        case ViewStory(seen=()):
            name, events = story.view.name, map(history.text, story.history.events)
            add = "what it should show: .then_view(...), or .when(...) and then that"
        case ProcessStory(seen=()):
            name, events = story.process.name, map(history.text, story.history.events)
            add = ".when(...) and what should come of it: .then_commands(...)"
        case Story(steps=()):
            name, events = story.aggregate.name, map(repr, story.given)
            add = ".when(...) and what should come of it: .then(...)"
        case _:
            return None
    lines = [*mark(SAME, [*events] or ["nothing"]), (NOTE, f"add {add}")]
    return page(f"{name}: nothing was done: a given needs a when", [("given", lines)])


def _text(story: Any) -> str:
    match story:
        case ViewStory():
            subject, name = "the view", story.view.name
            passages = _of_events(story)
            came, check = _seen(story)
        case ProcessStory():
            subject, name = "the process", story.process.name
            passages = _of_events(story)
            came = [*map(repr, story.sent)]
            check = f".then_commands({', '.join(came)})" if came else ".then_nothing()"
        case Story():
            subject, name = _cause(story), story.aggregate.name
            passages = _of_commands(story)
            came = _came(story.events, story.refusal)
            check = _check(story)
        case _:
            return f"{story!r} was not checked: a when needs a then"
    then = mark(ACTUAL, came or ["nothing"])
    then.append((NOTE, f"add {check}, or what should come of it instead"))
    headline = f"{name}: the outcome of {subject} was not checked: a when needs a then"
    return page(headline, [*passages, ("then", then)])


def _cause(story: Story[Any, Any, Any]) -> str:
    cause = story.steps[-1].cause
    return "stored events" if isinstance(cause, EventData) else type(cause).__qualname__


def _of_commands(story: Story[Any, Any, Any]) -> list[Passage]:
    given = [repr(each) for each in story.given]
    passages: list[Passage] = [("given", mark(SAME, given or ["nothing"]))]
    for step in story.earlier:
        passages.append(("when", [(SAME, repr(step.cause))]))
        passages.append(("then", mark(SAME, _came(step.events, step.refusal) or ["nothing"])))
    passages.append(("when", mark(SAME, [repr(step.cause) for step in story.steps])))
    return passages


def _came(events: Sequence[object], refusal: Exception | None) -> list[str]:
    texts = [*map(repr, events)]
    if refusal is not None:
        texts.append(f"refused with {type(refusal).__qualname__}: {refusal}".removesuffix(": "))
    return texts


def _check(story: Story[Any, Any, Any]) -> str:
    if story.refusal is not None:
        return f".then_rejected({type(story.refusal).__qualname__})"
    events = ", ".join(map(repr, story.events))
    return f".then({events})" if events else ".then_nothing()"


def _of_events(story: ViewStory[Any, Any] | ProcessStory[Any, Any]) -> list[Passage]:
    before = [history.text(recorded) for recorded in story.history.events[: story.given]]
    return [
        ("given", mark(SAME, before or ["nothing"])),
        ("when", mark(SAME, map(history.text, story.seen))),
    ]


def _seen(story: ViewStory[Any, Any]) -> tuple[list[str], str]:
    """What a view shows otherwise than before, and what would check the first of it."""
    came: list[str] = []
    checks: list[str] = []
    for key in {**story.before, **story.values}:
        value = story.values.get(key)
        if value is None:
            came.append(f"{key}: {NO_VALUE}")
            checks.append(f".then_no_view({key!r})")
        elif not same(value, story.before.get(key)):
            came.append(f"{key}: {value!r}")
            checks.append(f".then_view({key!r}, {value!r})")
    return came, checks[0] if checks else ".then_untouched()"
