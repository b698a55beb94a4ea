"""Buses that are broken on purpose, and the cases that must notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Self, TypeVar

from attrs import evolve, frozen

from eventhus import StreamId
from eventhus.errors import BusUnavailable, NotRunning
from eventhus.ports import DeadLetter, Finding, GroupStatus, Message, MessageHandler
from eventhus_memory import MemoryBus
from eventhus_memory.bus import MemoryPublisher, MemorySubscription

B = TypeVar("B", bound=type[MemoryBus])


@frozen
class Defect:
    """One case and a bus that it must fail."""

    bus: type[MemoryBus]
    case: str

    def __str__(self) -> str:
        return f"{self.bus.__name__}-{self.case}"


DEFECTS: list[Defect] = []


def caught_by(case: str) -> Callable[[B], B]:
    """Name a case that fails a bus."""

    def note(bus: B) -> B:
        DEFECTS.append(Defect(bus, case))
        return bus

    return note


class Rewriting(MemoryBus):
    """Gives handlers something else than was published."""

    def rewritten(self, given: Message) -> Message | None:
        raise NotImplementedError

    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        **rest: Any,
    ) -> MemorySubscription:
        async def handle(given: Message) -> None:
            if (rewritten := self.rewritten(given)) is not None:
                await handler(rewritten)

        return await super().subscribe(handle, group=group, concurrency=concurrency, **rest)


@caught_by("test_a_message_arrives_as_it_was_published")
@caught_by("test_a_redelivery_differs_only_in_its_attempt")
class DropsHeaders(Rewriting):
    def rewritten(self, given: Message) -> Message:
        return evolve(given, headers={})


@caught_by("test_any_text_is_an_id")
class TrimsIds(Rewriting):
    def rewritten(self, given: Message) -> Message:
        return evolve(given, id=given.id.strip())


@caught_by("test_a_message_that_is_not_an_event_is_delivered")
class DropsWhatIsNoEvent(Rewriting):
    def rewritten(self, given: Message) -> Message | None:
        return given if given.body.startswith(b"{") else None


@caught_by("test_a_failed_message_is_redelivered")
class NeverCounts(Rewriting):
    def rewritten(self, given: Message) -> Message:
        return evolve(given, attempt=1)


@caught_by("test_every_group_gets_every_message")
@caught_by("test_a_failure_in_one_group_does_not_affect_another")
@caught_by("test_a_slow_handler_delays_no_other_subscription")
class HasOneGroup(MemoryBus):
    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        **rest: Any,
    ) -> MemorySubscription:
        return await super().subscribe(handler, group="all", concurrency=concurrency, **rest)


@caught_by("test_the_members_of_a_group_share_its_messages")
@caught_by("test_the_other_members_take_over_from_a_closing_one")
@caught_by("test_cancelling_a_close_loses_no_message")
class HasNoGroups(MemoryBus):
    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        **rest: Any,
    ) -> MemorySubscription:
        return await super().subscribe(handler, concurrency=concurrency, **rest)


@caught_by("test_a_subscription_starts_with_the_next_message")
@caught_by("test_a_handler_may_subscribe")
class GivesWhatWasBefore(MemoryBus):
    def __init__(self) -> None:
        super().__init__()
        self.all: list[Message] = []

    async def publisher(self) -> MemoryPublisher:
        bus = self

        class Remembering(MemoryPublisher):
            async def publish(self, messages: Sequence[Message]) -> None:
                bus.all += messages
                await super().publish(messages)

        return Remembering(self._published, self._groups)

    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        **rest: Any,
    ) -> MemorySubscription:
        for each in self.all:
            await handler(each)
        return await super().subscribe(handler, group=group, concurrency=concurrency, **rest)


class Publishing(MemoryBus):
    """Hands on something else than it was given."""

    def handed_on(self, messages: Sequence[Message]) -> Sequence[Message]:
        raise NotImplementedError

    async def publisher(self) -> MemoryPublisher:
        bus = self

        class Other(MemoryPublisher):
            async def publish(self, messages: Sequence[Message]) -> None:
                await super().publish(bus.handed_on(messages))

        return Other(self._published, self._groups)


@caught_by("test_a_message_may_be_as_long_as_its_limits")
class CutsLongHeaders(Publishing):
    def handed_on(self, messages: Sequence[Message]) -> Sequence[Message]:
        return [
            evolve(each, headers={name: value[:8192] for name, value in each.headers.items()})
            for each in messages
        ]


@caught_by("test_messages_beyond_a_limit_are_refused")
class DropsWhatIsBeyondALimit(Publishing):
    def handed_on(self, messages: Sequence[Message]) -> Sequence[Message]:
        return [each for each in messages if len(each.id) <= 256]


@caught_by("test_publishing_nothing_does_nothing")
class CountsOneMore(Publishing):
    def handed_on(self, messages: Sequence[Message]) -> Sequence[Message]:
        return messages or [Message(id="x", stream=StreamId("Account", "x"), body=b"{}")]


@caught_by("test_thousands_of_messages_keep_their_order")
@caught_by("test_a_replaced_publisher_changes_no_order")
class TurnsTheOrder(Publishing):
    def handed_on(self, messages: Sequence[Message]) -> Sequence[Message]:
        return [*reversed(messages)]


@caught_by("test_the_messages_of_a_stream_keep_their_order")
@caught_by("test_a_failed_message_blocks_only_its_stream")
class TakesEachForAStreamOfItsOwn(Publishing):
    def handed_on(self, messages: Sequence[Message]) -> Sequence[Message]:
        return [evolve(each, stream=Own.of(each.stream, each.id)) for each in messages]


@frozen
class Own(StreamId):
    """Shows itself as the stream that it was, and is none of it."""

    number: str = ""

    @classmethod
    def of(cls, stream: StreamId, number: str) -> Own:
        return cls(stream.aggregate_type, stream.aggregate_id, number)


@caught_by("test_an_invalid_group_or_concurrency_is_refused")
class TakesAnyGroup(MemoryBus):
    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        **rest: Any,
    ) -> MemorySubscription:
        return await super().subscribe(handler, concurrency=concurrency, **rest)

    async def bury(self, message: Message, group: str) -> None:
        await super().bury(message, "any")


@caught_by("test_streams_are_handled_side_by_side")
class HandlesOneAtATime(MemoryBus):
    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        **rest: Any,
    ) -> MemorySubscription:
        return await super().subscribe(handler, group=group, **rest)


@caught_by("test_one_message_at_a_time_is_handled_by_default")
@caught_by("test_the_concurrency_is_never_exceeded")
class HandlesManyAtOnce(MemoryBus):
    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        **rest: Any,
    ) -> MemorySubscription:
        return await super().subscribe(handler, group=group, concurrency=9, **rest)


@caught_by("test_a_handler_may_publish")
class IsDeafWhileItHandles(Rewriting, Publishing):
    _handed_on = 0

    def rewritten(self, given: Message) -> Message:
        return given

    def handed_on(self, messages: Sequence[Message]) -> Sequence[Message]:
        self._handed_on += 1
        return messages if self._handed_on < 3 else []


class Handling(MemoryBus):
    """Does something else when a handler fails."""

    async def failed(self, given: Message, error: BaseException) -> None:
        raise NotImplementedError

    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        **rest: Any,
    ) -> MemorySubscription:
        async def handle(given: Message) -> None:
            try:
                await handler(given)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
                await self.failed(given, error)

        return await super().subscribe(handle, group=group, concurrency=concurrency, **rest)


@caught_by("test_a_failed_message_is_redelivered")
class AcceptsWhatIsRefused(Handling):
    async def failed(self, given: Message, error: BaseException) -> None:
        pass


@caught_by("test_a_failed_message_blocks_only_its_stream")
@caught_by("test_a_failure_in_one_group_does_not_affect_another")
class PublishesAgain(Handling):
    async def failed(self, given: Message, error: BaseException) -> None:
        publisher = await self.publisher()
        await publisher.publish([evolve(given, attempt=given.attempt + 1)])


@caught_by("test_a_handler_that_raises_cancelled_error_has_failed")
class TakesACancellationForAnAnswer(Handling):
    async def failed(self, given: Message, error: BaseException) -> None:
        if not isinstance(error, asyncio.CancelledError):
            raise error


@caught_by("test_a_dead_letter_is_kept")
@caught_by("test_dead_letters_may_be_discarded_while_reading")
class KeepsNoLetters(MemoryBus):
    async def bury(self, message: Message, group: str) -> None:
        pass


@caught_by("test_every_group_has_its_own_dead_letters")
class KeepsLettersTogether(MemoryBus):
    async def bury(self, message: Message, group: str) -> None:
        await super().bury(message, "all")

    async def dead_letters(self, group: str, *, after: int = 0) -> AsyncGenerator[DeadLetter, None]:
        async for letter in super().dead_letters("all", after=after):
            yield letter


@caught_by("test_dead_letters_may_be_read_from_a_number")
class ReadsLettersFromTheFirst(MemoryBus):
    async def dead_letters(self, group: str, *, after: int = 0) -> AsyncGenerator[DeadLetter, None]:
        async for letter in super().dead_letters(group, after=min(after, 0)):
            yield letter


@caught_by("test_dead_letters_may_be_read_from_a_number")
class CountsLettersThatAreLeft(MemoryBus):
    async def dead_letters(self, group: str, *, after: int = 0) -> AsyncGenerator[DeadLetter, None]:
        letters = [letter async for letter in super().dead_letters(group)]
        for letter in letters[after:]:
            yield letter


@caught_by("test_a_group_exists_once_it_subscribed_or_has_dead_letters")
class KnowsEveryGroup(MemoryBus):
    async def has_group(self, group: str) -> bool:
        return True


@caught_by("test_a_group_exists_once_it_subscribed_or_has_dead_letters")
class KnowsGroupsWithLettersOnly(MemoryBus):
    async def has_group(self, group: str) -> bool:
        return bool([letter async for letter in self.dead_letters(group)])


@caught_by("test_a_group_exists_once_it_subscribed_or_has_dead_letters")
class KnowsSubscribedGroupsOnly(MemoryBus):
    def __init__(self) -> None:
        super().__init__()
        self.subscribed: set[str | None] = set()

    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        **rest: Any,
    ) -> MemorySubscription:
        self.subscribed.add(group)
        return await super().subscribe(handler, group=group, concurrency=concurrency, **rest)

    async def has_group(self, group: str) -> bool:
        return group in self.subscribed


@caught_by("test_a_dead_letter_is_discarded")
class NeverDiscards(MemoryBus):
    async def discard(self, letter: DeadLetter, group: str) -> None:
        pass


@caught_by("test_a_dead_letter_is_delivered_to_nobody")
class DeliversLetters(MemoryBus):
    async def bury(self, message: Message, group: str) -> None:
        await (await self.publisher()).publish([message])


class Ending(MemoryBus):
    """Ends its subscriptions in another way."""

    def ending(self, subscription: MemorySubscription) -> Any:
        raise NotImplementedError

    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        **rest: Any,
    ) -> MemorySubscription:
        subscription = await super().subscribe(
            handler, group=group, concurrency=concurrency, **rest
        )
        subscription.close = self.ending(subscription)  # type: ignore[method-assign]
        return subscription


@caught_by("test_closing_waits_for_the_handler")
class DoesNotWait(Ending):
    def ending(self, subscription: MemorySubscription) -> Any:
        async def close() -> None:
            subscription.stop()

        return close


@caught_by("test_a_closed_subscription_gets_no_more_messages")
@caught_by("test_a_handler_may_close_its_own_subscription")
class DoesNotClose(Ending):
    def ending(self, subscription: MemorySubscription) -> Any:
        async def close() -> None:
            pass

        return close


@caught_by("test_leaving_waits_for_handlers")
class CannotBeSubscribedTo(Rewriting):
    def rewritten(self, given: Message) -> None:
        return None


class Starting(MemoryBus):
    """Starts subscriptions elsewhere."""

    def other(self, start: Any) -> Any:
        raise NotImplementedError

    async def subscribe(
        self, handler: MessageHandler, *, start: Any = "now", **rest: Any
    ) -> MemorySubscription:
        return await super().subscribe(handler, start=self.other(start), **rest)


@caught_by("test_a_subscription_may_start_at_the_beginning")
@caught_by("test_a_subscription_may_start_after_a_position")
class StartsNow(Starting):
    def other(self, start: Any) -> Any:
        return start if start in (None, "", "end") else "now"


@caught_by("test_a_subscription_may_start_after_a_position")
class StartsAtThePosition(Starting):
    def other(self, start: Any) -> Any:
        return start - 1 if start in range(1, 100) else start


@caught_by("test_an_invalid_start_is_refused")
class StartsAnywhere(Starting):
    def other(self, start: Any) -> Any:
        return start if type(start) in (int, str) and start in ("now", 0) else "beginning"


@caught_by("test_a_group_that_exists_keeps_its_place")
class StartsGroupsOver(MemoryBus):
    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None, start: Any = "now", **rest: Any
    ) -> MemorySubscription:
        joined = self._groups.get(group) if group else None
        for each in self._kept(start, len(self._published)) if joined else ():
            await handler(each)
        return await super().subscribe(handler, group=group, start=start, **rest)


@caught_by("test_unwanted_messages_may_be_left_out")
class LeavesOutWhatHasNoType(MemoryBus):
    async def subscribe(
        self, handler: MessageHandler, *, unwanted: Any = (), **rest: Any
    ) -> MemorySubscription:
        async def handle(given: Message) -> None:
            if not unwanted or given.type:
                await handler(given)

        return await super().subscribe(handle, **rest)


@caught_by("test_a_fresh_bus_has_no_errors")
class RaisesWhenDiagnosed(MemoryBus):
    async def diagnose(self) -> Sequence[Finding]:
        raise BusUnavailable("test", "away")


@caught_by("test_a_fresh_bus_has_no_errors")
class FindsErrorsInAFreshBucket(MemoryBus):
    async def diagnose(self) -> Sequence[Finding]:
        return [Finding.error("memory.stream", "missing", "create it")]


@caught_by("test_a_diagnosis_needs_no_entered_bus")
class DiagnosesOnlyInUse(MemoryBus):
    def __init__(self) -> None:
        super().__init__()
        self._entered = False

    async def __aenter__(self) -> Self:
        self._entered = True
        return await super().__aenter__()

    async def diagnose(self) -> Sequence[Finding]:
        if not self._entered:
            raise NotRunning("enter it first")
        return await super().diagnose()


@caught_by("test_groups_are_described")
class DescribesGroupsWithMembers(MemoryBus):
    async def groups(self) -> Sequence[GroupStatus]:
        return [each for each in await super().groups() if each.waiting is not None]


@caught_by("test_groups_are_described")
class CountsAllMessages(MemoryBus):
    async def groups(self) -> Sequence[GroupStatus]:
        waiting = len(self._published)
        return [
            evolve(each, waiting=None if each.waiting is None else waiting)
            for each in await super().groups()
        ]


@caught_by("test_groups_are_described")
class CountsDiscardedLetters(MemoryBus):
    async def discard(self, letter: DeadLetter, group: str) -> None:
        pass


@caught_by("test_a_moved_group_goes_on_at_its_new_place")
@caught_by("test_a_group_is_not_moved_to_an_invalid_place")
@caught_by("test_moving_a_group_moves_nothing_else")
class ForgetsWhereGroupsWereMoved(MemoryBus):
    async def move(self, group: str, start: Any) -> None:
        await super().move(group, start)
        self._moved.clear()


@caught_by("test_a_moved_group_goes_on_at_its_new_place")
class MovesWhenTheNextMemberSubscribes(MemoryBus):
    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None, start: Any = "now", **rest: Any
    ) -> MemorySubscription:
        if group in self._moved:
            start, _ = self._moved.pop(group)
        return await super().subscribe(handler, group=group, start=start, **rest)


@caught_by("test_a_group_with_a_member_is_not_moved")
class MovesGroupsWithMembers(MemoryBus):
    async def move(self, group: str, start: Any) -> None:
        if group in self._groups:
            for each in self._kept(start, len(self._published)):
                self._groups[group].queues.add(each)
        else:
            await super().move(group, start)


@caught_by("test_moving_a_group_moves_nothing_else")
class DiscardsLettersOfMovedGroups(MemoryBus):
    async def move(self, group: str, start: Any) -> None:
        await super().move(group, start)
        for letter in [letter async for letter in self.dead_letters(group)]:
            await self.discard(letter, group)


@caught_by("test_a_group_that_does_not_exist_is_not_moved")
class CreatesMovedGroups(MemoryBus):
    async def move(self, group: str, start: Any) -> None:
        self._subscribed.add(group)
        await super().move(group, start)


@caught_by("test_a_deleted_group_begins_anew")
class RemembersWhereDeletedGroupsWereMoved(MemoryBus):
    async def delete_group(self, group: str) -> None:
        moved = self._moved.copy()
        await super().delete_group(group)
        self._moved = moved


@caught_by("test_a_deleted_group_begins_anew")
class ListsDeletedGroups(MemoryBus):
    async def delete_group(self, group: str) -> None:
        await super().delete_group(group)
        self._subscribed.add(group)


@caught_by("test_a_deleted_group_begins_anew")
class DeletesEveryGroup(MemoryBus):
    async def delete_group(self, group: str) -> None:
        await super().delete_group(group)
        self._subscribed.clear()


@caught_by("test_a_group_with_a_member_is_not_deleted")
class DeletesGroupsWithMembers(MemoryBus):
    async def delete_group(self, group: str) -> None:
        if group in self._groups:
            self._subscribed.discard(group)
        else:
            await super().delete_group(group)


@caught_by("test_a_group_with_dead_letters_is_not_deleted")
class DeletesGroupsWithLetters(MemoryBus):
    async def delete_group(self, group: str) -> None:
        for letter in [letter async for letter in self.dead_letters(group)]:
            await self.discard(letter, group)
        if group in self._subscribed:
            await super().delete_group(group)


@caught_by("test_a_group_that_does_not_exist_is_not_deleted")
class DeletesUnknownGroups(MemoryBus):
    async def delete_group(self, group: str) -> None:
        if await self.has_group(group):
            await super().delete_group(group)
