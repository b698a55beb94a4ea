"""The conformance suite fails every store that breaks a promise."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from eventhus import Query, StreamId
from eventhus.ports import (
    Checkpoint,
    Commit,
    DeadLetter,
    Finding,
    HeldLease,
    IndexField,
    Lease,
    Message,
    Page,
    Registration,
    Selected,
    Selection,
    Slice,
    Snapshot,
    Storage,
    StoredCommit,
    StoredEvent,
    StreamEnd,
    ViewDocument,
    ViewWrite,
)
from eventhus_memory import MemoryStore
from eventhus_testing.conformance import StoreConformance
from eventhus_testing.conformance.store import samples
from tests.testing.conformance.broken import (  # noqa: F401 - they note their defects
    appending,
    conditions,
    content,
    deadlines,
    diagnosing,
    following,
    groups,
    ids,
    inspecting,
    keeping,
    leases,
    limits,
    pages,
    parked,
    queries,
    registrations,
    restoring,
    selecting,
    several_streams,
    views,
    whole_commits,
)
from tests.testing.conformance.defects import DEFECTS, Defect

MINE = """
from eventhus_memory import MemoryStore
from eventhus_testing.conformance import StoreConformance

class Headless(MemoryStore):
    async def head(self):
        return 0

class TestMine(StoreConformance):
    def store(self, bucket):
        return MemoryStore()

class TestHeadless(StoreConformance):
    def store(self, bucket):
        return Headless()
