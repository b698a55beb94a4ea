"""Checks of the events and the refusal that the commands of a scenario led to."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from eventhus import Application, Metadata, Process, Rejected, View
from eventhus_testing.app_internals import AppInternals
from eventhus_testing.matching.matchers import class_of
from eventhus_testing.scenarios import failure_texts
from eventhus_testing.scenarios.background_work import BackgroundWork
from eventhus_testing.specs import expectations
from eventhus_testing.specs.expectations import Miss
from eventhus_testing.specs.story import check_classes

R = TypeVar("R", bound=Rejected)


class CommandChecks:
    """What can be expected of an application. Each word speaks of the last ``when``.

    Those of events and refusals mean what they mean in a spec. Of several commands, the events come
    together, and a refusal is that of the last.
    """

    def __init__(self, app: Application, patience_s: float) -> None:
        self._app = app
        self._internals = AppInternals(app)
        self._background = BackgroundWork(app, self._internals, patience_s)
        self._story = failure_texts.ScenarioLog(app.bucket)
        self._checked = True

    @property
    def events(self) -> tuple[Any, ...]:
        """What happened, in order.

        Raises:
            TypeError: There was no ``when``.
        """
        return self._looks("events").events

    @property
    def refusal(self) -> Rejected | None:
        """What the last command was refused with, if it was.

        Raises:
            TypeError: There was no ``when``.
        """
        return self._looks("refusal").refusal

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
        done = self._expects("then", events)
        self._must_hold(expectations.in_order(done, events, ignoring))

    async def then_nothing(self) -> None:
        """The commands must have been accepted without an event.

        Raises:
            AssertionError: One was refused, or produced an event.
            TypeError: There was no ``when``.
        """
        __tracebackhide__ = True
        await self.then()

    async def then_only(self, *types: type[object]) -> None:
        """The commands must have produced events, all of them of these types.

        Args:
            types: Classes of events.

        Raises:
            AssertionError: One was refused, or they produced no event, or one of another type.
            TypeError: There is no type, or one of them is none, or there was no ``when``.
        """
        __tracebackhide__ = True
        self._must_hold(expectations.of_types(self._looks("then_only"), types))

    async def then_in_any_order(self, *events: object, ignoring: Collection[str] = ()) -> None:
        """The commands must have produced exactly these events, in whatever order.

        Args:
            events: As for ``then``.
            ignoring: As for ``then``.

        Raises:
            AssertionError: One was refused, or they produced something else.
            TypeError: One of them is not an event of the application, or there was no ``when``.
        """
        __tracebackhide__ = True
        done = self._expects("then_in_any_order", events)
        self._must_hold(expectations.in_any_order(done, events, ignoring))

    async def then_containing(self, *events: object, ignoring: Collection[str] = ()) -> None:
        """Among what the commands produced must be these events, in whatever order.

        Args:
            events: As for ``then``.
            ignoring: As for ``then``.

        Raises:
            AssertionError: One was refused, or one of the events is missing.
            TypeError: There is none, or one of them is not an event of the application, or there
                was no ``when``.
        """
        __tracebackhide__ = True
        done = self._expects("then_containing", events)
        self._must_hold(expectations.among_others(done, events, ignoring))

    async def then_matching(self, *expected: object) -> None:
        """The commands must have produced as many events, each as is expected in its place.

        Args:
            expected: For each event a predicate, a matcher as those of PyHamcrest (``matches``
                and ``describe_to``) or dirty-equals (``==``), or an event.

        Raises:
            AssertionError: One was refused, or they produced something else.
            TypeError: There was no ``when``.
        """
        __tracebackhide__ = True
        self._must_hold(expectations.in_order(self._looks("then_matching"), expected))

    async def then_rejected(
        self,
        reason: type[R],
        *,
        match: str | re.Pattern[str] | None = None,
        where: Callable[[R], bool] | None = None,
    ) -> None:
        """The last command must have been refused.

        Args:
            reason: The class of the refusal, or a base of it.
            match: A regular expression to be found anywhere in its message.
            where: A predicate on it.

        Raises:
            AssertionError: It was accepted, or refused with another class or message, or otherwise
                than the predicate takes.
            TypeError: The reason is no class, or there was no ``when``.
        """
        __tracebackhide__ = True
        done = self._looks("then_rejected")
        self._must_hold(expectations.refused(done, reason, match, where))

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
        done = self._looks("then_committed")
        if done.refusal is not None:
            self._must_hold(failure_texts.not_committed(done))
        committed = done.commits[-1]
        if version is not None and version != committed.version:
            self._must_hold(failure_texts.elsewhere(done, "version", version, committed.version))
        if metadata is not None:
            if not committed.events:
                self._must_hold(failure_texts.elsewhere(done, "metadata", metadata, "no event"))
            for recorded in committed.events:
                wanted = _completed(metadata, recorded.metadata)
                if wanted != recorded.metadata:
                    miss = failure_texts.elsewhere(done, "metadata", wanted, recorded.metadata)
                    self._must_hold(miss)

    async def _settled(self, *readers: View[Any, Any] | Process[Any, Any]) -> None:
        __tracebackhide__ = True
        try:
            await self._background.settled(*readers)
        except TimeoutError:
            text = self._story.not_caught_up(self._background.patience_s)
            raise AssertionError(text) from None

    def _looks(self, method: str) -> failure_texts.Dispatched:
        __tracebackhide__ = True
        if self._story.last is None:
            raise TypeError(f"{method} speaks of what came of a when; put one before it")
        self._checked = True
        return self._story.last

    def _expects(self, method: str, events: Sequence[object]) -> failure_texts.Dispatched:
        __tracebackhide__ = True
        done = self._looks(method)
        owner = f"application {self._app.bucket}"
        check_classes(method, "an event", owner, events, self._internals.events, class_of)
        return done

    def _must_hold(self, miss: Miss | None) -> None:
        __tracebackhide__ = True
        if miss is not None:
            refusal = None if self._story.last is None else self._story.last.refusal
            raise AssertionError(self._story.otherwise(miss)) from refusal

    def _must_be_checked(self) -> None:
        __tracebackhide__ = True
        if not self._checked and self._story.last is not None:
            self._checked = True  # said once
            self._must_hold(failure_texts.unchecked(self._story.last))


def _completed(wanted: Metadata, carried: Metadata) -> Metadata:
    """What is wanted, and where an id is left open, the one that is carried."""
    return Metadata(
        correlation_id=wanted.correlation_id or carried.correlation_id,
        causation_id=wanted.causation_id or carried.causation_id,
        values=wanted.values,
    )
