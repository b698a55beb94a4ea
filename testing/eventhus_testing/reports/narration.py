"""Turns what a test did into words."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, groupby
from typing import Any

import attrs

from eventhus import Command, Recorded, Rejected
from eventhus.ports import EventData
from eventhus_testing.matching.matchers import Like
from eventhus_testing.reports.model import (
    AGGREGATE,
    FAILS,
    HOLDS,
    PROCESS,
    VIEW,
    Kind,
    Passage,
    Seen,
    Spec,
    Subject,
)
from eventhus_testing.reports.words import Phrase, one_line, phrase, text, words
from eventhus_testing.specs.history import ANY_TYPE
from eventhus_testing.specs.process_spec import ProcessStory
from eventhus_testing.specs.recording import Check, Entry
from eventhus_testing.specs.story import Call, Given, Story
from eventhus_testing.specs.view_spec import ViewStory

NOTHING = Phrase("nothing")


def spec_of(entry: Entry) -> Spec:
    """A story in words, from what was given to what was checked last."""
    outcomes = _chain(entry)
    passages = [_given(outcomes[0].story)]
    for outcome in outcomes:
        if done := _when(outcome.story):
            passages.append(Passage("when", done))
        passages += _then(outcome)
    failure = failure_of(entry)
    return Spec(tuple(passages), FAILS if failure else HOLDS, failure)


def failure_of(entry: Entry) -> str:
    """The text of the check that failed in a story; empty where each held."""
    checks = chain.from_iterable(outcome.checks for outcome in _chain(entry))
    return next((check.failure for check in checks if check.failure is not None), "")


def seen_of(entry: Entry) -> Iterator[Seen]:
    """What came of the commands of an outcome."""
    if not isinstance(entry.story, Story):
        return
    for step in entry.story.steps:
        command = kind_of(type(step.cause)) if isinstance(step.cause, Command) else None
        for event in step.events:
            yield Seen(command, event=kind_of(type(event)))
        if step.refusal is not None:
            yield Seen(command, refusal=kind_of(type(step.refusal)))
        elif not step.events:
            yield Seen(command)


def subject_of(story: Any) -> Subject | None:
    """What a story is about; ``None`` where it is of a kind that is not told."""
    match story:
        case Story():
            return _subject(story.aggregate, AGGREGATE)
        case ViewStory():
            return _subject(story.view, VIEW)
        case ProcessStory():
            return _subject(story.process, PROCESS)
        case _:
            return None


@lru_cache(maxsize=256)
def _subject(subject: Any, nature: str) -> Subject:
    commands: Sequence[Any] = subject.commands if nature == AGGREGATE else ()
    function = subject.decide if nature == AGGREGATE else subject.evolve
    module = getattr(function, "__module__", "")
    refusals: Iterable[type] = ()
    if nature == AGGREGATE:
        refusals = _refusals({module, *(cls.__module__ for cls in (*commands, *subject.events))})
    return Subject(
        nature,
        subject.name,
        module,
        _meaning(sys.modules.get(module)),
        tuple(map(kind_of, commands)),
        tuple(map(kind_of, subject.events)),
        tuple(map(kind_of, refusals)),
    )


def _refusals(modules: Iterable[str]) -> list[type]:
    """The subclasses of ``Rejected`` that some modules define, but for those others derive from."""
    found = [
        value
        for module in sorted(modules)
        for value in getattr(sys.modules.get(module), "__dict__", {}).values()
        if isinstance(value, type) and issubclass(value, Rejected) and value.__module__ == module
    ]
    bases = {base for cls in found for base in cls.__mro__[1:]}
    return [cls for cls in dict.fromkeys(found) if cls not in bases]


def kind_of(cls: type) -> Kind:
    """A class, in words."""
    return _kind(cls)


@lru_cache(maxsize=4096)
def _kind(cls: Any) -> Kind:
    return Kind(f"{cls.__module__}.{cls.__qualname__}", words(cls.__qualname__), _meaning(cls))


def _meaning(thing: object) -> str:
    return first_paragraph(getattr(thing, "__doc__", None))


def first_paragraph(doc: str | None) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join(inspect.cleandoc(doc or "").partition("\n\n")[0].split())


def _chain(entry: Entry) -> list[Entry]:
    outcomes = [entry]
    while outcomes[0].before is not None:
        outcomes.insert(0, outcomes[0].before)
    return outcomes


def _given(story: Any) -> Passage:
    if isinstance(story, Story):
        phrases = [*map(_happened, story.given)]
    else:
        phrases = [_recorded(recorded) for recorded in story.history.events[: story.given]]
    return Passage("given", _told(phrases))


def _happened(given: object) -> Phrase:
    return phrase(given.state, "state") if isinstance(given, Given) else phrase(given, "event")


def _when(story: Any) -> tuple[Phrase, ...]:
    if isinstance(story, Story):
        return _told(_cause(step.cause) for step in story.steps) if story.steps else ()
    return tuple(map(_recorded, story.seen))


def _cause(cause: Any) -> Phrase:
    match cause:
        case Call():
            name = getattr(cause.function, "__qualname__", "")
            return Phrase(words(name) if name.isidentifier() else "a function is called")
        case EventData():
            said = [(words(name).lower(), text(value)) for name, value in cause.data.items()]
            return Phrase(f"{words(cause.type)}, as stored", tuple(said), kind="event")
        case _:
            return phrase(cause, "command")


def _recorded(recorded: Recorded[Any]) -> Phrase:
    stream = recorded.stream
    kind = "" if stream.aggregate_type == ANY_TYPE else f"{words(stream.aggregate_type)} "
    return phrase(recorded.event, "event", one_line(kind + stream.aggregate_id))


def _told(phrases: Iterable[Phrase]) -> tuple[Phrase, ...]:
    """Some phrases, with one for those that follow each other and read the same."""
    told: list[Phrase] = []
    for said, same in groupby(phrases):
        times = sum(1 for _ in same)
        head = said.head if times == 1 else f"{said.head}, {times} times"
        told.append(attrs.evolve(said, head=head))
    return tuple(told) or (NOTHING,)


def _then(outcome: Entry) -> Iterator[Passage]:
    if not outcome.checks and outcome.looked_at:
        yield Passage("then", _came(outcome.story))
    for check in outcome.checks:
        say = _CHECKS.get(check.method, _any_check)
        yield from say(outcome.story, check)


def _came(story: Any) -> tuple[Phrase, ...]:
    match story:
        case ViewStory():
            return _told(
                phrase(value, "state", one_line(key)) for key, value in story.values.items()
            )
        case ProcessStory():
            return _told(map(_sent, story.sent))
        case _:
            refusals = () if story.refusal is None else (_refusal(story),)
            return _told([*(phrase(event, "event") for event in story.events), *refusals])


def _sent(command: Any) -> Phrase:
    if isinstance(command, Like):
        whose = text(command.fields["aggregate_id"]) if "aggregate_id" in command.fields else ""
        return phrase(command, "command", whose)
    return phrase(command, "command", one_line(getattr(command, "aggregate_id", "")))


def _refusal(story: Story[Any, Any, Any]) -> Phrase:
    message = text_of_refusal(story.refusal)
    return Phrase(
        words(type(story.refusal).__qualname__), ((message, ""),) if message else (), "", "refusal"
    )


def text_of_refusal(refusal: Rejected | None) -> str:
    """What a refusal says."""
    return one_line(str(refusal))


def _events(_: Any, check: Check) -> Iterator[Passage]:
    yield Passage("then", _told(phrase(event, "event") for event in check.arguments))


def _in_any_order(_: Any, check: Check) -> Iterator[Passage]:
    yield Passage("in any order", _told(phrase(event, "event") for event in check.arguments))


def _containing(_: Any, check: Check) -> Iterator[Passage]:
    yield Passage("among others", _told(phrase(event, "event") for event in check.arguments))


def _only(_: Any, check: Check) -> Iterator[Passage]:
    yield Passage("only", _told(phrase(each, "event") for each in check.arguments))


def _rejected(story: Any, check: Check) -> Iterator[Passage]:
    (reason, *_) = check.arguments
    if check.failure is None:
        yield Passage("refused", (_refusal(story),))
    else:
        yield Passage("refused", (phrase(reason, "refusal"),))


def _state(_: Any, check: Check) -> Iterator[Passage]:
    (*key, state) = check.arguments
    yield Passage("state", (phrase(state, "state", one_line("".join(map(str, key)))),))


def _matching(story: Any, check: Check) -> Iterator[Passage]:
    # What matched says more than the matchers.
    events = _came(story) if check.failure is None else _told(map(phrase, check.arguments))
    yield Passage("then", events)


def _state_matching(story: Any, check: Check) -> Iterator[Passage]:
    state = story.state if check.failure is None else check.arguments[0]
    yield Passage("state", (phrase(state, "state"),))


def _view(_: Any, check: Check) -> Iterator[Passage]:
    key, value = check.arguments
    yield Passage("then", (phrase(value, "state", one_line(str(key))),))


def _no_view(_: Any, check: Check) -> Iterator[Passage]:
    (key,) = check.arguments
    yield Passage("then", (Phrase("no value", (), one_line(str(key)), "state"),))


def _no_state(_: Any, check: Check) -> Iterator[Passage]:
    (key,) = check.arguments
    yield Passage("state", (Phrase("no state", (), one_line(str(key)), "state"),))


def _untouched(_: Any, check: Check) -> Iterator[Passage]:
    keys = one_line(", ".join(map(str, check.arguments))) or "everything"
    yield Passage("untouched", (Phrase(keys, (), "", "state"),))


def _commands(_: Any, check: Check) -> Iterator[Passage]:
    yield Passage("then", _told(map(_sent, check.arguments)))


def _any_check(_: Any, check: Check) -> Iterator[Passage]:
    yield Passage(words(check.method).lower(), _told(map(phrase, check.arguments)))


def _broken_off(_: Any, check: Check) -> Iterator[Passage]:
    """What was being given or done when a rule was broken."""
    say = _cause if check.method == "when" else _happened
    yield Passage(check.method, _told(map(say, check.arguments)))


_CHECKS: dict[str, Callable[[Any, Check], Iterator[Passage]]] = {
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
}
