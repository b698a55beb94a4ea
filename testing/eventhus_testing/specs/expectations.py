"""Comparison of the outcome of commands with expectations, for specs and scenarios."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import takewhile
from typing import Protocol, TypeVar

from attrs import frozen

from eventhus import Rejected, StreamId
from eventhus_testing.matching.difference import differences, full_name
from eventhus_testing.matching.excerpts import excerpts, wrapped, wrapped_expectation
from eventhus_testing.matching.ignoring import check_ignoring
from eventhus_testing.matching.matchers import class_of, mask_fields, matches, unpaired
from eventhus_testing.python_source.functions import readable
from eventhus_testing.texts.page import ACTUAL, EXPECTED, NOTE, SAME, Line, Passage, mark
from eventhus_testing.values.truth import is_true

R = TypeVar("R", bound=Rejected)

NOTHING = "nothing"


class CommandResult(Protocol):
    """The outcome of one or more commands."""

    @property
    def causes(self) -> Sequence[object]:
        """Return the handled commands, up to the first refused one."""
        ...

    @property
    def events(self) -> Sequence[object]:
        """Return the produced events, in order."""
        ...

    @property
    def refusal(self) -> Rejected | None:
        """Return the refusal of the last command, or ``None``."""
        ...


@frozen
class Miss:
    """A failed expectation.

    Attributes:
        happened: The headline, such as "was refused instead of accepted".
        passages: The expected and the actual outcome.
    """

    happened: str
    passages: Sequence[Passage]


def in_order(
    result: CommandResult, expected: Sequence[object], ignoring: Collection[str] = ()
) -> Miss | None:
    """Return the miss unless the events match in number and order.

    Args:
        result: The outcome to check.
        expected: Expectations for the events.
        ignoring: Names of fields to ignore at every level.

    Raises:
        TypeError: A name in ``ignoring`` is not a field of any value here.
    """
    __tracebackhide__ = True
    _check_ignoring(result, expected, ignoring)
    expected = mask_fields(expected, ignoring)
    if result.refusal is not None:
        shared = _shared(expected, result.events, ignoring)
        lines = mark(SAME, map(wrapped, result.events[:shared]))
        if not shared or expected[shared:]:
            lines += mark(EXPECTED, event_texts(expected[shared:]))
        return _refused(result, lines, shared)
    if matches(tuple(expected), tuple(result.events), ignoring):
        return None
    return _other_events(compare(expected, result.events, ignoring))


def _check_ignoring(
    result: CommandResult, expected: Sequence[object], ignoring: Collection[str]
) -> None:
    __tracebackhide__ = True
    if expected:  # a list of expected events that is empty in one case of a test has no fields
        check_ignoring(ignoring, *expected, *result.events)


def of_types(result: CommandResult, types: Sequence[type]) -> Miss | None:
    """Return the miss unless there are events and all are of these types.

    Raises:
        TypeError: No type is given, or an argument is not a type.
    """
    __tracebackhide__ = True
    if not types:
        raise TypeError("then_only takes at least one type; then_nothing expects no event")
    for each in types:
        if not isinstance(each, type):
            raise TypeError(f"then_only takes event types; {each!r} is not a type")
    wanted = " or ".join(each.__qualname__ for each in types)
    lines: list[Line] = [(EXPECTED, f"only {wanted}")]
    lines += [(SAME if type(event) in types else ACTUAL, wrapped(event)) for event in result.events]
    if result.refusal is not None:
        return _refused(result, lines, len(result.events))
    if result.events and all(type(event) in types for event in result.events):
        return None
    if not result.events:
        lines.append((ACTUAL, NOTHING))
    return Miss("produced other types of events than expected", [("then", lines)])


def in_any_order(
    result: CommandResult, expected: Sequence[object], ignoring: Collection[str] = ()
) -> Miss | None:
    """Return the miss unless the events match in any order. For arguments see ``in_order``."""
    __tracebackhide__ = True
    _check_ignoring(result, expected, ignoring)
    expected = mask_fields(expected, ignoring)
    missing, others = unpaired(expected, result.events, ignoring)
    return _unpaired(result, missing, others)


def among_others(
    result: CommandResult, expected: Sequence[object], ignoring: Collection[str] = ()
) -> Miss | None:
    """Return the miss unless all expected events are there. For arguments see ``in_order``.

    Raises:
        TypeError: No event is expected.
    """
    __tracebackhide__ = True
    if not expected:
        raise TypeError("then_containing takes at least one event")
    _check_ignoring(result, expected, ignoring)
    expected = mask_fields(expected, ignoring)
    missing, _ = unpaired(expected, result.events, ignoring)
    return _unpaired(result, missing, ())


def refused(
    result: CommandResult,
    reason: type[R],
    match: str | re.Pattern[str] | None,
    where: Callable[[R], bool] | None,
) -> Miss | None:
    """Return the miss unless the last command was refused as expected.

    Args:
        result: The outcome to check.
        reason: The expected class, or a base class.
        match: A regular expression to search for in the message.
        where: A predicate that the refusal must satisfy.

    Raises:
        TypeError: ``reason`` is not a class, or the predicate did not return a truth value.
    """
    __tracebackhide__ = True
    given: object = reason
    if not isinstance(given, type):
        raise TypeError(f"then_rejected takes a class of refusals; {reason!r} is not a class")
    refusal = result.refusal
    pattern = match.pattern if isinstance(match, re.Pattern) else match
    happened, notes, being = "was accepted instead of refused", [], ""
    if isinstance(refusal, reason):
        if re.search(match or "", str(refusal)):
            if where is None or is_true(where(refusal), readable(where)):
                return None
            happened = "was refused, but the refusal does not satisfy the predicate"
            being = f", where {readable(where)}"
        else:
            happened = "was refused with another message than expected"
            notes = _of_message(pattern or "", str(refusal))
    elif refusal is not None:
        happened = "was refused for another reason than expected"
        if type(refusal).__qualname__ == reason.__qualname__:
            notes = [f"expected {full_name(reason)}, actual {full_name(type(refusal))}"]
    matching = "" if pattern is None else f", matching {pattern!r}"
    expected = (EXPECTED, f"refused with {reason.__qualname__}{matching}{being}")
    return Miss(
        happened,
        [
            (
                "then",
                [
                    expected,
                    *mark(ACTUAL, outcome_texts(result.events, result.refusal)),
                    *mark(NOTE, notes),
                ],
            )
        ],
    )


def as_state(
    result: CommandResult,
    expected: object,
    actual: object,
    ignoring: Collection[str] = (),
    *,
    whose: StreamId | None = None,
) -> Miss | None:
    """Return the miss unless the state matches.

    Args:
        result: The outcome to check.
        expected: The expectation for the state.
        actual: The actual state.
        ignoring: As for ``in_order``.
        whose: The aggregate, if there may be several.
    """
    __tracebackhide__ = True
    check_ignoring(ignoring, expected, actual)
    if matches(expected, actual, ignoring):
        return None
    expected = mask_fields(expected, ignoring)
    label = "" if whose is None else f"{whose}: "
    wanted, found = excerpts(expected, actual, ignoring)
    state = [
        (EXPECTED, f"{label}{wanted}"),
        (ACTUAL, f"{label}{found}"),
        *mark(NOTE, differences(expected, actual, ignoring=ignoring)),
    ]
    passages = [
        ("then", mark(SAME, outcome_texts(result.events, result.refusal))),
        ("state", state),
    ]
    return Miss("led to another state than expected", passages)


def _of_message(pattern: str, message: str) -> list[str]:
    if pattern in message:
        return ["the message contains the pattern as plain text; escape the pattern with re.escape"]
    if re.search(pattern, message, re.IGNORECASE):
        return ["differs only in case"]
    return []


def _unpaired(
    result: CommandResult, missing: Sequence[object], others: Sequence[object]
) -> Miss | None:
    if result.refusal is not None:
        return _refused(result, mark(EXPECTED, map(wrapped_expectation, missing)))
    if not missing and not others:
        return None
    lines: list[Line] = []
    for event in result.events:
        is_other = any(event is each for each in others)
        lines.append((ACTUAL if is_other else SAME, wrapped(event)))
    for wanted in missing:
        lines.append((EXPECTED, wrapped_expectation(wanted)))
        near = [event for event in result.events if type(event) is class_of(wanted)]
        if len(near) == 1:
            lines += mark(NOTE, differences(wanted, near[0]))
    if not result.events:
        lines.append((ACTUAL, NOTHING))
    if not others:
        return Miss("did not produce every event that was expected", [("then", lines)])
    return _other_events(lines)


def _refused(result: CommandResult, lines: Sequence[Line], begin: int = 0) -> Miss:
    """Return the miss for a refusal; ``lines`` already list the first ``begin`` events."""
    then = [*lines, *mark(ACTUAL, outcome_texts(result.events, result.refusal)[begin:])]
    if len(result.causes) > 1:
        then.append((NOTE, f"command {len(result.causes)} was refused: {result.causes[-1]!r}"))
    return Miss("was refused instead of accepted", [("then", then)])


def _other_events(lines: Sequence[Line]) -> Miss:
    return Miss("produced other events than expected", [("then", lines)])


def compare(
    expected: Sequence[object], actual: Sequence[object], ignoring: Collection[str] = ()
) -> list[Line]:
    """Return a diff of two sequences, with a common start and end left unmarked."""
    begin = _shared(expected, actual, ignoring)
    end = _shared(expected[begin:][::-1], actual[begin:][::-1], ignoring)
    wanted = expected[begin : len(expected) - end]
    found = actual[begin : len(actual) - end]
    moved = unpaired(wanted, found, ignoring) == ([], [])

    lines = mark(SAME, map(wrapped, actual[:begin]))
    if not expected:
        lines.append((EXPECTED, NOTHING))
    for index in range(max(len(wanted), len(found))):
        masked = mask_fields(wanted[index : index + 1], ignoring)
        if index < min(len(wanted), len(found)) and not moved:
            texts = excerpts(masked[0], found[index], ignoring)
            lines += [(EXPECTED, texts[0]), (ACTUAL, texts[1])]
            lines += mark(NOTE, differences(wanted[index], found[index], ignoring=ignoring))
            continue
        lines += mark(EXPECTED, map(wrapped_expectation, masked))
        lines += mark(ACTUAL, map(wrapped, found[index : index + 1]))
    if moved:
        lines.append((NOTE, "the same events in another order"))
    if not actual:
        lines.append((ACTUAL, NOTHING))
    return lines + mark(SAME, map(wrapped, actual[len(actual) - end :]))


def _shared(expected: Sequence[object], actual: Sequence[object], ignoring: Collection[str]) -> int:
    """Return the length of the common start of two sequences."""
    pairs = zip(expected, actual, strict=False)
    return sum(1 for _ in takewhile(lambda pair: matches(*pair, ignoring), pairs))


def outcome_texts(events: Sequence[object], refusal: Rejected | None) -> list[str]:
    """Return readable texts of the events and the refusal, or "nothing"."""
    if refusal is None:
        return event_texts(events)
    name, message = type(refusal).__qualname__, str(refusal)
    reason = f"refused with {name}: {message}" if message else f"refused with {name}"
    return [*map(wrapped, events), reason]


def event_texts(events: Iterable[object]) -> list[str]:
    """Return readable texts of events or expectations, or "nothing" if there are none."""
    return [wrapped_expectation(event) for event in events] or [NOTHING]
