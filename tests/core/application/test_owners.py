"""Owners of leases tell the host and the process."""

import os
import re

from eventhus_memory import MemoryBus, MemoryStore
from tests.core.readers import bank
from tests.core.waiting import eventually


async def test_every_lease_of_an_application_tells_who_holds_it() -> None:
    for bus in (MemoryBus(), None):
        store = MemoryStore()
        async with bank(store, bus=bus) as app:

            async def ignore(_: object) -> None: ...

            await app.subscribe(ignore, group="mailer")
            names = {"relay"} if bus else {"group_mailer"}
            await eventually(lambda: names <= {*store._leases})  # noqa: SLF001, B023
            held = await store.leases()
        form = re.compile(rf"[^/:]+:{os.getpid()}/[^/]+")
        assert all(form.fullmatch(each.owner) for each in held)
