"""Deadlines of processes: arming, replacing and cancelling them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from eventhus.domain.recorded import Recorded, is_id
from eventhus.errors import InvalidArgument

NAME_BYTES: Final = 255
"""The longest name of a deadline, in UTF-8."""


def _check_name(name: object) -> None:
    if not is_id(name) or len(str(name).encode()) > NAME_BYTES:
        found = type(name).__qualname__ if not isinstance(name, str) else f"{len(name)} characters"
        raise InvalidArgument(
            f"the name of a deadline must be a non-empty str of whole Unicode characters and at "
            f"most {NAME_BYTES} bytes in UTF-8, found {found}"
        )


@frozen
class Deadline:
    """An answer of ``react`` that arms a deadline: ``DeadlineReached`` is appended at its time.

    A ``Cancel`` of the same name disarms it, and another ``Deadline`` of the name replaces it, even
    by an earlier time.

    >>> Deadline("payment", after=timedelta(minutes=30))
    Deadline(name='payment', after=datetime.timedelta(seconds=1800), at=None)

    Attributes:
        name: Tells the deadlines of one key apart: non-empty text of at most 255 bytes.
        after: The time from the ``recorded_at`` of the event that arms the deadline, at least 0.
        at: The time instead, timezone-aware. One in the past is reached at once.

    Raises:
        InvalidArgument: The name or a time is not of that form, or not exactly one of ``after`` and
            ``at`` is given.
    """

    name: str
    after: timedelta | None = field(default=None, kw_only=True)
    at: datetime | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_name(self.name)
        after: object = self.after
        at: object = self.at
        if (after is None) == (at is None):
            raise InvalidArgument(
                f"deadline {self.name!r} takes either after=timedelta(...) or at=datetime(...)"
            )
        if after is not None and not (isinstance(after, timedelta) and after >= timedelta()):
            raise InvalidArgument(
                f"after of deadline {self.name!r} must be a timedelta, not below 0, found {after!r}"
            )
        if at is not None and not (isinstance(at, datetime) and at.utcoffset() is not None):
            raise InvalidArgument(
                f"at of deadline {self.name!r} must be a timezone-aware datetime, such as "
                f"datetime(..., tzinfo=UTC), found {at!r}"
            )

    def due(self, recorded: Recorded[Any]) -> datetime:
        """Return the time at which the deadline is reached, in UTC.

        Args:
            recorded: The event that arms it.

        Raises:
            OverflowError: The time is after the year 9999, or before the year 1.
        """
        if self.after is not None:
            return recorded.recorded_at + self.after
        assert self.at is not None, "one of the two is given"
        return self.at.astimezone(UTC)


@frozen
class Cancel:
    """An answer of ``react`` that cancels a deadline. Does nothing if none of the name is armed.

    Attributes:
        name: The name of the deadline.

    Raises:
        InvalidArgument: The name does not have the form of a deadline's.
    """

    name: str

    def __attrs_post_init__(self) -> None:
        _check_name(self.name)


@frozen
class ArmedDeadline:
    """A deadline of one key of a process that has been neither reached nor cancelled.

    Attributes:
        name: Its name, unique among the armed deadlines of the key.
        due: The time at which it is reached: timezone-aware, UTC, to the microsecond.
        event_id: The id of the event that armed it.
        position: The position of that event.
    """

    name: str
    due: datetime
    event_id: str
    position: int


Armed: TypeAlias = tuple[ArmedDeadline, ...]
"""The armed deadlines of one key, earliest first."""


def rearmed(armed: Armed, answers: Iterable[object], recorded: Recorded[Any]) -> Armed:
    """Return the armed deadlines after an answer of ``react``.

    Args:
        armed: The armed deadlines before.
        answers: The answer. Commands in it change nothing.
        recorded: The event that was reacted to.

    Raises:
        OverflowError: As for ``Deadline.due``.
    """
    by_name = {each.name: each for each in armed}
    for answer in answers:
        if isinstance(answer, Deadline):
            by_name[answer.name] = ArmedDeadline(
                answer.name, answer.due(recorded), recorded.id, recorded.position
            )
        elif isinstance(answer, Cancel):
            by_name.pop(answer.name, None)
    return tuple(sorted(by_name.values(), key=lambda each: (each.due, each.name)))
