"""The measurements of views, processes and handlers, each with little to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import mongo_readers
from benchmarks.mongo import mongo_site
from benchmarks.mongo_readers import COUNTING, COUNTS
from benchmarks.mongo_site import Site

KEYS = 5


@pytest.fixture(scope="module")
def site(mongod: Path) -> Iterator[Site]:
    with mongo_site() as started:
        yield started


@pytest.mark.parametrize("workers", [1, 30])
def test_a_process_is_measured_until_each_key_has_its_command(site: Site, workers: int) -> None:
    assert mongo_readers.commands(site, keys=KEYS, workers=workers)() > 0


@pytest.mark.parametrize("elsewhere", [False, True])
def test_every_commit_is_measured_on_its_way_to_a_view(site: Site, *, elsewhere: bool) -> None:
    measured = site.runner.run(mongo_readers.seconds_to_view(site.client, 3, elsewhere=elsewhere))
    assert 3 == len(measured)
    assert min(measured) >= 0


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("group", [None, "handlers"])
def test_every_commit_is_measured_on_its_way_to_a_handler(
    site: Site, group: str | None, *, elsewhere: bool
) -> None:
    measured = site.runner.run(
        mongo_readers.seconds_to_handler(site.client, 3, group=group, elsewhere=elsewhere)
    )
    assert 3 == len(measured)
    assert min(measured) >= 0


@pytest.mark.parametrize("name", [COUNTS.name, COUNTING.name])
def test_growth_is_measured_over_the_whole_log(site: Site, name: str) -> None:
    bucket = f"growth_{name}"
    site.runner.run(mongo_readers.fill_opened(site.client, bucket, KEYS, events=200))
    assert mongo_readers.growth_mb(site.url, bucket, name, KEYS * 200) is not None
    counted = site.client[bucket][f"{'view' if name == COUNTS.name else 'process'}_{name}"]
    documents = site.runner.run(counted.find().to_list())
    assert [200] * KEYS == [each["_value"] for each in documents]
