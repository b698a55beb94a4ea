"""Long logs go from memory to a file, to MongoDB and to another file without a difference."""

from filecmp import cmp
from pathlib import Path
from time import monotonic

from eventhus.portable import export_log, import_log
from eventhus_mongo import MongoStore
from tests.adapters.mongo.faults.run import Soak
from tests.core.portable.support import accounts_log, log_of

COMMITS = 3_000


async def test_moved_logs(mongo_url: str, mongo_bucket: str, soak: Soak, tmp_path: Path) -> None:
    """A hundred thousand commits and more in a soak."""
    size = COMMITS if soak.factor == 1 else 10_000 * soak.factor
    first, second = tmp_path / "first.ndjson", tmp_path / "second.ndjson"
    source = await log_of(accounts_log(size))
    begun_s = monotonic()
    summary = await export_log(source, first)
    exported_s = monotonic()
    async with MongoStore.open(mongo_url, mongo_bucket) as store:
        assert summary == await import_log(first, store)
        imported_s = monotonic()
        assert summary == await export_log(store, second)
    print(
        f"{size:,} commits: memory to file {exported_s - begun_s:.1f} s, file to MongoDB "
        f"{imported_s - exported_s:.1f} s, MongoDB to file {monotonic() - imported_s:.1f} s"
    )
    assert cmp(first, second, shallow=False)
