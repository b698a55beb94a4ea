"""The texts of failures: the story in the words of the spec, and where it went elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any, TypeAlias

from eventhus import EventData, Rejected
from eventhus_testing.difference import differences, full_name
from eventhus_testing.function_source import readable
from eventhus_testing.matching import agrees, class_of, left_open, text_of, unpaired
from eventhus_testing.notebook import Check, note
from eventhus_testing.page import ACTUAL, EXPECTED, NOTE, SAME, Line, Passage, mark, page
from eventhus_testing.rules import RuleBroken
from eventhus_testing.story import Call, Step, Story

AnyStory: TypeAlias = Story[Any, Any, Any]
AnyStep: TypeAlias = Step[Any, Any, Any]

NOTHING = "nothing"
REFUSED = "was refused instead of accepted"
OTHER_EVENTS = "produced other events than expected"


@contextmanager
def told(story: AnyStory, word: str, causes: Iterable[object]) -> Iterator[None]:
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
        raise broken.told(text) from broken.__cause__


def missing_when(name: str) -> str:
    """A spec was asked for what only an outcome has, or for what there is not at all."""
    hint = "; nothing has been done yet: put .when(...) before it"
    return f"a spec has no {name!r}{hint if name.startswith(('then', 'and_')) else ''}"


def refused_history(story: AnyStory) -> str:
    """A command was given as history, and is none."""
    hint = (NOTE, "a command that is to be refused goes into when")
    then = ("then", [*mark(ACTUAL, _came(story)), hint])
    return _page(story, "was given, and is refused: what is given has happened", [then])


def other_events(
    story: AnyStory, expected: Sequence[object], ignoring: Collection[str] = ()
) -> str:
    """Events were expected, and others or a refusal came."""
    if story.refusal is None:
        happened = OTHER_EVENTS
        lines = compare(expected, story.events, ignoring)
    else:
        happened = REFUSED
        shared = _shared(expected, story.events, ignoring)
        lines = mark(SAME, map(repr, story.events[:shared]))
        if not shared or expected[shared:]:
            lines += mark(EXPECTED, _texts(expected[shared:]))
        lines += _refusal_lines(story, shared)
    return _page(story, happened, [("then", lines)])


def other_types(story: AnyStory, types: Sequence[type]) -> str:
    """Events of some types only were expected, and others, none or a refusal came."""
    wanted = " or ".join(each.__qualname__ for each in types)
    lines: list[Line] = [(EXPECTED, f"only {wanted}")]
    lines += [(SAME if type(event) in types else ACTUAL, repr(event)) for event in story.events]
    if story.refusal is not None:
        lines += _refusal_lines(story, len(story.events))
        return _page(story, REFUSED, [("then", lines)])
    if not story.events:
        lines.append((ACTUAL, NOTHING))
    return _page(story, "produced other types of events than expected", [("then", lines)])


def unpaired_events(story: AnyStory, missing: Sequence[object], others: Sequence[object]) -> str:
    """Events were expected in any order, and some did not come, or others, or a refusal."""
    if story.refusal is not None:
        lines = [*mark(EXPECTED, map(text_of, missing)), *_refusal_lines(story)]
        return _page(story, REFUSED, [("then", lines)])
    lines = []
    unexpected = [*others]
    for event in story.events:
        is_other = any(event is each for each in unexpected)
        lines.append((ACTUAL if is_other else SAME, repr(event)))
    for wanted in missing:
        lines.append((EXPECTED, text_of(wanted)))
        near = [event for event in story.events if type(event) is class_of(wanted)]
        if len(near) == 1:
            lines += mark(NOTE, differences(wanted, near[0]))
    if not story.events:
        lines.append((ACTUAL, NOTHING))
    happened = OTHER_EVENTS if others else "did not produce every event that was expected"
    return _page(story, happened, [("then", lines)])


def other_refusal(
    story: AnyStory,
    reason: type[Rejected],
    match: str | re.Pattern[str] | None,
    where: Callable[..., bool] | None = None,
) -> str:
    """A refusal was expected, and another or none came."""
    refusal = story.refusal
    pattern = match.pattern if isinstance(match, re.Pattern) else match
    matching = "" if pattern is None else f", matching {pattern!r}"
    being = "" if where is None else f", where {readable(where)}"
    lines: list[Line] = [(EXPECTED, f"refused with {reason.__qualname__}{matching}{being}")]
    lines += mark(ACTUAL, _came(story))
    if refusal is None:
        happened = "was accepted instead of refused"
    elif where is not None:
        happened = "was refused otherwise than expected"
    elif isinstance(refusal, reason):
        happened = "was refused with another message than expected"
        if pattern is not None and pattern in str(refusal):
            lines.append((NOTE, "the message has the pattern as plain text; use re.escape on it"))
        elif pattern is not None and re.search(pattern, str(refusal), re.IGNORECASE):
            lines.append((NOTE, "differs only in upper and lower case"))
    else:
        happened = "was refused for another reason than expected"
        came = type(refusal)
        if came.__qualname__ == reason.__qualname__:
            lines.append((NOTE, f"expected {full_name(reason)}, actual {full_name(came)}"))
    return _page(story, happened, [("then", lines)])


def other_state(story: AnyStory, expected: object, ignoring: Collection[str] = ()) -> str:
    """A state was expected, and another came."""
    notes = differences(expected, story.state, ignoring=ignoring)
    state = [(EXPECTED, text_of(expected)), (ACTUAL, repr(story.state)), *mark(NOTE, notes)]
    passages = [("then", mark(SAME, _came(story))), ("state", state)]
    return _page(story, "led to another state than expected", passages)


def _page(story: AnyStory, happened: str, outcome: Sequence[Passage]) -> str:
    """The whole text: a headline, the story up to its last step, and what came of that."""
    causes = [step.cause for step in story.steps]
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
    passages: list[Passage] = [("given", mark(SAME, _texts(story.given)))]
    for step in story.earlier:
        passages.append(("when", [(SAME, repr(step.cause))]))
        passages.append(("then", mark(SAME, _came_of(step.events, step.refusal))))
    state = story.steps[0].before if story.steps else story.state
    passages.append(("state", [(SAME, repr(state))]))
    return passages


def compare(
    expected: Sequence[object], actual: Sequence[object], ignoring: Collection[str] = ()
) -> list[Line]:
    """Two sequences as one. What both begin or end with is not marked."""
    begin = _shared(expected, actual, ignoring)
    end = _shared(expected[begin:][::-1], actual[begin:][::-1], ignoring)
    wanted = expected[begin : len(expected) - end]
    found = actual[begin : len(actual) - end]
    moved = unpaired(wanted, found, ignoring) == ([], [])

    lines = mark(SAME, map(repr, actual[:begin]))
    if not expected:
        lines.append((EXPECTED, NOTHING))
    for index in range(max(len(wanted), len(found))):
        lines += mark(EXPECTED, map(text_of, left_open(wanted[index : index + 1], ignoring)))
        lines += mark(ACTUAL, map(repr, found[index : index + 1]))
        if index < min(len(wanted), len(found)) and not moved:
            notes = differences(wanted[index], found[index], ignoring=ignoring)
            lines += mark(NOTE, notes)
    if moved:
        lines.append((NOTE, "the same events in another order"))
    if not actual:
        lines.append((ACTUAL, NOTHING))
    return lines + mark(SAME, map(repr, actual[len(actual) - end :]))


def _shared(expected: Sequence[object], actual: Sequence[object], ignoring: Collection[str]) -> int:
    """How many values two sequences begin with alike."""
    pairs = zip(expected, actual, strict=False)
    return sum(1 for _ in takewhile(lambda pair: agrees(*pair, ignoring), pairs))


def _came(story: AnyStory) -> list[str]:
    """What the steps of an outcome led to: events, nothing or a refusal."""
    return _came_of(story.events, story.refusal)


def _refusal_lines(story: AnyStory, begin: int = 0) -> list[Line]:
    """What came, from one event on, and which of several commands was refused."""
    lines = mark(ACTUAL, _came(story)[begin:])
    if len(story.steps) > 1:
        lines.append((NOTE, f"command {len(story.steps)} was refused: {story.steps[-1].cause!r}"))
    return lines


def _came_of(events: Sequence[object], refusal: Rejected | None) -> list[str]:
    if refusal is None:
        return _texts(events)
    name, message = type(refusal).__qualname__, str(refusal)
    reason = f"refused with {name}: {message}" if message else f"refused with {name}"
    return [*map(repr, events), reason]


def _texts(events: Iterable[object]) -> list[str]:
    return [text_of(event) for event in events] or [NOTHING]
