"""Given-when-then for whole applications."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from attrs import evolve

from eventhus import (
    Aggregate,
    Application,
    Command,
    Committed,
    Decision,
    Metadata,
    Rejected,
    StreamId,
)
from eventhus.errors import InvalidArgument
from eventhus_testing.scenarios.effects import AppChecks
from eventhus_testing.scenarios.failure_texts import Dispatched
from eventhus_testing.specs.story import check_classes

E = TypeVar("E")


def scenario(app: Application, *, patience_s: float = 10.0) -> AppScenario:
    """Return a scenario that tests a whole application with its store and its bus.

    Append given events, dispatch commands and check their effects::

        async with scenario(app) as bank:
            await bank.given(account, "a1", AccountCreated("ann"), DepositPerformed(100))
            await bank.when(PerformWithdrawal(aggregate_id="a1", amount=30))
            await bank.then(WithdrawalPerformed(30))
            await bank.then_state(account, "a1", Account("ann", 70))
            await bank.then_published(WithdrawalPerformed(30))

    A scenario does not sleep. It waits for background work by log position. Processes finish their
    reactions to given events and to the commands of a ``when`` before the next ``when``.

    Args:
        app: The application. The scenario enters and exits it, unless it is already running.
        patience_s: The longest wait for background work, in seconds.
    """
    subject: object = app
    if not isinstance(subject, Application):
        raise TypeError(f"scenario takes an Application, not {subject!r}")
    return AppScenario(app, patience_s)


class AppScenario(AppChecks):
    """An application under test. Made by ``scenario``; use it in ``async with``.

    Checks refer to the last ``when``. A ``when`` without a check fails at the next ``when`` or at
    the end. A view or process that failed on an event raises ``ReaderStopped`` or ``KeyParked`` at
    the next step that waits for it, or at the end.
    """

    def __init__(self, app: Application, patience_s: float) -> None:
        super().__init__(app, patience_s)
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if not self._internals.running:
                await stack.enter_async_context(self._app)
            await self._background.listen(stack)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        try:
            if exc_type is None:
                self._must_be_checked()
                await self._in_time(self._background.all_settled())
        finally:
            await self._exit.__aexit__(exc_type, exc, traceback)

    async def given(
        self,
        subject: Aggregate[Any, E, Any] | Decision[Any, E, Any],
        aggregate_id: str,
        *events: E,
    ) -> None:
        """Append events to the history of an aggregate, or to the stream of a decision.

        The events are written to the log in one commit, without a command and without ``decide``,
        and with their tags.

        Args:
            subject: An aggregate or a decision of the application.
            aggregate_id: The id of the aggregate.
            events: The events, oldest first.

        Raises:
            AssertionError: A process did not catch up in time.
            CodecError: An event has a value that its type does not admit.
            InvalidArgument: The aggregate or the decision is not one of the application's.
            KeyParked: A process has parked a key because it failed on an event.
            ReaderStopped: A process has stopped for that reason.
            TypeError: No event is given, or a value is not an event of the subject.
        """
        __tracebackhide__ = True
        if not events:
            raise TypeError("given takes at least one event")
        if subject not in self._internals.deciders:
            kind = "a decision" if isinstance(subject, Decision) else "an aggregate"
            raise InvalidArgument(f"{subject.name} is not {kind} of application {self._app.bucket}")
        check_classes("given", "an event", subject.name, events, subject.events)
        name = subject.aggregate_type if isinstance(subject, Decision) else subject.name
        stream = StreamId(self._internals.stream_type(name), aggregate_id)
        await self._internals.append(stream, events)
        self._story.given(stream, events)
        await self._settled()

    async def when(
        self,
        *commands: Command,
        expected_version: int | None = None,
        command_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> None:
        """Dispatch one or more commands in order, and stop at the first refused one.

        Processes first finish their reactions to earlier steps. A refusal is an outcome to check.
        Any other exception propagates, and there is nothing to check afterwards.

        Args:
            commands: The commands, at least one.
            expected_version: As for ``Application.dispatch``.
            command_id: As for ``Application.dispatch``.
            metadata: As for ``Application.dispatch``.

        Raises:
            AssertionError: The previous ``when`` was not checked, or a process did not catch up in
                time.
            KeyParked: As for ``given``.
            ReaderStopped: As for ``given``.
            TypeError: No command is given, or ``command_id`` or ``expected_version`` is given with
                several commands.
        """
        __tracebackhide__ = True
        if not commands:
            raise TypeError("when takes at least one command")
        if len(commands) > 1 and (command_id is not None or expected_version is not None):
            raise TypeError("command_id and expected_version apply to a single command")
        self._must_be_checked()
        await self._settled()
        commits: list[Committed] = []
        after = await self._internals.store.head()
        done = Dispatched(commands=commands, commits=commits, refusal=None, after=after)
        for command in commands:
            try:
                committed = await self._app.dispatch(
                    command,
                    expected_version=expected_version,
                    command_id=command_id,
                    metadata=metadata,
                )
            except Rejected as refusal:
                done = evolve(done, refusal=refusal)
                break
            except Exception as error:
                self._story.when(done, error)
                raise
            commits.append(committed)
        self._story.when(done)
        self._checked = False

    async def given_passed(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Let time pass on the application's clock, and let processes reach their deadlines.

        They are reached one after the other, each at its time, and processes finish their reactions
        to one before the next.

        Raises:
            AssertionError: A process did not catch up in time.
            KeyParked: A process has parked a key because it failed on an event.
            ReaderStopped: A process has stopped for that reason.
            TypeError: The application has no ``ManualClock``, or the time is not above 0.
        """
        __tracebackhide__ = True
        by = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        await self._in_time(self._background.passed(by))
        self._story.given_time(by)

    async def when_passed(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Let time pass now, as ``given_passed`` does, and raise what that does.

        Check what came of it with ``then_commands``, ``then_state`` and the like: ``then`` and its
        relatives check commands that the scenario has dispatched.

        Raises:
            AssertionError: The previous ``when`` was not checked.
        """
        __tracebackhide__ = True
        self._must_be_checked()
        by = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        after = await self._internals.store.head()
        await self._in_time(self._background.passed(by))
        self._story.when(Dispatched(commands=(), commits=(), refusal=None, after=after, passed=by))
        self._checked = False
