"""Importing and copying: exact, resumable at every point, repeatable, and never half a mistake."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import pytest
from attrs import evolve
from hypothesis import given, settings

from eventhus.errors import (
    InvalidArgument,
    InvalidCommit,
    LogFileDamaged,
    LogsDiffer,
    OutcomeUnknown,
    StoreUnavailable,
)
from eventhus.portable import LogSummary, copy_log, export_log, import_log, moving, reading
from eventhus.portable.lines import from_line
from eventhus.portable.tally import Entry, Tally
from eventhus.portable.writing import footer
from eventhus.ports import Commit, EventData, Storage, StoredCommit
from eventhus_memory import MemoryStore
from eventhus_testing import FaultyStore
from tests.core.portable.support import (
    ACCOUNT,
    CUSTOMER,
    NOW,
    OTHER,
    commit,
    exported,
    log_of,
    logs,
    part,
    some_commits,
)

Move: TypeAlias = Callable[[Storage], Awaitable[LogSummary]]
SIZE = len(some_commits())


@pytest.fixture
async def source() -> MemoryStore:
    return await log_of(some_commits())


@pytest.fixture(params=["import", "copy"])
async def move(request: pytest.FixtureRequest, source: MemoryStore, tmp_path: Path) -> Move:
    """Either way to bring the log of ``source`` into another store."""
    if request.param == "copy":
        return lambda target: copy_log(source, target)
    file = tmp_path / "log.ndjson"
    await export_log(source, file)
    return lambda target: import_log(file, target)


async def test_the_log_arrives_whole(move: Move, source: MemoryStore, tmp_path: Path) -> None:
    target = MemoryStore()
    summary = await move(target)
    assert await source.commits() == await target.commits()
    assert await exported(source, tmp_path) == await exported(target, tmp_path)
    assert (11, 13) == (summary.commits, summary.events)
    assert await target.find("k10") == await source.find("k10")


async def test_a_repeat_changes_nothing(move: Move, tmp_path: Path) -> None:
    target = FaultyStore(MemoryStore())
    first = await move(target)
    before = await exported(target, tmp_path)
    calls = target.calls["restore"]
    assert first == await move(target)
    assert calls == target.calls["restore"]
    assert before == await exported(target, tmp_path)


async def test_a_log_that_has_gone_on_keeps_what_came_later(move: Move) -> None:
    target = MemoryStore()
    await move(target)
    await target.append(commit("later"))
    await move(target)
    assert 14 == await target.head()


class Interrupted(MemoryStore):
    """Restores so many commits. Then it raises, or waits for ever."""

    def __init__(self, landing: int, error: Exception | None = None) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self._landing: int | None = landing
        self._error = error

    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        await super().restore(commits[: self._landing])
        if self._landing is None:
            return
        if self._landing < len(commits):
            self.reached.set()
            if self._error is not None:
                raise self._error
            await asyncio.Event().wait()
        self._landing -= len(commits)

    def heal(self) -> None:
        self._landing = None


@pytest.fixture(params=[1, 3, 1000])
def page_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of commits in a page of a file and of a store."""
    size: int = request.param
    for module in (reading, moving):
        monkeypatch.setattr(module, "PAGE_COMMITS", size)
    return size


@pytest.mark.usefixtures("page_size")
@pytest.mark.parametrize("landing", range(SIZE))
async def test_a_move_that_failed_at_any_commit_is_continued(
    landing: int, move: Move, source: MemoryStore, tmp_path: Path
) -> None:
    target = Interrupted(landing, StoreUnavailable("test", "gone"))
    with pytest.raises(StoreUnavailable):
        await move(target)
    assert [*await source.commits()][:landing] == await target.commits()
    target.heal()
    await move(target)
    assert await exported(source, tmp_path) == await exported(target, tmp_path)


@pytest.mark.usefixtures("page_size")
@pytest.mark.parametrize("landing", range(SIZE))
async def test_a_move_that_was_cancelled_at_any_commit_is_continued(
    landing: int, move: Move, source: MemoryStore, tmp_path: Path
) -> None:
    target = Interrupted(landing)
    cancelled = asyncio.ensure_future(move(target))
    await target.reached.wait()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert [*await source.commits()][:landing] == await target.commits()
    target.heal()
    await move(target)
    assert await exported(source, tmp_path) == await exported(target, tmp_path)


async def test_a_lost_answer_is_no_obstacle(
    move: Move, source: MemoryStore, tmp_path: Path
) -> None:
    target = FaultyStore(MemoryStore())
    target.loses_acknowledgement("restore", OutcomeUnknown("test", "x", ACCOUNT, "c0"))
    with pytest.raises(OutcomeUnknown):
        await move(target)
    await move(target)
    assert [] == target.pending
    assert await exported(source, tmp_path) == await exported(target, tmp_path)


