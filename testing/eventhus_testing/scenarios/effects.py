"""Checks of the states, views, messages and process commands that a scenario led to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

from eventhus import Aggregate, Command, Process, StreamId, View
from eventhus.errors import CompositionError
from eventhus_testing.matching.ignoring import check_ignoring
from eventhus_testing.matching.matchers import mask_fields, matches
from eventhus_testing.scenarios import failure_texts
from eventhus_testing.scenarios.outcome import CommandChecks
from eventhus_testing.specs import expectations
from eventhus_testing.specs.expectations import Miss, compare
from eventhus_testing.specs.transaction_spec import StateOf

S = TypeVar("S")
V = TypeVar("V")


class ValuesOf(Protocol[V]):
    """A view with exactly this value type, for the same reason as ``StateOf``."""

    @property
    def key(self) -> Callable[[Any], str | Iterable[str] | None]:
        """See ``View.key``."""
        ...

    @property
    def evolve(self) -> Callable[[V, Any], V | None] | Callable[[V, Any, str], V | None]:
        """See ``View.evolve``."""
        ...


class AppChecks(CommandChecks):
    """The checks of one application. Each check refers to the last ``when``."""

    async def then_state(
        self,
        aggregate: StateOf[S],
        aggregate_id: str,
        state: S,
        *,
        ignoring: Collection[str] = (),
    ) -> None:
        """Check the state of an aggregate.

        Args:
            aggregate: An aggregate of the application.
            aggregate_id: The id of the aggregate.
            state: The expected state. Use ``like`` to compare only some fields.
            ignoring: As for ``then``.

        Raises:
            AssertionError: The state differs, or a process did not catch up in time.
            InvalidArgument: The aggregate is not one of the application's.
            KeyParked: A process has parked a key because it failed on an event.
            ReaderStopped: A process has stopped for that reason.
            TypeError: No ``when`` came before.
        """
        __tracebackhide__ = True
        done = self._last_outcome("then_state")
        stream, actual = await self._state(aggregate, aggregate_id)
        self._must_hold(expectations.as_state(done, state, actual, ignoring, whose=stream))

    async def then_state_matching(
        self, aggregate: StateOf[S], aggregate_id: str, expected: Callable[[S], bool] | Any
    ) -> None:
        """Check the state of an aggregate with a predicate or a matcher.

        Args:
            aggregate: An aggregate of the application.
            aggregate_id: The id of the aggregate.
            expected: As for ``then_matching``.

        Raises:
            AssertionError: The state does not match, or a process did not catch up in time.
            InvalidArgument: The aggregate is not one of the application's.
            KeyParked: A process has parked a key because it failed on an event.
            ReaderStopped: A process has stopped for that reason.
            TypeError: No ``when`` came before.
        """
        __tracebackhide__ = True
        done = self._last_outcome("then_state_matching")
        stream, actual = await self._state(aggregate, aggregate_id)
        self._must_hold(expectations.as_state(done, expected, actual, whose=stream))

    async def then_published(self, *events: object, ignoring: Collection[str] = ()) -> None:
        """Check that exactly these events were published since the last ``when``.

        Events are deduplicated by position and compared in log order, because a bus may redeliver
        events and may reorder events of different aggregates.

        Args:
            events: As for ``then``.
            ignoring: As for ``then``.

        Raises:
            AssertionError: The published events differ or did not arrive in time, or a process did
                not catch up in time.
            CompositionError: The application has no bus.
            KeyParked: A process has parked a key because it failed on an event.
            ReaderStopped: A process has stopped for that reason.
            TypeError: A value is not an event of the application, or no ``when`` came before.
        """
        __tracebackhide__ = True
        done = self._last_outcome("then_published")
        self._check_events("then_published", events)
        if self._internals.bus is None:
            raise CompositionError("the application has no bus, so nothing is published")
        await self._settled()
        positions = await self._internals.published(done.after)
        carried = await self._background.carried(positions)
        if missing := len(positions) - len(carried):
            self._must_hold(failure_texts.not_published(missing, self._background.patience_s))
        if events:
            check_ignoring(ignoring, *events, *carried)
        if not matches(events, carried, ignoring):
            lines = compare(events, carried, ignoring)
            self._must_hold(Miss("published other events than expected", [("bus", lines)]))

    async def then_view(
        self, view: ValuesOf[V], key: str, value: V, *, ignoring: Collection[str] = ()
    ) -> None:
        """Wait until a view has caught up with the log, then check the value of a key.

        Args:
            view: A view of the application.
            key: The key.
            value: The expected value. Use ``like`` to compare only some fields.
            ignoring: As for ``then``.

        Raises:
            AssertionError: The value differs or is missing, or the view did not catch up in time.
            InvalidArgument: The view is not one of the application's.
            KeyParked: A reader has parked a key because it failed on an event.
            ReaderStopped: A reader has stopped for that reason.
            TypeError: No ``when`` came before.
        """
        __tracebackhide__ = True
        of = cast("View[Any, V]", view)
        if value is None:  # as in a spec: None deletes a view's value
            await self.then_no_view(of, key)
            return
        done = self._last_outcome("then_view")
        actual = await self._value(of, key)
        check_ignoring(ignoring, value, actual)
        if actual is None or not matches(value, actual, ignoring):
            what = f"{of.name} of {key}"
            expected = mask_fields(value, ignoring)
            self._must_hold(failure_texts.other_effect(done, what, expected, actual, ignoring))

    async def then_no_view(self, view: View[Any, Any], key: str) -> None:
        """Wait until a view has caught up with the log, then check that a key has no value.

        Args:
            view: A view of the application.
            key: The key.

        Raises:
            AssertionError: The key has a value, or the view did not catch up in time.
            InvalidArgument: The view is not one of the application's.
            KeyParked: A reader has parked a key because it failed on an event.
            ReaderStopped: A reader has stopped for that reason.
            TypeError: No ``when`` came before.
        """
        __tracebackhide__ = True
        done = self._last_outcome("then_no_view")
        actual = await self._value(view, key)
        if actual is not None:
            self._must_hold(failure_texts.other_effect(done, f"{view.name} of {key}", None, actual))

    async def then_found(
        self,
        view: View[Any, Any],
        *keys: str,
        where: Mapping[str, object] | None = None,
        order_by: str | Sequence[str] = (),
    ) -> None:
        """Wait until a view has caught up, then check that ``find`` returns exactly these keys.

        Args:
            view: A view of the application.
            keys: The expected keys, in order; none if nothing is found.
            where: As for ``Application.find``.
            order_by: As for ``Application.find``.

        Raises:
            AssertionError: Other keys are found, or in another order, or the view did not catch up
                in time.
            InvalidArgument: The view is not one of the application's, or as for
                ``Application.find``.
            KeyParked: A reader has parked a key because it failed on an event.
            ReaderStopped: A reader has stopped for that reason.
            TypeError: No ``when`` came before.
            UndeclaredIndex: As for ``Application.find``.
        """
        __tracebackhide__ = True
        done = self._last_outcome("then_found")
        await self._settled(view)
        found: list[str] = []
        after: str | None = None
        while True:
            page = await self._app.find(view, where=where, order_by=order_by, after=after)
            found += [each.key for each in page.items]
            if (after := page.cursor) is None:
                break
        if found != [*keys]:
            what = f"find in {view.name}"
            self._must_hold(failure_texts.other_effect(done, what, [*keys], found))

    async def then_commands(
        self, process: Process[Any, Any], *commands: Command, ignoring: Collection[str] = ()
    ) -> None:
        """Check that a process sent exactly these commands since the last ``when``.

        All of them have been handled by then, so ``then_state`` and other checks see their effects.

        Args:
            process: A process of the application.
            commands: The commands, in order.
            ignoring: As for ``then``.

        Raises:
            AssertionError: The commands differ, or the process did not catch up in time.
            InvalidArgument: The process is not one of the application's.
            KeyParked: A reader has parked a key because it failed on an event.
            ReaderStopped: A reader has stopped for that reason.
            TypeError: No ``when`` came before.
        """
        __tracebackhide__ = True
        done = self._last_outcome("then_commands")
        await self._settled(process)
        sent = await self._background.sent(process, done.after)
        if commands:
            check_ignoring(ignoring, *commands, *sent)
        if not matches(commands, sent, ignoring):
            happened = f"made {process.name} send other commands than expected"
            self._must_hold(Miss(happened, [("sent", compare(commands, sent, ignoring))]))

    async def then_deadline(
        self, process: Process[Any, Any], key: str, name: str, *, at: datetime | None = None
    ) -> None:
        """Check that a deadline of a process is armed.

        Args:
            process: A process of the application.
            key: The key whose deadline it is.
            name: The name of the deadline.
            at: Its expected time; ``None`` does not check it.

        Raises:
            AssertionError: It is not armed, or for another time.
            InvalidArgument: The process is not one of the application's.
            KeyParked: A reader has parked a key because it failed on an event.
            ReaderStopped: A reader has stopped for that reason.
            TypeError: No ``when`` came before.
        """
        __tracebackhide__ = True
        done = self._last_outcome("then_deadline")
        armed = await self._deadlines(process, key)
        if name not in armed or at not in (None, armed[name]):
            what = f"deadline {name!r} of {key}"
            self._must_hold(
                failure_texts.other_effect(done, what, at or "armed", armed.get(name, "not armed"))
            )

    async def then_no_deadline(self, process: Process[Any, Any], key: str, name: str) -> None:
        """Check that a deadline of a process is not armed, as after it was cancelled.

        Args:
            process: A process of the application.
            key: The key whose deadline it would be.
            name: The name of the deadline.

        Raises what ``then_deadline`` does.
        """
        __tracebackhide__ = True
        done = self._last_outcome("then_no_deadline")
        armed = await self._deadlines(process, key)
        if name in armed:
            what = f"deadline {name!r} of {key}"
            self._must_hold(failure_texts.other_effect(done, what, "not armed", armed[name]))

    async def _deadlines(self, process: Process[Any, Any], key: str) -> Mapping[str, datetime]:
        __tracebackhide__ = True
        await self._settled(process)
        return await self._background.deadlines(process, key)

    async def _state(self, aggregate: StateOf[S], aggregate_id: str) -> tuple[StreamId, S]:
        __tracebackhide__ = True
        await self._settled()
        of = cast("Aggregate[Any, Any, S]", aggregate)
        return StreamId(of.stream_type, aggregate_id), await self._app.state(of, aggregate_id)

    async def _value(self, view: View[Any, V], key: str) -> V | None:
        __tracebackhide__ = True
        await self._settled(view)
        return await self._app.view(view, key)
