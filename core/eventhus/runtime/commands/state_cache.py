"""A cache of the states of recently used aggregates."""

from __future__ import annotations

from typing import Generic, TypeVar

from attrs import frozen

S = TypeVar("S")


@frozen(kw_only=True)
class CachedState(Generic[S]):
    """A state, and the place in the log that it belongs to.

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
    """A least-recently-used cache of at most ``size`` states. Any of them may be out of date."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._states: dict[str, CachedState[S]] = {}  # least recently used first

    def get(self, aggregate_id: str) -> CachedState[S] | None:
        """Return the cached state, or ``None``."""
        state = self._states.pop(aggregate_id, None)
        if state is not None:
            self._states[aggregate_id] = state
        return state

    def put(self, aggregate_id: str, state: CachedState[S]) -> None:
        """Cache a state unless a newer one is cached; drop the least recently used one."""
        known = self._states.pop(aggregate_id, None)
        newer = known if known is not None and known.version > state.version else state
        self._states[aggregate_id] = newer
        if len(self._states) > self._size:
            del self._states[next(iter(self._states))]

    def drop(self, aggregate_id: str) -> None:
        """Drop a state."""
        self._states.pop(aggregate_id, None)