@pytest.mark.usefixtures("page_size")
@pytest.mark.parametrize("size", range(SIZE + 1))
async def test_every_beginning_of_the_log_is_continued(
    size: int, move: Move, source: MemoryStore, tmp_path: Path
) -> None:
    target = await log_of(some_commits()[:size])
    await move(target)
    assert await exported(source, tmp_path) == await exported(target, tmp_path)


@pytest.mark.parametrize("size", range(SIZE))
async def test_a_log_with_other_commits_is_refused_before_the_first_append(
    size: int, move: Move
) -> None:
    wrapped = await log_of([*some_commits()[:size], commit("foreign")])
    target = FaultyStore(wrapped)
    before = await wrapped.commits()
    with pytest.raises(LogsDiffer) as caught:
        await move(target)
    position = before[-1].position
    assert (position, some_commits()[size].id, "foreign") == caught.value.args
    assert 0 == target.calls["restore"]
    assert before == await wrapped.commits()


@pytest.mark.parametrize(
    "change",
    [
        {"command_id": "another"},
        {"recorded_at": NOW + timedelta(microseconds=1)},
        {"parts": [part(ACCOUNT, EventData("Deposited", {"amount": 5.0}))]},
        {"parts": [part(CUSTOMER)]},
    ],
)
async def test_other_content_under_the_same_id_is_refused(
    change: dict[str, Any], move: Move
) -> None:
    target = await log_of([evolve(some_commits()[0], **change)])
    with pytest.raises(LogsDiffer) as caught:
        await move(target)
    assert (1, "c0", "c0") == caught.value.args
    assert 1 == await target.head()


@pytest.mark.usefixtures("page_size")
async def test_an_import_checks_the_whole_file_before_the_first_commit(
    source: MemoryStore, tmp_path: Path
) -> None:
    file, target = tmp_path / "log", MemoryStore()
    await export_log(source, file)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(LogFileDamaged):
        await import_log(file, target)
    assert 0 == await target.head()


class Shared(MemoryStore):
    """Another writer appends to it before the last commit is restored."""

    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        if commits[-1].commit.id == "c10":
            await self.append(commit("foreign"))
        await super().restore(commits)


@pytest.mark.parametrize("page_size", [1, 3], indirect=True)
async def test_another_writer_stops_the_move(
    page_size: int, move: Move, source: MemoryStore
) -> None:
    target = Shared()
    with pytest.raises(LogsDiffer) as caught:
        await move(target)
    stored = await target.commits()
    landed = (SIZE - 1) // page_size * page_size
    assert [*await source.commits()][:landed] == stored[:-1]
    assert (f"c{landed}", "foreign") == (caught.value.expected, caught.value.actual)


class Raced(MemoryStore):
    """Another process moves the same log, and is faster by two commits each time."""

    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        await super().restore(commits[:2])
        await super().restore(commits)


async def test_two_processes_can_move_the_same_log(
    page_size: int, move: Move, source: MemoryStore, tmp_path: Path
) -> None:
    target = Raced()
    await move(target)
    assert await exported(source, tmp_path) == await exported(target, tmp_path)


async def test_a_log_with_one_command_id_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "log"
    first, second = commit("c1", command_id="k"), commit("c2", part(OTHER), command_id="l")
    await forge(file, [first, second], ('"l"', '"k"'))
    with pytest.raises(LogsDiffer) as caught:
        await import_log(file, MemoryStore())
    assert (2, "c2", "c1") == caught.value.args


async def test_a_log_with_one_commit_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "log"
    await forge(file, [commit("c1"), commit("c2")], ('"c2"', '"c1"'))
    target = MemoryStore()
    with pytest.raises(LogsDiffer) as caught:
        await import_log(file, target)
    assert (2, "c1", "c1") == caught.value.args
    assert 1 == await target.head()


async def forge(file: Path, commits: list[Commit], replacement: tuple[str, str]) -> None:
    """Write a file with a fitting digest whose log no store would have taken."""
    old, new = replacement
    await export_log(await log_of(commits), file)
    header, *lines, _ = file.read_bytes().replace(old.encode(), new.encode()).splitlines(True)
    tally = Tally()
    for line in lines:
        tally.add(Entry(from_line(line), line))
    file.write_bytes(b"".join([header, *lines, footer(tally.summary)]))


class Short(MemoryStore):
    """Returns fewer commits than it was asked for, as a store may."""

    async def commits(self, *, after: int = 0, limit: int = 100) -> list[StoredCommit]:
        return [*await super().commits(after=after, limit=min(limit, 2))]


async def test_short_pages_are_read_on(move: Move, tmp_path: Path) -> None:
    target = Short()
    await move(target)
    copied = MemoryStore()
    assert await move(target) == await copy_log(target, copied)
    assert await exported(copied, tmp_path) == await exported(target, tmp_path)


