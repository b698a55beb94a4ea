"""Checks of the states, views, messages and process commands that a scenario led to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol, TypeVar, cast

from eventhus import Aggregate, Command, Process, StreamId, View
from eventhus.errors import CompositionError
from eventhus_testing.matching.matchers import mask_fields, matches
from eventhus_testing.scenarios import failure_texts
from eventhus_testing.scenarios.outcome import CommandChecks
from eventhus_testing.specs import expectations
from eventhus_testing.specs.expectations import Miss, compare

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


class ValuesOf(Protocol[V]):
    """A view with values of exactly this type, for type checkers: as ``StateOf``."""

    @property
    def key(self) -> Callable[[Any], str | None]:
        """See ``View.key``."""
        ...

    @property
    def evolve(self) -> Callable[[V, Any], V | None]:
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
            self._must_hold(failure_texts.not_published(missing, self._background.patience_s))
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
            self._must_hold(failure_texts.elsewhere(done, what, expected, actual, ignoring))

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
            self._must_hold(failure_texts.elsewhere(done, f"{view.name} of {key}", None, actual))

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
