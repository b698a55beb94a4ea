"""The writer of the fault tests records truthfully what it was told."""

from pathlib import Path

from eventhus.errors import StoreUnavailable
from tests.adapters.mongo.faults.checker import Acknowledged
from tests.adapters.mongo.faults.journal import Refused, Sent, entries
from tests.adapters.mongo.faults.writer import Writer


class FlakyStore(Writer):
    """A writer whose store acknowledges the first sending and is away at every odd one after."""

    sendings = 0

    async def _send(self, write: Sent) -> Acknowledged:
        self.sendings += 1
        if self.sendings % 2 == 0:
            raise StoreUnavailable("ledger", "no server")
        return Acknowledged(key=write.key, stream=write.stream, size=1, version=1, position=1)


async def test_an_acknowledged_write_is_never_recorded_as_refused(tmp_path: Path) -> None:
    """Some writes are sent again after their acknowledgement, and the server may be gone then."""
    journal = tmp_path / "journal"
    again = 0
    for seed in range(200):
        writer = FlakyStore(
            url="mongodb://127.0.0.1:1", bucket="ledger", seed=seed, number=1, journal=journal
        )
        write = Sent(key="1.0.1", lane=0, stream="own-1-0", size=1, how="append", after=0)
        await writer._settle(write, was_sent=False)
        again += writer.sendings > 1
    assert again > 0
    assert [] == [entry for entry in entries(journal) if isinstance(entry, Refused)]
