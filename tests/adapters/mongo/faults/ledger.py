"""What the writers write: events that say which write they belong to."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from eventhus import Aggregate, Command


@frozen(kw_only=True)
class Write(Command):
    """Add events to a ledger, behind whatever it holds."""

    key: str
    size: int


@frozen(kw_only=True)
class Written:
    """One event of a write.

    Attributes:
        key: Names the write.
        number: Which of its events this is, from 1.
        size: How many it has.
        after: The version of the ledger that the writer decided on; ``None`` for any.
        second: How many events of the write belong to another ledger, its second one.
        claim: The tag that no event was to have behind ``above``; ``None`` without a condition.
        above: The position behind which no event was to have it.
    """

    key: str
    number: int
    size: int
    after: int | None
    second: int = 0
    claim: str | None = None
    above: int = 0


def decide(command: Write, version: int) -> Iterator[Written]:
    for number in range(1, command.size + 1):
        yield Written(key=command.key, number=number, size=command.size, after=version)


def evolve(version: int, event: Written) -> int:
    return version + 1


ledger = Aggregate(name="Ledger", initial=0, decide=decide, evolve=evolve)
