"""Rules that every domain must keep, checked in every spec."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar

from attrs import frozen

from eventhus import Rejected
from eventhus.errors import CodecError, CompositionError
from eventhus.ports import Codec
from eventhus_testing.matching.difference import differences
from eventhus_testing.values.comparing import same
from eventhus_testing.values.defensive_copies import copy_if_mutable

P = ParamSpec("P")
T = TypeVar("T")


@frozen(kw_only=True)
class Rules:
    """The rules that each spec checks in addition to its expectations.

    Each rule can be switched off.

    Attributes:
        unchanged: The functions of the domain do not change their arguments, including nested
            lists and dicts.
        repeatable: A second call with the same arguments returns an equal result. For ``evolve``
            of an aggregate or a decision, only events that ``decide`` produced are checked, not
            given events.
        declared: Each event that ``decide`` produces is of a class that the aggregate or the
            decision declares.
        evolvable: ``evolve`` accepts each event that ``decide`` produces and returns a state.
            A process must return a state and a view a value, too. ``None`` counts as one only if
            the state type admits it, or the return annotation of the view's ``evolve`` does.
        stored: Each event, each view value and each process state survives a round trip through
            the codec. A process answers an event in the same way with its state stored and loaded.
        snapshot: Each state of an aggregate or a decision survives a round trip through the codec,
            and the restored state evolves in the same way. Only applications that take snapshots
            need this rule.
        guarded: The boundary of a command finds each event that the decision produces for it, if
            it asks for events of that class. Otherwise two such commands at once can both be
            accepted.
        ending: A process does not arm deadlines without end: no more than 1,000 are reached in one
            step of a spec.
        independent: Each aggregate of a transaction decides on the state that its own events lead
            to, so another one, or an earlier refused command, does not change its answer.
    """

    unchanged: bool = True
    repeatable: bool = True
    declared: bool = True
    evolvable: bool = True
    stored: bool = True
    snapshot: bool = True
    guarded: bool = True
    ending: bool = True
    independent: bool = True


ALL = Rules()


class RuleBroken(AssertionError):
    """A rule is broken.

    Attributes:
        rule: The name of the rule, which is the argument of ``Rules`` that switches it off.
        problem: A sentence that describes the violation, without naming the aggregate.
        notes: The differences, one per line. Often empty.
    """

    def __init__(
        self, rule: str, problem: str, notes: Iterable[str] = (), *, text: str | None = None
    ) -> None:
        self.rule = rule
        self.problem = problem
        self.notes = tuple(notes)
        super().__init__(text or "\n".join([f"{problem} (rule: {rule})", *self.notes]))

    def with_text(self, text: str) -> RuleBroken:
        """Return the same error with another message."""
        return RuleBroken(self.rule, self.problem, self.notes, text=text)


def call_checked(rules: Rules, function: str, call: Callable[..., T], **given: Any) -> T:
    """Call a function of the domain and check the rules ``unchanged`` and ``repeatable``.

    Args:
        rules: The rules to check.
        function: The name of the function, for messages.
        call: Calls the function with the values of ``given`` in order, and returns a refusal
            instead of raising it.
        given: The arguments by name.

    Returns:
        The result of the first call.

    Raises:
        RuleBroken: The function changed an argument, or a second call returned another result.
    """
    __tracebackhide__ = True
    if not (rules.unchanged or rules.repeatable):
        return call(*given.values())
    kept: dict[str, Any] = {}  # copies of mutable arguments; most are immutable
    for what, value in given.items():
        before = copy_if_mutable(value)
        if before is not None:
            kept[what] = before
    answer = call(*given.values())
    if kept and rules.unchanged:
        for what, before in kept.items():
            _check_unchanged(function, what, before, given[what])
    if rules.repeatable:
        # The first call may have changed its arguments, so the second call gets the copies.
        if not rules.unchanged:
            given = {**given, **kept}
        again = call(*given.values())
        if not alike(answer, again):
            raise _not_repeatable(function, given, answer, again)
    return answer


def _check_unchanged(function: str, what: str, before: Any, now: Any) -> None:
    __tracebackhide__ = True
    if same(before, now):
        return
    raise RuleBroken(
        "unchanged",
        f"{function} changed the {what} that it was given; create a new one instead",
        differences(before, now, words=("before", "after"))
        or [f"before {before!r}, after {now!r}"],
    )


def alike(first: object, again: object) -> bool:
    """Return whether two answers of a function are equal."""
    if isinstance(first, Rejected):
        # A refusal keeps its message outside its fields, so compare the text.
        return type(first) is type(again) and str(first) == str(again)
    return same(first, again)


def _not_repeatable(function: str, given: Mapping[str, Any], first: Any, again: Any) -> RuleBroken:
    notes = [f"first {answer_text(first)}", f"then {answer_text(again)}"]
    if not isinstance(first, Rejected | tuple):
        notes = differences(first, again, words=("first", "then")) or notes
    way_out = f"take what it depends on from the {[*given][-1]}"
    if "command" in given:
        way_out = "pass what it depends on in the command"
    problem = f"{function} returned different results for the same arguments; {way_out}"
    return RuleBroken("repeatable", problem, notes)


def answer_text(answer: object) -> str:
    """Return a readable text of events or a refusal."""
    if isinstance(answer, Rejected):
        return f"refused with {type(answer).__qualname__}: {answer}"
    if isinstance(answer, tuple):
        return ", ".join(map(repr, answer)) or "nothing"
    return repr(answer)


def check_round_trip(rule: str, value: Any, there_and_back: Callable[[Any], Any]) -> None:
    """Check that a value survives a round trip through the codec.

    Raises:
        RuleBroken: The value cannot be encoded, or the decoded value differs.
    """
    __tracebackhide__ = True
    try:
        back = there_and_back(value)
    except CodecError as error:
        raise RuleBroken(rule, f"{value!r} cannot be stored", [str(error)]) from error
    if not same(value, back):
        raise RuleBroken(
            rule,
            f"{value!r} comes back from the codec as {back!r}",
            differences(value, back, words=("given", "back")),
        )


Coders: TypeAlias = tuple[Callable[[Any], Any], Callable[[Any], Any]]
"""An encoder and a decoder."""


def coders(rule: str, what: str, as_type: Any, codec: Codec) -> Coders:
    """Return the encoder and the decoder of a type.

    Args:
        rule: As for ``compiled``.
        what: As for ``compiled``.
        as_type: The type.
        codec: The codec.

    Raises:
        RuleBroken: The codec does not support the type.
    """
    __tracebackhide__ = True
    return compiled(rule, what, lambda: (codec.encoder(as_type), codec.decoder(as_type)))


def compiled(rule: str, what: str, compile_: Callable[[], T]) -> T:
    """Return the result of a codec lookup.

    Args:
        rule: The rule that needs the codec.
        what: A description of the types, for the message.
        compile_: Asks the codec for its encoders and decoders.

    Raises:
        RuleBroken: The codec does not support the types.
    """
    __tracebackhide__ = True
    try:
        return compile_()
    except CompositionError as error:
        raise RuleBroken(
            rule,
            f"there is no codec for {what}",
            [str(error), f"a codec goes in codec=..., and rules=Rules({rule}=False) does without"],
        ) from error


def made_once(make: Callable[P, T]) -> Callable[P, T]:
    """Cache a factory by its arguments, because compiling a codec takes longer than a spec.

    Calls with an unhashable argument, such as some codecs, are not cached.
    """
    cached = lru_cache(maxsize=256)(make)

    @wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> T:
        __tracebackhide__ = True
        for each in args:
            if type(each).__hash__ is None:
                return make(*args, **kwargs)
        return cached(*args, **kwargs)  # type: ignore[arg-type]  # see above

    return made
