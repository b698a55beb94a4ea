"""Buses that are broken on purpose, and the cases that must notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, TypeVar

from attrs import evolve, frozen

from eventhus import StreamId
from eventhus.ports import DeadLetter, Message, MessageHandler
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
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> MemorySubscription:
        async def handle(given: Message) -> None:
            if (rewritten := self.rewritten(given)) is not None:
                await handler(rewritten)

        return await super().subscribe(handle, group=group, concurrency=concurrency)


@caught_by("test_a_message_arrives_as_it_was_published")
@caught_by("test_only_the_attempt_differs")
class DropsHeaders(Rewriting):
    def rewritten(self, given: Message) -> Message:
        return evolve(given, headers={})


@caught_by("test_any_text_is_an_id")
class TrimsIds(Rewriting):
    def rewritten(self, given: Message) -> Message:
        return evolve(given, id=given.id.strip())


@caught_by("test_what_is_no_event_is_delivered_too")
class DropsWhatIsNoEvent(Rewriting):
    def rewritten(self, given: Message) -> Message | None:
        return given if given.body.startswith(b"{") else None


@caught_by("test_a_refused_message_comes_again")
class NeverCounts(Rewriting):
    def rewritten(self, given: Message) -> Message:
        return evolve(given, attempt=1)


@caught_by("test_everybody_gets_everything")
@caught_by("test_every_group_counts_for_itself")
@caught_by("test_a_slow_handler_holds_up_nobody_else")
class HasOneGroup(MemoryBus):
    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> MemorySubscription:
        return await super().subscribe(handler, group="all", concurrency=concurrency)


@caught_by("test_a_group_shares_its_messages")
@caught_by("test_the_rest_of_a_group_takes_over")
@caught_by("test_cancelling_who_closes")
class HasNoGroups(MemoryBus):
    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> MemorySubscription:
        return await super().subscribe(handler, concurrency=concurrency)


@caught_by("test_who_comes_later_gets_what_comes_later")
@caught_by("test_a_handler_that_subscribes")
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

        return Remembering(self._groups)

    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> MemorySubscription:
        for each in self.all:
            await handler(each)
        return await super().subscribe(handler, group=group, concurrency=concurrency)


class Publishing(MemoryBus):
    """Hands on something else than it was given."""

    def handed_on(self, messages: Sequence[Message]) -> Sequence[Message]:
        raise NotImplementedError

    async def publisher(self) -> MemoryPublisher:
        bus = self

        class Other(MemoryPublisher):
            async def publish(self, messages: Sequence[Message]) -> None:
                await super().publish(bus.handed_on(messages))

        return Other(self._groups)


@caught_by("test_publishing_nothing")
class CountsOneMore(Publishing):
    def handed_on(self, messages: Sequence[Message]) -> Sequence[Message]:
        return messages or [Message(id="x", stream=StreamId("Account", "x"), body=b"{}")]


@caught_by("test_many_at_once")
@caught_by("test_a_publisher_that_was_replaced")
class TurnsTheOrder(Publishing):
    def handed_on(self, messages: Sequence[Message]) -> Sequence[Message]:
        return [*reversed(messages)]


@caught_by("test_a_stream_keeps_its_order")
@caught_by("test_a_refused_message_holds_back_its_stream")
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


@caught_by("test_a_group_of_another_form")
class TakesAnyGroup(MemoryBus):
    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> MemorySubscription:
        return await super().subscribe(handler, concurrency=concurrency)

    async def bury(self, message: Message, group: str) -> None:
        await super().bury(message, "any")


@caught_by("test_other_streams_go_on")
class HandlesOneAtATime(MemoryBus):
    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> MemorySubscription:
        return await super().subscribe(handler, group=group)


@caught_by("test_one_at_a_time")
@caught_by("test_never_more_than_asked_for")
class HandlesManyAtOnce(MemoryBus):
    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> MemorySubscription:
        return await super().subscribe(handler, group=group, concurrency=9)


@caught_by("test_a_handler_that_publishes")
class IsDeafWhileItHandles(Rewriting, Publishing):
    _published = 0

    def rewritten(self, given: Message) -> Message:
        return given

    def handed_on(self, messages: Sequence[Message]) -> Sequence[Message]:
        self._published += 1
        return messages if self._published < 3 else []


class Handling(MemoryBus):
    """Does something else when a handler fails."""

    async def failed(self, given: Message, error: BaseException) -> None:
        raise NotImplementedError

    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> MemorySubscription:
        async def handle(given: Message) -> None:
            try:
                await handler(given)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
                await self.failed(given, error)

        return await super().subscribe(handle, group=group, concurrency=concurrency)


@caught_by("test_a_refused_message_comes_again")
class AcceptsWhatIsRefused(Handling):
    async def failed(self, given: Message, error: BaseException) -> None:
        pass


@caught_by("test_a_refused_message_holds_back_its_stream")
@caught_by("test_every_group_counts_for_itself")
class PublishesAgain(Handling):
    async def failed(self, given: Message, error: BaseException) -> None:
        publisher = await self.publisher()
        await publisher.publish([evolve(given, attempt=given.attempt + 1)])


@caught_by("test_a_handler_that_was_cancelled_within")
class TakesACancellationForAnAnswer(Handling):
    async def failed(self, given: Message, error: BaseException) -> None:
        if not isinstance(error, asyncio.CancelledError):
            raise error


@caught_by("test_a_dead_letter_is_kept")
@caught_by("test_discarding_while_reading")
class KeepsNoLetters(MemoryBus):
    async def bury(self, message: Message, group: str) -> None:
        pass


@caught_by("test_every_group_has_its_own_dead_letters")
class KeepsLettersTogether(MemoryBus):
    async def bury(self, message: Message, group: str) -> None:
        await super().bury(message, "all")

    async def dead_letters(self, group: str) -> AsyncGenerator[DeadLetter, None]:
        async for letter in super().dead_letters("all"):
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
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> MemorySubscription:
        self.subscribed.add(group)
        return await super().subscribe(handler, group=group, concurrency=concurrency)

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
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> MemorySubscription:
        subscription = await super().subscribe(handler, group=group, concurrency=concurrency)
        subscription.close = self.ending(subscription)  # type: ignore[method-assign]
        return subscription


@caught_by("test_closing_waits_for_the_handler")
class DoesNotWait(Ending):
    def ending(self, subscription: MemorySubscription) -> Any:
        async def close() -> None:
            subscription.stop()

        return close


@caught_by("test_closing_an_idle_subscription")
@caught_by("test_a_handler_that_closes_its_own_subscription")
class DoesNotClose(Ending):
    def ending(self, subscription: MemorySubscription) -> Any:
        async def close() -> None:
            pass

        return close


@caught_by("test_leaving_waits_for_handlers")
class CannotBeSubscribedTo(Rewriting):
    def rewritten(self, given: Message) -> None:
        return None
