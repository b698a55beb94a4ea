"""Reads and writes files of samples: ``{"Opened": {"1": [{"owner": "ann"}]}}``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from eventhus.ports import EventData
from eventhus_testing.texts.printable import encodable


class MalformedSamples(ValueError):
    """The file is not in the format that ``golden.update`` writes.

    Attributes:
        path: The file.
        problem: What is wrong, and where.
    """

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(
            f"{path} is not a file of samples: {problem}\n"
            f"Restore it from version control, or repair it by hand. It holds lists of data by "
            f'type and schema: {{"Opened": {{"1": [{{"owner": "ann"}}]}}}}'
        )


class _Malformed(Exception):
    """A problem of a text that should hold samples."""


def read(path: Path) -> list[EventData]:
    """Return the samples in a file, or none if the file does not exist.

    Raises:
        MalformedSamples: The file is not in the format that ``write`` uses.
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
    """Write samples to a file, replacing its content."""
    types: dict[str, dict[str, list[Any]]] = {}
    for event in sorted(events, key=lambda each: (each.type, each.schema)):
        types.setdefault(event.type, {}).setdefault(str(event.schema), []).append(
            dict(sorted(event.data.items()))
        )
    text = json.dumps(types, ensure_ascii=False, indent=2)
    # UTF-8 cannot encode lone surrogates, and JSON strings can escape them.
    path.write_text(encodable(text) + "\n", encoding="utf-8")


def _parsed(text: str) -> Any:
    if "<<<<<<< " in text and ">>>>>>> " in text:
        raise _Malformed("it has the marks of a merge conflict; keep the samples of both sides")
    try:
        return json.loads(text, object_pairs_hook=_without_repetition, parse_constant=_no_constant)
    except ValueError as error:
        raise _Malformed(f"it is not JSON ({error})") from error


def _without_repetition(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, and refuse repeated keys, of which ``json`` would keep only the last."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Malformed(f"the key {key!r} is repeated in one object")
        found[key] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise _Malformed(f"{name} is not JSON")


def _samples(types: Any) -> Iterator[EventData]:
    for name, schemas in _object(types, "it", "schemas by type").items():
        for schema, samples in _object(schemas, repr(name), "samples by schema").items():
            where = f"{name!r}, {schema!r}"
            if not (schema.isascii() and schema.isdecimal() and int(schema) > 0):
                raise _Malformed(f"{where}: a schema is a whole number of at least 1")
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
    return {dict: "an object", list: "a list", str: "a string", type(None): "null"}.get(
        type(value), json.dumps(value)
    )
