"""Tests of ``AggregateMachine``, on correct and on broken stores."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from eventhus import Aggregate, Command, Decision, Query, Transaction
from eventhus.ports import Commit, Page, Storage, StoredCommit
from eventhus_memory import MemoryStore
from eventhus_mongo import MongoStore
from eventhus_testing import AggregateMachine, Counterexample
from eventhus_testing.conformance.store.samples import expecting
from eventhus_testing.properties import machine_case
from eventhus_testing.properties.search import fewest
from eventhus_testing.properties.typed_values import Refinements
from eventhus_testing.servers.mongo import connect
from examples.bank.account import CreateAccount, PerformDeposit, account
from examples.bank.transfer import Transfer, transfer
from examples.courses.enrolment import DefineCourse, Subscribe, enrolment

run_machine: Any = run_state_machine_as_test  # some versions have no annotations

FEW = settings(
    derandomize=True,
    max_examples=30,
    stateful_step_count=15,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

# A search stops at what it finds, so that only one that misses takes long.
MANY = settings(FEW, max_examples=500)


class AccountMachine(AggregateMachine):
    aggregate: ClassVar[Aggregate[Any, Any, Any]] = account
    refine: ClassVar[Refinements] = {CreateAccount: {"owner": st.just("ada")}}


TestInMemory = AccountMachine.TestCase
TestInMemory.settings = FEW


@pytest.mark.parametrize("kind", ["aggregate", "decision", "transaction"])
def test_two_applications_on_mongodb_agree_with_their_domain(
    mongo_url: str, mongo_bucket: str, kind: str
) -> None:
    """Each run has its own bucket."""
    buckets: list[str] = []
    machines: dict[str, Any] = {
        "aggregate": AccountMachine,
        "decision": EnrolmentMachine,
        "transaction": TransferMachine,
    }

    class OnMongo(machines[kind]):  # type: ignore[misc,valid-type]
        def stores(self) -> tuple[Storage, Storage]:
            buckets.append(f"{mongo_bucket}_{len(buckets)}")
            one, other = (MongoStore.open(mongo_url, buckets[-1]) for _ in range(2))
            return one, other

    try:
        few = settings(FEW, max_examples=5, stateful_step_count=8, phases=[Phase.generate])
        run_machine(OnMongo, settings=few)
    finally:
        with connect(mongo_url) as client:
            for bucket in buckets:
                client.drop_database(bucket)


class EnrolmentMachine(AggregateMachine):
    decisions: ClassVar[Sequence[Decision[Any, Any, Any]]] = [enrolment]
    refine: ClassVar[Refinements] = {
        DefineCourse: {"capacity": st.integers(1, 2)},
        Subscribe: {"student": st.sampled_from(["ann", "bob"])},
    }


class TransferMachine(AggregateMachine):
    transactions: ClassVar[Sequence[Transaction[Any]]] = [transfer]
    refine: ClassVar[Refinements] = {
        CreateAccount: {"owner": st.just("ada")},
        Transfer: {"to": st.sampled_from(["a1", "a2"]), "amount": st.integers(1, 5)},
        PerformDeposit: {"amount": st.just(9)},
    }


TestDecisions = EnrolmentMachine.TestCase
TestDecisions.settings = FEW
TestTransactions = TransferMachine.TestCase
TestTransactions.settings = FEW


class Unconditional(MemoryStore):
    """A store that ignores the conditions of commits, and lets commands overtake each other."""

    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        page = await super().read(query, after=after, limit=limit)
        await asyncio.sleep(0)
        return page

    async def append(self, commit: Commit) -> StoredCommit:
        stored = await super().append(attrs.evolve(commit, condition=None))
        return attrs.evolve(stored, commit=commit)


class Halving(MemoryStore):
    """A store that keeps the first part of a commit only."""

    async def append(self, commit: Commit) -> StoredCommit:
        stored = await super().append(attrs.evolve(commit, parts=commit.parts[:1]))
        return attrs.evolve(stored, commit=commit)


@pytest.mark.parametrize(
    ("machine", "store", "pairs"),
    [
        (
            EnrolmentMachine,
            Unconditional,
            [
                [DefineCourse(aggregate_id=each, capacity=1) for each in ("a1", "a2")],
                [Subscribe(aggregate_id="a1", student=each) for each in ("ann", "bob")],
            ],
        ),
        (
            TransferMachine,
            Halving,
            [
                [CreateAccount(aggregate_id=each, owner="ada") for each in ("a1", "a2")],
                [PerformDeposit(aggregate_id=each, amount=9) for each in ("a1", "a2")],
                [
                    Transfer(aggregate_id="a1", to="a2", amount=5),
                    Transfer(aggregate_id="a2", to="a1", amount=5),
                ],
            ],
        ),
    ],
)
def test_a_store_that_breaks_decisions_or_transactions_is_found(
    machine: type[AggregateMachine], store: type[MemoryStore], pairs: Sequence[Sequence[Command]]
) -> None:
    class Broken(machine):  # type: ignore[misc,valid-type]
        def stores(self) -> tuple[Storage, Storage]:
            shared = store()
            return shared, shared

        @rule(pair=st.sampled_from(pairs))
        def dispatch_pair(self, pair: Sequence[Command]) -> None:
            """Make what the defect needs so likely that no seed misses it."""
            self.dispatch_at_once(*pair)

    with pytest.raises(AssertionError, match="differs from its"):
        run_machine(Broken, settings=settings(MANY, phases=[Phase.generate]))


class Careless(MemoryStore):
    """A store that ignores the expected version."""

    async def append(self, commit: Commit) -> StoredCommit:
        stored = await super().append(expecting(commit, None))
        return attrs.evolve(stored, commit=commit)


class Forgetful(MemoryStore):
    """A store that acknowledges deposits but does not store them."""

    async def append(self, commit: Commit) -> StoredCommit:
        if commit.events[0].type == "DepositPerformed":
            other = MemoryStore()
            stored = await other.append(expecting(commit, None))
            head = await super().load(commit.stream)
            return attrs.evolve(stored, commit=commit, versions=[head.version + 1])
        return await super().append(commit)


class WithoutIds(MemoryStore):
    """A store that does not recognise a repeated command id."""

    async def append(self, commit: Commit) -> StoredCommit:
        stored = await super().append(attrs.evolve(commit, command_id=None))
        return attrs.evolve(stored, commit=commit)

    async def find(self, command_id: str) -> StoredCommit | None:
        return None


class Failing(MemoryStore):
    """A store that fails to store deposits."""

    async def append(self, commit: Commit) -> StoredCommit:
        if commit.events[0].type == "DepositPerformed":
            raise OSError("no space left")
        return await super().append(commit)


@pytest.mark.parametrize(
    ("broken", "then"),
    [
        # One of several checks finds it.
        (Careless, r"- .*(AccountExists|ConcurrencyError|nothing|\(.*\))(.|\n)*\+ "),
        (Forgetful, r"- .*(ConcurrencyError|DepositPerformed|balance=)(.|\n)*\+ "),
        (WithoutIds, r"again, under the same command_id\nthen   - .* at version \d, position \d"),
        (Failing, r"then   - an answer\n       \+ OSError: no space left$"),
    ],
)
def test_a_broken_store_is_shown_in_few_steps_without_a_traceback(
    broken: type[MemoryStore], then: str
) -> None:

    class OnBroken(AccountMachine):
        def stores(self) -> tuple[Storage, Storage]:
            store = broken()
            return store, store

    case = OnBroken.TestCase
    case.settings = MANY
    with pytest.raises(Counterexample) as caught:
        case().runTest()
    headline, _, *steps = str(caught.value).splitlines()
    assert headline == ("Account: an application differs from its aggregate (- expected, + actual)")
    assert re.search(then, str(caught.value))
    assert 1 <= len([step for step in steps if step.startswith("when ")]) <= 4
    assert not caught.value.pytrace


@pytest.mark.parametrize("broken", [Careless, Forgetful, WithoutIds, Failing])
def test_steps_that_a_failure_does_not_need_are_left_out(
    broken: type[MemoryStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even those that the shrinker of Hypothesis leaves, as here, where it does nothing."""
    kept: list[machine_case.Disagreement] = []

    def keeping(*args: Any) -> machine_case.Disagreement:
        kept.append(fewest(*args))
        return kept[0]

    class OnBroken(AccountMachine):
        def stores(self) -> tuple[Storage, Storage]:
            store = broken()
            return store, store

    monkeypatch.setattr(machine_case, "fewest", keeping)
    case = OnBroken.TestCase
    case.settings = settings(MANY, phases=[Phase.generate])
    with pytest.raises(Counterexample) as caught:
        case().runTest()
    (needed,) = kept
    for index in range(len(needed.steps)):
        fewer = [*needed.steps[:index], *needed.steps[index + 1 :]]
        assert machine_case.repeat(OnBroken, fewer) is None
    # A careless store needs five where a refused command has loaded the outdated state.
    most = 5 if broken is Careless else 4
    assert 1 <= len(re.findall("^when ", str(caught.value), re.MULTILINE)) <= most


