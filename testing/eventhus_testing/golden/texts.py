"""What ``golden`` says, with the code to paste."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from eventhus import Aggregate
from eventhus.domain.catalog import EventType
from eventhus.errors import CodecError
from eventhus.ports import EventData
from eventhus_testing.golden.schema_diff import Change, FieldChange, as_text

AnyAggregate = Aggregate[Any, Any, Any]


def missing(file: str, lacking: Mapping[tuple[str, int], EventType], *, exists: bool) -> str:
    """There is no sample of some types and schemas."""
    lines = [f"{file} has no sample of" if exists else f"{file} does not exist; it is to have"]
    lines += ["", *_listed(lacking), ""]
    lines.append(
        "Call golden.update(...) in place of golden.check(...), once, with the same arguments:\n"
        "it adds what is missing and changes nothing that is there."
    )
    earlier = [key for key, event_type in lacking.items() if key[1] < event_type.schema]
    if earlier:
        lines += ["", _how_to_give(earlier)]
    return "\n".join(lines)


def unmade(file: str, reasons: Mapping[tuple[str, int], str]) -> str:
    """Some samples that are missing cannot be made."""
    lines = [f"{file} is as it was: give a sample of each of these in samples=[...]", ""]
    lines += [
        f"{line}: {reason}" for line, reason in zip(_listed(reasons), reasons.values(), strict=True)
    ]
    return "\n".join([*lines, "", _how_to_give(reasons)])


def added(file: str, events: Iterable[EventData]) -> str:
    """Samples were added."""
    keys = dict.fromkeys((event.type, event.schema) for event in events)
    return "\n".join(
        [
            f"{file} has new samples of",
            "",
            *_listed(keys),
            "",
            "Look at them, commit the file, and call golden.check(...) again.",
        ]
    )


def changed(
    file: str,
    stored: EventData,
    event_type: EventType,
    aggregate: AnyAggregate,
    change: Change,
) -> str:
    """A class changed its shape, and stored data did not."""
    cls = event_type.cls.__qualname__
    lines = [f"{file}: {cls} has another shape than what is stored of it (- stored, + now)", ""]
    lines.append(f"- {_json(stored.data)}")
    if as_text(change.now) != as_text(stored.data):
        lines.append(f"+ {_json(change.now)}")
    lines += [f"? {_note(field)}" for field in change.fields]
    if change.problem:
        lines.append(f"? {change.problem}")
    lines += [
        "",
        "What is stored stays. If the change is meant, bring it to the new shape with an upcaster:",
        "",
        *_upcaster(event_type, aggregate, change),
        "",
        "Then add a sample of the new schema with golden.update(...).",
    ]
    return "\n".join(lines)


def unreadable(
    file: str, stored: EventData, event_type: EventType, data: Mapping[str, Any], error: CodecError
) -> str:
    """Upcasters do not lead from stored data to the class."""
    name = event_type.cls.__qualname__
    chain = [_function_name(upcaster) for upcaster in event_type.upcasters[stored.schema - 1 :]]
    return "\n".join(
        [
            f"{file}: {stored.type} of schema {stored.schema} cannot be read any more",
            "",
            f"stored      {_json(stored.data)}",
            f"upcasters   {', '.join(chain)}",
            *([] if data is stored.data else [f"give        {_json(data)}"]),
            f"but         {error}",
            "",
            f"Upcasters stay as they are, for what was stored. If {name} has changed once more,",
            "put another behind them; else see what changed in one of these.",
        ]
    )


def unknown_schema(file: str, stored: EventData, event_type: EventType) -> str:
    """There are fewer upcasters than there were."""
    return (
        f"{file}: {stored.type} is stored with schema {stored.schema}, and has "
        f"{event_type.schema - 1} upcasters, which makes its schema {event_type.schema}\n\n"
        f"Put back the upcasters that were removed: logs hold what they are for."
    )


def unknown_name(
    file: str, stored: EventData, candidates: Sequence[tuple[EventType, AnyAggregate]]
) -> str:
    """No class has a stored name, which one had."""
    lines = [f"{file}: no aggregate declares an event {stored.type!r}, which is stored"]
    for event_type, aggregate in candidates:
        lines += [
            "",
            f"If {event_type.cls.__qualname__} is what it is called now, say so:",
            "",
            *_aliases(stored.type, event_type.cls, aggregate),
        ]
    lines += [
        "",
        f"If no log holds one, delete its samples from {file}; else declare it again."
        if candidates
        else f"Declare it again; or if no log holds one, delete its samples from {file}.",
    ]
    return "\n".join(lines)


def _aliases(name: str, cls: type, aggregate: AnyAggregate) -> list[str]:
    aliases = {**aggregate.aliases, name: cls}
    entries = [f"{json.dumps(old)}: {new.__qualname__}" for old, new in aliases.items()]
    return _argument(aggregate, "aliases", entries)


def _upcaster(event_type: EventType, aggregate: AnyAggregate, change: Change) -> Iterator[str]:
    cls, schema = event_type.cls.__qualname__, event_type.schema
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", event_type.cls.__name__).lower()
    function = f"{words}_from_{schema}_to_{schema + 1}"
    yield f"def {function}(data: dict[str, Any]) -> dict[str, Any]:"
    yield f'    """Bring the data of {cls} from schema {schema} to {schema + 1}."""'
    yield from (f"    {line}" for line in _statements(change))
    yield "    return data"
    yield ""
    upcasters = {**aggregate.upcasters}
    chains = {each.__qualname__: [*map(_function_name, upcasters[each])] for each in upcasters}
    chains.setdefault(cls, []).append(function)
    entries = [f"{name}: [{', '.join(chain)}]" for name, chain in chains.items()]
    yield from _argument(aggregate, "upcasters", entries)


def _statements(change: Change) -> Iterator[str]:
    renamed = change.renamed or ()
    if renamed:
        old, new = map(_code, renamed)
        yield f"data[{new}] = data.pop({old})  # if that is what became of it"
    for field in change.fields:
        key = f"data[{_code(field.name)}]"
        if field.name in renamed:
            continue
        if field.kind == "removed":
            yield f"del {key}"
        elif field.kind == "added" and field.is_default:
            yield f"{key} = {_code(field.now)}"
        elif field.kind == "added":
            yield f"{key} = ...  # {_such_as(field)}"
        else:
            yield f"{key} = ...  # was {_json(field.stored)}; {_such_as(field)} now"
    if not change.fields:
        yield "...  # make it what the class takes"


def _such_as(field: FieldChange) -> str:
    return field.type_text if field.now is None else f"such as {_json(field.now)}"


def _note(field: FieldChange) -> str:
    if field.kind == "removed":
        return f"{field.name}: removed"
    if field.kind == "added":
        return f"{field.name}: added, {field.type_text}"
    now = f"{field.name}: is {field.type_text} now"
    return f"{now} ({field.problem})" if field.problem else now


def _argument(aggregate: AnyAggregate, name: str, entries: Sequence[str]) -> list[str]:
    return [
        f"{name}={{{', '.join(entries)}}},  # in Aggregate(name={json.dumps(aggregate.name)}, ...)"
    ]


def _how_to_give(keys: Iterable[tuple[str, int]]) -> str:
    name, schema = next(iter(keys))
    return (
        f"One of today's schema is an event; one of an earlier schema is given as it was stored:\n"
        f"samples=[EventData({json.dumps(name)}, {{...}}, schema={schema})]"
    )


def _listed(keys: Iterable[tuple[str, int]]) -> list[str]:
    return [f"  {name}, schema {schema}" for name, schema in keys]


def _function_name(function: object) -> str:
    return getattr(function, "__name__", repr(function))


def _code(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False) if isinstance(data, str) else repr(data)


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False)
