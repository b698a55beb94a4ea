"""Stores that forget, replace or mix up registrations."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from eventhus.errors import InvalidArgument
from eventhus.ports import Checkpoint, Registration
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import caught_by


@caught_by("test_a_registration_is_kept_as_it_is")
class ForgetsTheStart(MemoryStore):
    async def register(self, registration: Registration) -> Registration:
        return await super().register(evolve(registration, start=Checkpoint()))


@caught_by("test_the_first_registration_of_a_collection_stays")
@caught_by("test_one_of_many_registrations_at_once_is_stored")
class ReplacesRegistrations(MemoryStore):
    async def register(self, registration: Registration) -> Registration:
        self._registrations.pop(registration.collection, None)
        return await super().register(registration)


@caught_by("test_the_first_registration_of_a_collection_stays")
class AnswersWithTheGivenOne(MemoryStore):
    async def register(self, registration: Registration) -> Registration:
        await super().register(registration)
        return registration


@caught_by("test_registrations_come_in_the_order_of_their_collections")
class ListsInTheOrderOfArrival(MemoryStore):
    async def registrations(self) -> Sequence[Registration]:
        return [*self._registrations.values()]


@caught_by("test_a_dropped_collection_is_gone_and_others_stay")
class DropsByPrefix(MemoryStore):
    async def drop_collection(self, collection: str) -> None:
        for name in [*self._registrations]:
            if name.startswith(collection.partition(".")[0]):
                await super().drop_collection(name)


@caught_by("test_a_dropped_collection_is_gone_and_others_stay")
class DropsOnlyTheDocuments(MemoryStore):
    async def drop_collection(self, collection: str) -> None:
        await self.delete_documents(collection)


@caught_by("test_a_dropped_collection_is_gone_and_others_stay")
class DropsOnlyTheRegistration(MemoryStore):
    async def drop_collection(self, collection: str) -> None:
        self._registrations.pop(collection, None)


@caught_by("test_an_invalid_registration_is_refused")
class StoresBeforeItChecks(MemoryStore):
    async def register(self, registration: Registration) -> Registration:
        try:
            return await super().register(registration)
        except InvalidArgument:
            self._registrations[registration.collection] = registration
            raise
