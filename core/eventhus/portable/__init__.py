"""Portable logs: whole logs as files, and copies from one store to another.

>>> import asyncio
>>> from datetime import UTC, datetime
>>> from pathlib import Path
>>> from tempfile import TemporaryDirectory
>>> from eventhus import StreamId
>>> from eventhus.ports import Commit, EventData, Part
>>> from eventhus_memory import MemoryStore
>>> async def main(file):
...     source, target = MemoryStore(), MemoryStore()
...     opened = Part(
...         stream=StreamId("Account", "a1"),
...         events=[EventData("AccountOpened", {"owner": "Ada"})],
...         expected_version=0,
...     )
...     await source.append(Commit(id="c1", parts=[opened], recorded_at=datetime.now(UTC)))
...     exported = await export_log(source, file)
...     assert exported == await import_log(file, target)
...     return exported.commits, await target.head()
>>> with TemporaryDirectory() as folder:
...     asyncio.run(main(Path(folder) / "bank.ndjson"))
(1, 1)

The form of a file is described in ``docs/moving-a-log.md``. Everything here works on plain data: no
class of a domain is needed. Memory holds one page of commits, and the version of each stream.
"""

from eventhus.portable.moving import check_log, copy_log, export_log, import_log
from eventhus.portable.progress import LogSummary, Progress

__all__ = [
    "LogSummary",
    "Progress",
    "check_log",
    "copy_log",
    "export_log",
    "import_log",
]
