"""Properties that every aggregate has, held against random commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic

from attrs import define
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from eventhus import Aggregate, EventData, Rejected
from eventhus.ports import Codec
from eventhus_testing.counterexample import (
    Breach,
    Counterexample,
    as_name,
    invariant_ending,
    outcome_ending,
)
from eventhus_testing.rules import ALL, Referee, RuleBroken, Rules, referee
from eventhus_testing.source import Imports, Node
from eventhus_testing.story import C, E, S
from eventhus_testing.strategies import commands
from eventhus_testing.typed_values import Refinements

__all__ = ["Counterexample", "check_aggregate"]


def check_aggregate(
    aggregate: Aggregate[C, E, S],
    *,
    invariant: Callable[[S], bool] | None = None,
    refine: Refinements | None = None,
    stored: Iterable[EventData] = (),
    rules: Rules = ALL,
    codec: Codec | None = None,
    max_commands: int = 20,
    settings: settings | None = None,
) -> None:
    """Carry out random commands, and see that nothing breaks whatever they are.

    The rules of every spec hold at every step, which means also that a snapshot, taken anywhere,
    leads where the events themselves lead; and after every event the invariant holds.

    What is found is made as small as possible, and told as a spec to paste.

    Args:
        aggregate: What is checked.
        invariant: Whether a state is one that may be.
        refine: Which values commands are made of; as for ``commands``.
        stored: A history as a store holds it, in any schema of the past, that is read through the
            upcasters and comes before all commands.
        rules: The rules; as for ``spec``.
        codec: Encodes events and states; as for ``spec``.
        max_commands: The most commands in one run.
        settings: Hypothesis's, such as how many runs; its current profile if left out.

    Raises:
        Counterexample: Something does not hold.
        NoStrategy: As for ``commands``.
        CodecError: Something stored cannot be read.
    """
    __tracebackhide__ = True
    judge = referee(aggregate, rules, codec)
    before = tuple(map(judge.read, stored))
    profile = settings if settings is not None else _current()
    # Examples of earlier runs are not kept: the spec that is told keeps them better.
    profile = _settings(
        profile,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=[phase for phase in profile.phases if phase is not Phase.explain],
    )

    @profile
    @given(st.lists(commands(aggregate, refine=refine), max_size=max_commands))
    def run(tried: list[Any]) -> None:
        _Run(judge, invariant, codec is not None, [*before]).all(tried)

    try:
        run()
    except _Found as found:
        raise found.breach.counterexample() from found.__cause__


_settings = settings


def _current() -> settings:
    return _settings()


class _Found(Exception):
    """Something does not hold. Its text is made only of the last and smallest one."""

    def __init__(self, breach: Breach) -> None:
        super().__init__(breach.headline)
        self.breach = breach


@define
class _Run(Generic[C, E, S]):
    """One sequence of commands, and what it led to."""

    judge: Referee[C, E, S]
    invariant: Callable[[S], bool] | None
    has_codec: bool
    events: list[E]
    event: E | None = None  # the one that is being applied

    def all(self, tried: Sequence[C]) -> None:
        """Carry them out.

        Raises:
            _Found: Something does not hold.
        """
        state = self.judge.aggregate.initial
        for index, event in enumerate(self.events):
            state = self._evolved(state, event, None, self.events[:index])
        for command in tried:
            state = self._after(command, state)

    def _after(self, command: C, state: S) -> S:
        earlier = [*self.events]
        try:
            decided = self.judge.decide(command, state)
        except Rejected:
            return state
        except RuleBroken as broken:
            raise self._rule(broken, command, earlier) from broken
        except Exception as error:
            raise self._raised("decide", error, command, earlier) from error
        for event in decided:
            state = self._evolved(state, event, command, earlier)
            self.events.append(event)
        return state

    def _evolved(self, state: S, event: E, command: C | None, earlier: Sequence[E]) -> S:
        self.event = event
        try:
            after = self.judge.evolve_decided(state, event)
            self.judge.check_snapshot(after)
        except RuleBroken as broken:
            raise self._rule(broken, command, earlier) from broken
        except Exception as error:
            raise self._raised("evolve", error, command, earlier) from error
        if self.invariant is not None and not self._holds(after):
            raise self._invariant(after, command, earlier)
        return after

    def _holds(self, state: S) -> bool:
        assert self.invariant is not None
        try:
            return bool(self.invariant(state))
        except AssertionError:
            return False

    def _invariant(self, after: S, command: C | None, earlier: Sequence[E]) -> _Found:
        invariant = self.invariant
        assert invariant is not None
        name = getattr(invariant, "__name__", "<lambda>")
        headline = f"the invariant does not hold of {after!r}"
        if name != "<lambda>":
            headline = f"{name} does not hold of {after!r}"
        return self._breach(
            command,
            earlier,
            headline,
            "the_invariant_holds" if name == "<lambda>" else f"{as_name(name)}_holds",
            invariant_ending(invariant),
        )

    def _rule(self, broken: RuleBroken, command: C | None, earlier: Sequence[E]) -> _Found:
        headline = "\n  ".join([f"{broken.problem} (rule: {broken.rule})", *broken.notes])
        # Where decide has two answers, none of them is the one to expect.
        ending = _no_ending if broken.rule == "repeatable" else None
        return self._breach(command, earlier, headline, f"the_rule_{broken.rule}_holds", ending)

    def _raised(
        self, function: str, error: Exception, command: C | None, earlier: Sequence[E]
    ) -> _Found:
        headline = f"{function} raised {type(error).__name__}: {error}"
        return self._breach(command, earlier, headline, f"{function}_does_not_raise")

    def _breach(
        self,
        command: C | None,
        earlier: Sequence[E],
        headline: str,
        name: str,
        ending: Callable[[Imports], Node | None] | None = None,
    ) -> _Found:
        aggregate = self.judge.aggregate
        if ending is None and command is not None:
            ending = outcome_ending(aggregate, command, earlier)
        return _Found(
            Breach(
                aggregate=aggregate,
                given=earlier,
                cause=self.event if command is None else command,
                headline=headline,
                name=name,
                ending=ending or _no_ending,
                rules=self.judge.rules,
                has_codec=self.has_codec,
            )
        )


def _no_ending(imports: Imports) -> None:  # noqa: ARG001 - others need them
    return None
