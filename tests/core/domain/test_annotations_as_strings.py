"""The annotations of a module under ``from __future__ import annotations``: all are strings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial, wraps
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar, Union

import pytest
from attrs import frozen

from eventhus import Aggregate, Command
from eventhus.domain.annotations import parameter_classes
from eventhus.errors import CompositionError

if TYPE_CHECKING:
    from somewhere import Unseen  # type: ignore[import-not-found]

T = TypeVar("T")


def forward(command: Open | Close, state: int) -> Iterable[Opened]:
    """Names classes that are defined below."""
    return ()


@frozen(kw_only=True)
class Open(Command):
    pass


@frozen(kw_only=True)
class Close(Command):
    pass


@frozen
class Opened:
    pass


OpenOrClose: TypeAlias = Open | Close


def single(command: Open, state: int) -> Iterable[Opened]:
    return ()


def alias(command: OpenOrClose, state: int) -> Iterable[Opened]:
    return ()


def nested(command: Union[Close, OpenOrClose], state: int) -> Iterable[Opened]:  # noqa: UP007 - under test
    return ()


def quoted(command: "Open | Close", state: int) -> Iterable[Opened]:  # noqa: UP037 - under test
    return ()


def unseen_state(command: Open | Close, state: Unseen) -> Iterable[Unseen]:
    return ()


def unseen(command: Open | Unseen, state: int) -> Iterable[Opened]:
    return ()


def at_a_rate(rate: Unseen, command: Open | Close, state: int) -> Iterable[Opened]:
    return ()


def traced(function: Callable[..., Iterable[Opened]]) -> Callable[..., Iterable[Opened]]:
    @wraps(function)
    def call(*args: object) -> Iterable[Opened]:
        return function(*args)

    return call


class Rules(Generic[T]):
    def method(self, command: Open | Close, state: T) -> Iterable[Opened]:
        return ()

    def __call__(self, command: Open | Close, state: T) -> Iterable[Opened]:
        return ()


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        pytest.param(single, (Open,), id="single class"),
        pytest.param(forward, (Open, Close), id="forward reference"),
        pytest.param(alias, (Open, Close), id="alias"),
        pytest.param(nested, (Close, Open), id="nested"),
        pytest.param(quoted, (Open, Close), id="string of a string"),
        pytest.param(unseen_state, (Open, Close), id="another parameter names the unseen"),
        pytest.param(Rules[int]().method, (Open, Close), id="method of a generic class"),
        pytest.param(Rules[int](), (Open, Close), id="callable instance"),
        pytest.param(partial(at_a_rate, 3), (Open, Close), id="partial"),
        pytest.param(traced(single), (Open,), id="decorated"),
        pytest.param(cache(single), (Open,), id="decorated elsewhere"),
        pytest.param(partial(cache(at_a_rate), 3), (Open, Close), id="partial of a decorated"),
    ],
)
def test_every_way_to_write_an_annotation_is_read(
    function: Callable[..., object], expected: tuple[type, ...]
) -> None:
    assert expected == parameter_classes(function, 0, "commands")


def test_local_classes_that_the_body_mentions_are_read() -> None:
    @frozen(kw_only=True)
    class Local(Command):
        pass

    def decide(command: Local | Open, state: int) -> Iterator[Opened]:
        match command:
            case Local() | Open():
                yield Opened()

    assert (Local, Open) == parameter_classes(decide, 0, "commands")
    assert (Local, Open) == parameter_classes(traced(decide), 0, "commands")


def test_local_classes_that_only_the_annotation_mentions_are_refused() -> None:
    """Python keeps no reference to them."""

    @frozen(kw_only=True)
    class Local(Command):
        pass

    def decide(command: Local, state: int) -> Iterable[Opened]:
        return (Opened(),)

    with pytest.raises(CompositionError, match=r"'Local' is not defined.*pass commands=\.\.\.$"):
        parameter_classes(decide, 0, "commands")


def test_names_under_type_checking_are_refused() -> None:
    with pytest.raises(CompositionError) as caught:
        parameter_classes(unseen, 0, "commands")
    assert (
        f"{__name__}.unseen: the annotation of parameter 1 cannot be resolved (name 'Unseen' is "
        f"not defined); make its names visible where the function is defined, or pass "
        f"commands=..."
    ) == str(caught.value)


def test_passed_classes_replace_unreadable_annotations() -> None:
    def evolve(state: Unseen, event: Unseen) -> Unseen:
        return state

    aggregate = Aggregate(
        name="Door",
        initial=0,
        decide=unseen,
        evolve=evolve,
        commands=(Open,),
        events=(Opened,),
        state_type=int,
    )
    assert ((Open,), (Opened,), int) == (aggregate.commands, aggregate.events, aggregate.state_type)


def test_an_unreadable_state_annotation_asks_for_state_type() -> None:
    def evolve(state: Unseen, event: Opened) -> Unseen:
        return state

    with pytest.raises(CompositionError) as caught:
        Aggregate(name="Door", initial=0, decide=single, evolve=evolve, events=(Opened,))
    assert str(caught.value).endswith("or pass state_type=...")
