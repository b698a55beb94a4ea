"""What came of the commands of a scenario, and everything that can be expected of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar, cast

from eventhus import Aggregate, Application, Command, Metadata, Process, Rejected, StreamId, View
from eventhus.errors import CompositionError
from eventhus_testing.app_internals import AppInternals
from eventhus_testing.matching.matchers import class_of, mask_fields, matches
from eventhus_testing.scenarios import failure_texts as texts
from eventhus_testing.scenarios.background_work import BackgroundWork
from eventhus_testing.specs import expectations
from eventhus_testing.specs.exact_types import StateOf, ValuesOf
from eventhus_testing.specs.expectations import Miss, compare
from eventhus_testing.specs.story import check_classes

R = TypeVar("R", bound=Rejected)
S = TypeVar("S")
V = TypeVar("V")


class AppChecks:
    """What can be expected of an application. Each word speaks of the last ``when``.

    Those of events and refusals mean what they mean in a spec. Of several commands, the events come
    together, and a refusal is that of the last.
    """

    def __init__(self, app: Application, patience_s: float) -> None:
        self._app = app
        self._internals = AppInternals(app)
        self._background = BackgroundWork(app, self._internals, patience_s)
        self._story = texts.ScenarioLog(app.bucket)
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
            self._must_hold(texts.not_committed(done))
        committed = done.commits[-1]
        if version is not None and version != committed.version:
            self._must_hold(texts.elsewhere(done, "version", version, committed.version))
        if metadata is not None:
            if not committed.events:
                self._must_hold(texts.elsewhere(done, "metadata", metadata, "no event"))
            for recorded in committed.events:
                wanted = _completed(metadata, recorded.metadata)
                if wanted != recorded.metadata:
                    miss = texts.elsewhere(done, "metadata", wanted, recorded.metadata)
                    self._must_hold(miss)

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
            AssertionError: It does not, or a process did not catch up in time.
            InvalidArgument: The aggregate is not one of the application's.
            ReaderStopped: A process cannot take an event.
            TypeError: There was no ``when``.
        """
        __tracebackhide__ = True
        done = self._looks("then_state")
        stream, actual = await self._state(aggregate, aggregate_id)
        self._must_hold(expectations.as_state(done, state, actual, ignoring, whose=stream))

    async def then_state_matching(
        self, aggregate: StateOf[S], aggregate_id: str, expected: Callable[[S], bool] | Any
    ) -> None:
        """The state of an aggregate must now be as a predicate or a matcher expects.

        Args:
            aggregate: One of the application's.
            aggregate_id: Whose state.
            expected: As for ``then_matching``.

        Raises:
            AssertionError: It is not, or a process did not catch up in time.
            InvalidArgument: The aggregate is not one of the application's.
            ReaderStopped: A process cannot take an event.
            TypeError: There was no ``when``.
        """
        __tracebackhide__ = True
        done = self._looks("then_state_matching")
        stream, actual = await self._state(aggregate, aggregate_id)
        self._must_hold(expectations.as_state(done, expected, actual, whose=stream))

    async def then_published(self, *events: object, ignoring: Collection[str] = ()) -> None:
        """Exactly these events must be on the bus, of all that is in the log since the ``when``.

        They are told apart by their positions, and compared in that order: a bus may deliver
        twice, and events of different aggregates in any order.

        Args:
            events: As for ``then``.
            ignoring: As for ``then``.

        Raises:
            AssertionError: Others are, or some did not come in time, or a process did not catch up
                in time.
            CompositionError: The application has no bus.
            ReaderStopped: A process cannot take an event.
            TypeError: One of them is not an event of the application, or there was no ``when``.
        """
        __tracebackhide__ = True
        done = self._expects("then_published", events)
        if self._internals.bus is None:
            raise CompositionError("the application has no bus, so nothing is published")
        await self._settled()
        positions = range(done.after + 1, await self._internals.store.head() + 1)
        carried = await self._background.carried(positions)
        if missing := len(positions) - len(carried):
            self._must_hold(texts.not_published(missing, self._background.patience_s))
        if not matches(events, carried, ignoring):
            lines = compare(events, carried, ignoring)
            self._must_hold(Miss("published other events than expected", [("bus", lines)]))

    async def then_view(
        self, view: ValuesOf[V], key: str, value: V, *, ignoring: Collection[str] = ()
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
        of = cast("View[Any, V]", view)
        if value is None:  # as in a spec: a view deletes with it
            await self.then_no_view(of, key)
            return
        done = self._looks("then_view")
        actual = await self._value(of, key)
        if actual is None or not matches(value, actual, ignoring):
            what = f"{of.name} of {key}"
            expected = mask_fields(value, ignoring)
            self._must_hold(texts.elsewhere(done, what, expected, actual, ignoring))

    async def then_no_view(self, view: View[Any, Any], key: str) -> None:
        """A view must show nothing under a key, once it has seen all that is in the log now.

        Args:
            view: One of the application's.
            key: The key.

        Raises:
            AssertionError: It shows something, or did not catch up in time.
            InvalidArgument: The view is not one of the application's.
            ReaderStopped: It cannot take an event.
            TypeError: There was no ``when``.
        """
        __tracebackhide__ = True
        done = self._looks("then_no_view")
        actual = await self._value(view, key)
        if actual is not None:
            self._must_hold(texts.elsewhere(done, f"{view.name} of {key}", None, actual))

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
        done = self._looks("then_commands")
        await self._settled(process)
        sent = await self._background.sent(process, done.after)
        if not matches(commands, sent, ignoring):
            happened = f"made {process.name} send other commands than expected"
            self._must_hold(Miss(happened, [("sent", compare(commands, sent, ignoring))]))

    async def _state(self, aggregate: StateOf[S], aggregate_id: str) -> tuple[StreamId, S]:
        __tracebackhide__ = True
        await self._settled()
        of = cast("Aggregate[Any, Any, S]", aggregate)
        return StreamId(of.name, aggregate_id), await self._app.state(of, aggregate_id)

    async def _value(self, view: View[Any, V], key: str) -> V | None:
        __tracebackhide__ = True
        await self._settled(view)
        return await self._app.view(view, key)

    async def _settled(self, *readers: View[Any, Any] | Process[Any, Any]) -> None:
        __tracebackhide__ = True
        try:
            await self._background.settled(*readers)
        except TimeoutError:
            text = self._story.not_caught_up(self._background.patience_s)
            raise AssertionError(text) from None

    def _looks(self, method: str) -> texts.Dispatched:
        __tracebackhide__ = True
        if self._story.last is None:
            raise TypeError(f"{method} speaks of what came of a when; put one before it")
        self._checked = True
        return self._story.last

    def _expects(self, method: str, events: Sequence[object]) -> texts.Dispatched:
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
            self._must_hold(texts.unchecked(self._story.last))


def _completed(wanted: Metadata, carried: Metadata) -> Metadata:
    """What is wanted, and where an id is left open, the one that is carried."""
    return Metadata(
        correlation_id=wanted.correlation_id or carried.correlation_id,
        causation_id=wanted.causation_id or carried.causation_id,
        values=wanted.values,
    )
