"""The texts of failures: the scenario in the words of the spec, and where it went elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile
from operator import eq
from typing import Any, TypeAlias

from eventhus import Rejected
from eventhus_testing.difference import differences, full_name
from eventhus_testing.story import Scenario, Step

AnyScenario: TypeAlias = Scenario[Any, Any, Any]
AnyStep: TypeAlias = Step[Any, Any, Any]

Line: TypeAlias = tuple[str, str]
"""A mark and a text. The marks are those of difflib: expected, actual, and what to note."""
SAME, EXPECTED, ACTUAL, NOTE = " ", "-", "+", "?"
NOTHING = "nothing"


def other_events(scenario: AnyScenario, expected: Sequence[object]) -> str:
    """Events were expected, and others or a refusal came."""
    step = scenario.steps[-1]
    if step.refusal is None:
        happened = "produced other events than expected"
        lines = _compare(expected, step.events)
    else:
        happened = "was refused instead of accepted"
        lines = [*_mark(EXPECTED, _texts(expected)), *_mark(ACTUAL, _came(step))]
    return _page(scenario, happened, then=lines)


def other_refusal(
    scenario: AnyScenario, reason: type[Rejected], match: str | re.Pattern[str] | None
) -> str:
    """A refusal was expected, and another or none came."""
    step = scenario.steps[-1]
    pattern = match.pattern if isinstance(match, re.Pattern) else match
    matching = "" if pattern is None else f", matching {pattern!r}"
    lines: list[Line] = [(EXPECTED, f"refused with {reason.__qualname__}{matching}")]
    lines += _mark(ACTUAL, _came(step))
    if step.refusal is None:
        happened = "was accepted instead of refused"
    elif isinstance(step.refusal, reason):
        happened = "was refused with another message than expected"
        if pattern is not None and pattern in str(step.refusal):
            lines.append((NOTE, "the message has the pattern as plain text; use re.escape on it"))
    else:
        happened = "was refused for another reason than expected"
        came = type(step.refusal)
        if came.__qualname__ == reason.__qualname__:
            lines.append((NOTE, f"expected {full_name(reason)}, actual {full_name(came)}"))
    return _page(scenario, happened, then=lines)


def other_state(scenario: AnyScenario, expected: object) -> str:
    """A state was expected, and another came."""
    step = scenario.steps[-1]
    return _page(
        scenario,
        "led to another state than expected",
        then=_mark(SAME, _came(step)),
        state=[
            (EXPECTED, repr(expected)),
            (ACTUAL, repr(step.after)),
            *_mark(NOTE, differences(expected, step.after)),
        ],
    )


def _page(scenario: AnyScenario, happened: str, **outcome: Sequence[Line]) -> str:
    """The whole text: a headline, the story up to the last command, and what came of that."""
    *earlier, last = scenario.steps
    story: list[tuple[str, Sequence[Line]]] = [("given", _mark(SAME, _texts(scenario.given)))]
    for step in earlier:
        story.append(("when", [(SAME, repr(step.command))]))
        story.append(("then", _mark(SAME, _came(step))))
    story.append(("state", [(SAME, repr(last.before))]))
    story.append(("when", [(SAME, repr(last.command))]))
    story.extend(outcome.items())
    headline = f"{scenario.aggregate.name}: {type(last.command).__qualname__} {happened}"
    page = [f"{headline} (- expected, + actual)", ""]
    for word, lines in story:
        for index, (mark, text) in enumerate(lines):
            margin = f"{'' if index else word:<6} {mark} "
            page.append(margin + text.replace("\n", "\n" + " " * len(margin)))
    return "\n".join(page)


def _compare(expected: Sequence[object], actual: Sequence[object]) -> list[Line]:
    """Two sequences of events as one. What both begin or end with is not marked."""
    begin = _shared(expected, actual)
    end = _shared(expected[begin:][::-1], actual[begin:][::-1])
    wanted = expected[begin : len(expected) - end]
    found = actual[begin : len(actual) - end]
    moved = _same_in_another_order(wanted, found)

    lines = _mark(SAME, map(repr, expected[:begin]))
    if not expected:
        lines.append((EXPECTED, NOTHING))
    for index in range(max(len(wanted), len(found))):
        lines += _mark(EXPECTED, map(repr, wanted[index : index + 1]))
        lines += _mark(ACTUAL, map(repr, found[index : index + 1]))
        if index < min(len(wanted), len(found)) and not moved:
            lines += _mark(NOTE, differences(wanted[index], found[index]))
    if moved:
        lines.append((NOTE, "the same events in another order"))
    if not actual:
        lines.append((ACTUAL, NOTHING))
    return lines + _mark(SAME, map(repr, expected[len(expected) - end :]))


def _shared(one: Sequence[object], other: Sequence[object]) -> int:
    """How many values two sequences begin with alike."""
    return sum(1 for _ in takewhile(bool, map(eq, one, other)))


def _same_in_another_order(one: Sequence[object], other: Sequence[object]) -> bool:
    rest = list(other)  # events need not be hashable
    for value in one:
        if value not in rest:
            return False
        rest.remove(value)
    return not rest


def _came(step: AnyStep) -> list[str]:
    """What a command led to: events, nothing or a refusal."""
    if step.refusal is None:
        return _texts(step.events)
    name, message = type(step.refusal).__qualname__, str(step.refusal)
    return [f"refused with {name}: {message}" if message else f"refused with {name}"]


def _texts(events: Iterable[object]) -> list[str]:
    return [repr(event) for event in events] or [NOTHING]


def _mark(mark: str, texts: Iterable[str]) -> list[Line]:
    return [(mark, text) for text in texts]
