"""The commands of a random history of a transaction and its aggregates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import Any

import attrs
from attrs import frozen
from hypothesis import strategies as st

from eventhus import Aggregate, Command, StreamId, Transaction
from eventhus.errors import InvalidArgument
from eventhus_testing.properties.counterexample import CommandStep, subject_name
from eventhus_testing.properties.model import Part, streams_of
from eventhus_testing.properties.strategies import commands, sequences
from eventhus_testing.properties.typed_values import Refinements
from eventhus_testing.python_source.imports import Imports
from eventhus_testing.python_source.layout import Brackets, Item
from eventhus_testing.python_source.values import quoted, source_of

# Most commands are for the two aggregates of the last transaction, so that it is not refused.
_NUMBERS = st.sampled_from([0, 1, 0, 1, 0, 1, 2, 3])
_AIMED = (0, 1)  # of a command of the transaction: it is for the aggregates of the last one


@frozen
class Step:
    """A command of the transaction, or one that an aggregate gets by itself.

    Attributes:
        commands: The commands to try until one leads to events. Most random commands are refused,
            and too few events would happen without others to choose from.
        aggregate: The aggregate; ``None`` for a command of the transaction.
        number: Chooses the id of the commands, while they are drawn; ``None`` to keep theirs.
    """

    commands: tuple[Any, ...]
    aggregate: Aggregate[Any, Any, Any] | None = None
    number: int | None = None

    def at(self, ids: Sequence[str]) -> Step | None:
        """Return the step for one of these ids; ``None`` if there is none or it is refused."""
        if self.number is None:
            return self
        if not ids:
            return None
        chosen = ids[self.number % len(ids)]
        try:
            moved = tuple(attrs.evolve(each, aggregate_id=chosen) for each in self.commands)
        except (TypeError, ValueError):
            return None
        return Step(moved, self.aggregate)


def histories_of(
    transaction: Transaction[Any], refine: Refinements, longest: int
) -> st.SearchStrategy[list[Step]]:
    """Return a strategy for commands of a transaction and of its aggregates, in any order.

    The commands of aggregates are for those that ``split`` sends commands to. Some commands of the
    transaction begin where others end. Ids for which ``refine`` has a strategy are kept.

    Args:
        transaction: The transaction.
        refine: As for ``commands``.
        longest: The largest number of commands.

    Raises:
        NoStrategy: As for ``commands``.
    """

    def steps(part: Part, numbers: st.SearchStrategy[int | None]) -> st.SearchStrategy[Step]:
        numbers = st.none() if _has_own_ids(part, refine) else numbers
        aggregate = part if isinstance(part, Aggregate) else None
        tried = st.lists(commands(part, refine=refine), min_size=1, max_size=4)
        return st.builds(Step, tried.map(tuple), st.just(aggregate), numbers)

    own = st.one_of([steps(each, _NUMBERS) for each in transaction.aggregates])
    both = own | steps(transaction, st.none() | _NUMBERS)
    # A transaction needs several events before it is not refused.
    first, then = sequences(own, longest // 2), sequences(both, longest - longest // 2)
    return st.builds(lambda *drawn: [*_with_ids(transaction, [*chain(*drawn)])], first, then)


def _has_own_ids(part: Part, refine: Refinements) -> bool:
    return any(
        isinstance(fields, Mapping)
        and "aggregate_id" in fields
        and any(issubclass(cls, key) for cls in part.commands)
        for key, fields in refine.items()
    )


def _with_ids(transaction: Transaction[Any], drawn: Sequence[Step]) -> Iterator[Step]:
    """Yield the steps with their ids, without those for ids that cannot be."""
    named = [stream.aggregate_id for stream in _named(transaction, drawn)]
    last = next((each.commands[0] for each in reversed(drawn) if each.aggregate is None), None)
    placed = [
        _placed(transaction, step, named, last) if step.aggregate is None else step
        for step in drawn
    ]
    ids: dict[str, list[str]] = {}
    for stream in _named(transaction, placed):
        ids.setdefault(stream.aggregate_type, []).append(stream.aggregate_id)
    for step in placed:
        if step.aggregate is None:
            if _streams(transaction, step.commands[0]) is not None:
                yield step
        elif (own := step.at(ids.get(step.aggregate.stream_type, []))) is not None:
            yield own


def _placed(transaction: Transaction[Any], step: Step, named: Sequence[str], last: Any) -> Step:
    """Return a step of the transaction, all of whose commands are for the same aggregates."""
    first, *others = step.commands
    if step.number in _AIMED:
        first = _aimed(transaction, first, last)
    elif (moved := Step((first,), number=step.number).at(named)) is not None:
        (first,) = moved.commands
    return Step((first, *(_aimed(transaction, each, first) for each in others)))


def _aimed(transaction: Transaction[Any], command: Any, at: Any) -> Any:
    """Return a command for the streams of another, with all values that leave the streams as is."""
    streams = _streams(transaction, at)
    aimed = at
    for each in attrs.fields(type(at)) if type(command) is type(at) else ():
        if each.init and each.name != "aggregate_id":
            try:
                changed = attrs.evolve(aimed, **{each.alias: getattr(command, each.name)})
            except (TypeError, ValueError):
                continue
            if _streams(transaction, changed) == streams:
                aimed = changed
    return aimed


def _named(transaction: Transaction[Any], steps: Iterable[Step]) -> Iterable[StreamId]:
    """Return the streams that the commands of a transaction are for, each once, last ones first."""
    commands_ = [step.commands[0] for step in steps if step.aggregate is None][::-1]
    return dict.fromkeys(
        stream for each in commands_ for stream in _streams(transaction, each) or ()
    )


def _streams(transaction: Transaction[Any], command: Command) -> tuple[StreamId, ...] | None:
    try:
        return streams_of(transaction, command)
    except InvalidArgument:
        return None
    except Exception:  # noqa: BLE001 - carrying out the command shows it
        return ()


@frozen(kw_only=True)
class TransactionStep(CommandStep):
    """A command of a transaction and the events of its aggregates so far."""

    def given_links(self, imports: Imports) -> Iterator[Brackets]:
        """See ``CommandStep.given_links``."""
        transaction: Transaction[Any] = self.arguments.decider
        named = {each.name: each for each in transaction.aggregates}
        for stream, happened in groupby(self.given, key=lambda each: each.stream):
            aggregate = named[stream.aggregate_type]
            name = subject_name(aggregate, imports, f"an aggregate of {transaction.name}")
            parts = [name, quoted(stream.aggregate_id)]
            items = [*parts, *(source_of(each.event, imports) for each in happened)]
            yield Brackets(".given(", [Item("", item) for item in items], ")")