async def test_a_log_goes_in_pages(move: Move, page_size: int) -> None:
    seen: list[int] = []

    async def restored(commits: Sequence[StoredCommit]) -> None:
        seen.append(len(commits))

    target = MemoryStore()
    target.restore = restored  # type: ignore[method-assign]
    await move(target)
    assert SIZE == sum(seen)
    assert {min(page_size, SIZE)} == {*seen[:-1], max(seen)}


async def test_a_copy_adds_what_is_new_in_the_source(source: MemoryStore, tmp_path: Path) -> None:
    target = MemoryStore()
    await copy_log(source, target)
    await source.append(commit("new"))
    assert 12 == (await copy_log(source, target)).commits
    assert await exported(source, tmp_path) == await exported(target, tmp_path)


async def test_where_copies_some_commits_and_counts_anew(source: MemoryStore) -> None:
    target = MemoryStore()

    def accounts(stored: StoredCommit) -> bool:
        return stored.commit.stream == OTHER

    summary = await copy_log(source, target, where=accounts)
    stored = await target.commits()
    assert ["c1", "c3", "c5", "c7", "c9"] == [each.commit.id for each in stored]
    assert [1, 3, 4, 5, 6] == [each.position for each in stored]
    assert [(1, 1), (2,), (3,), (4,), (5,)] == [each.versions for each in stored]
    assert (5, 6) == (summary.commits, summary.events)


def renamed(given: Commit) -> Commit | None:
    """Rename an event, drop a stream, and leave out a commit, on plain data."""
    if given.id == "c3":
        return None
    parts = [
        evolve(
            each,
            events=[
                evolve(event, type=event.type.replace("Deposited", "Credited"))
                for event in each.events
            ],
        )
        for each in given.parts
        if each.stream != CUSTOMER
    ]
    return evolve(given, parts=parts, recorded_at=given.recorded_at.astimezone(timezone.max))


async def test_transform_gives_commits_another_form(source: MemoryStore, tmp_path: Path) -> None:
    target = MemoryStore()
    summary = await copy_log(source, target, transform=renamed)
    types = {event.type for each in await target.commits() for event in each.commit.events}
    assert {"Credited", "Noted", "SeatTaken"} == types
    assert 0 == await target.version_of(CUSTOMER)
    assert (10, 11) == (summary.commits, summary.events)
    assert summary == await export_log(target, tmp_path / "log")


@pytest.mark.usefixtures("page_size")
@pytest.mark.parametrize("landing", range(SIZE - 1))
async def test_a_changed_copy_is_continued_and_repeated(
    landing: int, source: MemoryStore, tmp_path: Path
) -> None:
    whole = MemoryStore()
    await copy_log(source, whole, transform=renamed)
    target = Interrupted(landing, StoreUnavailable("test", "gone"))
    with pytest.raises(StoreUnavailable):
        await copy_log(source, target, transform=renamed)
    target.heal()
    for _ in range(2):
        await copy_log(source, target, transform=renamed)
        assert await exported(whole, tmp_path) == await exported(target, tmp_path)


async def test_another_where_is_refused_for_a_copy_that_was_begun(source: MemoryStore) -> None:
    target = MemoryStore()
    await copy_log(source, target, where=lambda stored: stored.position > 1)
    before = await target.head()
    with pytest.raises(LogsDiffer) as caught:
        await copy_log(source, target)
    assert (1, "c0", "c1") == caught.value.args
    assert before == await target.head()


async def test_the_id_of_a_commit_cannot_be_transformed(source: MemoryStore) -> None:
    target = MemoryStore()
    with pytest.raises(InvalidArgument, match=r"transform changed the id of commit c0 to x"):
        await copy_log(source, target, transform=lambda given: evolve(given, id="x"))
    assert 0 == await target.head()


@pytest.mark.parametrize("data", [{"amount": {1}}, {"amount": float("nan")}, {1: 2}])
async def test_a_transformed_commit_that_no_store_takes_is_refused(
    data: dict[str, object], source: MemoryStore
) -> None:
    bad = part(ACCOUNT, EventData("Deposited", data))
    target = MemoryStore()
    with pytest.raises(InvalidCommit, match=r"commit c0 is not JSON-compatible"):
        await copy_log(source, target, transform=lambda given: evolve(given, parts=[bad]))
    with pytest.raises(InvalidCommit, match=r"c0 has no parts"):
        await copy_log(source, target, transform=lambda given: evolve(given, parts=[]))
    assert 0 == await target.head()


@settings(max_examples=30)
@given(log=logs())
def test_any_log_is_copied_exactly(log: list[Commit]) -> None:
    async def there_and_back(folder: Path) -> None:
        source, target = await log_of(log), MemoryStore()
        await copy_log(source, target)
        assert await exported(source, folder) == await exported(target, folder)

    with TemporaryDirectory() as folder:
        asyncio.run(there_and_back(Path(folder)))
