"""Finds the part of the domain that handles a command, and keeps the states of all parts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, TypeVar

from eventhus.domain.aggregate import Aggregate
from eventhus.domain.catalog import Catalog, Route
from eventhus.domain.command import Command
from eventhus.domain.decider import Decider
from eventhus.domain.decision import Decision
from eventhus.domain.transaction import Transaction
from eventhus.errors import InvalidArgument, UnknownCommand
from eventhus.ports.codec import Codec
from eventhus.ports.store import Storage
from eventhus.runtime.commands.aggregate_unit import AggregateUnit, TransactionUnit
from eventhus.runtime.commands.boundaries import Boundaries
from eventhus.runtime.commands.decision_unit import DecisionUnit
from eventhus.runtime.commands.envelope import Envelope
from eventhus.runtime.commands.repository import Repository
from eventhus.runtime.commands.snapshots import Snapshots
from eventhus.runtime.commands.stray_streams import StrayStreams
from eventhus.runtime.commands.unit_of_work import UnitOfWork
from eventhus.runtime.serializer import EventSerializer

S = TypeVar("S")

_Begin: TypeAlias = Callable[[Any, int | None], UnitOfWork]
"""Makes a unit of work of a command and the version that its caller expects, if any."""


class Router:
    """Makes units of work of commands.

    Args:
        catalog: Knows the parts, their commands and the stored names.
        store: Holds events and snapshots.
        serializer: Decodes events.
        codec: Turns states into plain data.
        cache_size: The most states to cache for each aggregate and decision.
        snapshot_every: Take a snapshot after so many events; ``None`` takes none.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        store: Storage,
        serializer: EventSerializer,
        codec: Codec,
        cache_size: int,
        snapshot_every: int | None,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._serializer = serializer
        self._codec = codec
        self._cache_size = cache_size
        self._snapshot_every = snapshot_every
        self._snapshots: dict[str, Snapshots[Any]] = {}
        parts = dict.fromkeys(catalog.routes.values())  # once, though it handles several commands
        self._repositories = {
            part.name: self._repository(part) for part in parts if isinstance(part, Aggregate)
        }
        self._boundaries = {
            part.name: self._boundaries_of(part) for part in parts if isinstance(part, Decision)
        }
        self._routes = {command: self._route(part) for command, part in catalog.routes.items()}

    def unit(self, envelope: Envelope) -> UnitOfWork:
        """Return the unit of work of a command.

        Raises:
            InvalidArgument: The command is a class.
            UnknownCommand: Nothing handles commands of its class.
            Rejected: A transaction refused to split it.
        """
        begin = self._routes.get(type(envelope.command))
        if begin is None:
            command: object = envelope.command
            if isinstance(command, type):
                raise InvalidArgument(
                    f"expected a command, found class {command.__qualname__}; create an instance"
                )
            raise UnknownCommand(type(command), self._routes)
        return begin(envelope.command, envelope.expected_version)

    def repository(self, aggregate: Aggregate[Any, Any, S]) -> Repository[S] | None:
        """Return the states of an aggregate; ``None`` if it is not part of the application."""
        repository = self._repositories.get(aggregate.name)
        return repository if repository and repository.aggregate is aggregate else None

    @property
    def saving(self) -> dict[str, int]:
        """The number of snapshots that are being saved, by the name of the part."""
        saving = {name: snapshots.saving for name, snapshots in self._snapshots.items()}
        return {name: number for name, number in saving.items() if number}

    async def drain(self) -> None:
        """Wait until no snapshot is being saved."""
        for snapshots in self._snapshots.values():
            await snapshots.drain()

    def _route(self, part: Route) -> _Begin:
        if isinstance(part, Aggregate):
            return partial(self._aggregate_unit, part, self._repositories[part.name])
        if isinstance(part, Transaction):
            return partial(self._transaction_unit, part)
        owner = self._catalog.aggregate(part.aggregate_type)
        return partial(DecisionUnit[Any], part, owner, self._boundaries[part.name], self._store)

    def _aggregate_unit(
        self,
        aggregate: Aggregate[Any, Any, S],
        repository: Repository[S],
        command: Command,
        expected_version: int | None,
    ) -> UnitOfWork:
        return AggregateUnit(aggregate, repository, (command,), expected_version)

    def _transaction_unit(
        self, transaction: Transaction[Any], command: Command, expected_version: int | None
    ) -> UnitOfWork:
        commands: dict[tuple[str, str], list[Command]] = {}
        aggregates: dict[str, Aggregate[Any, Any, Any]] = {}
        for aggregate, each in transaction.commands_for(command):
            aggregates[aggregate.name] = aggregate
            commands.setdefault((aggregate.name, each.aggregate_id), []).append(each)
        units: list[AggregateUnit[Any]] = []
        for (name, _), own in commands.items():
            # The caller knows the version of the first one at most.
            expected = None if units else expected_version
            units.append(AggregateUnit(aggregates[name], self._repositories[name], own, expected))
        return TransactionUnit(units)

    def _repository(self, aggregate: Aggregate[Any, Any, S]) -> Repository[S]:
        return Repository(
            aggregate,
            store=self._store,
            serializer=self._serializer,
            strays=StrayStreams(aggregate, self._catalog, self._store),
            snapshots=self._snapshots_of(aggregate),
            cache_size=self._cache_size,
        )

    def _boundaries_of(self, decision: Decision[Any, Any, S]) -> Boundaries[S]:
        return Boundaries(
            decision,
            catalog=self._catalog,
            store=self._store,
            serializer=self._serializer,
            snapshots=self._snapshots_of(decision),
            cache_size=self._cache_size,
        )

    def _snapshots_of(self, decider: Decider[Any, Any, S]) -> Snapshots[S] | None:
        if self._snapshot_every is None:
            return None
        snapshots: Snapshots[S] = Snapshots(
            decider, store=self._store, codec=self._codec, every=self._snapshot_every
        )
        self._snapshots[decider.name] = snapshots
        return snapshots
