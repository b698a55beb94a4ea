"""Given-when-then for whole applications: commands in, and then whatever comes of them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from attrs import evolve

from eventhus import Aggregate, Application, Command, Committed, Metadata, Rejected, StreamId
from eventhus.errors import InvalidArgument
from eventhus_testing.scenarios.effects import AppChecks
from eventhus_testing.scenarios.failure_texts import Dispatched
from eventhus_testing.specs.story import check_classes

E = TypeVar("E")


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
        patience_s: How long to wait at most for what happens behind a command, in seconds.
    """
    return AppScenario(app, patience_s)


class AppScenario(AppChecks):
    """An application in the course of a test. Made by ``scenario``; use it in ``async with``.

    Whatever stands behind a ``when`` speaks of that one; a ``when`` that nothing speaks of is an
    error, at the next ``when`` or at the end.
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
            AssertionError: A process did not catch up in time.
            CodecError: One of them holds what its type does not admit.
            InvalidArgument: The aggregate is not one of the application's.
            ReaderStopped: A process cannot take one of them.
            TypeError: There are none, or one of them is not an event of the aggregate.
        """
        __tracebackhide__ = True
        if not events:
            raise TypeError("given takes what has happened: at least one event")
        if aggregate not in self._internals.aggregates:
            raise InvalidArgument(
                f"{aggregate.name} is not an aggregate of application {self._app.bucket}"
            )
        check_classes("given", "an event", aggregate.name, events, aggregate.events)
        stream = StreamId(aggregate.name, aggregate_id)
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
