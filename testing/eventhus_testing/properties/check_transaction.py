"""Checks a transaction against random commands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Generic

import hypothesis
from attrs import evolve, frozen

from eventhus import Aggregate, Command, StreamId, Transaction
from eventhus.ports import Codec
from eventhus_testing.matching.excerpts import wrapped
from eventhus_testing.properties.breaches import as_it_is, check_invariant, finding_breaches
from eventhus_testing.properties.counterexample import UNKNOWN, CommandStep, SpecArguments
from eventhus_testing.properties.invariant import Invariant
from eventhus_testing.properties.search import check_steps
from eventhus_testing.properties.strategies import MAX_COMMANDS
from eventhus_testing.properties.transaction_steps import Step, TransactionStep, histories_of
from eventhus_testing.properties.typed_values import Refinements
from eventhus_testing.rules.decider_checker import decider_checker
from eventhus_testing.rules.rules import ALL, Rules
from eventhus_testing.specs.story import Story
from eventhus_testing.specs.transaction_story import C, TransactionRun, TransactionStory
from eventhus_testing.texts.page import SAME, Passage, mark


def check_transaction(
    transaction: Transaction[C],
    *,
    invariant: Invariant[TransactionRun] | None = None,
    refine: Refinements | None = None,
    rules: Rules = ALL,
    codec: Codec | None = None,
    max_commands: int = MAX_COMMANDS,
    settings: hypothesis.settings | None = None,
) -> None:
    """Check the rules and an invariant of a transaction against random commands.

    The aggregates get random commands of their own, so that the transaction meets histories that
    can happen. Its commands are for the same aggregates. Each step must keep the rules that
    ``spec`` checks, and the invariant must hold after each command of the transaction that led to
    events. It compares the states of all aggregates before and after the command.

    >>> from examples.bank.test_properties import money_is_conserved
    >>> from examples.bank.transfer import transfer
    >>> check_transaction(transfer, invariant=money_is_conserved, max_commands=10)

    A failure is shrunk to the smallest case and printed as a spec to paste.

    Args:
        transaction: The transaction to check.
        invariant: A predicate on the states of all aggregates before and after a command. It
            returns a bool, or asserts and returns ``None``.
        refine: Strategies for values in commands, as for ``commands``. They apply to the commands
            of the transaction and of its aggregates.
        rules: As for ``spec``.
        codec: As for ``spec``.
        max_commands: The largest number of commands in one run, those of the aggregates included.
        settings: As for ``check_aggregate``.

    Raises:
        Counterexample: A rule or the invariant is broken. The text ends with a spec: one of the
            transaction, or one of the aggregate if a command of its own breaks a rule.
        TypeError: ``transaction`` is something else, or the invariant returns anything but a bool
            or ``None``.
        NoStrategy: As for ``commands``.
    """
    __tracebackhide__ = True
    subject: object = transaction
    if not isinstance(subject, Transaction):
        raise TypeError(f"check_transaction takes a Transaction, not {subject!r}")
    check = _Check(
        SpecArguments(decider=transaction, rules=rules, codec=codec),
        TransactionStory(transaction=transaction, rules=rules, codec=codec),
        invariant,
    )
    tried = histories_of(transaction, refine or {}, max_commands)
    check_steps(check.carry_out, tried, settings)


@frozen
class _Check(Generic[C]):
    """The subject of one check."""

    arguments: SpecArguments
    start: TransactionStory[C]
    invariant: Invariant[TransactionRun] | None

    def carry_out(self, tried: list[Step]) -> None:
        """Carry out commands of the transaction and of its aggregates.

        Raises:
            Found: A rule or the invariant is broken.
        """
        story = self.start
        for step in tried:
            if step.aggregate is None:
                story = self._with_any(story, step.commands)
            else:
                story = self._with_own(story, step.aggregate, step.commands)

    def _with_any(self, story: TransactionStory[C], commands: Sequence[C]) -> TransactionStory[C]:
        for command in commands:
            done = self._with(story, command)
            if done.happened:
                return done.as_given()
        return story

    def _with(self, story: TransactionStory[C], command: C) -> TransactionStory[C]:
        step = TransactionStep(
            arguments=self.arguments,
            given=sorted(story.given, key=lambda each: str(each.stream)),
            state=UNKNOWN,
            command=as_it_is(command),
        )
        done = finding_breaches(partial(story.with_command, command), step)
        if self.invariant is not None and done.happened:
            step = evolve(step, decided=done.happened)
            check_invariant(self.invariant, done.run, step, "run", _states(done))
        return done

    def _with_own(
        self,
        story: TransactionStory[C],
        aggregate: Aggregate[Any, Any, Any],
        commands: Sequence[Command],
    ) -> TransactionStory[C]:
        stream = StreamId(aggregate.name, commands[0].aggregate_id)
        checker = decider_checker(aggregate, self.arguments.rules, self.arguments.codec)
        own = Story(
            checker=checker, given=story.history(stream), state=story.state(aggregate, stream)
        )
        for command in commands:
            step = CommandStep(
                arguments=evolve(self.arguments, decider=aggregate),
                given=own.given,
                state=as_it_is(own.state),
                command=as_it_is(command),
            )
            done = finding_breaches(partial(own.with_command, command), step)
            if done.events:
                return story.with_given(aggregate, stream, done.events)
        return story


def _states(story: TransactionStory[Any]) -> list[Passage]:
    changed = [f"{stream}: {wrapped(story.states[stream])}" for stream in story.changed]
    return [("state", mark(SAME, changed))]
