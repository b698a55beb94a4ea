"""The states of recently used aggregates."""

from __future__ import annotations

from typing import Generic, TypeVar

from attrs import frozen

S = TypeVar("S")


@frozen(kw_only=True)
class CachedState(Generic[S]):
    """A state, and where in the log it was true.

    Attributes:
        state: The state.
        version: The version of the last event folded into it; 0 for the initial state.
        position: The position of that event; 0 for the initial state.
        event_id: The id of that event; empty for the initial state.
        snapshot_version: The version of the newest snapshot known of the stream, or 0.
    """

    state: S
    version: int
    position: int
    event_id: str
    snapshot_version: int = 0


class StateCache(Generic[S]):
    """The last used states, at most ``size`` of them. A hint: any of them may be out of date."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: dict[
            str, CachedState[S]
        ] = {}  # oldest use first, as dicts keep insertion order

    def get(self, aggregate_id: str) -> CachedState[S] | None:
        """The state that was put last, if it is still here."""
        held = self._held.pop(aggregate_id, None)
        if held is not None:
            self._held[aggregate_id] = held
        return held

    def put(self, aggregate_id: str, held: CachedState[S]) -> None:
        """Remember a state unless a newer one is here; forget the one unused for longest."""
        known = self._held.pop(aggregate_id, None)
        self._held[aggregate_id] = held if known is None or known.version <= held.version else known
        if len(self._held) > self._size:
            del self._held[next(iter(self._held))]

    def drop(self, aggregate_id: str) -> None:
        """Forget a state."""
        self._held.pop(aggregate_id, None)
