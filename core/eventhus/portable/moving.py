"""Exports, imports and copies logs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TypeAlias

from eventhus.errors import InvalidArgument, LogCorrupted
from eventhus.portable.lines import checked
from eventhus.portable.progress import LogSummary, OnProgress, Progress
from eventhus.portable.reading import PAGE_COMMITS, LogReader
from eventhus.portable.restoring import Restorer
from eventhus.portable.tally import Entry, Tally
from eventhus.portable.writing import LogWriter
from eventhus.ports.store import Commit, EventStore, StoredCommit

LogFile: TypeAlias = str | os.PathLike[str]
"""The path of a file. If it ends in ``.zst``, the file is compressed with Zstandard."""

Pages: TypeAlias = AsyncGenerator[Sequence[Entry], None]


def _ignore(progress: Progress) -> None:
    """Report nothing."""


async def export_log(
    store: EventStore, file: LogFile, *, progress: OnProgress = _ignore
) -> LogSummary:
    """Write the whole log to a file, as it is when the call begins.

    The file replaces one of the same name, and appears only when it is whole. Equal logs give
    equal files.

    Args:
        store: The store to read.
        file: Where to write. A name that ends in ``.zst`` compresses the file.
        progress: Called after each page of commits.

    Raises:
        LogCorrupted: A position or a version is missing in the log.
        CompositionError: The file is compressed, and no module for Zstandard is installed.
        OSError: The file cannot be written.
    """
    tally = Tally()
    head = await store.head()
    with LogWriter(Path(file)) as writer:
        async with aclosing(_pages_of(store, head, tally)) as pages:
            async for page in pages:
                await asyncio.to_thread(writer.write, page)
                progress(_progress(tally, head))
        await asyncio.to_thread(writer.finish, tally.summary)
    return tally.summary


async def check_log(file: LogFile) -> LogSummary:
    """Read an exported file and check that it is whole.

    It compares the count and the digest at the end of the file, and checks that positions and
    versions have no gap and that a store would take every commit.

    Raises:
        LogFileDamaged: The file is not what an export has written.
        CompositionError: The file is compressed, and no module for Zstandard is installed.
        OSError: The file cannot be read.
    """
    with LogReader(Path(file)) as reader:
        return await _check(reader)


async def import_log(
    file: LogFile, store: EventStore, *, progress: OnProgress = _ignore
) -> LogSummary:
    """Append the commits of an exported file, each at the position that it had.

    The log must be empty or begin as the file does. So an import that was interrupted continues
    when it is called again, and a repeated one changes nothing. Before it appends anything, it
    checks the whole file and compares it with what the log holds.

    Args:
        file: The file to read.
        store: The store to append to. Nothing else should write to it meanwhile.
        progress: Called after each page of commits that the log holds.

    Returns:
        The counts and the digest of the file.

    Raises:
        LogFileDamaged: The file is not what an export has written. Nothing was appended.
        LogsDiffer: The log holds another commit where the file has one. Nothing was appended,
            unless another writer has appended that commit meanwhile.
        StoreError: The store refused a commit or could not be reached. Import again to continue.
        CompositionError: The file is compressed, and no module for Zstandard is installed.
        OSError: The file cannot be read.
    """
    with LogReader(Path(file)) as reader:
        whole = await _check(reader)
        reader.rewind()
        restorer = Restorer(store)
        while page := await asyncio.to_thread(reader.page):
            await restorer.add(page)
            done = reader.summary
            progress(Progress(commits=done.commits, position=done.events, head=whole.events))
    return whole


async def copy_log(
    source: EventStore,
    target: EventStore,
    *,
    where: Callable[[StoredCommit], bool] | None = None,
    transform: Callable[[Commit], Commit | None] | None = None,
    progress: OnProgress = _ignore,
) -> LogSummary:
    """Append the commits of one log to another, as the first is when the call begins.

    The target must be empty or begin as the copy does. So a copy that was interrupted continues
    when it is called again, a repeated one changes nothing, and a later one adds what is new.

    Without ``where`` and ``transform`` the target becomes equal to the source. With them, positions
    and versions are counted anew, without gaps, and commits keep their ids. The functions must be
    pure: what they return is compared with what an earlier call has appended.

    Args:
        source: The store to read.
        target: The store to append to. Nothing else should write to it meanwhile.
        where: Tells whether to copy a commit; ``None`` copies all.
        transform: Returns another form of a commit, with the same id, or ``None`` to leave it
            out. It sees plain data.
        progress: Called after each page of commits, with positions in the source.

    Returns:
        The counts and the digest of the copy, which are those of an export of the target.

    Raises:
        LogsDiffer: The target holds another commit where the copy has one. Nothing was appended,
            unless another writer has appended that commit meanwhile.
        LogCorrupted: A position or a version is missing in the source.
        InvalidArgument: ``transform`` changed the id of a commit, or went beyond a limit.
        InvalidCommit: ``transform`` returned a commit that no store takes.
        StoreError: A store could not be reached, or refused a commit. Copy again to continue.
    """
    read = Tally()
    is_equal = where is None and transform is None
    copied = read if is_equal else Tally()
    head = await source.head()
    restorer = Restorer(target)
    async with aclosing(_pages_of(source, head, read)) as pages:
        async for page in pages:
            await restorer.add(page if is_equal else _changed(page, where, transform, copied))
            progress(_progress(read, head))
    return copied.summary


async def _check(reader: LogReader) -> LogSummary:
    while await asyncio.to_thread(reader.page):
        pass
    return reader.summary


async def _pages_of(store: EventStore, head: int, tally: Tally) -> Pages:
    """Yield the commits up to a position, counted.

    Raises:
        LogCorrupted: A position or a version is missing.
    """
    while tally.events < head:
        commits = await store.commits(after=tally.events, limit=PAGE_COMMITS)
        known = [stored for stored in commits if stored.position <= head]
        if not known:
            raise LogCorrupted(None, tally.events, head)
        yield await asyncio.to_thread(tally.entries, known)


def _changed(
    page: Sequence[Entry],
    where: Callable[[StoredCommit], bool] | None,
    transform: Callable[[Commit], Commit | None] | None,
    copied: Tally,
) -> list[Entry]:
    """Return the commits to append instead of those of a page, counted."""
    entries: list[Entry] = []
    for stored, _ in page:
        if where is not None and not where(stored):
            continue
        changed = stored.commit if transform is None else transform(stored.commit)
        if changed is None:
            continue
        if changed.id != stored.commit.id:
            raise InvalidArgument(
                f"transform changed the id of commit {stored.commit.id} to {changed.id}; keep it, "
                f"so that a repeated copy finds the commit"
            )
        entries += copied.entries([copied.place(checked(changed))])
    return entries


def _progress(tally: Tally, head: int) -> Progress:
    return Progress(commits=tally.commits, position=tally.events, head=head)
