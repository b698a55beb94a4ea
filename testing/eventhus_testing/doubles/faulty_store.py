"""A store that fails, conflicts, delays or loses its answer, when the test says so."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import define, field

from eventhus import new_id
from eventhus.errors import OutcomeUnknown, StoreUnavailable
from eventhus.ports import Commit, EventData, Storage
from eventhus_testing.doubles.wrapper import InFront

if TYPE_CHECKING:
    # Type checkers are to see every method of the port, with its types, and the port grows. The
    # store in memory has them all, and unlike a Protocol's they count as written.
    from eventhus_memory import MemoryStore as _EveryMethod
else:
    _EveryMethod = object

Intervention: TypeAlias = Callable[..., Awaitable[None]]
"""Is given the arguments of a call that it comes before or after."""

_WHY = "the test asked for this fault"
_METHODS = {name for name in dir(Storage) if not name.startswith("_")}


class FaultyStore(InFront[Storage], _EveryMethod):
    """A store in front of another, for an application to be composed with in a test.

    It hands every call on, and does so truly until it is told otherwise:

    >>> from eventhus_memory import MemoryStore
    >>> store = FaultyStore(MemoryStore())
    >>> store.fails("append", at=3)
    >>> store.loses_acknowledgement("append")
    >>> store.pending
    ['append: fails at call 3', 'append: loses the acknowledgement at call 1']

    ``at`` counts the calls of that method from here on: 1 is the next. Of ``follow``, which is
    called once and gives batch after batch, it counts the batches. Several faults may meet in one
    call; they come about in the order in which they were asked for.

    Args:
        store: The store behind it, entered or not. Others may share it, untroubled.
    """

    def __init__(self, store: Storage) -> None:
        super().__init__(store)
        self._faults: list[_Fault] = []
        self._calls: Counter[str] = Counter()

    @property
    def calls(self) -> Counter[str]:
        """How often each method was called, or of ``follow``, how many batches it gave."""
        return self._calls.copy()

    @property
    def pending(self) -> list[str]:
        """The faults that have not come about, in words. A test that has any left tested less."""
        return [str(fault) for fault in self._faults]

    def fails(
        self, method: str, error: Exception | None = None, *, at: int = 1, times: int = 1
    ) -> None:
        """Let calls raise, without any effect.

        Args:
            method: The name of a method of ``Storage``.
            error: What to raise, a new copy at each call; ``None`` takes ``StoreUnavailable``.
            at: The first call to fail.
            times: How many calls fail in a row.

        Raises:
            ValueError: There is no such method, or a number is below 1.
        """

        async def fail(*_: object) -> None:
            raise copy.copy(error or StoreUnavailable("test", _WHY))

        self._add("fails", method, at, times, before=fail)

    def loses_acknowledgement(
        self, method: str, error: Exception | None = None, *, at: int = 1, times: int = 1
    ) -> None:
        """Let calls take effect, and then raise: the caller does not get to know.

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

    def conflicts(self, *events: EventData, at: int = 1, times: int = 1) -> None:
        """Let another writer get in between: it commits right before an ``append``, to its stream.

        These commits are real, so whoever loses finds them when it loads again. An ``append`` that
        expects a version is answered by the store with a true ``ConcurrencyError``.

        Args:
            events: What the other commits each time, as a store holds it.
            at: The first ``append`` that it happens to.
            times: How many it happens to in a row.

        Raises:
            ValueError: There are no events, or a number is below 1.
        """
        if not events:
            raise ValueError("conflicts takes what the other writer commits, at least one event")

        async def get_in_between(commit: Commit) -> None:
            foreign = Commit(
                id=new_id(),
                stream=commit.stream,
                events=events,
                expected_version=None,
                recorded_at=commit.recorded_at,
            )
            await self._behind.append(foreign)

        self._add("conflicts", "append", at, times, before=get_in_between)

    def delays(self, method: str, *, at: int = 1) -> Hold:
        """Hold a call up, before it has any effect, until the test lets it go.

        Args:
            method: The name of a method of ``Storage``.
            at: The call to be held up.

        Returns:
            Waits until the call has come, and lets it go. One that is never let go waits until it
            is cancelled.

        Raises:
            ValueError: There is no such method, or ``at`` is below 1.
        """
        hold = Hold()
        self._add("delays", method, at, 1, before=hold)
        return hold

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """The store's own, with faults if the port has it."""
            own = getattr(self._behind, name)
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
            raise ValueError(f"{method!r} is no method of a store; it has {sorted(_METHODS)}")
        if at < 1 or times < 1:
            raise ValueError(f"calls are counted from 1, found at={at}, times={times}")
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
    """One call that waits for the test. Made by ``FaultyStore.delays``."""

    def __init__(self) -> None:
        self._reached = asyncio.Event()
        self._let_go = asyncio.Event()

    async def reached(self) -> None:
        """Return once the call has come, and waits."""
        await self._reached.wait()

    def let_go(self) -> None:
        """Let the call go on, or not wait when it comes."""
        self._let_go.set()

    async def __call__(self, *_: object) -> None:
        """Wait."""
        self._reached.set()
        await self._let_go.wait()


@define(eq=False, kw_only=True)
class _Fault:
    kind: str
    method: str
    first: int  # the number of the call
    last: int
    before: Intervention | None = field(default=None, repr=False)
    after: Intervention | None = field(default=None, repr=False)

    def __str__(self) -> str:
        calls = f"call {self.first}"
        if self.last > self.first:
            calls = f"calls {self.first} to {self.last}"
        return f"{self.method}: {self.kind} at {calls}"
