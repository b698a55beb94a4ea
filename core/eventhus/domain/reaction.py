"""The answer of ``react``: commands to send, and deadlines to arm and to cancel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from eventhus.domain.command import Command
from eventhus.domain.deadlines import Cancel, Deadline
from eventhus.domain.process_events import PROCESS_EVENTS
from eventhus.domain.recorded import Recorded
from eventhus.errors import WrongAnswer

Answer: TypeAlias = Command | Deadline | Cancel
"""One item of the answer of ``react``."""


def checked(name: str, answer: object) -> tuple[Answer, ...]:
    """Return the answer of a process's ``react``, checked.

    Args:
        name: The name of the process, for messages.
        answer: The answer.

    Raises:
        WrongAnswer: It is not a collection of commands, deadlines and cancellations, or has two
            deadlines or cancellations of one name.
    """
    if not isinstance(answer, Iterable):
        raise WrongAnswer(
            f"react of {name} returned {type(answer).__name__} instead of commands; "
            f"yield them, or return a list"
        )
    answers: tuple[Any, ...] = tuple(answer)
    names: set[str] = set()
    for each in answers:
        if isinstance(each, Command):
            continue
        if not isinstance(each, Deadline | Cancel):
            raise WrongAnswer(
                f"react of {name} returned {type(each).__qualname__}, which is not a "
                f"command; derive it from eventhus.Command"
            )
        if each.name in names:
            raise WrongAnswer(
                f"react of {name} returned two answers for the deadline {each.name!r}; return one: "
                f"a Deadline replaces an earlier one without a Cancel"
            )
        names.add(each.name)
    return answers


def check_deadlines(name: str, answers: Sequence[Answer], recorded: Recorded[Any]) -> None:
    """Refuse deadlines that would be reached again and again.

    Args:
        name: The name of the process, for messages.
        answers: The answer of its ``react``.
        recorded: The event that was reacted to.

    Raises:
        WrongAnswer: An event of the process's own stream arms a deadline that has been reached
            already.
        OverflowError: As for ``Deadline.due``.
    """
    for each in answers:
        if not isinstance(each, Deadline):
            continue
        if each.due(recorded) <= recorded.recorded_at and type(recorded.event) in PROCESS_EVENTS:
            raise WrongAnswer(
                f"react of {name} answered {type(recorded.event).__name__} with the deadline "
                f"{each.name!r}, whose time has come already: it would be reached again and again; "
                f"choose a time after recorded_at"
            )
