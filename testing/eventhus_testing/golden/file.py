"""Reads and writes files of samples: ``{"Opened": {"1": [{"owner": "ann"}]}}``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from eventhus.ports import EventData
from eventhus_testing.texts.printable import encodable


class MalformedSamples(ValueError):
    """A file is not of the form that ``golden.update`` gives it.

    Attributes:
        path: The file.
        problem: What is wrong, and where.
    """

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(
            f"{path} is not a file of samples: {problem}\n"
            f"Take it back from version control, or mend it by hand: it holds, by type and "
            f'schema, lists of data: {{"Opened": {{"1": [{{"owner": "ann"}}]}}}}'
        )


class _Malformed(Exception):
    """What is wrong with a text."""


def read(path: Path) -> list[EventData]:
    """The samples in a file; none where there is no file.

    Raises:
        MalformedSamples: It is no file of samples.
    """
    if not path.exists():
        return []
    try:
        return [*_samples(_parsed(path.read_text(encoding="utf-8")))]
    except UnicodeDecodeError as error:
        raise MalformedSamples(path, f"it is not UTF-8 ({error})") from error
    except _Malformed as malformed:
        raise MalformedSamples(path, str(malformed)) from malformed.__cause__


def write(path: Path, events: Iterable[EventData]) -> None:
    """Write samples to a file, in the place of what it holds."""
    types: dict[str, dict[str, list[Any]]] = {}
    for event in sorted(events, key=lambda each: (each.type, each.schema)):
        types.setdefault(event.type, {}).setdefault(str(event.schema), []).append(
            dict(sorted(event.data.items()))
        )
    text = json.dumps(types, ensure_ascii=False, indent=2)
    # Inside JSON strings, the escapes mean the lone surrogates that UTF-8 cannot encode.
    path.write_text(encodable(text) + "\n", encoding="utf-8")


def _parsed(text: str) -> Any:
    if "<<<<<<< " in text and ">>>>>>> " in text:
        raise _Malformed("it has the marks of a conflict; keep the samples of both sides")
    try:
        return json.loads(text, object_pairs_hook=_without_repetition, parse_constant=_no_constant)
    except ValueError as error:
        raise _Malformed(f"it is not JSON ({error})") from error


def _without_repetition(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a key that stands there twice, JSON would lose one."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Malformed(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise _Malformed(f"{name} is not JSON")


def _samples(types: Any) -> Iterator[EventData]:
    for name, schemas in _object(types, "it", "schemas by type").items():
        for schema, samples in _object(schemas, repr(name), "samples by schema").items():
            where = f"{name!r}, {schema!r}"
            if not (schema.isascii() and schema.isdecimal() and int(schema) > 0):
                raise _Malformed(f"{where}: a schema is a number from 1")
            if not isinstance(samples, list):
                raise _Malformed(f"{where}: expected a list of samples, found {_kind(samples)}")
            for index, data in enumerate(samples):
                data = _object(data, f"{where}, sample {index + 1}", "fields")  # noqa: PLW2901
                yield EventData(name, data, int(schema))


def _object(found: Any, where: str, what: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise _Malformed(f"{where}: expected an object of {what}, found {_kind(found)}")
    return found


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(
        type(value), json.dumps(value)
    )
