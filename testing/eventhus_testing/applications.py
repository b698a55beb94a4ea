"""Given-when-then for whole applications: commands in, and then whatever comes of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, cast

from eventhus import (
    Aggregate,
    Application,
    Command,
    Committed,
    CompositionError,
    Delivered,
    InvalidArgument,
    Metadata,
    Process,
    Rejected,
    StreamId,
    View,
)
from eventhus_testing import application_texts as texts
from eventhus_testing.inside import Inside
from eventhus_testing.matching import agrees, class_of, text_of

E = TypeVar("E")
S = TypeVar("S")
V = TypeVar("V")


class StateOf(Protocol[S]):
    """An aggregate with states of exactly this type, for type checkers.

    The state of an ``Aggregate`` is covariant: beside another state, both would be objects.
    """

    @property
    def initial(self) -> S:
        """See ``Aggregate.initial``."""
        ...

    @property
    def decide(self) -> Callable[[Any, S], Iterable[Any]]:
        """See ``Aggregate.decide``."""
        ...


def scenario(app: Application, *, patience_s: float = 10.0) -> AppScenario:
    """Specify what a whole application does, on whichever store and bus it was composed with.

    Say what has happened, dispatch what is asked for, and look at what must come of it::

        async with scenario(app) as bank:
            await bank.given(account, "a1", AccountCreated("ann"), DepositPerformed(100))
            await bank.when(PerformWithdrawal(aggregate_id="a1", amount=30))
            await bank.then(WithdrawalPerformed(30))
            await bank.then_state(account, "a1", Account("ann", 70))
            await bank.then_published(WithdrawalPerformed(30))

    Nothing sleeps: what happens behind the command is waited for by its position in the log. What
    processes do because of what was given is done before the next step.

    Args:
        app: The application. It is entered, and left at the end, unless it is running already.
        patience_s: How long to wait at most for what happens behind a command.
    """
    return AppScenario(app, patience_s)


class AppScenario:
    """An application in the course of a test. Made by ``scenario``; use it in ``async with``.

    Whatever stands behind a ``when`` speaks of that one; a ``when`` that nothing speaks of is an
    error, at the next ``when`` or at the end.
    """

    def __init__(self, app: Application, patience_s: float) -> None:
        self._app = app
        self._inside = Inside(app)
        self._patience_s = patience_s
        self._story = texts.Story(app.bucket)
        self._published = _Published()
        self._exit = AsyncExitStack()
        self._commands: Sequence[Command] = ()
        self._commits: list[Committed] = []
        self._refusal: Rejected | None = None
        self._after = 0  # the position before the last ``when``
        self._checked = True

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if not self._inside.running:
                await stack.enter_async_context(self._app)
            if self._inside.bus is not None:
                subscription = await self._app.subscribe(self._published)
                stack.push_async_callback(subscription.close)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        await self._exit.__aexit__(exc_type, exc, traceback)
        if exc_type is None:
            self._must_be_checked()

    async def given(self, aggregate: Aggregate[Any, E, Any], aggregate_id: str, *events: E) -> None:
        """Let these events have happened to an aggregate, after those that it has.

        They go straight into the log, in one commit: no rule is asked, and no command needed.

        Args:
            aggregate: One of the application's.
            aggregate_id: Whose history it is.
            events: What happened, oldest first.

        Raises:
            TypeError: There are none, or one of them is not an event of the aggregate.
            InvalidArgument: The aggregate is not one of the application's.
        """
        __tracebackhide__ = True
        if not events:
            raise TypeError("given takes what has happened: at least one event")
        if aggregate not in self._inside.aggregates:
            raise InvalidArgument(
                f"{aggregate.name} is not an aggregate of application {self._app.bucket}"
            )
        _check_events("given", aggregate.name, aggregate.events, events)
        stream = StreamId(aggregate.name, aggregate_id)
        await self._inside.append(stream, events)
        self._story.given(stream, events)
        await self._settled()

    async def when(
        self,
        *commands: Command,
        expected_version: int | None = None,
        command_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> None:
        """Dispatch a command, or several in a row, up to the first that is refused.

        A refusal is an outcome. Any other exception travels on, and leaves nothing to check.

        Args:
            commands: What to do.
            expected_version: As for ``Application.dispatch``.
            command_id: As for ``Application.dispatch``.
            metadata: As for ``Application.dispatch``.

        Raises:
            AssertionError: Nothing was said of what came of the ``when`` before.
            TypeError: There is no command; or several, with what can only be said of one.
        """
        __tracebackhide__ = True
        if not commands:
            raise TypeError("when takes at least one command")
        if len(commands) > 1 and (command_id is not None or expected_version is not None):
            raise TypeError("a command_id or an expected_version is that of a single command")
        self._must_be_checked()
        self._after = await self._inside.store.head()
        self._commands, self._commits, self._refusal = (), [], None
        for command in commands:
            try:
                committed = await self._app.dispatch(
                    command,
                    expected_version=expected_version,
                    command_id=command_id,
                    metadata=metadata,
                )
            except Rejected as refusal:
                self._refusal = refusal
                break
            except Exception as error:
                self._story.raised(commands, self._events, error)
                raise
            self._commits.append(committed)
        self._commands = commands
        self._checked = False
        self._story.when(commands, self._events, self._refusal)

    async def then(self, *events: object, ignoring: Collection[str] = ()) -> None:
        """The commands must have produced exactly these events, in this order.

        Args:
            events: The events; ``like`` stands for one of which only some fields matter.
            ignoring: The names of fields that do not count, wherever they stand.

        Raises:
            AssertionError: One was refused, or they produced something else.
            TypeError: One of them is not an event of the application, or there was no ``when``.
        """
        __tracebackhide__ = True
        self._looks("then")
        _check_events("then", f"application {self._app.bucket}", self._inside.events, events)
        if self._refusal is not None or not agrees(events, tuple(self._events), ignoring):
            raise AssertionError(self._story.other_events(events, ignoring)) from self._refusal

    async def then_nothing(self) -> None:
        """The commands must have been accepted without an event.

        Raises:
            AssertionError: One was refused, or produced an event.
            TypeError: There was no ``when``.
        """
        __tracebackhide__ = True
        await self.then()

    async def then_rejected(
        self, reason: type[Rejected], *, match: str | re.Pattern[str] | None = None
    ) -> None:
        """The last command must have been refused.

        Args:
            reason: The class of the refusal, or a base of it.
            match: A regular expression to be found anywhere in its message.

        Raises:
            AssertionError: It was accepted, or refused with another class or message.
            TypeError: There was no ``when``.
        """
        __tracebackhide__ = True
        self._looks("then_rejected")
        refusal = self._refusal
        if not isinstance(refusal, reason) or not re.search(match or "", str(refusal)):
            raise AssertionError(self._story.other_refusal(reason, match)) from refusal

    async def then_committed(
        self, *, version: int | None = None, metadata: Metadata | None = None
    ) -> None:
        """The last command must have been accepted, and its events stand where they should.

        Args:
            version: That of the aggregate afterwards.
            metadata: What each event must carry: these pairs, and these ids where they are given.

        Raises:
            AssertionError: It was refused, or something differs.
            TypeError: There was no ``when``.
        """
        __tracebackhide__ = True
        self._looks("then_committed")
        if self._refusal is not None:
            raise AssertionError(self._story.not_committed()) from self._refusal
        committed = self._commits[-1]
        if version is not None and version != committed.version:
            raise AssertionError(self._story.other("version", version, committed.version))
        if metadata is not None:
            if not committed.events:
                raise AssertionError(self._story.other("metadata", metadata, "no event"))
            for recorded in committed.events:
                wanted = _completed(metadata, recorded.metadata)
                if wanted != recorded.metadata:
                    raise AssertionError(self._story.other("metadata", wanted, recorded.metadata))

    async def then_state(
        self,
        aggregate: StateOf[S],
        aggregate_id: str,
        state: S,
        *,
        ignoring: Collection[str] = (),
    ) -> None:
        """The state of an aggregate must now equal this one.

        Args:
            aggregate: One of the application's.
            aggregate_id: Whose state.
            state: The state; ``like`` stands for one of which only some fields matter.
            ignoring: As for ``then``.

        Raises:
            AssertionError: It does not.
            TypeError: There was no ``when``.
        """
        __tracebackhide__ = True
        self._looks("then_state")
        await self._settled()
        of = cast("Aggregate[Any, Any, S]", aggregate)
        actual = await self._app.state(of, aggregate_id)
        if not agrees(state, actual, ignoring):
            stream = StreamId(of.name, aggregate_id)
            raise AssertionError(
                self._story.other(str(stream), state, actual, ignoring)
            ) from self._refusal

    async def then_published(self, *events: object, ignoring: Collection[str] = ()) -> None:
        """Exactly these events must be on the bus, of all that is in the log since the ``when``.

        They are told apart by their positions, and compared in that order: a bus may deliver
        twice, and events of different aggregates in any order.

        Args:
            events: As for ``then``.
            ignoring: As for ``then``.

        Raises:
            AssertionError: Others are, or some did not come in time.
            CompositionError: The application has no bus.
            TypeError: One of them is not an event of the application, or there was no ``when``.
        """
        __tracebackhide__ = True
        self._looks("then_published")
        if self._inside.bus is None:
            raise CompositionError("the application has no bus, so nothing is published")
        _check_events(
            "then_published", f"application {self._app.bucket}", self._inside.events, events
        )
        await self._settled()
        expected = range(self._after + 1, await self._inside.store.head() + 1)
        published = self._published
        in_time = await self._in_time(published.changed, lambda: published.has(expected))
        carried = tuple(published.events[n] for n in expected if n in published.events)
        if not in_time:
            raise AssertionError(
                self._story.not_published(len(expected) - len(carried), self._patience_s)
            )
        if not agrees(events, carried, ignoring):
            raise AssertionError(self._story.other_published(events, carried, ignoring))

    async def then_view(
        self, view: View[Any, V], key: str, value: V, *, ignoring: Collection[str] = ()
    ) -> None:
        """A view must show this, once it has seen all that is in the log now.

        Args:
            view: One of the application's.
            key: The key.
            value: Its value; ``like`` stands for one of which only some fields matter.
            ignoring: As for ``then``.

        Raises:
            AssertionError: It shows something else, or nothing, or did not catch up in time.
            InvalidArgument: The view is not one of the application's.
            ReaderStopped: It cannot take an event.
            TypeError: There was no ``when``.
        """
        __tracebackhide__ = True
        self._looks("then_view")
        actual = await self._value(view, key)
        if actual is None or not agrees(value, actual, ignoring):
            what = f"{view.name} of {key}"
            raise AssertionError(self._story.other(what, value, actual, ignoring))

    async def then_no_view(self, view: View[Any, Any], key: str) -> None:
        """A view must show nothing under a key, once it has seen all that is in the log now.

        Args:
            view: One of the application's.
            key: The key.

        Raises what ``then_view`` does.
        """
        __tracebackhide__ = True
        self._looks("then_no_view")
        actual = await self._value(view, key)
        if actual is not None:
            raise AssertionError(self._story.other(f"{view.name} of {key}", None, actual))

    async def then_commands(
        self, process: Process[Any, Any], *commands: Command, ignoring: Collection[str] = ()
    ) -> None:
        """A process must have sent exactly these, because of what happened since the ``when``.

        By then they are carried out, or refused, which is what ``then_state`` and others see.

        Args:
            process: One of the application's.
            commands: The commands, in order.
            ignoring: As for ``then``.

        Raises:
            AssertionError: It sent others, or did not catch up in time.
            InvalidArgument: The process is not one of the application's.
            ReaderStopped: It cannot take an event.
            TypeError: There was no ``when``.
        """
        __tracebackhide__ = True
        self._looks("then_commands")
        await self._settled(process)
        # What was sent is what react says: a process sends that, each command once.
        states: dict[str, Any] = {}
        sent: list[Command] = []
        async for recorded in self._inside.log():
            if type(recorded.event) not in process.events:
                continue
            key = process.key(recorded)
            if key is None:
                continue
            states[key] = process.evolve(states.get(key, process.initial), recorded)
            if recorded.position > self._after:
                sent += process.reacted(states[key], recorded)
        if not agrees(commands, tuple(sent), ignoring):
            raise AssertionError(self._story.other_commands(process.name, commands, sent, ignoring))

    async def _value(self, view: View[Any, V], key: str) -> V | None:
        await self._settled(view)
        return await self._app.view(view, key)

    async def _settled(self, *readers: View[Any, Any] | Process[Any, Any]) -> None:
        """Wait until every process, and these, have seen the log, and nothing comes of it any more.

        Raises:
            AssertionError: They did not in time.
        """
        __tracebackhide__ = True
        waited_for = dict.fromkeys([*self._inside.processes, *readers])
        if not waited_for:
            return
        seen = -1
        try:
            async with asyncio.timeout(self._patience_s):
                while seen != (head := await self._inside.store.head()):
                    for reader in waited_for:
                        await self._app.caught_up(reader, head)
                    seen = head
        except TimeoutError:
            raise AssertionError(self._story.not_caught_up(self._patience_s)) from None

    async def _in_time(self, changed: asyncio.Event, holds: Callable[[], bool]) -> bool:
        try:
            async with asyncio.timeout(self._patience_s):
                while not holds():
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            return False
        return True

    @property
    def _events(self) -> list[object]:
        return [recorded.event for each in self._commits for recorded in each.events]

    def _looks(self, method: str) -> None:
        __tracebackhide__ = True
        if not self._commands:
            raise TypeError(f"{method} speaks of what came of a when; put one before it")
        self._checked = True

    def _must_be_checked(self) -> None:
        __tracebackhide__ = True
        if not self._checked:
            self._checked = True  # said once
            raise AssertionError(self._story.unchecked())


class _Published:
    """The events that a bus delivered, by position."""

    def __init__(self) -> None:
        self.events: dict[int, object] = {}
        self.changed = asyncio.Event()

    async def __call__(self, delivered: Delivered[Any]) -> None:
        self.events[delivered.position] = delivered.event
        self.changed.set()

    def has(self, positions: range) -> bool:
        return all(position in self.events for position in positions)


def _completed(wanted: Metadata, carried: Metadata) -> Metadata:
    """What is wanted, and where an id is left open, the one that is carried."""
    return Metadata(
        correlation_id=wanted.correlation_id or carried.correlation_id,
        causation_id=wanted.causation_id or carried.causation_id,
        values=wanted.values,
    )


def _check_events(
    method: str, owner: str, classes: Sequence[type], events: Sequence[object]
) -> None:
    __tracebackhide__ = True
    for event in events:
        if class_of(event) not in classes:
            takes = ", ".join(sorted(cls.__qualname__ for cls in classes))
            raise TypeError(
                f"{method}: {text_of(event)} is not an event of {owner}; "
                f"give single values of {takes}"
            )
