"""The failure text for a test with unchecked outcomes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from eventhus.ports import EventData
from eventhus_testing.specs import history
from eventhus_testing.specs.process_story import ProcessStory
from eventhus_testing.specs.recording import Entry
from eventhus_testing.specs.story import Story
from eventhus_testing.specs.transaction_story import TransactionStory, before
from eventhus_testing.specs.view_spec import NO_VALUE, ViewStory
from eventhus_testing.texts.page import ACTUAL, NOTE, SAME, Passage, mark, page
from eventhus_testing.values.comparing import same

MAX_SHOWN = 3  # outcomes; the others are counted


def unchecked_text(entries: Sequence[Entry]) -> str:
    """Return the steps that led to unchecked outcomes, each with a suggested check.

    Args:
        entries: The unchecked entries of one test; at least one.
    """
    texts = [
        _given_text(entry.story) or _story_text(entry.story, entry.open)
        for entry in entries[:MAX_SHOWN]
    ]
    if len(entries) > MAX_SHOWN:
        texts.append(f"and {len(entries) - MAX_SHOWN} more")
    return "\n\n".join(texts)


def _given_text(story: Any) -> str | None:
    """Return the text for a spec in which nothing was done; ``None`` if something was."""
    match story:
        case ViewStory(seen=()):
            name, events = story.view.name, map(history.text, story.history.events)
            add = "what it should show: .then_view(...), or .when(...) and then that"
        case ProcessStory(seen=(), passed=None):
            name, events = story.process.name, map(history.text, story.history.events)
            add = ".when(...) and what should come of it: .then_commands(...)"
        case Story(steps=()):
            name, events = story.decider.name, map(repr, story.given)
            add = ".when(...) and what should come of it: .then(...)"
        case TransactionStory(steps=()):
            name, events = story.transaction.name, map(repr, story.given)
            add = ".when(...) and what should come of it: .then(...)"
        case _:
            return None
    lines = [*mark(SAME, [*events] or ["nothing"]), (NOTE, f"add {add}")]
    return page(f"{name}: nothing was done: a given needs a when", [("given", lines)])


def _story_text(story: Any, open_streams: Collection[Any]) -> str:
    match story:
        case ViewStory():
            subject, name = "the view", story.view.name
            passages = _event_passages(story)
            outcome, check = _changed_values(story)
        case ProcessStory():
            subject, name = "the process", story.process.name
            passages = _event_passages(story)
            outcome, check = _done(story)
        case Story():
            subject, name = _cause(story), story.decider.name
            passages = _command_passages(story)
            outcome = _outcome_lines(story.events, story.refusal)
            check = _suggested_check(story)
        case TransactionStory():
            return _transaction_text(story, open_streams)
        case _:
            return f"{story!r} was not checked: a when needs a then"
    then = mark(ACTUAL, outcome or ["nothing"])
    then.append((NOTE, f"add {check}, or the outcome that you expect"))
    headline = f"{name}: the outcome of {subject} was not checked: a when needs a then"
    return page(headline, [*passages, ("then", then)])


def _transaction_text(story: TransactionStory[Any], open_streams: Collection[Any]) -> str:
    """Return the text for a transaction, with the checks of the streams that none has named."""
    checks = [f".then_rejected({type(story.refusal).__qualname__})"] if story.refusal else []
    for stream in story.changed:
        if stream in open_streams:
            events = ", ".join(map(repr, story.of(stream).events))
            checks.append(
                f".then({stream.aggregate_type.lower()}, {stream.aggregate_id!r}, {events})"
            )
    then = mark(ACTUAL, _outcome_lines(story.happened, story.refusal) or ["nothing"])
    added = " and ".join(checks) or ".then_nothing()"
    then.append((NOTE, f"add {added}, or the outcome that you expect"))
    command = type(story.steps[-1].cause).__qualname__
    headline = (
        f"{story.transaction.name}: the outcome of {command} was not checked: "
        f"a when needs a then for each aggregate that changed"
    )
    when = ("when", mark(SAME, map(repr, story.causes)))
    return page(headline, [*before(story), when, ("then", then)])


def _cause(story: Story[Any, Any, Any]) -> str:
    cause = story.steps[-1].cause
    return "stored events" if isinstance(cause, EventData) else type(cause).__qualname__


def _command_passages(story: Story[Any, Any, Any]) -> list[Passage]:
    given = [repr(each) for each in story.given]
    passages: list[Passage] = [("given", mark(SAME, given or ["nothing"]))]
    for step in story.earlier:
        passages.append(("when", [(SAME, repr(step.cause))]))
        passages.append(
            ("then", mark(SAME, _outcome_lines(step.events, step.refusal) or ["nothing"]))
        )
    passages.append(("when", mark(SAME, [repr(step.cause) for step in story.steps])))
    return passages


def _outcome_lines(events: Sequence[object], refusal: Exception | None) -> list[str]:
    texts = [*map(repr, events)]
    if refusal is not None:
        texts.append(f"refused with {type(refusal).__qualname__}: {refusal}".removesuffix(": "))
    return texts


def _suggested_check(story: Story[Any, Any, Any]) -> str:
    if story.refusal is not None:
        return f".then_rejected({type(story.refusal).__qualname__})"
    events = ", ".join(map(repr, story.events))
    return f".then({events})" if events else ".then_nothing()"


def _event_passages(story: ViewStory[Any, Any] | ProcessStory[Any, Any]) -> list[Passage]:
    before = [history.text(recorded) for recorded in story.history.events[: story.given]]
    return [("given", mark(SAME, before or ["nothing"])), ("when", mark(SAME, story.done))]


def _done(story: ProcessStory[Any, Any]) -> tuple[list[str], str]:
    """Return what a process did, and a check for it."""
    commands = [*map(repr, story.sent)]
    checks = [f".then_commands({', '.join(commands)})"] if commands else []
    checks += [f".then_deadline({each.name!r})" for _, each in story.newly_armed]
    checks += [f".then_cancelled({name!r})" for _, name in story.cancelled]
    armed = [f"{key}: deadline {each.name!r} armed" for key, each in story.newly_armed]
    cancelled = [f"{key}: deadline {name!r} cancelled" for key, name in story.cancelled]
    return [*commands, *armed, *cancelled], "".join(checks) or ".then_nothing()"


def _changed_values(story: ViewStory[Any, Any]) -> tuple[list[str], str]:
    """Return the values of a view that changed, and a check for the first of them."""
    outcome: list[str] = []
    checks: list[str] = []
    for key in {**story.before, **story.values}:
        value = story.values.get(key)
        if value is None:
            outcome.append(f"{key}: {NO_VALUE}")
            checks.append(f".then_no_view({key!r})")
        elif not same(value, story.before.get(key)):
            outcome.append(f"{key}: {value!r}")
            checks.append(f".then_view({key!r}, {value!r})")
    return outcome, checks[0] if checks else ".then_untouched()"
