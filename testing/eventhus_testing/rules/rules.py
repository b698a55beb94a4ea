"""The rules that hold for every domain, checked whatever a spec is about."""

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
    """The rules that are checked besides what a spec says. Each can be switched off.

    Attributes:
        unchanged: The functions of the domain leave what they are given as it was, lists and dicts
            inside it too.
        repeatable: Asked again, they give the same answer; ``evolve`` of an aggregate is asked
            again about each event that ``decide`` produces, not about what is given.
        declared: Each event that ``decide`` produces is of a class that the aggregate declares.
        evolvable: ``evolve`` accepts each event that ``decide`` produces, and returns a state.
        stored: Each event, given or produced, comes back from the codec as it was; so does each
            value of a view, and each state of a process.
        snapshot: So does each state of an aggregate, and goes on as it would have. Applications
            need it only where they take snapshots.
    """

    unchanged: bool = True
    repeatable: bool = True
    declared: bool = True
    evolvable: bool = True
    stored: bool = True
    snapshot: bool = True


ALL = Rules()


class RuleBroken(AssertionError):
    """Something breaks one of the rules.

    Attributes:
        rule: The name of the rule: of the argument of ``Rules`` that switches it off.
        problem: What happened, as a sentence with the aggregate as its subject left out.
        notes: The differing parts, a line each; often none.
    """

    def __init__(
        self, rule: str, problem: str, notes: Iterable[str] = (), *, text: str | None = None
    ) -> None:
        self.rule = rule
        self.problem = problem
        self.notes = tuple(notes)
        super().__init__(text or "\n".join([f"{problem} (rule: {rule})", *self.notes]))

    def with_text(self, text: str) -> RuleBroken:
        """The same, with another text, which tells the story around it."""
        return RuleBroken(self.rule, self.problem, self.notes, text=text)


def call_checked(rules: Rules, function: str, ask: Callable[..., T], **given: Any) -> T:
    """What a function of the domain answers, which is to change nothing and to repeat itself.

    Args:
        rules: Which rules are to be checked.
        function: Its name.
        ask: Calls it with the values of ``given``, in their order; gives back a refusal.
        given: What it is given, each by what it is called.

    Raises:
        RuleBroken: It changed what it was given, or gave another answer the second time.
    """
    __tracebackhide__ = True
    if not (rules.unchanged or rules.repeatable):
        return ask(*given.values())
    kept: dict[str, Any] = {}  # of what can change; most values cannot
    for what, value in given.items():
        before = copy_if_mutable(value)
        if before is not None:
            kept[what] = before
    answer = ask(*given.values())
    if kept and rules.unchanged:
        for what, before in kept.items():
            _check_unchanged(function, what, before, given[what])
    if rules.repeatable:
        # What it may have changed is not what it was asked about.
        if not rules.unchanged:
            given = {**given, **kept}
        again = ask(*given.values())
        if isinstance(answer, Rejected) or not same(answer, again):
            _check_alike(function, given, answer, again)
    return answer


def _check_unchanged(function: str, what: str, before: Any, now: Any) -> None:
    __tracebackhide__ = True
    if same(before, now):
        return
    raise RuleBroken(
        "unchanged",
        f"{function} changed the {what} that it was given; make a new one instead",
        differences(before, now, words=("before", "after"))
        or [f"before {before!r}, after {now!r}"],
    )


def _check_alike(function: str, given: Mapping[str, Any], first: Any, again: Any) -> None:
    __tracebackhide__ = True
    # The words of a refusal are no parts of it.
    if type(first) is type(again) and isinstance(first, Rejected) and str(first) == str(again):
        return
    notes = [f"first {_answer_text(first)}", f"then {_answer_text(again)}"]
    if not isinstance(first, Rejected | tuple):
        notes = differences(first, again, words=("first", "then")) or notes
    way_out = f"take what it depends on from the {[*given][-1]}"
    if "command" in given:
        way_out = "pass what it depends on in the command"
    raise RuleBroken(
        "repeatable", f"{function} gave two answers to the same question; {way_out}", notes
    )


def _answer_text(answer: object) -> str:
    if isinstance(answer, Rejected):
        return f"refused with {type(answer).__qualname__}: {answer}"
    if isinstance(answer, tuple):
        return ", ".join(map(repr, answer)) or "nothing"
    return repr(answer)


def check_round_trip(rule: str, value: Any, there_and_back: Callable[[Any], Any]) -> None:
    """See that a value comes back from the codec as it was.

    Raises:
        RuleBroken: It does not, or cannot be encoded.
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
    """What encodes and decodes the values of a type.

    Args:
        rule: As for ``compiled``.
        what: As for ``compiled``.
        as_type: The type.
        codec: The codec.

    Raises:
        RuleBroken: The codec cannot handle the type.
    """
    __tracebackhide__ = True
    return compiled(rule, what, lambda: (codec.encoder(as_type), codec.decoder(as_type)))


def compiled(rule: str, what: str, compile_: Callable[[], T]) -> T:
    """What the codec has for some types.

    Args:
        rule: The rule that asks for it.
        what: What it is for; for the message.
        compile_: Asks the codec.

    Raises:
        RuleBroken: It cannot handle them.
    """
    __tracebackhide__ = True
    try:
        return compile_()
    except CompositionError as error:
        raise RuleBroken(
            rule,
            f"there is no codec for {what}",
            [str(error), f"pass codec=CattrsCodec(Hook(...)), or rules=Rules({rule}=False)"],
        ) from error


def made_once(make: Callable[P, T]) -> Callable[P, T]:
    """Keep what is made for the same arguments: to compile what encodes takes longer than a spec.

    Where one of them cannot be hashed, as a codec may be, it is made each time.
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
