"""Racing conditions: a seeded race for seats, and a check of the whole log."""

from __future__ import annotations

import asyncio
import os
from random import Random, randrange

from eventhus.ports import Storage
from eventhus_testing.conformance.harness import Cases, case, one_store_and_two
from eventhus_testing.conformance.store.samples import whole_log
from eventhus_testing.conformance.store.seat_race import Attempt, Racer, violations

RACERS = 12
ATTEMPTS = 400


class RacingConditions(Cases):
    """Conditional commits of many writers."""

    @one_store_and_two
    @case
    async def test_a_race_for_seats_is_fair(self, store: Storage, stores: int) -> None:
        """No seat is taken twice, none is refused without a reason, and no answer is wrong."""
        seed = int(os.environ.get("EVENTHUS_SEED") or randrange(2**32))  # noqa: S311
        print(f"to repeat: EVENTHUS_SEED={seed}")  # noqa: T201 - pytest shows it with a failure
        told: list[Attempt] = []
        settled = 0

        def note(attempt: Attempt) -> None:
            nonlocal settled
            told.append(attempt)
            settled += attempt.outcome != "sent"

        async with self.store(self.bucket) as other:
            racers = [
                Racer([store, other][number % stores], Random(f"{seed}.{number}"), note)  # noqa: S311
                for number in range(RACERS)
            ]
            await asyncio.gather(*(racer.run(lambda: settled >= ATTEMPTS) for racer in racers))
            log = await whole_log(store)
        assert [] == violations(told, log)
        outcomes = {attempt.outcome for attempt in told}
        assert {"sent", "stored", "refused"} == outcomes, "a race without any conflict"
