"""Checks of the events and the refusal that the commands of a scenario led to."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any, TypeVar

from eventhus import Application, Metadata, Process, Rejected, View
from eventhus_testing.app_internals import AppInternals
from eventhus_testing.matching.matchers import Expectation, class_of
from eventhus_testing.scenarios import failure_texts
from eventhus_testing.scenarios.background_work import BackgroundWork
from eventhus_testing.specs import expectations
from eventhus_testing.specs.expectations import Miss
from eventhus_testing.specs.story import check_classes

R = TypeVar("R", bound=Rejected)


class CommandChecks:
    """The checks of the commands of the last ``when``.

    They mean the same as in a spec. If a ``when`` has several commands, the checks see the events
    of all of them and the refusal of the last one. After ``when_passed`` each raises ``TypeError``,
    because it has no commands.
    """

    def __init__(self, app: Application, patience_s: float) -> None:
        self._app = app
        self._internals = AppInternals(app)
        self._background = BackgroundWork(app, self._internals, patience_s)
        self._story = failure_texts.ScenarioLog(app.bucket)
        self._checked = True

    @property
    def events(self) -> tuple[Any, ...]:
        """Return the events that the commands produced, in order.

        Raises:
            TypeError: No ``when`` came before.
        """
        return self._last_command("events").events

    @property
    def refusal(self) -> Rejected | None:
        """Return the refusal of the last command, or ``None``.

        Raises:
            TypeError: No ``when`` came before.
        """
        return self._last_command("refusal").refusal

    async def then(self, *events: object, ignoring: Collection[str] = ()) -> None:
        """Check that the commands produced exactly these events, in this order.

        Args:
            events: The expected events. Use ``like`` to compare only some fields.
            ignoring: Names of fields to ignore at every level.

        Raises:
            AssertionError: A command was refused, or the commands produced other events.
            TypeError: A value is not an event of the application, or no ``when`` came before.
        """
        __tracebackhide__ = True
        done = self._last_command("then")
        self._check_events("then", events)
        self._must_hold(expectations.in_order(done, events, ignoring))

    async def then_nothing(self) -> None:
        """Check that the commands were accepted and produced no event.

        Raises:
            AssertionError: A command was refused, or it produced an event.
            TypeError: No ``when`` came before.
        """
        __tracebackhide__ = True
        self._last_command("then_nothing")
        await self.then()

    async def then_only(self, *types: type[object]) -> None:
        """Check that the commands produced at least one event, and only events of these types.

        Args:
            types: The accepted event classes.

        Raises:
            AssertionError: A command was refused, there is no event, or an event has another type.
            TypeError: No type is given, an argument is not a type, or no ``when`` came before.
        """
        __tracebackhide__ = True
        self._must_hold(expectations.of_types(self._last_command("then_only"), types))

    async def then_in_any_order(self, *events: object, ignoring: Collection[str] = ()) -> None:
        """Check that the commands produced exactly these events, in any order.

        Args:
            events: As for ``then``.
            ignoring: As for ``then``.

        Raises:
            AssertionError: A command was refused, or the commands produced other events.
            TypeError: A value is not an event of the application, or no ``when`` came before.
        """
        __tracebackhide__ = True
        done = self._last_command("then_in_any_order")
        self._check_events("then_in_any_order", events)
        self._must_hold(expectations.in_any_order(done, events, ignoring))

    async def then_containing(self, *events: object, ignoring: Collection[str] = ()) -> None:
        """Check that the commands produced at least these events, in any order.

        Args:
            events: As for ``then``.
            ignoring: As for ``then``.

        Raises:
            AssertionError: A command was refused, or an expected event is missing.
            TypeError: No event is given, a value is not an event of the application, or no ``when``
                came before.
        """
        __tracebackhide__ = True
        done = self._last_command("then_containing")
        self._check_events("then_containing", events)
        self._must_hold(expectations.among_others(done, events, ignoring))

    async def then_matching(self, *expected: Expectation) -> None:
        """Check each event against the expectation at the same position.

        Args:
            expected: One expectation per event: a predicate, a PyHamcrest matcher, a dirty-equals
                matcher or an event.

        Raises:
            AssertionError: A command was refused, or the commands produced other events.
            TypeError: No ``when`` came before.
        """
        __tracebackhide__ = True
        self._must_hold(expectations.in_order(self._last_command("then_matching"), expected))

    async def then_rejected(
        self,
        reason: type[R],
        *,
        match: str | re.Pattern[str] | None = None,
        where: Callable[[R], bool] | None = None,
    ) -> None:
        """Check that the last command was refused.

        Args:
            reason: The class of the refusal, or a base class.
            match: A regular expression to search for in the message.
            where: A predicate that the refusal must satisfy.

        Raises:
            AssertionError: The command was accepted, or its refusal does not match the class, the
                message or the predicate.
            TypeError: ``reason`` is not a class, or no ``when`` came before.
        """
        __tracebackhide__ = True
        done = self._last_command("then_rejected")
        self._must_hold(expectations.refused(done, reason, match, where))

    async def then_committed(
        self, *, version: int | None = None, metadata: Metadata | None = None
    ) -> None:
        """Check that the last command was accepted, and optionally its version and metadata.

        Args:
            version: The expected version of the aggregate after the command.
            metadata: The expected metadata of each event. Ids that are ``None`` are not compared.

        Raises:
            AssertionError: The command was refused, or the version or the metadata differs.
            TypeError: No ``when`` came before.
        """
        __tracebackhide__ = True
        done = self._last_command("then_committed")
        if done.refusal is not None:
            self._must_hold(failure_texts.not_committed(done))
        committed = done.commits[-1]
        if version is not None and version != committed.version:
            self._must_hold(failure_texts.other_effect(done, "version", version, committed.version))
        if metadata is not None:
            if not committed.events:
                self._must_hold(failure_texts.other_effect(done, "metadata", metadata, "no event"))
            for recorded in committed.events:
                wanted = _completed(metadata, recorded.metadata)
                if wanted != recorded.metadata:
                    miss = failure_texts.other_effect(done, "metadata", wanted, recorded.metadata)
                    self._must_hold(miss)

    async def _settled(self, *readers: View[Any, Any] | Process[Any, Any]) -> None:
        __tracebackhide__ = True
        await self._in_time(self._background.settled(*readers))

    async def _in_time(self, settled: Coroutine[Any, Any, None]) -> None:
        __tracebackhide__ = True
        try:
            await settled
        except TimeoutError:
            text = self._story.not_caught_up(self._background.patience_s)
            raise AssertionError(text) from None

    def _last_outcome(self, method: str) -> failure_texts.Dispatched:
        __tracebackhide__ = True
        if self._story.last is None:
            raise TypeError(f"{method} checks the outcome of a when; call when first")
        self._checked = True
        return self._story.last

    def _last_command(self, method: str) -> failure_texts.Dispatched:
        __tracebackhide__ = True
        last = self._story.last
        if last is not None and not last.commands:
            raise TypeError(
                f"{method} checks the outcome of a command, and the last when let time pass; check "
                f"what came of it with then_commands, then_published, then_state or then_view"
            )
        return self._last_outcome(method)

    def _check_events(self, method: str, events: Sequence[object]) -> None:
        __tracebackhide__ = True
        owner = f"application {self._app.bucket}"
        check_classes(method, "an event", owner, events, self._internals.events, class_of)

    def _must_hold(self, miss: Miss | None) -> None:
        __tracebackhide__ = True
        if miss is not None:
            refusal = None if self._story.last is None else self._story.last.refusal
            raise AssertionError(self._story.otherwise(miss)) from refusal

    def _must_be_checked(self) -> None:
        __tracebackhide__ = True
        if not self._checked and self._story.last is not None:
            self._checked = True  # report it once
            self._must_hold(failure_texts.unchecked(self._story.last))


def _completed(wanted: Metadata, carried: Metadata) -> Metadata:
    """Return the expected metadata, with unspecified ids taken from the actual metadata."""
    return Metadata(
        correlation_id=wanted.correlation_id or carried.correlation_id,
        causation_id=wanted.causation_id or carried.causation_id,
        values=wanted.values,
    )
