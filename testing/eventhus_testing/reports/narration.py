"""Describes recorded specs in words."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, groupby
from typing import Any

import attrs

from eventhus import (
    Command,
    Decision,
    Recorded,
    Rejected,
    StreamId,
)
from eventhus.ports import EventData
from eventhus_testing.matching.matchers import Like
from eventhus_testing.reports import deadlines
from eventhus_testing.reports.model import (
    AGGREGATE,
    DECIDING,
    DECISION,
    FAILS,
    HOLDS,
    PROCESS,
    TRANSACTION,
    VIEW,
    Clause,
    CommandOutcome,
    Spec,
    Subject,
    Term,
)
from eventhus_testing.reports.words import Phrase, in_words, one_line, phrase, words
from eventhus_testing.rules.missing_cases import return_annotation
from eventhus_testing.specs.history import ANY_TYPE
from eventhus_testing.specs.process_story import ProcessStory
from eventhus_testing.specs.recording import Check, Entry
from eventhus_testing.specs.story import Call, Given, Story, StoryStep
from eventhus_testing.specs.transaction_story import Happened, TransactionStory
from eventhus_testing.specs.view_spec import ViewStory

NOTHING = Phrase("nothing")


def spec_of(entry: Entry) -> Spec:
    """Describe a spec, from its first ``given`` to the last check of an outcome."""
    outcomes = _chain(entry)
    clauses = [_given(outcomes[0].story)]
    for outcome in outcomes:
        if done := _when(outcome.story):
            clauses.append(Clause("when", done))
        clauses += _then(outcome)
    failure = failure_of(entry)
    return Spec(tuple(clauses), FAILS if failure else HOLDS, failure)


def failure_of(entry: Entry) -> str:
    """Return the text of the failed check of a spec; empty if all hold."""
    checks = chain.from_iterable(outcome.checks for outcome in _chain(entry))
    return next((check.failure for check in checks if check.failure is not None), "")


def command_outcomes(entry: Entry) -> Iterator[CommandOutcome]:
    """Yield the outcomes of the commands of an entry, or the reached deadlines of a process."""
    if isinstance(entry.story, ProcessStory):
        yield from deadlines.reached_in(entry.story)
        return
    if not isinstance(entry.story, Story | TransactionStory):
        return
    for step in entry.story.steps:
        command = term_of(type(step.cause)) if isinstance(step.cause, Command) else None
        events = step.events if isinstance(step, StoryStep) else [e.event for e in step.happened]
        for event in events:
            yield CommandOutcome(command, event=term_of(type(event)))
        if step.refusal is not None:
            yield CommandOutcome(command, refusal=term_of(type(step.refusal)))
        elif not events:
            yield CommandOutcome(command)


def subject_of(story: Any) -> Subject | None:
    """Return the subject of a story; ``None`` if reports do not support the story."""
    match story:
        case Story():
            return _subject(story.decider, DECISION if story.is_of_decision else AGGREGATE)
        case TransactionStory():
            return _subject(story.transaction, TRANSACTION)
        case ViewStory():
            return _subject(story.view, VIEW)
        case ProcessStory():
            return _subject(story.process, PROCESS)
        case _:
            return None


@lru_cache(maxsize=256)
def _subject(subject: Any, nature: str) -> Subject:
    commands: Sequence[Any] = subject.commands if nature in DECIDING else ()
    events: Sequence[Any] = () if nature == TRANSACTION else subject.events
    name = {TRANSACTION: "split", VIEW: "evolve", PROCESS: "evolve"}.get(nature, "decide")
    function = getattr(subject, name)
    if nature == DECISION:
        events = _produced(subject)
    module = getattr(function, "__module__", "")
    refusals: Iterable[type] = ()
    if nature in DECIDING:
        refusals = _refusals({module, *(cls.__module__ for cls in (*commands, *events))})
    return Subject(
        nature,
        subject.name,
        module,
        _meaning(sys.modules.get(module)),
        tuple(map(term_of, commands)),
        tuple(map(term_of, events)),
        tuple(map(term_of, refusals)),
    )


def _produced(decision: Decision[Any, Any, Any]) -> Sequence[type]:
    """Return the events that ``decide`` is annotated to return; if it is not, all events.

    A decision also declares events that others produce and its boundary finds.
    """
    annotated = typing.get_args(return_annotation(decision.decide))
    produced = [*_members(annotated[0])] if annotated else []
    return [event for event in decision.events if event in produced] or [*decision.events]


def _members(annotation: Any) -> Iterator[Any]:
    if hasattr(annotation, "__value__"):  # a type alias of Python 3.12
        yield from _members(annotation.__value__)
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _refusals(modules: Iterable[str]) -> list[type]:
    """Return the subclasses of ``Rejected`` in some modules, without base classes of others."""
    found = [
        value
        for module in sorted(modules)
        for value in getattr(sys.modules.get(module), "__dict__", {}).values()
        if isinstance(value, type) and issubclass(value, Rejected) and value.__module__ == module
    ]
    bases = {base for cls in found for base in cls.__mro__[1:]}
    return [cls for cls in dict.fromkeys(found) if cls not in bases]


def term_of(cls: type) -> Term:
    """Describe a class of commands, events or refusals."""
    return _term(cls)


@lru_cache(maxsize=4096)
def _term(cls: Any) -> Term:
    return Term(f"{cls.__module__}.{cls.__qualname__}", words(cls.__qualname__), _meaning(cls))


def _meaning(thing: object) -> str:
    return first_paragraph(getattr(thing, "__doc__", None))


def first_paragraph(doc: str | None) -> str:
    """Return the first paragraph of a docstring in one line."""
    return " ".join(inspect.cleandoc(doc or "").partition("\n\n")[0].split())


def _chain(entry: Entry) -> list[Entry]:
    outcomes = [entry]
    while outcomes[0].before is not None:
        outcomes.insert(0, outcomes[0].before)
    return outcomes


def _given(story: Any) -> Clause:
    if isinstance(story, Story | TransactionStory):
        phrases = [*map(_happened, story.given)]
    else:
        phrases = [_recorded(recorded) for recorded in story.history.events[: story.given]]
    return Clause("given", _merged(phrases))


def _happened(given: object) -> Phrase:
    return phrase(given.state, "state") if isinstance(given, Given) else _event(given)


def _when(story: Any) -> tuple[Phrase, ...]:
    if isinstance(story, Story | TransactionStory):
        return _merged(_cause(step.cause) for step in story.steps) if story.steps else ()
    seen = tuple(map(_recorded, story.seen))
    if isinstance(story, ProcessStory) and story.passed is not None:
        return deadlines.passed(story.passed), *seen
    return seen


def _cause(cause: Any) -> Phrase:
    match cause:
        case Call():
            name = getattr(cause.function, "__qualname__", "")
            return Phrase(words(name) if name.isidentifier() else "a function is called")
        case EventData():
            fields = [(words(name).lower(), in_words(value)) for name, value in cause.data.items()]
            return Phrase(f"{words(cause.type)}, as stored", tuple(fields), kind="event")
        case _:
            return phrase(cause, "command")


def _event(event: Any) -> Phrase:
    return _of(event.stream, event.event) if isinstance(event, Happened) else phrase(event, "event")


def _recorded(recorded: Recorded[Any]) -> Phrase:
    return deadlines.own_event(recorded) or _of(recorded.stream, recorded.event)


def _of(stream: StreamId, event: Any) -> Phrase:
    kind = "" if stream.aggregate_type == ANY_TYPE else f"{words(stream.aggregate_type)} "
    return phrase(event, "event", one_line(kind + stream.aggregate_id))


def _merged(phrases: Iterable[Phrase]) -> tuple[Phrase, ...]:
    """Merge equal phrases in a row into one that counts them."""
    merged: list[Phrase] = []
    for one, equal in groupby(phrases):
        times = sum(1 for _ in equal)
        head = one.head if times == 1 else f"{one.head}, {times} times"
        merged.append(attrs.evolve(one, head=head))
    return tuple(merged) or (NOTHING,)


def _then(outcome: Entry) -> Iterator[Clause]:
    if not outcome.checks and outcome.looked_at:
        yield Clause("then", _outcome(outcome.story))
    for check in outcome.checks:
        describe = _CLAUSES.get(check.method, _any_check)
        yield from describe(outcome.story, check)


def _outcome(story: Any) -> tuple[Phrase, ...]:
    match story:
        case ViewStory():
            return _merged(
                phrase(value, "state", one_line(key)) for key, value in story.values.items()
            )
        case ProcessStory():
            return _merged([*map(_sent, story.sent), *deadlines.changes(story)])
        case _:
            refusals = () if story.refusal is None else (_refusal(story),)
            return _merged([*map(_event, story.events), *refusals])


def _sent(command: Any) -> Phrase:
    if isinstance(command, Like):
        whose = in_words(command.fields["aggregate_id"]) if "aggregate_id" in command.fields else ""
        return phrase(command, "command", whose)
    return phrase(command, "command", one_line(getattr(command, "aggregate_id", "")))


def _refusal(story: Story[Any, Any, Any] | TransactionStory[Any]) -> Phrase:
    message = one_line(str(story.refusal))
    return Phrase(
        words(type(story.refusal).__qualname__), ((message, ""),) if message else (), "", "refusal"
    )


def _events(_: Any, check: Check) -> Iterator[Clause]:
    yield Clause("then", _merged(map(_event, check.arguments)))


def _in_any_order(_: Any, check: Check) -> Iterator[Clause]:
    yield Clause("in any order", _merged(map(_event, check.arguments)))


def _containing(_: Any, check: Check) -> Iterator[Clause]:
    yield Clause("among others", _merged(map(_event, check.arguments)))


def _only(_: Any, check: Check) -> Iterator[Clause]:
    yield Clause("only", _merged(phrase(each, "event") for each in check.arguments))


def _rejected(story: Any, check: Check) -> Iterator[Clause]:
    (reason, *_) = check.arguments
    if check.failure is None:
        yield Clause("refused", (_refusal(story),))
    else:
        yield Clause("refused", (phrase(reason, "refusal"),))


def _state(_: Any, check: Check) -> Iterator[Clause]:
    (*key, state) = check.arguments
    yield Clause("state", (phrase(state, "state", one_line("".join(map(str, key)))),))


def _matching(story: Any, check: Check) -> Iterator[Clause]:
    # The events that matched are more readable than the matchers.
    events = _outcome(story) if check.failure is None else _merged(map(phrase, check.arguments))
    yield Clause("then", events)


def _state_matching(story: Any, check: Check) -> Iterator[Clause]:
    state = story.state if check.failure is None else check.arguments[0]
    yield Clause("state", (phrase(state, "state"),))


def _view(_: Any, check: Check) -> Iterator[Clause]:
    key, value = check.arguments
    yield Clause("then", (phrase(value, "state", one_line(str(key))),))


def _no_view(_: Any, check: Check) -> Iterator[Clause]:
    (key,) = check.arguments
    yield Clause("then", (Phrase("no value", (), one_line(str(key)), "state"),))


def _no_state(_: Any, check: Check) -> Iterator[Clause]:
    (key,) = check.arguments
    yield Clause("state", (Phrase("no state", (), one_line(str(key)), "state"),))


def _untouched(_: Any, check: Check) -> Iterator[Clause]:
    keys = one_line(", ".join(map(str, check.arguments))) or "everything"
    yield Clause("untouched", (Phrase(keys, (), "", "state"),))


def _found(_: Any, check: Check) -> Iterator[Clause]:
    keys = one_line(", ".join(map(str, check.arguments))) or "nothing"
    yield Clause("found", (Phrase(keys, (), "", "state"),))


def _commands(_: Any, check: Check) -> Iterator[Clause]:
    yield Clause("then", _merged(map(_sent, check.arguments)))


def _any_check(_: Any, check: Check) -> Iterator[Clause]:
    yield Clause(words(check.method).lower(), _merged(map(phrase, check.arguments)))


def _broken_off(_: Any, check: Check) -> Iterator[Clause]:
    """Describe the step in which a rule was broken."""
    describe = _cause if check.method == "when" else _happened
    yield Clause(check.method, _merged(map(describe, check.arguments)))


_CLAUSES: dict[str, Callable[[Any, Check], Iterator[Clause]]] = {
    "given": _broken_off,
    "when": _broken_off,
    "then": _events,
    "then_matching": _matching,
    "then_nothing": _events,
    "then_in_any_order": _in_any_order,
    "then_containing": _containing,
    "then_only": _only,
    "then_rejected": _rejected,
    "then_state": _state,
    "then_state_matching": _state_matching,
    "then_view": _view,
    "then_no_view": _no_view,
    "then_no_state": _no_state,
    "then_untouched": _untouched,
    "then_commands": _commands,
    "then_deadline": deadlines.then_deadline,
    "then_cancelled": deadlines.then_cancelled,
    "then_found": _found,
}
