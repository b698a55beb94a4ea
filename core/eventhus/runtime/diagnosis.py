"""The diagnosis of an application: its store, its source of messages, its readers and Python."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version

from eventhus.adapter_support.examination import EXAMINATION_S, examine
from eventhus.errors import IncompatibleBucket, NotRunning
from eventhus.ports.bus import MessageSource
from eventhus.ports.diagnosis import Finding
from eventhus.ports.store import Storage
from eventhus.runtime.readers.reader_group import ReaderGroup
from eventhus.runtime.readers.registering import label_of, registered

PYTHON = "eventhus.python"
READERS = "eventhus.readers"

_GRACE_S = 5.0  # beyond what an adapter may take, so that its own findings arrive
_DISTRIBUTIONS = ("eventhus", "attrs", "cattrs")


async def diagnose(
    store: Storage, source: MessageSource, readers: ReaderGroup
) -> Sequence[Finding]:
    """Return the findings of every part of an application, whether it is running or not.

    It takes about 15 seconds at most, changes nothing, and does not raise: an adapter that raises
    is a finding.
    """

    async def of_readers() -> Iterable[Finding]:
        return await _of_readers(store, readers)

    return await examine(
        {
            PYTHON: _of_python,
            "store": store.diagnose,
            "bus": source.diagnose,
            READERS: of_readers,
        },
        within_s=EXAMINATION_S + _GRACE_S,
    )


async def _of_python() -> Iterable[Finding]:
    found = [f"Python {platform.python_version()}"]
    for name in _DISTRIBUTIONS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # a program that was packed without metadata
            continue
    if asyncio.get_running_loop().get_debug():
        return [
            Finding.warning(
                PYTHON,
                f"asyncio runs in debug mode, which is several times slower; {', '.join(found)}",
                "unset PYTHONASYNCIODEBUG, and start Python without -X dev",
            )
        ]
    return [Finding.ok(PYTHON, ", ".join(found))]


async def _of_readers(store: Storage, readers: ReaderGroup) -> Iterable[Finding]:
    """Compare the declared versions of views and processes with those in the store."""
    try:
        stored = await store.registrations()
    except NotRunning:  # they are registered when the application is entered
        return []
    findings: list[Finding] = []
    for kind, name, declared in readers.declared:
        label = label_of(kind, name, declared)
        try:
            versions = registered(stored, kind, name)
        except IncompatibleBucket as error:
            findings.append(
                Finding.error(READERS, f"{label} cannot start: {error}", "mend that document")
            )
            continue
        if declared not in versions:
            findings.append(
                Finding.warning(
                    READERS,
                    f"{label} is not registered in the store: it never ran, or was deleted",
                    "start the application again",
                )
            )
        elif (newest := max(versions)) > declared:
            findings.append(
                Finding.warning(
                    READERS,
                    f"{label} is older than version {newest}, which is in the store",
                    "finish the deployment of the newer version",
                )
            )
    return findings or [Finding.ok(READERS, "every declared version is registered in the store")]
