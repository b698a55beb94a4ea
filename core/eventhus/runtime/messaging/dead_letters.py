"""Dead letters: the headers that say why an event could not be handled."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime

from attrs import evolve, frozen

from eventhus.adapter_support.message_position import message_position
from eventhus.domain.recorded import StreamId
from eventhus.ports.bus import DeadLetter, Message

ERROR_TYPE = "Eventhus-Error-Type"
ERROR = "Eventhus-Error"  # as JSON, which escapes what a header may not hold
ERROR_ATTEMPTS = "Eventhus-Error-Attempts"
FAILED_AT = "Eventhus-Failed-At"
_ERROR_LIMIT = 1000  # characters of an error message
_NUMBER = re.compile(r"[0-9]{1,18}")


@frozen(kw_only=True)
class BuriedEvent:
    """A dead letter: an event that a consumer group could not handle.

    A letter of another program may not say why it failed.

    Attributes:
        number: Identifies the letter among those of its group; higher numbers came later.
        stream: The stream of the event.
        type: The stored name of the event's class.
        id: The id of the event.
        position: The position of the event in the log; ``None`` if it is unknown.
        error: The name of the class of the last error; empty if it is unknown.
        reason: The message of that error, at most 1,000 characters. A handler's error may quote the
            event.
        attempts: The number of attempts before the event became a dead letter; 0 if it is unknown.
        at: When it became a dead letter, timezone-aware; ``None`` if it is unknown.
    """

    number: int
    stream: StreamId
    type: str
    id: str
    position: int | None
    error: str
    reason: str
    attempts: int
    at: datetime | None


def letter_of(message: Message, error: BaseException, attempts: int, at: datetime) -> Message:
    """Return a message with the headers of a dead letter."""
    cls = type(error)
    headers = {
        **message.headers,
        ERROR_TYPE: json.dumps(f"{cls.__module__}.{cls.__qualname__}").strip('"'),
        ERROR_ATTEMPTS: str(attempts),
        FAILED_AT: at.isoformat(),
        ERROR: json.dumps(str(error)[:_ERROR_LIMIT]),
    }
    return evolve(message, headers=headers)


def buried_event(letter: DeadLetter) -> BuriedEvent:
    """Return the event and the failure that a dead letter describes."""
    message = letter.message
    headers = {name: str(value) for name, value in message.headers.items()}
    attempts = headers.get(ERROR_ATTEMPTS, "")
    return BuriedEvent(
        number=letter.number,
        stream=message.stream,
        type=message.type,
        id=message.id,
        position=message_position(headers),
        error=headers.get(ERROR_TYPE, "").rpartition(".")[2],
        reason=_reason(headers),
        attempts=int(attempts) if _NUMBER.fullmatch(attempts) else 0,
        at=_time(headers),
    )


def _reason(headers: Mapping[str, str]) -> str:
    try:
        reason: object = json.loads(headers.get(ERROR, '""'))
    except (ValueError, RecursionError):
        return ""
    return reason[:_ERROR_LIMIT] if isinstance(reason, str) else ""


def _time(headers: Mapping[str, str]) -> datetime | None:
    try:
        time = datetime.fromisoformat(headers.get(FAILED_AT, ""))
    except ValueError:
        return None
    return None if time.utcoffset() is None else time
