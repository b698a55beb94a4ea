"""The input and output of the command bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from attrs import field, frozen

from eventhus.domain.command import Command
from eventhus.domain.recorded import Metadata, Recorded, StreamId, is_id
from eventhus.domain.unchecked import unchecked
from eventhus.errors import InvalidArgument

S_co = TypeVar("S_co", covariant=True)


@frozen(kw_only=True)
class Envelope:
    """A command on its way to its aggregate.

    Attributes:
        command: The command.
        expected_version: The version that the aggregate must be at, if the caller insists.
        command_id: The caller's idempotency key, if any.
        metadata: The metadata of the resulting events.
    """

    command: Command
    expected_version: int | None = None
    command_id: str | None = None
    metadata: Metadata = field(factory=Metadata)

    def __attrs_post_init__(self) -> None:
        expected: object = self.expected_version
        if expected is not None and (type(expected) is not int or expected < 0):
            raise InvalidArgument("expected_version must be an int of at least 0")
        if self.command_id is not None and not is_id(self.command_id):
            raise InvalidArgument("command_id must be a non-empty str of whole Unicode characters")
        metadata: object = self.metadata
        if not isinstance(metadata, Metadata):
            found = type(metadata).__qualname__
            raise InvalidArgument(f"metadata must be a Metadata, found a {found}")


@frozen(kw_only=True, weakref_slot=False)
class Committed:
    """The answer to a command that was not refused.

    Attributes:
        stream: The aggregate that the command was for.
        version: The version of the last of these events, or of the aggregate if there are none.
            Pass it as the next ``expected_version``. A repeated command gets its first answer
            again, although the aggregate may have gone on since.
        position: The position of that event in the log; 0 if there is none.
        events: The events of the command; none if nothing changed.
    """

    stream: StreamId
    version: int
    position: int
    events: Sequence[Recorded[Any]]


unchecked_committed = unchecked(Committed)


@frozen(kw_only=True)
class Loaded(Generic[S_co]):
    """A state, and the place in the log that it belongs to.

    Attributes:
        state: The state.
        version: The version of the last event folded into it; 0 for the initial state.
        position: The position of that event; 0 for the initial state.
    """

    state: S_co
    version: int
    position: int


Handler: TypeAlias = Callable[[Envelope], Awaitable[Committed]]
"""Carries out one command."""

Middleware: TypeAlias = Callable[[Handler], Handler]
"""Wraps a handler in another: ``def middleware(handle): ...`` returns the new one."""
