"""Commands, decisions and appends that an observer is told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve

from eventhus.domain.catalog import Route
from eventhus.ports.observer import (
    Ended,
    unchecked_appending,
    unchecked_deciding,
    unchecked_dispatching,
    unchecked_ended,
)
from eventhus.ports.store import Commit, EventStore, StoredCommit
from eventhus.runtime.commands.envelope import Committed, Envelope, Handler
from eventhus.runtime.commands.unit_of_work import Change, UnitOfWork
from eventhus.runtime.observing import Observing


def observed_handler(
    handle: Handler, observing: Observing, routes: Mapping[type, Route]
) -> Handler:
    """Return a handler of commands that tells an observer of each.

    Args:
        handle: Carries out the commands.
        observing: The observer.
        routes: The part of the domain that handles each class of command.
    """

    async def observed(envelope: Envelope) -> Committed:
        command = type(envelope.command)
        route = routes.get(command)
        operation = unchecked_dispatching(
            application=observing.application,
            command=command.__name__,
            target="" if route is None else route.name,
            metadata=envelope.metadata,
        )
        with observing.begin(operation) as underway:
            metadata = underway.added_to(envelope.metadata)
            if metadata is not envelope.metadata:
                envelope = evolve(envelope, metadata=metadata)
            committed = await handle(envelope)
            underway.ended = Ended(
                outcome="accepted" if committed.events else "unchanged",
                events=len(committed.events),
            )
            return committed

    return observed


def observed_decision(
    unit: UnitOfWork, envelope: Envelope, observing: Observing
) -> Sequence[Change]:
    """Decide a command. Raises what ``UnitOfWork.decide`` does."""
    operation = unchecked_deciding(
        application=observing.application, command=type(envelope.command).__name__
    )
    with observing.begin(operation) as underway:
        changes = unit.decide()
        underway.ended = _ended(sum([len(change.events) for change in changes]))
        return changes


async def observed_append(
    store: EventStore, commit: Commit, observing: Observing, *, attempt: int = 1
) -> StoredCommit:
    """Append a commit. Raises what ``EventStore.append`` does."""
    operation = unchecked_appending(
        application=observing.application,
        stream_type=commit.stream.aggregate_type,
        streams=len(commit.parts),
        events=sum([len(part.events) for part in commit.parts]),
        attempt=attempt,
        metadata=commit.metadata,
    )
    with observing.begin(operation):
        return await store.append(commit)


def _ended(events: int) -> Ended:
    return unchecked_ended(outcome="accepted" if events else "unchanged", events=events)
