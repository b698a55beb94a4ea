"""A store that fails, conflicts, delays calls or loses answers when the test says so."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import define, field

from eventhus import StreamId, new_id
from eventhus.errors import OutcomeUnknown, StoreUnavailable
from eventhus.ports import Commit, EventData, Part, Storage
from eventhus_testing.doubles.wrapper import Wrapper

if TYPE_CHECKING:
    # Type checkers should see every method of the port, including future ones. ``MemoryStore`` has
    # them all, and its methods, unlike those of a ``Protocol``, are not abstract.
    from eventhus_memory import MemoryStore as _EveryMethod
else:
    _EveryMethod = object

Intervention: TypeAlias = Callable[..., Awaitable[None]]
"""A fault to run before or after a call. It takes the arguments of the call."""

_WHY = "the test injected this fault"
_METHODS = {name for name in dir(Storage) if not name.startswith("_")}


class FaultyStore(Wrapper[Storage], _EveryMethod):
    """A wrapper around another store that injects faults into calls.

    Without faults it passes every call on:

    >>> from eventhus_memory import MemoryStore
    >>> store = FaultyStore(MemoryStore())
    >>> store.fails("append", at=3)
    >>> store.loses_acknowledgement("append")
    >>> store.pending
    ['append: fails at call 3', 'append: loses the acknowledgement at call 1']

    ``at`` counts the later calls of the method: 1 is the next one. For ``follow``, which is called
    once and yields pages, it counts the pages. One call may meet several faults, which take
    effect in the order in which they were injected.

    Args:
        store: The wrapped store. It may be entered already, and other applications may share it
            without faults.
    """

    def __init__(self, store: Storage) -> None:
        super().__init__(store)
        self._faults: list[_Fault] = []
        self._calls: Counter[str] = Counter()

    @property
    def calls(self) -> Counter[str]:
        """The number of calls of each method, or for ``follow``, of its pages."""
        return self._calls.copy()

    @property
    def pending(self) -> list[str]:
        """Descriptions of the faults that have not taken effect yet. A test should leave none."""
        return [str(fault) for fault in self._faults]

    def fails(
        self, method: str, error: Exception | None = None, *, at: int = 1, times: int = 1
    ) -> None:
        """Make calls raise without any effect.

        Args:
            method: The name of a method of ``Storage``.
            error: What to raise, a new copy at each call; ``None`` takes ``StoreUnavailable``.
            at: The first call to fail.
            times: How many calls fail in a row.

        Raises:
            ValueError: There is no such method, or a number is below 1.
        """

        async def fail(*_: object) -> None:
            raise copy.copy(StoreUnavailable("test", _WHY) if error is None else error)

        self._add("fails", method, at, times, before=fail)

    def loses_acknowledgement(
        self, method: str, error: Exception | None = None, *, at: int = 1, times: int = 1
    ) -> None:
        """Make calls raise after they took effect, so that the caller does not know the outcome.

        Args:
            method: The name of a method of ``Storage``.
            error: What to raise, a new copy at each call; ``None`` takes ``OutcomeUnknown`` for
                ``append``, and ``StoreUnavailable`` for others.
            at: The first call to lose its acknowledgement.
            times: How many calls lose it in a row.

        Raises:
            ValueError: There is no such method, or a number is below 1.
        """

        async def lose(*args: object) -> None:
            if error is not None:
                raise copy.copy(error)
            if args and isinstance(args[0], Commit):
                raise OutcomeUnknown("test", _WHY, args[0].stream, args[0].id)
            raise StoreUnavailable("test", _WHY)

        self._add("loses the acknowledgement", method, at, times, after=lose)

    def conflicts(
        self,
        *events: EventData,
        stream: StreamId | None = None,
        at: int = 1,
        times: int = 1,
    ) -> None:
        """Make another writer commit right before an ``append``.

        These commits are real, so the loser finds them when it loads again. If the ``append``
        expects a version of the stream, the store itself raises ``ConcurrencyError``; if an event
        matches the condition of the ``append``, by its type and tags, ``ConditionFailed``.

        Args:
            events: The events of each of these commits, as a store holds them.
            stream: Where they go; ``None`` takes the first stream of the ``append``.
            at: The first ``append`` to meet a conflict.
            times: How many meet one in a row.

        Raises:
            ValueError: There are no events, or a number is below 1.
        """
        if not events:
            raise ValueError(
                "conflicts(...) needs at least one event for the other writer to commit"
            )

        async def get_in_between(commit: Commit) -> None:
            foreign = Commit(
                id=new_id(),
                parts=[Part(stream=stream or commit.stream, events=events, expected_version=None)],
                recorded_at=commit.recorded_at,
            )
            await self._wrapped.append(foreign)

        self._add("conflicts", "append", at, times, before=get_in_between)

    def delays(self, method: str, *, at: int = 1) -> Hold:
        """Hold a call before it takes effect, until the test releases it.

        Args:
            method: The name of a method of ``Storage``.
            at: The call to hold.

        Returns:
            A hold that the test waits on and releases. A call that is never released waits until
            it is cancelled.

        Raises:
            ValueError: There is no such method, or ``at`` is below 1.
        """
        hold = Hold()
        self._add("delays", method, at, 1, before=hold)
        return hold

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return an attribute of the wrapped store; methods of the port get the faults."""
            own = getattr(self._wrapped, name)
            if name not in _METHODS:
                return own
            if inspect.iscoroutinefunction(getattr(Storage, name)):

                async def call(*args: Any, **kwargs: Any) -> Any:
                    return await self._carried_out(name, lambda: own(*args, **kwargs), args)

                return call

            def stream(*args: Any, **kwargs: Any) -> Any:
                return self._streamed(name, own(*args, **kwargs), args)

            return stream

    async def _carried_out(
        self, method: str, work: Callable[[], Awaitable[Any]], args: tuple[Any, ...]
    ) -> Any:
        faults = self._faults_of_next(method)
        for fault in faults:
            if fault.before is not None:
                await fault.before(*args)
        result = await work()
        for fault in faults:
            if fault.after is not None:
                await fault.after(*args)
        return result

    async def _streamed(
        self, method: str, stream: AsyncGenerator[Any, None], args: tuple[Any, ...]
    ) -> AsyncGenerator[Any, None]:
        async with aclosing(stream):
            async for item in stream:

                async def given(item: Any = item) -> Any:
                    return item

                yield await self._carried_out(method, given, args)

    def _faults_of_next(self, method: str) -> list[_Fault]:
        self._calls[method] += 1
        number = self._calls[method]
        faults = [f for f in self._faults if f.method == method and f.first <= number <= f.last]
        over = [fault for fault in faults if fault.last == number]
        self._faults = [fault for fault in self._faults if fault not in over]
        return faults

    def _add(
        self,
        kind: str,
        method: str,
        at: int,
        times: int,
        *,
        before: Intervention | None = None,
        after: Intervention | None = None,
    ) -> None:
        if method not in _METHODS:
            raise ValueError(
                f"{method!r} is not a method of a store; expected one of {sorted(_METHODS)}"
            )
        if at < 1 or times < 1:
            raise ValueError(f"at and times must be at least 1, found at={at}, times={times}")
        first = self._calls[method] + at
        fault = _Fault(
            kind=kind,
            method=method,
            first=first,
            last=first + times - 1,
            before=before,
            after=after,
        )
        self._faults.append(fault)


class Hold:
    """A call that waits for the test. Made by ``FaultyStore.delays``."""

    def __init__(self) -> None:
        self._reached = asyncio.Event()
        self._released = asyncio.Event()

    async def reached(self) -> None:
        """Wait until the call was made and is held."""
        await self._reached.wait()

    def release(self) -> None:
        """Release the call, or do not hold it if it is made later."""
        self._released.set()

    async def __call__(self, *_: object) -> None:
        """Hold the call until it is released."""
        self._reached.set()
        await self._released.wait()


@define(eq=False, kw_only=True)
class _Fault:
    kind: str
    method: str
    first: int  # number of a call
    last: int
    before: Intervention | None = field(default=None, repr=False)
    after: Intervention | None = field(default=None, repr=False)

    def __str__(self) -> str:
        calls = f"call {self.first}"
        if self.last > self.first:
            calls = f"calls {self.first} to {self.last}"
        return f"{self.method}: {self.kind} at {calls}"