"""


class Nothing:
    """A store that agrees to everything and does nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    async def append(self, commit: Commit) -> StoredCommit:
        versions = [(part.expected_version or 0) + 1 for part in commit.parts]
        return StoredCommit(commit=commit, versions=versions, position=1)

    async def find(self, command_id: str) -> StoredCommit | None:
        return None

    async def load(self, stream: StreamId, *, after_version: int = 0, limit: int = 1000) -> Slice:
        return Slice(events=(), version=0, position=0, event_id="", first_event_id="")

    async def history(
        self, stream: StreamId, *, after_version: int = 0, limit: int = 1000
    ) -> Sequence[StoredEvent]:
        return []

    async def version_of(self, stream: StreamId) -> int:
        return 0

    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        return Page(events=(), position=after, event_id="", is_last=True)

    async def read_backwards(
        self, query: Query | None = None, *, before: int | None = None, limit: int = 1000
    ) -> Page:
        return Page(events=(), position=1, event_id="", is_last=True)

    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> AsyncGenerator[Page, None]:
        return
        yield  # makes it a generator

    async def commits(self, *, after: int = 0, limit: int = 100) -> Sequence[StoredCommit]:
        return ()

    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        pass

    async def head(self) -> int:
        return 0

    async def find_event(self, event_id: str) -> StoredEvent | None:
        return None

    async def related(
        self, correlation_id: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[StoredEvent]:
        return []

    async def streams(
        self,
        *,
        stream_type: str | None = None,
        prefix: str = "",
        after: StreamId | None = None,
        limit: int = 100,
    ) -> Sequence[StreamEnd]:
        return []

    async def load_snapshot(self, stream: StreamId) -> Snapshot | None:
        return None

    async def save_snapshot(self, snapshot: Snapshot) -> None: ...

    async def load_checkpoint(self, name: str) -> Checkpoint:
        return Checkpoint()

    async def save_checkpoint(
        self,
        name: str,
        position: int,
        *,
        event_id: str = "",
        token: int = 0,
        done: Sequence[tuple[int, int]] = (),
    ) -> None: ...

    async def forget_checkpoint(self, name: str, *, token: int = 0) -> None: ...

    async def load_documents(
        self, collection: str, keys: Collection[str]
    ) -> Mapping[str, ViewDocument]:
        return {}

    async def load_parked(
        self, collection: str, *, after: str | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        return []

    async def load_armed(
        self, collection: str, *, after: tuple[datetime, str] | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        return []

    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        return frozenset()

    async def create_indexes(
        self, collection: str, indexes: Sequence[Sequence[IndexField]]
    ) -> None: ...

    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        return Selected(documents=[], position=0, parked=0)

    async def register(self, registration: Registration) -> Registration:
        return registration

    async def registrations(self) -> Sequence[Registration]:
        return []

    async def drop_collection(self, collection: str) -> None: ...

    async def delete_documents(self, collection: str) -> None: ...

    async def create_group(self, group: str, start: Checkpoint) -> Checkpoint:
        return start

    async def delete_group(self, group: str) -> None: ...

    async def load_group(self, group: str) -> Checkpoint | None:
        return None

    async def groups(self, *, after: str = "", limit: int = 100) -> Sequence[str]:
        return []

    async def count_letters(self, group: str, *, limit: int) -> int:
        return 0

    async def save_letter(self, group: str, message: Message) -> None: ...

    async def load_letters(
        self, group: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[DeadLetter]:
        return []

    async def delete_letter(self, group: str, number: int) -> None: ...

    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        return None

    async def release(self, lease: Lease) -> None: ...

    async def diagnose(self) -> Sequence[Finding]:
        return ()

    async def leases(self, *, after: str | None = None, limit: int = 100) -> Sequence[HeldLease]:
        return []


@pytest.mark.xfail(
    raises=(AssertionError, pytest.fail.Exception), reason="it does nothing", strict=True
)
class TestNothing(StoreConformance):
    """Every case fails, with an assertion that says what was missed."""

    def store(self, bucket: str) -> Nothing:
        return Nothing()


CASES = sorted(name for name in dir(StoreConformance) if name.startswith("test_"))


class Suite(StoreConformance):
    """The suite over stores of one class, run without pytest."""

    def __init__(self, make: Callable[[], Storage]) -> None:
        self._make = make
        self._logs: dict[str, Storage] = {}

    def store(self, bucket: str) -> Storage:
        log_of = getattr(self._make, "log_of", str)  # by default the bucket's
        return self._logs.setdefault(log_of(bucket), self._make())


def test_a_suite_without_a_store() -> None:
    """The message says what to write."""
    with pytest.raises(NotImplementedError) as caught:
        StoreConformance().store("bucket")
    assert "write the method store(bucket) of StoreConformance" == str(caught.value)


def test_every_case_has_a_store_that_needs_it() -> None:
    """A case that no defect is known to fail could be dropped, or looks at nothing."""
    assert {*CASES} == {defect.case for defect in DEFECTS}


@pytest.mark.parametrize("case", CASES)
def test_a_sound_store_is_not_caught(case: str) -> None:
    """What follows shows something only if the store that was broken passes when it is whole."""
    assert [] == failures(case, MemoryStore)


@pytest.mark.parametrize("defect", DEFECTS, ids=str)
def test_a_broken_store_is_caught(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    """The case that looks at the broken promise fails, in one of its runs at least.

    No verdict depends on how fast the machine is.
    """
    monkeypatch.setattr(samples, "by_clock", lambda _: [])
    if defect.hangs:
        monkeypatch.setattr(Suite, "timeout_s", 0.3)
    found = failures(defect.case, defect.store)
    assert found, f"{defect.case} does not notice a store that {defect.store.__name__}"
    assert defect.hangs == any("did not end within" in str(failure) for failure in found)


def failures(case: str, make: Callable[[], Storage]) -> list[BaseException]:
    """What the runs of a case raise that fail, each with stores of its own."""
    raised: list[BaseException] = []
    for arguments in runs(getattr(Suite, case)):
        suite = Suite(make)
        try:
            getattr(suite, case)(**arguments)
        except BaseException as failure:  # noqa: BLE001 - whatever it raises is its failure
            raised.append(failure)
    return raised


def runs(case: Callable[..., None]) -> Iterator[dict[str, object]]:
    """The arguments of each run that pytest makes of a case, which has one mark at most."""
    marks: list[pytest.Mark] = getattr(case, "pytestmark", [])
    names, sets = marks[0].args if marks else ((), [()])
    names = [names] if isinstance(names, str) else names
    for given in sets:
        if isinstance(given, type(pytest.param())):
            values = given.values
        else:
            values = given if len(names) != 1 else (given,)
        yield dict(zip(names, values, strict=True))


def test_the_suite_needs_no_plugin(tmp_path: Path) -> None:
    """It runs by pytest alone, anywhere, and a case that fails shows what it compared."""
    module = tmp_path / "test_mine.py"
    module.write_text(MINE, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-k", "first_place", module],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert "1 failed, 1 passed" in ran.stdout
    assert "assert 3 == 0" in ran.stdout
