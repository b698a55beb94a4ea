"""Snapshots: written in the background, and used only if their fingerprint matches."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Generic, TypeVar

import attrs

from eventhus.adapter_support.failure_log import summary, unexpected
from eventhus.domain.decider import Decider
from eventhus.domain.recorded import StreamId
from eventhus.errors import CodecError
from eventhus.ports.codec import Codec
from eventhus.ports.store import Snapshot, SnapshotStore
from eventhus.runtime.commands.fingerprint import fingerprint
from eventhus.runtime.commands.state_cache import CachedState

S = TypeVar("S")

_logger = logging.getLogger(__name__)


class Snapshots(Generic[S]):
    """Takes and restores the snapshots of one aggregate type or one decision.

    Args:
        decider: The aggregate or the decision.
        store: Holds the snapshots.
        codec: Turns states into plain data.
        every: Take a snapshot once so many events follow the newest one.
    """

    def __init__(
        self,
        decider: Decider[Any, Any, S],
        *,
        store: SnapshotStore,
        codec: Codec,
        every: int,
    ) -> None:
        self._store = store
        self._every = every
        self._encode = codec.encoder(decider.state_type)
        self._decode = codec.decoder(decider.state_type)
        self._fingerprint = fingerprint(decider.state_type, decider.revision)
        self._saving: set[asyncio.Task[None]] = set()

    async def load(self, stream: StreamId) -> CachedState[S] | None:
        """Return the state in the stream's snapshot, unless other rules made it.

        The caller must check that the log still has the event with its id, and otherwise call
        ``ignore``.
        """
        snapshot = await self._store.load_snapshot(stream)
        if snapshot is None or snapshot.fingerprint != self._fingerprint:
            return None
        try:
            state = self._decode(snapshot.data)
        except CodecError as error:
            _logger.warning("snapshot of %s ignored: %s", stream, error)
            return None
        except Exception as error:  # noqa: BLE001 - codecs may raise anything, and it may quote data
            _logger.warning(
                "snapshot of %s ignored: the codec raised %s", stream, type(error).__name__
            )
            return None
        return CachedState(
            state=state,
            version=snapshot.version,
            position=snapshot.position,
            event_id=snapshot.event_id,
            snapshot_version=snapshot.version,
        )

    def ignore(self, stream: StreamId) -> None:
        """Log that a snapshot is not used, as the log was restored and has gone on differently."""
        _logger.warning("snapshot of %s ignored: the log has another event at its place", stream)

    def is_due(self, state: CachedState[S]) -> bool:
        """Return whether enough events follow the newest snapshot."""
        return state.version - state.snapshot_version >= self._every

    def take(self, stream: StreamId, state: CachedState[S]) -> CachedState[S]:
        """Start to save ``state``; return it with its new snapshot version."""
        task = asyncio.create_task(self._save(stream, state))
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)
        return attrs.evolve(state, snapshot_version=state.version)

    @property
    def saving(self) -> int:
        """The number of snapshots that are being saved."""
        return len(self._saving)

    async def drain(self) -> None:
        """Wait until nothing is being saved."""
        while self._saving:
            await asyncio.wait(self._saving)

    async def _save(self, stream: StreamId, state: CachedState[S]) -> None:
        try:
            await self._store.save_snapshot(
                Snapshot(
                    stream=stream,
                    version=state.version,
                    position=state.position,
                    event_id=state.event_id,
                    fingerprint=self._fingerprint,
                    data=self._encode(state.state),
                )
            )
        except Exception as error:
            # The command was answered long ago, and the next snapshot will do.
            _logger.error(  # noqa: TRY400 - an outage has no traceback
                "snapshot of %s at version %d could not be saved: %s",
                stream,
                state.version,
                summary(error),
                exc_info=unexpected(error),
            )