def test_comparisons_that_hold_are_not_shown() -> None:
    class OnForgetful(AccountMachine):
        def stores(self) -> tuple[Storage, Storage]:
            store = Forgetful()
            return store, store

    machine = OnForgetful()
    machine.dispatch(to=0, command=CreateAccount(aggregate_id="a1", owner="ada"))
    machine.look(at=0)
    machine.dispatch(to=0, command=PerformDeposit(aggregate_id="a1", amount=5))
    with pytest.raises(AssertionError) as caught:
        machine.look(at=1)
    machine.teardown()
    steps = re.findall("^when .*", str(caught.value), re.MULTILINE)
    assert ["dispatch", "dispatch", "history"] == re.findall(r"\.(\w+)\(", "\n".join(steps))


def test_only_the_first_difference_is_reported() -> None:
    """The teardown would report others."""

    class OnForgetful(AccountMachine):
        def stores(self) -> tuple[Storage, Storage]:
            store = Forgetful()
            return store, store

    machine = OnForgetful()
    machine.dispatch(to=0, command=CreateAccount(aggregate_id="a1", owner="ada"))
    machine.dispatch(to=0, command=PerformDeposit(aggregate_id="a1", amount=5))
    with pytest.raises(AssertionError, match=r"when     other\.history\('a1'\)"):
        machine.look(at=1)
    machine.teardown()


