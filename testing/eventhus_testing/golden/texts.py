"""The messages of ``golden``, with the code to paste."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from eventhus.domain.catalog import EventType
from eventhus.domain.decider import Decider
from eventhus.errors import CodecError
from eventhus.ports import EventData
from eventhus_testing.golden.schema_diff import Change, FieldChange, json_text

AnyDecider = Decider[Any, Any, Any]


def missing(file: str, lacking: Mapping[tuple[str, int], EventType], *, exists: bool) -> str:
    """Say which types and schemas have no sample."""
    lines = [f"{file} has no sample of" if exists else f"{file} does not exist; it should hold"]
    lines += ["", *_listed(lacking), ""]
    lines.append(
        "Replace golden.check(...) with golden.update(...) for one run, with the same arguments.\n"
        "It adds the missing samples and does not change the others."
    )
    earlier = [key for key, event_type in lacking.items() if key[1] < event_type.schema]
    if earlier:
        lines += ["", _how_to_give(earlier)]
    return "\n".join(lines)


def unmade(file: str, reasons: Mapping[tuple[str, int], str]) -> str:
    """Say which missing samples cannot be made up."""
    lines = [f"{file} was not changed; pass a sample of each of these in samples=[...]", ""]
    lines += [
        f"{line}: {reason}" for line, reason in zip(_listed(reasons), reasons.values(), strict=True)
    ]
    return "\n".join([*lines, "", _how_to_give(reasons)])


def added(file: str, events: Iterable[EventData]) -> str:
    """Say which samples were added."""
    keys = dict.fromkeys((event.type, event.schema) for event in events)
    return "\n".join(
        [
            f"{file} has new samples of",
            "",
            *_listed(keys),
            "",
            "Review them, commit the file, and call golden.check(...) again.",
        ]
    )


def changed(
    file: str,
    stored: EventData,
    event_type: EventType,
    decider: AnyDecider,
    change: Change,
) -> str:
    """Show how a class differs from the data that is stored, with an upcaster to paste."""
    cls = event_type.cls.__qualname__
    lines = [f"{file}: {cls} does not match its stored data (- stored, + now)", ""]
    lines.append(f"- {_json(stored.data)}")
    if json_text(change.now) != json_text(stored.data):
        lines.append(f"+ {_json(change.now)}")
    lines += [f"? {_note(field)}" for field in change.fields]
    if change.problem:
        lines.append(f"? {change.problem}")
    lines += [
        "",
        "Stored events never change. If the class was changed on purpose, add an upcaster:",
        "",
        *_upcaster(event_type, decider, change),
        "",
        "Then add a sample of the new schema with golden.update(...).",
    ]
    return "\n".join(lines)


def unreadable(
    file: str, stored: EventData, event_type: EventType, data: Mapping[str, Any], error: CodecError
) -> str:
    """Show that the upcasters do not turn stored data into data that the class accepts."""
    name = event_type.cls.__qualname__
    chain = [_function_name(upcaster) for upcaster in event_type.upcasters[stored.schema - 1 :]]
    return "\n".join(
        [
            f"{file}: {stored.type} of schema {stored.schema} can no longer be read",
            "",
            f"stored      {_json(stored.data)}",
            f"upcasters   {', '.join(chain)}",
            *([] if data is stored.data else [f"return      {_json(data)}"]),
            f"but         {error}",
            "",
            f"If {name} has changed again, append an upcaster and do not change the earlier ones.",
            "Otherwise check what changed in these upcasters.",
        ]
    )


def unknown_schema(file: str, stored: EventData, event_type: EventType) -> str:
    """Say that upcasters were removed."""
    return (
        f"{file}: {stored.type} is stored with schema {stored.schema}, but its class has "
        f"{event_type.schema - 1} upcasters, which makes its schema {event_type.schema}\n\n"
        f"Put back the upcasters that were removed, because stores may hold events that need them."
    )


def unknown_name(
    file: str, stored: EventData, candidates: Sequence[tuple[EventType, AnyDecider]]
) -> str:
    """Say that a stored name belongs to no class, and suggest aliases."""
    lines = [f"{file}: samples of {stored.type!r} are stored, but no aggregate declares it"]
    for event_type, decider in candidates:
        lines += [
            "",
            f"If it is called {event_type.cls.__qualname__} now, add an alias:",
            "",
            *_aliases(stored.type, event_type.cls, decider),
        ]
    lines += [
        "",
        f"If no store holds such an event, delete its samples from {file}.",
        f"Otherwise declare {stored.type!r} again.",
    ]
    return "\n".join(lines)


def _aliases(name: str, cls: type, decider: AnyDecider) -> list[str]:
    aliases = {**decider.aliases, name: cls}
    entries = [f"{json.dumps(old)}: {new.__qualname__}" for old, new in aliases.items()]
    return _argument(decider, "aliases", entries)


def _upcaster(event_type: EventType, decider: AnyDecider, change: Change) -> Iterator[str]:
    cls, schema = event_type.cls.__qualname__, event_type.schema
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", event_type.cls.__name__).lower()
    function = f"{words}_from_{schema}_to_{schema + 1}"
    yield f"def {function}(data: dict[str, Any]) -> dict[str, Any]:"
    yield f'    """Bring the data of {cls} from schema {schema} to {schema + 1}."""'
    yield from (f"    {line}" for line in _statements(change))
    yield "    return data"
    yield ""
    upcasters = {**decider.upcasters}
    chains = {each.__qualname__: [*map(_function_name, upcasters[each])] for each in upcasters}
    chains.setdefault(cls, []).append(function)
    entries = [f"{name}: [{', '.join(chain)}]" for name, chain in chains.items()]
    yield from _argument(decider, "upcasters", entries)


def _statements(change: Change) -> Iterator[str]:
    renamed = change.renamed or ()
    if renamed:
        old, new = map(_code, renamed)
        yield f"data[{new}] = data.pop({old})  # if the field was renamed"
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
        yield "...  # change it to what the class accepts"


def _such_as(field: FieldChange) -> str:
    return field.type_text if field.now is None else f"such as {_json(field.now)}"


def _note(field: FieldChange) -> str:
    if field.kind == "removed":
        return f"{field.name}: removed"
    if field.kind == "added":
        return f"{field.name}: added, {field.type_text}"
    now = f"{field.name}: is {field.type_text} now"
    return f"{now} ({field.problem})" if field.problem else now


def _argument(decider: AnyDecider, name: str, entries: Sequence[str]) -> list[str]:
    owner = f"{type(decider).__name__}(name={json.dumps(decider.name)}, ...)"
    return [f"{name}={{{', '.join(entries)}}},  # in {owner}"]


def _how_to_give(keys: Iterable[tuple[str, int]]) -> str:
    name, schema = next(iter(keys))
    return (
        f"A sample of the current schema is an event. Give one of an earlier schema as stored:\n"
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
