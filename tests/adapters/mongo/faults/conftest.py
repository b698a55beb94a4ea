"""How a run is repeated, and how long it is."""

import gc
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from random import randrange

import pytest

from eventhus_testing.servers import MongoReplicaSet, mongo_replica_set
from tests.adapters.mongo.faults.primary import PARAMETERS
from tests.adapters.mongo.faults.run import Soak


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> Soak:
    """From EVENTHUS_SEED and EVENTHUS_SOAK; else short, and each time another one."""
    seed = int(os.environ.get("EVENTHUS_SEED") or randrange(2**32))
    factor = int(os.environ.get("EVENTHUS_SOAK") or 1)
    print(
        f"to repeat: EVENTHUS_SEED={seed} EVENTHUS_SOAK={factor} "
        f"python -m pytest '{request.node.nodeid}'"
    )
    return Soak(seed, factor)


@pytest.fixture
def replica_set(mongod: Path) -> Iterator[MongoReplicaSet]:
    with mongo_replica_set(3, arguments=PARAMETERS) as started:
        yield started


@pytest.fixture(autouse=True)
def dropped_sockets() -> Iterator[None]:
    """Forgive the driver, which drops a socket if it is closed while it connects (seen in 4.20)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed (<socket|transport)", ResourceWarning)
        yield
        gc.collect()  # here, not in a test that forgives nothing
