"""One commit as one line of JSON, in a form that has no variants: equal commits, equal bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from eventhus.adapter_support import check_plain_data, checked_commit
from eventhus.domain.recorded import EventData, Metadata, StreamId, is_id
from eventhus.errors import EventhusError, InvalidCommit
from eventhus.ports.store import Commit, Part, StoredCommit

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

_UNREADABLE = "it is not a commit in the form that an export writes"


def to_line(stored: StoredCommit) -> bytes:
    """Return a commit as UTF-8, with the line break.

    Fields stand in a fixed order, tags and metadata are sorted, times are in UTC with microseconds.
    The keys of an event's data keep their order, as they do in a store.
    """
    commit = stored.commit
    document = {
        "position": stored.position,
        "commit_id": commit.id,
        "command_id": commit.command_id,
        "recorded_at": _to_text(commit.recorded_at),
        "correlation_id": commit.metadata.correlation_id,
        "causation_id": commit.metadata.causation_id,
        "metadata": dict(sorted(commit.metadata.values.items())),
        "parts": [
            {
                "aggregate_type": part.stream.aggregate_type,
                "aggregate_id": part.stream.aggregate_id,
                "version": version,
                "events": [
                    {
                        "type": event.type,
                        "schema": event.schema,
                        "tags": sorted(event.tags),
                        "data": event.data,
                    }
                    for event in part.events
                ],
            }
            for part, version in zip(commit.parts, stored.versions, strict=True)
        ],
    }
    return f"{_encode(document)}\n".encode()


def from_line(line: bytes) -> StoredCommit:
    """Return the commit of a line.

    Raises:
        ValueError: The line has another form than ``to_line`` gives, or no store would take the
            commit. The message quotes nothing of it.
    """
    problem = _UNREADABLE
    try:
        stored = _to_commit(json.loads(line))
        if to_line(stored) == line:
            checked(stored.commit)
            return stored
    except EventhusError as error:
        problem = str(error)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
        pass
    # Outside of the handlers, because their errors hold the line.
    raise ValueError(problem)


def checked(commit: Commit) -> Commit:
    """Return a commit with its time in UTC, after the checks that every store makes.

    Raises:
        InvalidArgument: An id, a name, the tags or the metadata is beyond its limit.
        InvalidCommit: It has no parts, or no events in one of them, or two parts have the same
            stream; the data is not JSON-compatible; or ``recorded_at`` is naive.
    """
    for event in commit.events:
        try:
            check_plain_data(event.data)
        except ValueError as error:
            raise InvalidCommit(
                f"an event of commit {commit.id} is not JSON-compatible: {error}"
            ) from None
    return checked_commit(commit)


def _to_text(time: datetime) -> str:
    # isoformat is several times as fast as strftime.
    return time.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _to_commit(document: Mapping[str, Any]) -> StoredCommit:
    command_id = document["command_id"]
    commit = Commit(
        id=_id(document["commit_id"]),
        parts=[
            Part(
                stream=StreamId(part["aggregate_type"], part["aggregate_id"]),
                events=[_to_event(event) for event in part["events"]],
                expected_version=None,
            )
            for part in document["parts"]
        ],
        recorded_at=datetime.fromisoformat(document["recorded_at"]),
        metadata=Metadata(
            document["correlation_id"], document["causation_id"], document["metadata"]
        ),
        command_id=None if command_id is None else _id(command_id),
    )
    return StoredCommit(
        commit=commit,
        versions=[_number(part["version"]) for part in document["parts"]],
        position=_number(document["position"]),
    )


def _to_event(event: Mapping[str, Any]) -> EventData:
    data = event["data"]
    if not isinstance(data, dict):
        raise TypeError
    return EventData(
        _id(event["type"]), data, _number(event["schema"]), frozenset(map(_id, event["tags"]))
    )


def _id(value: object) -> str:
    if not (isinstance(value, str) and is_id(value)):
        raise TypeError
    return value


def _number(value: object) -> int:
    if type(value) is not int or value < 1:  # a bool is an int
        raise TypeError
    return value
