"""The versions of a process: which one is in charge, and how one takes over."""

from __future__ import annotations

from typing import Any

from eventhus.domain.process import Process
from eventhus.errors import Superseded
from eventhus.ports.leases import Lease
from eventhus.ports.store import Storage
from eventhus.runtime.readers.earlier_versions import EarlierVersions
from eventhus.runtime.readers.registering import collection_of, registered


class ProcessVersions:
    """The versions of one process, as one of them sees them.

    All versions share one lease, so one of them runs at a time. The one that has taken over stays
    in charge, even when nobody runs it: an older version that went on from its own checkpoint would
    send commands again. Checkpoints record which version is in charge.

    Args:
        process: The process, of this version.
        label: Its name in messages.
        store: Holds the checkpoints and registrations.
    """

    def __init__(self, process: Process[Any, Any], label: str, store: Storage) -> None:
        self._name = process.name
        self._version = process.version
        self._label = label
        self._store = store
        self._collection = collection_of("process", process.name, process.version)
        self._in_charge = _in_charge(process.name)
        self._until = f"{self._collection}/until"

    async def check(self) -> None:
        """Refuse to work if a newer version is in charge.

        Raises:
            Superseded: It is.
        """
        newest = await version_in_charge(self._store, self._name)
        if newest > self._version:
            raise Superseded(self._label, self._version, newest)

    async def takes_over(self) -> bool:
        """Return whether an older version is in charge."""
        return await version_in_charge(self._store, self._name) < self._version

    async def take_over(self, lease: Lease) -> None:
        """Put this version in charge."""
        head = await self._store.head()
        await self._store.save_checkpoint(self._until, head, token=lease.token)
        await self._store.save_checkpoint(self._in_charge, self._version, token=lease.token)

    async def earlier(self, lease: Lease) -> EarlierVersions | None:
        """Return the earlier versions, unless everything that they did is folded."""
        until = (await self._store.load_checkpoint(self._until)).position
        if (await self._store.load_checkpoint(self._collection)).position >= until:
            return None
        checkpoints: dict[str, int] = {}
        for collection in await self._older():
            last = await self._store.load_checkpoint(collection)
            checkpoints[collection] = last.position
            if last.position:
                # With the newer token, a paused runner of that version can no longer move it.
                await self._store.save_checkpoint(
                    collection, last.position, event_id=last.event_id, token=lease.token
                )
        return EarlierVersions(checkpoints, until, self._store)

    async def _older(self) -> list[str]:
        """Return the collections of the older versions, the latest first."""
        versions = registered(await self._store.registrations(), "process", self._name)
        return [
            collection_of("process", self._name, version)
            for version in sorted(versions, reverse=True)
            if version < self._version
        ]


async def version_in_charge(store: Storage, process: str) -> int:
    """Return the version of a process that has taken over last."""
    return max(1, (await store.load_checkpoint(_in_charge(process))).position)


def _in_charge(process: str) -> str:
    """Return the name of the checkpoint that holds the version in charge."""
    return f"{collection_of('process', process)}/version"
