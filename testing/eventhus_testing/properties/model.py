"""The log that the pure functions of a domain lead to, to compare applications with."""

from __future__ import annotations

from typing import Any, TypeAlias

from attrs import evolve, frozen

from eventhus import Aggregate, Command, Decision, Rejected, StreamId, Transaction

Part: TypeAlias = Aggregate[Any, Any, Any] | Decision[Any, Any, Any] | Transaction[Any]
"""A part of a domain that handles commands."""

Answer: TypeAlias = "tuple[Any, ...] | Rejected"
"""The outcome of a command: events or a refusal."""


@frozen
class Model:
    """A log of events, with their streams.

    Attributes:
        log: The streams and events, in order.
    """

    log: tuple[tuple[StreamId, Any], ...] = ()

    @property
    def streams(self) -> tuple[StreamId, ...]:
        """Return the streams that have events, each once."""
        return tuple(dict.fromkeys(stream for stream, _ in self.log))

    def events(self, stream: StreamId) -> tuple[Any, ...]:
        """Return the events of a stream."""
        return tuple(event for each, event in self.log if each == stream)

    def state(self, aggregate: Aggregate[Any, Any, Any], aggregate_id: str) -> Any:
        """Return the state of an aggregate."""
        return aggregate.fold(self.events(StreamId(aggregate.stream_type, aggregate_id)))

    def after(self, part: Part, command: Any) -> tuple[Answer, Model]:
        """Return the outcome of a command, and the log after it."""
        try:
            happened = self.happened(part, command)
        except Rejected as refusal:
            return refusal, self
        return tuple(event for _, event in happened), evolve(self, log=(*self.log, *happened))

    def happened(self, part: Part, command: Any) -> list[tuple[StreamId, Any]]:
        """Return the events of a command, with their streams.

        Raises:
            Rejected: The domain refused.
        """
        match part:
            case Aggregate():
                state = self.state(part, command.aggregate_id)
                stream = stream_of(part, command)
                return [(stream, event) for event in part.decided(command, state)]
            case Decision():
                query = part.query(command)
                known = [event for _, event in self.log if type(event) in part.events]
                state = part.fold(event for event in known if part.concerns(query, event))
                stream = stream_of(part, command)
                return [(stream, event) for event in part.decided(command, state)]
            case _:
                return self._in_one_commit(part, command)

    def _in_one_commit(
        self, transaction: Transaction[Any], command: Command
    ) -> list[tuple[StreamId, Any]]:
        """Return the events of a transaction, those of one stream together."""
        by_stream: dict[StreamId, list[tuple[StreamId, Any]]] = {}
        for aggregate, each in transaction.commands_for(command):
            stream = stream_of(aggregate, each)
            own = by_stream.setdefault(stream, [])
            own += Model((*self.log, *own)).happened(aggregate, each)
        return [each for own in by_stream.values() for each in own]


def stream_of(part: Aggregate[Any, Any, Any] | Decision[Any, Any, Any], command: Any) -> StreamId:
    """Return the stream that the events of a command go to."""
    name = part.aggregate_type if isinstance(part, Decision) else part.stream_type
    return StreamId(name, command.aggregate_id)


def streams_of(part: Part, command: Any) -> tuple[StreamId, ...]:
    """Return the streams that a command may change; none if a transaction refuses to split it."""
    if not isinstance(part, Transaction):
        return (stream_of(part, command),)
    try:
        split = part.commands_for(command)
    except Rejected:
        return ()
    return tuple(dict.fromkeys(stream_of(aggregate, each) for aggregate, each in split))
