"""Stateful tests of applications, with the pure aggregate as their model."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import lru_cache
from random import Random
from typing import Any, ClassVar, TypeAlias, TypeVar

from attrs import evolve, frozen
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from eventhus import (
    Aggregate,
    Application,
    Command,
    Committed,
    ConcurrencyError,
    Rejected,
    StreamId,
)
from eventhus.errors import LogCorrupted
from eventhus.ports import Storage
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore
from eventhus_testing.properties.machine_case import Disagreement, TestCaseOf
from eventhus_testing.properties.strategies import commands
from eventhus_testing.properties.typed_values import Refinements
from eventhus_testing.texts.page import ACTUAL, EXPECTED, SAME, Passage, mark, page

T = TypeVar("T")

Answer: TypeAlias = "tuple[Any, ...] | Rejected"
"""The outcome of a command: events or a refusal."""

FIRST, SECOND = 0, 1
_NAMES = ("one", "other")


@frozen
class _Model:
    """The expected state and events of one aggregate id."""

    aggregate: Aggregate[Any, Any, Any]
    state: Any
    events: tuple[Any, ...] = ()

    def after(self, command: Command) -> tuple[Answer, _Model]:
        try:
            decided = self.aggregate.decided(command, self.state)
        except Rejected as refusal:
            return refusal, self
        state = self.state
        for event in decided:
            state = self.aggregate.evolve(state, event)
        return decided, evolve(self, state=state, events=(*self.events, *decided))


@frozen
class _Sent:
    """A command that produced events, and its answer."""

    command: Command
    command_id: str
    committed: Committed


@lru_cache(maxsize=64)  # making a strategy takes longer than drawing from it
def _commands(machine: type[AggregateMachine]) -> st.SearchStrategy[Command]:
    ids: Refinements = {Command: {"aggregate_id": st.sampled_from(["a1", "a2"])}}
    return commands(machine.aggregate, refine={**ids, **machine.refine})


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

    It runs in memory. Override ``stores`` to run it on another store. Answers, refusals, versions,
    states and histories must be those of ``decide`` and ``evolve``. A command repeated under its
    id must get its first answer, an outdated expected version must be refused, and concurrent
    commands must be serializable.

    A failure shows the smallest sequence of steps found, with the outcome of each.

    Attributes:
        aggregate: The model, and the aggregate of both applications.
        refine: Strategies for values in commands, as for ``commands``. Their ids are ``"a1"`` and
            ``"a2"`` by default.
    """

    aggregate: ClassVar[Aggregate[Any, Any, Any]]
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
            aggregates=[self.aggregate],
            store=store,
            codec=CattrsCodec(),
            random=Random(0),  # noqa: S311 - a repeated run must be the same
        )

    def __init__(self) -> None:
        if not hasattr(type(self), "aggregate"):
            name = type(self).__qualname__
            raise TypeError(
                f"{name} has no aggregate to compare applications with; set the attribute aggregate"
            )
        super().__init__()
        self._models: dict[str, _Model] = {}
        self._sent: list[_Sent] = []
        self._passages: list[Passage] = []
        self._disagreed = False
        self._count = 0
        self._runner = asyncio.Runner()
        self._exit = AsyncExitStack()
        self._applications = self._run(self._open())

    @rule(to=APPLICATIONS, command=COMMANDS)
    def dispatch(self, to: int, command: Command) -> None:
        """Compare the answer of either application with that of the aggregate."""
        self._add("when", _call(to, command))
        expected, after = self._model(command).after(command)
        actual = self._run(self._answer(to, command, self._next_id()))
        self._compare(_answer_lines(expected), _answer_lines(actual))
        self._models[command.aggregate_id] = after

    @precondition(lambda self: self._sent)
    @rule(to=APPLICATIONS, which=st.integers(0, 5))
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
    def dispatch_on_an_outdated_version(self, to: int, command: Command) -> None:
        """Dispatch with an outdated expected version, which must change nothing."""
        model = self._model(command)
        expected, _ = model.after(command)
        if not model.events or isinstance(expected, Rejected) or not expected:
            return
        outdated = len(model.events) - 1
        self._add("when", f"{_call(to, command)}, expecting version {outdated}")
        refused = [f"a ConcurrencyError, because the stream is at version {len(model.events)}"]
        try:
            committed = self._run(
                self._applications[to].dispatch(command, expected_version=outdated)
            )
        except ConcurrencyError:
            self._compare(refused, refused)
        else:
            self._compare(refused, _committed_lines(committed))

    @rule(one=COMMANDS, other=COMMANDS)
    def dispatch_at_once(self, one: Command, other: Command) -> None:
        """Dispatch two commands concurrently, which must end as one after the other."""
        self._add("when", _call(FIRST, one), f"{_call(SECOND, other)} at the same time")
        answers = self._run(self._both(one, other))
        orders = (self._in_order(one, other), _swapped(self._in_order(other, one)))
        explained = [
            models
            for (first, second), models in orders
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
        # If both orders explain the answers, the history tells which of them happened.
        happened = self._run(self._history(self._applications[FIRST], one.aggregate_id))
        mine = [models for models in explained if _alike(models[one.aggregate_id].events, happened)]
        self._models = (mine or explained)[0]

    @rule(at=APPLICATIONS)
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
                f"{self.aggregate.name}: an application differs from its aggregate "
                f"(- expected, + actual)",
                [*self._passages, then],
            )
        )

    def _look(self, at: int) -> None:
        for aggregate_id, model in self._models.items():
            application = self._applications[at]
            before = [*self._passages]
            self._add("when", f"{_NAMES[at]}.history({aggregate_id!r})")
            history = self._run(self._history(application, aggregate_id))
            self._compare(_answer_lines(model.events), _answer_lines(history))
            self._passages = before
            self._add("when", f"{_NAMES[at]}.state({aggregate_id!r})")
            state = self._run(application.state(self.aggregate, aggregate_id))
            if state != model.state:
                self._compare([repr(model.state)], [repr(state)])
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

    def _model(self, command: Command) -> _Model:
        fresh = _Model(self.aggregate, self.aggregate.initial)
        return self._models.get(command.aggregate_id, fresh)

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

    def _in_order(
        self, one: Command, other: Command
    ) -> tuple[tuple[Answer, Answer], dict[str, _Model]]:
        """Return the answers to two commands in sequence, and the models after them."""
        models = dict(self._models)
        answers = []
        for command in (one, other):
            fresh = _Model(self.aggregate, self.aggregate.initial)
            model = models.get(command.aggregate_id, fresh)
            answer, models[command.aggregate_id] = model.after(command)
            answers.append(answer)
        return (answers[0], answers[1]), models

    async def _history(self, application: Application, aggregate_id: str) -> tuple[Any, ...]:
        history = await application.history(self.aggregate, aggregate_id)
        versions = [recorded.version for recorded in history]
        if versions != [*range(1, len(history) + 1)]:
            raise LogCorrupted(
                StreamId(self.aggregate.name, aggregate_id), len(history), max(versions)
            )
        return tuple(recorded.event for recorded in history)


def _alike(expected: Answer, actual: Answer) -> bool:
    return _answer_lines(expected) == _answer_lines(
        actual
    )  # by repr, because events may lack an __eq__


def _swapped(
    outcome: tuple[tuple[Answer, Answer], dict[str, _Model]],
) -> tuple[tuple[Answer, Answer], dict[str, _Model]]:
    (one, other), models = outcome
    return (other, one), models


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