@attrs.frozen
class Note(Command):
    text: str


@attrs.frozen(eq=False)
class Noted:
    text: str


def note(command: Note, count: int) -> Iterator[Noted]:
    yield Noted(f"{count} {command.text}")


def count_notes(count: int, event: Noted) -> int:
    return count + 1


def test_events_without_equality_are_compared_by_their_repr() -> None:

    class NoteMachine(AggregateMachine):
        aggregate: ClassVar[Aggregate[Any, Any, Any]] = Aggregate(
            name="Note", initial=0, decide=note, evolve=count_notes
        )

    machine = NoteMachine()
    try:
        for number in range(10):
            one, other = (Note(aggregate_id="a1", text=f"{number}{each}") for each in "ab")
            machine.dispatch_at_once(one=one, other=other)
            machine.look(at=1)
    finally:
        machine.teardown()


def test_each_machine_has_its_own_test_case() -> None:
    """It stays the same object, so that its settings stay."""
    assert AccountMachine.TestCase is AccountMachine.TestCase
    assert AccountMachine.TestCase is not AggregateMachine.TestCase
    assert "AccountMachine.TestCase" == AccountMachine.TestCase.__name__


def test_a_machine_without_an_aggregate_is_refused() -> None:

    class Nameless(AggregateMachine):
        pass

    with pytest.raises(TypeError, match="Nameless has no aggregate"):
        Nameless()


def test_suppressed_health_checks_stay_suppressed_for_a_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: list[settings] = []

    def run(_: object, settings: settings) -> None:
        used.append(settings)

    monkeypatch.setattr(machine_case, "run_state_machine_as_test", run)

    class Lenient(AggregateMachine):
        aggregate: ClassVar[Aggregate[Any, Any, Any]] = account

    case: Any = Lenient.TestCase
    case.settings = settings(FEW, suppress_health_check=[HealthCheck.data_too_large])
    case().runTest()
    (one,) = used
    assert {
        HealthCheck.data_too_large,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
    } == {*one.suppress_health_check}
