"""A process with deadlines and refusals, and what must be true of a log that it has handled."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import field, frozen, mutable

from eventhus import (
    Application,
    Cancel,
    Command,
    CommandRefused,
    Deadline,
    DeadlineOvertaken,
    DeadlineReached,
    Process,
    Recorded,
)
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from tests.bank import Deposited, Opened, Renamed, Scribble, Withdraw, Withdrawn, account, note

Followed = Opened | Deposited | Withdrawn | Renamed
Own = DeadlineReached | CommandRefused

COMMAND = "command"  # in the metadata of an event: the id of the writer's command
TOO_MUCH = 1_000_000
WARNED = 3  # deposits after which a withdrawal is tried that is refused


def account_of(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def count(deposits: int, recorded: Recorded[Followed]) -> int:
    return deposits + isinstance(recorded.event, Deposited)


def dun(deposits: int, recorded: Recorded[Followed | Own]) -> Iterator[Command | Deadline | Cancel]:
    """Ask for a deposit in time, and write down what has become of it.

    The owner's name is the time in milliseconds. A withdrawal arms another deadline.
    """
    key = account_of(recorded)
    match recorded.event:
        case Opened(owner) | Renamed(owner):
            yield Deadline("deposit", after=timedelta(milliseconds=int(owner)))
        case Withdrawn():
            yield Deadline("refill", after=timedelta(milliseconds=150))
        case Deposited():
            yield Cancel("deposit")
            if deposits % WARNED == 0:
                yield Withdraw(aggregate_id=key, amount=TOO_MUCH)
        case DeadlineReached() | CommandRefused():
            yield Scribble(aggregate_id=key, text=type(recorded.event).__name__)


dunning: Process[Followed, int] = Process(
    name="dunning", initial=0, key=account_of, evolve=count, react=dun
)


def bank(url: str, bucket: str) -> Application:
    """The bank, with the process."""
    return Application(
        bucket=bucket,
        aggregates=[account, note],
        processes=[dunning],
        store=MongoStore.open(url, bucket),
        codec=CattrsCodec(),
    )


@frozen
class Armed:
    """A deadline that an event has armed."""

    event_id: str
    due: datetime


@mutable
class _Key:
    armed: dict[str, Armed] = field(factory=dict)
    deposits: int = 0


def violations(log: Sequence[Recorded[Any]]) -> list[str]:
    """Return everything that is wrong in a log that was handled, when all deadlines have passed."""
    return [*_deadlines(log), *_answers(log)]


def _deadlines(log: Sequence[Recorded[Any]]) -> Iterator[str]:
    keys = defaultdict[str, _Key](_Key)
    ever: dict[tuple[str, str], datetime] = {}  # every deadline, by name and arming event
    reached = Counter[tuple[str, str]]()
    overtaken = {
        each.metadata.causation_id for each in log if isinstance(each.event, DeadlineOvertaken)
    }
    for recorded in log:
        key = keys[account_of(recorded)]
        match recorded.event:
            case Opened(owner) | Renamed(owner):
                name, after = "deposit", timedelta(milliseconds=int(owner))
            case Withdrawn():
                name, after = "refill", timedelta(milliseconds=150)
            case Deposited():
                key.armed.pop("deposit", None)
                continue
            case DeadlineReached(name):
                cause = recorded.metadata.causation_id or ""
                yield from _reached(recorded, ever, reached, key, overtaken)
                if name in key.armed and key.armed[name].event_id == cause:
                    del key.armed[name]
                continue
            case _:
                continue
        key.armed[name] = Armed(recorded.id, recorded.recorded_at + after)
        ever[name, recorded.id] = recorded.recorded_at + after
    for each, key in keys.items():
        for name in key.armed:
            yield f"lost: {name} of {each}"


def _reached(
    recorded: Recorded[DeadlineReached],
    ever: dict[tuple[str, str], datetime],
    reached: Counter[tuple[str, str]],
    key: _Key,
    overtaken: set[str | None],
) -> Iterator[str]:
    name, cause = recorded.event.name, recorded.metadata.causation_id or ""
    where = f"{name} of {account_of(recorded)} at position {recorded.position}"
    if (name, cause) not in ever:
        yield f"unknown: {where}"
        return
    if recorded.recorded_at < ever[name, cause]:
        yield f"early: {where}"
    reached[name, cause] += 1
    if reached[name, cause] > 1:
        yield f"repeated: {where}"
    is_armed = name in key.armed and key.armed[name].event_id == cause
    if is_armed == (recorded.id in overtaken):
        yield f"{'dropped' if is_armed else 'cancelled'}: {where}"


def _answers(log: Sequence[Recorded[Any]]) -> Iterator[str]:
    """Compare what each event has led to with what it must lead to."""
    overtaken = {
        each.metadata.causation_id for each in log if isinstance(each.event, DeadlineOvertaken)
    }
    expected = Counter[tuple[str, str]]()
    deposits = Counter[str]()
    for recorded in log:
        if isinstance(recorded.event, DeadlineReached | CommandRefused):
            expected[recorded.id, "Scribbled"] += recorded.id not in overtaken
        elif isinstance(recorded.event, Deposited):
            deposits[account_of(recorded)] += 1
            if deposits[account_of(recorded)] % WARNED == 0:
                expected[recorded.id, "CommandRefused"] += 1
    actual = Counter(
        (each.metadata.causation_id or "", type(each.event).__name__)
        for each in log
        if each.metadata.causation_id is not None
        and not isinstance(each.event, DeadlineReached | DeadlineOvertaken)
    )
    for cause, name in (expected - actual).elements():
        yield f"unanswered: {name} because of {cause}"
    for cause, name in (actual - expected).elements():
        yield f"answered again: {name} because of {cause}"


def unsettled(told: Mapping[str, int], log: Sequence[Recorded[Any]]) -> list[str]:
    """Return the commands of writers that had another effect than their writer was told of.

    Args:
        told: How many events each command has led to.
        log: All events. Those of a writer name its command.
    """
    events = Counter(
        each.metadata.values[COMMAND] for each in log if each.metadata.causation_id is None
    )
    return [
        f"{'undone' if events[each] < told.get(each, 0) else 'done again'}: command {each}"
        for each in sorted({*told, *events})
        if events[each] != told.get(each, 0)
    ]


def fates(log: Sequence[Recorded[Any]], position: int) -> Counter[str]:
    """Return how many of the deadlines that were armed at a position were reached or cancelled."""
    armed: dict[tuple[str, str], str] = {}  # the arming event, by key and name
    fates = Counter[str]()
    for recorded in log:
        key = account_of(recorded)
        match recorded.event:
            case Opened() | Renamed() | Withdrawn():
                name = "refill" if isinstance(recorded.event, Withdrawn) else "deposit"
                if recorded.position <= position:
                    armed[key, name] = recorded.id
                else:
                    armed.pop((key, name), None)
            case Deposited():
                is_armed = armed.pop((key, "deposit"), None) is not None
                fates["cancelled"] += is_armed and recorded.position > position
            case DeadlineReached(name):
                if armed.get((key, name)) == recorded.metadata.causation_id:
                    del armed[key, name]
                    fates["reached"] += recorded.position > position
            case _:
                pass
    return fates
