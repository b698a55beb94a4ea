"""Exported files: whole or refused."""

from __future__ import annotations

import asyncio
import hashlib
import json
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings

from eventhus.errors import CompositionError, LogCorrupted, LogFileDamaged, StoreUnavailable
from eventhus.portable import LogSummary, Progress, check_log, compression, export_log, import_log
from eventhus.ports import Commit, StoredCommit
from eventhus_memory import MemoryStore
from eventhus_testing import FaultyStore
from tests.core.portable.support import ACCOUNT, commit, exported, log_of, logs, part, some_commits


@pytest.fixture(params=["log.ndjson", "log.ndjson.zst"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file name for either form."""
    name: str = request.param
    return tmp_path / name


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return tmp_path / "plain.ndjson"


async def test_a_file_has_a_header_a_line_for_each_commit_and_a_footer(plain: Path) -> None:
    summary = await export_log(await log_of(some_commits()), plain)
    header, *lines, footer = plain.read_bytes().splitlines(keepends=True)
    assert {"format": "eventhus.log", "version": 1} == json.loads(header)
    assert [each.id for each in some_commits()] == [json.loads(each)["commit_id"] for each in lines]
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    assert {"commits": 11, "events": 13, "sha256": digest} == json.loads(footer)
    assert LogSummary(commits=11, events=13, sha256=digest) == summary


async def test_an_exported_file_is_whole(file: Path) -> None:
    assert await export_log(await log_of(some_commits()), file) == await check_log(file)


async def test_an_empty_log_has_a_file(file: Path) -> None:
    summary = await export_log(MemoryStore(), file)
    assert (0, 0) == (summary.commits, summary.events)
    target = MemoryStore()
    assert summary == await import_log(file, target)
    assert 0 == await target.head()


@settings(max_examples=30)
@given(log=logs())
def test_a_log_goes_through_a_file_unchanged(log: list[Commit]) -> None:
    async def there_and_back(folder: Path) -> None:
        source, target = await log_of(log), MemoryStore()
        for name in ("log.ndjson", "log.ndjson.zst"):
            await export_log(source, folder / name)
            await import_log(folder / name, target)
            assert await source.commits() == await target.commits()
            assert await exported(source, folder) == await exported(target, folder)

    with TemporaryDirectory() as folder:
        asyncio.run(there_and_back(Path(folder)))


async def test_equal_logs_have_equal_files(tmp_path: Path) -> None:
    """Compressed, too, as long as the same library writes them."""
    for name in ("log.ndjson", "log.ndjson.zst"):
        contents = set()
        for number in range(2):
            file = tmp_path / f"{number}{name}"
            await export_log(await log_of(some_commits()), file)
            contents.add(file.read_bytes())
        assert len(contents) == 1


async def test_commits_that_come_during_an_export_are_left_out(plain: Path) -> None:
    store = await log_of(some_commits())
    hold = (faulty := FaultyStore(store)).delays("commits")
    export = asyncio.create_task(export_log(faulty, plain))
    await hold.reached()
    await store.append(commit("late"))
    hold.release()
    assert 11 == (await export).commits


async def test_a_failed_export_leaves_the_old_file_and_nothing_else(file: Path) -> None:
    store = FaultyStore(await log_of(some_commits()))
    file.write_text("older")
    store.fails("commits")
    with pytest.raises(StoreUnavailable):
        await export_log(store, file)
    assert [file] == list(file.parent.iterdir())
    assert "older" == file.read_text()


async def test_a_cancelled_export_leaves_nothing(file: Path) -> None:
    store = FaultyStore(await log_of(some_commits()))
    hold = store.delays("commits")
    export = asyncio.create_task(export_log(store, file))
    await hold.reached()
    export.cancel()
    with pytest.raises(asyncio.CancelledError):
        await export
    assert [] == list(file.parent.iterdir())


async def test_a_file_has_no_name_before_it_is_whole(file: Path) -> None:
    store = await log_of(some_commits())
    seen: list[bool] = []
    await export_log(store, file, progress=lambda _: seen.append(file.exists()))
    assert [False] == seen
    assert [file] == list(file.parent.iterdir())


async def test_a_file_cut_anywhere_is_refused_and_changes_nothing(plain: Path) -> None:
    await export_log(await log_of(some_commits()), plain)
    content = plain.read_bytes()
    target = MemoryStore()
    for size in range(0, len(content), 7):
        plain.write_bytes(content[:size])
        with pytest.raises(LogFileDamaged, match=r"ends in the middle"):
            await import_log(plain, target)
    plain.write_bytes(content[:-1])
    with pytest.raises(LogFileDamaged, match=r"ends in the middle, after 11 whole commits"):
        await import_log(plain, target)
    assert 0 == await target.head()


async def test_a_compressed_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "log.zst"
    await export_log(await log_of(some_commits()), file)
    content = file.read_bytes()
    for size in range(len(content)):
        file.write_bytes(content[:size])
        with pytest.raises(LogFileDamaged):
            await check_log(file)


async def test_a_changed_byte_is_found(file: Path) -> None:
    await export_log(await log_of(some_commits()), file)
    content = file.read_bytes()
    for place in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[place] ^= 1
        file.write_bytes(damaged)
        try:
            summary = await check_log(file)
        except LogFileDamaged:
            continue
        # Some bits of a compressed file mean nothing.
        assert file.suffix == ".zst"
        assert 11 == summary.commits


def cut_out(lines: list[bytes], number: int) -> list[bytes]:
    return lines[:number] + lines[number + 1 :]


async def test_damage_is_told_with_its_line(plain: Path) -> None:
    await export_log(await log_of(some_commits()), plain)
    lines = plain.read_bytes().splitlines(keepends=True)
    header, first, *_, footer = lines
    for damaged, line, problem in (
        ([], 1, "it ends in the middle, after 0 whole commits"),
        (lines[1:], 1, "it does not begin as an exported log does"),
        ([b"{}\n", *lines[1:]], 1, "it does not begin as an exported log does"),
        (
            [header.replace(b":1", b":2"), *lines[1:]],
            1,
            "it is of another format version, which another version of eventhus reads",
        ),
        (cut_out(lines, 1), 2, "it continues the log at 2 instead of 1"),
        (cut_out(lines, 4), 5, "it continues the log at 7 instead of 6"),
        ([header, first, first], 3, "it continues the log at 1 instead of 2"),
        (
            [header, first.replace(b'"version":1', b'"version":2')],
            2,
            "it continues Account/a1 at 2 instead of 1",
        ),
        ([header, b"x\n"], 2, "it is not a commit in the form that an export writes"),
        (
            [header, footer],
            2,
            (
                "its last line has another count or digest than that of the 0 commits and "
                "0 events before it"
            ),
        ),
        ([*lines, b"\n"], 14, "lines follow after the last one of an exported log"),
        (lines[:-1], 13, "it ends in the middle, after 11 whole commits"),
    ):
        plain.write_bytes(b"".join(damaged))
        with pytest.raises(LogFileDamaged) as caught:
            await check_log(plain)
        assert (str(plain), line, problem) == caught.value.args


async def test_a_changed_amount_is_found_by_the_digest(plain: Path) -> None:
    await export_log(await log_of(some_commits()), plain)
    plain.write_bytes(plain.read_bytes().replace(b'"amount":5', b'"amount":6', 1))
    with pytest.raises(LogFileDamaged, match=r"digest") as caught:
        await check_log(plain)
    assert caught.value.line == 13


async def test_a_commit_beyond_the_limits_is_told_by_its_rule(plain: Path) -> None:
    await export_log(await log_of([commit("c1")]), plain)
    plain.write_bytes(plain.read_bytes().replace(b'"c1"', f'"{"c" * 256}"'.encode()))
    with pytest.raises(LogFileDamaged, match=r"commit id has 256 bytes in UTF-8"):
        await check_log(plain)


async def test_a_compressed_file_under_another_name_is_refused(tmp_path: Path) -> None:
    await export_log(await log_of(some_commits()), tmp_path / "log.zst")
    renamed = (tmp_path / "log.zst").rename(tmp_path / "log.ndjson")
    with pytest.raises(LogFileDamaged):
        await check_log(renamed)


async def test_the_next_step_is_told_if_zstandard_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(compression, "import_module", missing)
    for call in (export_log(MemoryStore(), tmp_path / "a.zst"), check_log(tmp_path / "a.zst")):
        with pytest.raises(CompositionError, match=r"install eventhus\[zstd\]"):
            await call
    assert [] == list(tmp_path.iterdir())


async def test_the_module_of_python_is_preferred(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def found(name: str) -> object:
        asked.append(name)
        return import_module("backports.zstd")

    monkeypatch.setattr(compression, "import_module", found)
    await export_log(MemoryStore(), file)
    assert asked == (["compression.zstd"] if file.suffix == ".zst" else [])


async def test_a_missing_file_or_folder_is_told_by_python(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await check_log(tmp_path / "absent")
    with pytest.raises(FileNotFoundError):
        await export_log(MemoryStore(), tmp_path / "absent" / "log")


class Holey(MemoryStore):
    """Returns commits as a damaged log has them."""

    def __init__(self, commits: list[StoredCommit], head: int) -> None:
        super().__init__()
        self._holey = commits
        self._end = head

    async def commits(self, *, after: int = 0, limit: int = 100) -> list[StoredCommit]:
        return [each for each in self._holey if each.position > after][:limit]

    async def head(self) -> int:
        return self._end


@pytest.mark.parametrize(
    ("positions", "versions", "head", "problem"),
    [
        ([2], [1], 2, (None, 1, 2)),
        ([1, 3], [1, 2], 3, (None, 2, 3)),
        ([1, 2], [1, 3], 2, (ACCOUNT, 2, 3)),
        ([1, 2], [1, 1], 2, (ACCOUNT, 2, 1)),
        ([1], [1], 3, (None, 1, 3)),
        ([1, 4], [1, 2], 3, (None, 1, 3)),
    ],
)
async def test_a_damaged_log_is_not_exported(
    positions: list[int], versions: list[int], head: int, problem: object, plain: Path
) -> None:
    commits = [
        StoredCommit(commit=commit(f"c{position}", part()), versions=[version], position=position)
        for position, version in zip(positions, versions, strict=True)
    ]
    with pytest.raises(LogCorrupted) as caught:
        await export_log(Holey(commits, head), plain)
    assert problem == caught.value.args
    assert not plain.exists()


async def test_progress_counts_to_the_head(plain: Path) -> None:
    seen: list[Progress] = []
    await export_log(await log_of(some_commits()), plain, progress=seen.append)
    await import_log(plain, MemoryStore(), progress=seen.append)
    assert [Progress(commits=11, position=13, head=13)] * 2 == seen
