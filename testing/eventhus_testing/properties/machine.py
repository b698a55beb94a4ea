"""Stateful tests of applications, with the pure domain as their model."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import lru_cache
from random import Random
from typing import Any, ClassVar, TypeVar

from attrs import frozen
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from eventhus import (
    Aggregate,
    Application,
    Command,
    Committed,
    ConcurrencyError,
    Decision,
    Rejected,
    StreamId,
    Transaction,
)
from eventhus.errors import LogCorrupted
from eventhus.ports import Storage
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore
from eventhus_testing.properties.machine_case import Disagreement, Step, TestCaseOf, recorded
from eventhus_testing.properties.model import Answer, Model, Part, streams_of
from eventhus_testing.properties.strategies import commands
from eventhus_testing.properties.typed_values import Refinements
from eventhus_testing.texts.page import ACTUAL, EXPECTED, SAME, Passage, mark, page

T = TypeVar("T")

FIRST, SECOND = 0, 1
_NAMES = ("one", "other")


@frozen
class _Sent:
    """A command that produced events, and its answer."""

    command: Command
    command_id: str
    committed: Committed


@lru_cache(maxsize=64)  # making a strategy takes longer than drawing from it
def _commands(machine: type[AggregateMachine]) -> st.SearchStrategy[Command]:
    ids: Refinements = {Command: {"aggregate_id": st.sampled_from(["a1", "a2"])}}
    refine: Refinements = {**ids, **machine.refine}
    return st.one_of([commands(part, refine=refine) for part in _parts(machine)])


def _parts(machine: type[AggregateMachine]) -> tuple[Part, ...]:
    return (*_aggregates(machine), *machine.decisions, *machine.transactions)


def _aggregates(machine: type[AggregateMachine]) -> tuple[Aggregate[Any, Any, Any], ...]:
    one = [machine.aggregate] if hasattr(machine, "aggregate") else []
    others = [each for part in machine.transactions for each in part.aggregates]
    return tuple(dict.fromkeys([*one, *machine.aggregates, *others]))


def _commands_of(machine: Any) -> st.SearchStrategy[Command]:
    cls: Any = type(machine)
    return _commands(cls)


COMMANDS = st.runner().flatmap(_commands_of)
APPLICATIONS = st.sampled_from([FIRST, SECOND])


class AggregateMachine(RuleBasedStateMachine):
    """A state machine that sends random commands to two applications that share a store.

    Subclass it and give its ``TestCase``, with Hypothesis ``settings``, to pytest::

        class AccountMachine(AggregateMachine):
            aggregate = account

        TestAccount = AccountMachine.TestCase

    For decisions and transactions, give ``decisions`` and ``transactions``, too, or alone.

    It runs in memory. Override ``stores`` to run it on another store. Answers, refusals, versions,
    states and histories must be those of ``decide`` and ``evolve``. A command repeated under its
    id must get its first answer, an outdated expected version must be refused, and concurrent
    commands must be serializable.

    A failure shows the smallest sequence of steps found, with the outcome of each.

    Attributes:
        aggregate: The model, and the aggregate of both applications.
        aggregates: More aggregates; those of ``transactions`` are added to them.
        decisions: The decisions.
        transactions: The transactions.
        refine: Strategies for values in commands, as for ``commands``. Their ids are ``"a1"`` and
            ``"a2"`` by default.
    """

    aggregate: ClassVar[Aggregate[Any, Any, Any]]
    aggregates: ClassVar[Sequence[Aggregate[Any, Any, Any]]] = ()
    decisions: ClassVar[Sequence[Decision[Any, Any, Any]]] = ()
    transactions: ClassVar[Sequence[Transaction[Any]]] = ()
    refine: ClassVar[Refinements] = {}
    TestCase: Any = TestCaseOf()  # runs like that of Hypothesis, but shows the steps as text

    def stores(self) -> tuple[Storage, Storage]:
        """Return two connections to one new store, or one store twice. Called once per run."""
        store = MemoryStore()
        return store, store

    def application(self, store: Storage) -> Application:
        """Return an application on one of the stores."""
        return Application(
            bucket="machine",
            aggregates=_aggregates(type(self)),
            decisions=self.decisions,
            transactions=self.transactions,
            store=store,
            codec=CattrsCodec(),
            random=Random(0),  # noqa: S311 - a repeated run must be the same
        )

    def __init__(self) -> None:
        self._parts = _parts(type(self))
        if not self._parts:
            name = type(self).__qualname__
            raise TypeError(
                f"{name} has no aggregate to compare applications with; set the attribute "
                f"aggregate, decisions or transactions"
            )
        super().__init__()
        self.steps: list[Step] = []
        self._routes = {command: part for part in self._parts for command in part.commands}
        self._model = Model()
        self._streams: dict[StreamId, None] = {}  # that commands were for, in order
        self._sent: list[_Sent] = []
        self._passages: list[Passage] = []
        self._disagreed = False
        self._count = 0
        self._runner = asyncio.Runner()
        self._exit = AsyncExitStack()
        self._applications = self._run(self._open())

    @rule(to=APPLICATIONS, command=COMMANDS)
    @recorded
    def dispatch(self, to: int, command: Command) -> None:
        """Compare the answer of either application with that of the domain."""
        self._add("when", _call(to, command))
        expected, after = self._after(self._model, command)
        actual = self._run(self._answer(to, command, self._next_id()))
        self._compare(_answer_lines(expected), _answer_lines(actual))
        self._model = after

    @precondition(lambda self: self._sent)
    @rule(to=APPLICATIONS, which=st.integers(0, 5))
    @recorded
    def dispatch_again(self, to: int, which: int) -> None:
        """Repeat a command under its id and compare the answer with the first."""
        sent = self._sent[which % len(self._sent)]
        self._add("when", f"{_call(to, sent.command)} again, under the same command_id")
        actual: Sequence[str]
        try:
            actual = _committed_lines(self._run(self._dispatch(to, sent.command, sent.command_id)))
        except Rejected as refusal:
            actual = _answer_lines(refusal)
        self._compare(_committed_lines(sent.committed), actual)

    @rule(to=APPLICATIONS, command=COMMANDS)
    @recorded
    def dispatch_on_an_outdated_version(self, to: int, command: Command) -> None:
        """Dispatch with an outdated expected version, which must change nothing."""
        expected, _ = self._after(self._model, command)
        if isinstance(expected, Rejected) or not expected:
            return
        version = len(self._model.events(streams_of(self._part(command), command)[0]))
        if not version:
            return
        outdated = version - 1
        self._add("when", f"{_call(to, command)}, expecting version {outdated}")
        refused = [f"a ConcurrencyError, because the stream is at version {version}"]
        try:
            committed = self._run(
                self._applications[to].dispatch(command, expected_version=outdated)
            )
        except ConcurrencyError:
            self._compare(refused, refused)
        else:
            self._compare(refused, _committed_lines(committed))

    @rule(one=COMMANDS, other=COMMANDS)
    @recorded
    def dispatch_at_once(self, one: Command, other: Command) -> None:
        """Dispatch two commands concurrently, which must end as one after the other."""
        self._add("when", _call(FIRST, one), f"{_call(SECOND, other)} at the same time")
        answers = self._run(self._both(one, other))
        orders = (self._in_order(one, other), _swapped(self._in_order(other, one)))
        explained = [
            model
            for (first, second), model in orders
            if _alike(first, answers[0]) and _alike(second, answers[1])
        ]
        actual = [*_answer_lines(answers[0]), *_answer_lines(answers[1])]
        if explained:
            self._compare(actual, actual)
        else:
            in_words = [
                f"{' and '.join([*_answer_lines(first), *_answer_lines(second)])}"
                for (first, second), _ in orders
            ]
            self._compare([" or ".join(dict.fromkeys(in_words))], [" and ".join(actual)])
        # If both orders explain the answers, the log tells which of them happened.
        log = repr(self._run(self._log(self._applications[FIRST])))
        mine = [model for model in explained if repr(model.log) == log]
        self._model = (mine or explained)[0]

    @rule(at=APPLICATIONS)
    @recorded
    def look(self, at: int) -> None:
        """Compare histories and states with those of the model."""
        self._look(at)

    def teardown(self) -> None:
        """Compare once more and close both applications. Hypothesis calls it after each run."""
        try:
            if not self._disagreed:  # a later difference would hide the first one
                for at in (FIRST, SECOND):
                    self._look(at)
            self._runner.run(self._exit.aclose())
        finally:
            self._runner.close()

    def _add(self, word: str, *lines: str) -> None:
        self._passages.append((word, mark(SAME, lines)))

    def _compare(self, expected: Sequence[str], actual: Sequence[str]) -> None:
        """Add the outcome to the passages.

        Raises:
            Disagreement: The outcome is not the expected one.
        """
        if expected == actual:
            self._add("then", *actual)
            return
        self._disagreed = True
        then: Passage = ("then", [*mark(EXPECTED, expected), *mark(ACTUAL, actual)])
        raise Disagreement(
            page(
                f"{', '.join(part.name for part in self._parts)}: an application differs from "
                f"its {'domain' if len(self._parts) > 1 else 'aggregate'} (- expected, + actual)",
                [*self._passages, then],
            ),
            [*self.steps],
        )

    def _look(self, at: int) -> None:
        application = self._applications[at]
        aggregates = {aggregate.stream_type: aggregate for aggregate in _aggregates(type(self))}
        for stream in dict.fromkeys([*self._streams, *self._model.streams]):
            before = [*self._passages]
            aggregate = aggregates.get(stream.aggregate_type)
            read = f"events(stream={stream!r})"
            if aggregate is not None:
                read = f"history({stream.aggregate_id!r})"
            self._add("when", f"{_NAMES[at]}.{read}")
            history = self._run(self._history(application, stream))
            self._compare(_answer_lines(self._model.events(stream)), _answer_lines(history))
            self._passages = before
            if aggregate is None:
                continue
            self._add("when", f"{_NAMES[at]}.state({stream.aggregate_id!r})")
            expected = self._model.state(aggregate, stream.aggregate_id)
            state = self._run(application.state(aggregate, stream.aggregate_id))
            if state != expected:
                self._compare([repr(expected)], [repr(state)])
            self._passages = before  # comparisons that hold are not shown

    def _run(self, doing: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(doing)
        except (Rejected, ConcurrencyError):
            raise
        except Exception as error:
            name = type(error).__qualname__
            try:
                self._compare(["an answer"], [f"{name}: {error}"])
            except Disagreement as disagreement:
                raise disagreement from error
            raise

    async def _open(self) -> Sequence[Application]:
        return [
            await self._exit.enter_async_context(self.application(store)) for store in self.stores()
        ]

    def _part(self, command: Command) -> Part:
        return self._routes[type(command)]

    def _after(self, model: Model, command: Command) -> tuple[Answer, Model]:
        part = self._part(command)
        self._streams.update(dict.fromkeys(streams_of(part, command)))
        return model.after(part, command)

    def _next_id(self) -> str:
        self._count += 1
        return f"command-{self._count}"

    async def _dispatch(self, to: int, command: Command, command_id: str) -> Committed:
        return await self._applications[to].dispatch(command, command_id=command_id)

    async def _answer(self, to: int, command: Command, command_id: str) -> Answer:
        try:
            committed = await self._dispatch(to, command, command_id)
        except Rejected as refusal:
            return refusal
        if committed.events:
            self._sent.append(_Sent(command, command_id, committed))
        return tuple(recorded.event for recorded in committed.events)

    async def _both(self, one: Command, other: Command) -> tuple[Answer, Answer]:
        return await asyncio.gather(
            self._answer(FIRST, one, self._next_id()), self._answer(SECOND, other, self._next_id())
        )

    def _in_order(self, one: Command, other: Command) -> tuple[tuple[Answer, Answer], Model]:
        """Return the answers to two commands in sequence, and the model after them."""
        first, model = self._after(self._model, one)
        second, model = self._after(model, other)
        return (first, second), model

    async def _log(self, application: Application) -> tuple[tuple[StreamId, Any], ...]:
        return tuple([(each.stream, each.event) async for each in application.events()])

    async def _history(self, application: Application, stream: StreamId) -> tuple[Any, ...]:
        history = [recorded async for recorded in application.events(stream=stream)]
        versions = [recorded.version for recorded in history]
        if versions != [*range(1, len(history) + 1)]:
            raise LogCorrupted(stream, len(history), max(versions))
        return tuple(recorded.event for recorded in history)


def _alike(expected: Answer, actual: Answer) -> bool:
    return _answer_lines(expected) == _answer_lines(
        actual
    )  # by repr, because events may lack an __eq__


def _swapped(
    outcome: tuple[tuple[Answer, Answer], Model],
) -> tuple[tuple[Answer, Answer], Model]:
    (one, other), model = outcome
    return (other, one), model


def _answer_lines(answer: Answer) -> list[str]:
    if isinstance(answer, Rejected):
        return [f"refused with {type(answer).__qualname__}: {answer}".removesuffix(": ")]
    return [*map(repr, answer)] or ["nothing"]


def _committed_lines(committed: Committed) -> list[str]:
    """Return committed events with their versions and positions."""
    return [
        f"{recorded.event!r} at version {recorded.version}, position {recorded.position}"
        for recorded in committed.events
    ] or ["nothing"]


def _call(to: int, command: Command) -> str:
    return f"{_NAMES[to]}.dispatch({command!r})"
