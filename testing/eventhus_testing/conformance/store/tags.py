"""Tags: kept with each event, and the way to find it."""

from __future__ import annotations

from typing import Any

import pytest

from eventhus import Query
from eventhus.errors import InvalidArgument
from eventhus.ports import (
    EventData,
    Storage,
)
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.names import ALIKE, HOSTILE
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    OTHER,
    commit,
    commit_of,
    every_way,
    part,
    tagged,
    whole_log,
)


class Tags(Cases):
    """The tags of events."""

    @case
    async def test_each_event_has_its_own_tags(self, store: Storage) -> None:
        """They come back as a set of text, from every method, and from none to many."""
        many = [f"tag:{number}" for number in range(50)]
        given = commit(
            events=[tagged("course:c1", "student:s7"), tagged(), tagged(*many), tagged("a")],
            command_id="k",
        )
        await store.append(given)
        expected = [event.tags for event in given.events]
        for way, back in (await every_way(store, given)).items():
            assert (way, expected) == (way, [event.tags for event in back])
            assert {frozenset} == {type(event.tags) for event in back}
            assert {str} == {type(tag) for event in back for tag in event.tags}

    @case
    async def test_any_text_is_a_tag(self, store: Storage) -> None:
        """Tags differ when their text differs, and each finds its own event."""
        texts = dict.fromkeys([*HOSTILE.values(), *(each.aggregate_id for each in ALIKE)])
        stored = await store.append(commit(events=[tagged(text) for text in texts]))
        for recorded, text in zip(stored.recorded(), texts, strict=True):
            page = await store.read(Query.of(tags={text}))
            assert (text, [recorded]) == (text, list(page.events))

    @pytest.mark.parametrize("tag", ["", 7, None, b"course", "\ud800"], ids=ascii)
    @case
    async def test_a_tag_that_is_not_text_is_refused(self, store: Storage, tag: object) -> None:
        """Nothing of the commit is stored."""
        tags: Any = frozenset({"course:c1", tag})
        bad = EventData("Deposited", {}, tags=tags)
        with pytest.raises(InvalidArgument, match="tag"):
            await store.append(commit_of(part(OTHER), part(events=[tagged("a"), bad])))
        assert 0 == await store.head()

    @case
    async def test_a_commit_may_have_ten_thousand_tags(self, store: Storage) -> None:
        """All of them find their event; one more is refused, and nothing of it is stored."""
        events = [tagged(*(f"{n}:{tag}" for tag in range(200))) for n in range(50)]
        stored = await store.append(commit(events=events))
        for position, tag in ((1, "0:0"), (5, "4:199"), (50, "49:100")):
            page = await store.read(Query.of(tags={tag}))
            assert [position] == [recorded.position for recorded in page.events]
        with pytest.raises(InvalidArgument, match="10,000"):
            await store.append(commit_of(part(ACCOUNT, events=[*events, tagged("one")])))
        assert stored.recorded() == await whole_log(store)
