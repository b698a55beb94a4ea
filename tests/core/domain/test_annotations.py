"""Classes read from annotations, and the messages where none can be read.

Annotations are objects here; tests/core/domain/test_annotations_as_strings.py has the other kind.
"""

import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial, wraps
from typing import Annotated, Any, Generic, Literal, Optional, TypeAlias, TypeVar, Union

import pytest
import typing_extensions
from attrs import frozen

from eventhus import Command
from eventhus.domain.annotations import parameter_annotation, parameter_classes
from eventhus.errors import CompositionError

T = TypeVar("T")


def forward(command: "Open | Close", state: int) -> Iterable[str]:
    """Names classes that are defined below."""
    return ()


@frozen(kw_only=True)
class Open(Command):
    pass


@frozen(kw_only=True)
class Close(Command):
    pass


@frozen(kw_only=True)
class Rename(Command):
    pass


OpenOrClose: TypeAlias = Open | Close
CloseOrRename: TypeAlias = Union[Close, Rename]  # noqa: UP007 - the spelling under test


def single(command: Open, state: int) -> Iterable[str]:
    return ()


def pipe(command: Open | Close, state: int) -> Iterable[str]:
    return ()


def union(command: Union[Open, Close], state: int) -> Iterable[str]:  # noqa: UP007 - under test
    return ()


def alias(command: OpenOrClose, state: int) -> Iterable[str]:
    return ()


def nested(command: Union[Rename, Union[Open, Close]], state: int) -> Iterable[str]:  # noqa: UP007 - under test
    return ()


def aliases(command: OpenOrClose | CloseOrRename, state: int) -> Iterable[str]:
    return ()


def annotated(command: Annotated[OpenOrClose, "a note"], state: int) -> Iterable[str]:
    return ()


def quoted(command: "OpenOrClose", state: int) -> Iterable[str]:
    return ()


def quoted_within(command: Union["Open", "Close"], state: int) -> Iterable[str]:
    return ()


def generator(command: Open | Close, state: int) -> Iterator[str]:
    yield ""


def at_a_rate(rate: int, command: Open | Close, state: int) -> Iterable[str]:
    return ()


def traced(function: Callable[..., Iterable[str]]) -> Callable[..., Iterable[str]]:
    """A decorator whose own wrapper has no annotation of use."""

    @wraps(function)
    def call(*args: object) -> Iterable[str]:
        return function(*args)

    return call


class Rules(Generic[T]):
    """Decides with methods of every kind."""

    def method(self, command: Open | Close, state: T) -> Iterable[str]:
        return ()

    @classmethod
    def of_class(cls, command: Open | Close, state: int) -> Iterable[str]:
        return ()

    @staticmethod
    def static(command: Open | Close, state: int) -> Iterable[str]:
        return ()

    @traced
    def decorated(self, command: Open | Close, state: int) -> Iterable[str]:
        return ()

    def __call__(self, command: Open | Close, state: T) -> Iterable[str]:
        return ()


class Decision:
    """Decides when it is made."""

    def __init__(self, command: Open | Close, state: int) -> None:
        pass


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        pytest.param(single, (Open,), id="single class"),
        pytest.param(pipe, (Open, Close), id="pipe"),
        pytest.param(union, (Open, Close), id="Union"),
        pytest.param(alias, (Open, Close), id="alias"),
        pytest.param(nested, (Rename, Open, Close), id="nested"),
        pytest.param(aliases, (Open, Close, Rename), id="union of overlapping aliases"),
        pytest.param(annotated, (Open, Close), id="Annotated"),
        pytest.param(quoted, (Open, Close), id="string"),
        pytest.param(quoted_within, (Open, Close), id="strings in a Union"),
        pytest.param(forward, (Open, Close), id="forward reference"),
        pytest.param(generator, (Open, Close), id="generator"),
        pytest.param(Rules[int]().method, (Open, Close), id="method of a generic class"),
        pytest.param(Rules.of_class, (Open, Close), id="class method"),
        pytest.param(Rules.static, (Open, Close), id="static method"),
        pytest.param(Rules[int]().decorated, (Open, Close), id="decorated method"),
        pytest.param(Rules[int](), (Open, Close), id="callable instance"),
        pytest.param(Decision, (Open, Close), id="class"),
        pytest.param(partial(at_a_rate, 3), (Open, Close), id="partial"),
        pytest.param(partial(partial(at_a_rate), 3), (Open, Close), id="partial of a partial"),
        pytest.param(partial(pipe, state=0), (Open, Close), id="partial by keyword"),
        pytest.param(partial(Rules[int]().method), (Open, Close), id="partial of a method"),
        pytest.param(traced(pipe), (Open, Close), id="decorated"),
        pytest.param(traced(traced(forward)), (Open, Close), id="decorated twice"),
        pytest.param(cache(forward), (Open, Close), id="decorated elsewhere"),
        pytest.param(partial(traced(at_a_rate), 3), (Open, Close), id="partial of a decorated"),
    ],
)
def test_every_way_to_write_an_annotation_is_read(
    function: Callable[..., object], expected: tuple[type, ...]
) -> None:
    assert expected == parameter_classes(function, 0, "commands")


def test_a_class_in_two_parts_of_a_union_counts_once() -> None:
    assert (Open, Close, Rename) == parameter_classes(aliases, 0, "commands")


def test_the_index_counts_what_a_caller_passes() -> None:
    """Neither self nor the arguments that a partial has bound."""
    assert (int,) == parameter_classes(Rules.of_class, 1, "events")
    assert (int,) == parameter_classes(partial(at_a_rate, 3), 1, "events")


# The standard library's own from Python 3.12 on; the back-port is another class.
ALIAS_TYPES = [
    getattr(module, "TypeAliasType")  # noqa: B009 - is not there for every type checker
    for module in (typing, typing_extensions)
    if hasattr(module, "TypeAliasType")
]


def taking(annotation: Any) -> Callable[..., Iterable[str]]:
    """A function whose annotation could not be written out for every version of Python."""

    def decide(command: object, state: int) -> Iterable[str]:
        return ()

    decide.__annotations__["command"] = annotation
    return decide


@pytest.mark.parametrize("type_alias", ALIAS_TYPES)
def test_type_aliases_are_resolved(type_alias: Any) -> None:
    """Also inside each other and in unions."""
    inner = type_alias("inner", Open | Close)
    outer = type_alias("outer", inner | Rename)
    assert (Open, Close) == parameter_classes(taking(inner), 0, "commands")
    assert (Open, Close, Rename) == parameter_classes(taking(outer), 0, "commands")
    assert (Open, Close, Rename) == parameter_classes(taking(inner | outer), 0, "commands")


type_variable: Any = TypeVar
X = type_variable("X")  # one that type checkers take for a value


@pytest.mark.parametrize("type_alias", ALIAS_TYPES)
def test_generic_type_aliases_are_resolved(type_alias: Any) -> None:
    generic = type_alias("generic", Union[X, Close], type_params=(X,))  # noqa: UP007 - 3.11 wants it
    noted = type_alias("noted", Annotated[generic[Open], "a note"])
    assert (Open, Close) == parameter_classes(taking(generic[Open]), 0, "commands")
    assert (Open, Close) == parameter_classes(taking(noted), 0, "commands")


@pytest.mark.parametrize("type_alias", ALIAS_TYPES)
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param("Opne", "name 'Opne' is not defined", id="unknown name"),
        pytest.param("1 +", "Forward reference must be an expression -- got '1 +'", id="no type"),
        pytest.param("Cyclic", "it stands for itself", id="itself"),
        pytest.param("int | Cyclic", "it is a member of itself", id="member of itself"),
    ],
)
def test_type_aliases_that_cannot_be_resolved_are_refused(
    type_alias: Any, value: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cyclic = type_alias("Cyclic", value)
    monkeypatch.setitem(globals(), "Cyclic", cyclic)
    with pytest.raises(CompositionError) as caught:
        parameter_classes(taking(cyclic), 0, "commands")
    assert (
        f"{__name__}.taking.<locals>.decide: in the annotation of parameter 1, Cyclic cannot be "
        f"resolved ({problem}); pass commands=..."
    ) == str(caught.value)


if sys.version_info >= (3, 12):

    def test_the_type_statement_is_resolved_lazily() -> None:
        written: dict[str, Any] = {"Open": Open, "Rename": Rename}
        exec("type Inner = Open | Close\ntype Outer = Inner | Rename\ntype Lost = Opne", written)
        with pytest.raises(CompositionError, match="name 'Close' is not defined"):
            parameter_classes(taking(written["Outer"]), 0, "commands")
        written["Close"] = Close
        outer = parameter_classes(taking(written["Outer"]), 0, "commands")
        assert (Open, Close, Rename) == outer
        assert outer == parameter_classes(taking(written["Inner"] | Rename), 0, "commands")
        with pytest.raises(CompositionError, match="name 'Opne' is not defined"):
            parameter_classes(taking(written["Lost"] | Open), 0, "commands")


def test_classes_local_to_a_function_are_read() -> None:
    @frozen(kw_only=True)
    class Local(Command):
        pass

    def decide(command: Local | Open, state: int) -> Iterable[str]:
        return ()

    assert (Local, Open) == parameter_classes(decide, 0, "commands")


def test_a_closure_with_unassigned_variables_is_read() -> None:
    def decide(command: Open, state: int) -> Iterable[str]:
        return later()

    classes = parameter_classes(decide, 0, "commands")

    def later() -> Iterable[str]:
        return ()

    assert (Open,) == classes


def bare(command, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - under test
    return ()


def optional(command: Optional[Open], state: int) -> Iterable[str]:  # noqa: UP045 - under test
    return ()


def listed(command: Open | list[int], state: int) -> Iterable[str]:
    return ()


def literal(command: Literal["open"], state: int) -> Iterable[str]:
    return ()


def variable(command: T, state: T) -> Iterable[T]:
    return ()


def misspelt(command: "Opne", state: int) -> Iterable[str]:  # type: ignore[name-defined]  # noqa: F821 - under test
    return ()


def misspelt_in_module(command: "typing.Opne", state: int) -> Iterable[str]:  # type: ignore[name-defined]
    return ()


def no_expression(command: "not a class", state: int) -> Iterable[str]:  # type: ignore[valid-type]  # noqa: F722 - under test
    return ()


HERE = __name__
UNANNOTATED = (
    "parameter 1 has no annotation to read commands from; annotate it, or pass commands=..."
)
NO_CLASS = "which is not a class; annotate it with classes, or pass commands=..."
WAY_OUT = "make its names visible where the function is defined, or pass commands=..."


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        pytest.param(bare, f"{HERE}.bare: {UNANNOTATED}", id="no annotation"),
        pytest.param(lambda command, state: (), f"{HERE}.<lambda>: {UNANNOTATED}", id="lambda"),
        pytest.param(lambda: (), f"{HERE}.<lambda>: {UNANNOTATED}", id="no parameter"),
        pytest.param(partial(bare, 1, 2), f"{HERE}.bare: {UNANNOTATED}", id="nothing left"),
        pytest.param(
            listed,
            f"{HERE}.listed: parameter 1 is annotated with list[int], {NO_CLASS}",
            id="list[int]",
        ),
        pytest.param(
            literal,
            f"{HERE}.literal: parameter 1 is annotated with typing.Literal['open'], {NO_CLASS}",
            id="Literal",
        ),
        pytest.param(
            variable,
            f"{HERE}.variable: parameter 1 is annotated with ~T, {NO_CLASS}",
            id="type variable",
        ),
    ],
)
def test_annotations_other_than_classes_are_refused(
    function: Callable[..., object], expected: str
) -> None:
    with pytest.raises(CompositionError) as caught:
        parameter_classes(function, 0, "commands")
    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        pytest.param(misspelt, f"{HERE}.misspelt", id="unknown name"),
        pytest.param(misspelt_in_module, f"{HERE}.misspelt_in_module", id="unknown attribute"),
        pytest.param(no_expression, f"{HERE}.no_expression", id="not an expression"),
        pytest.param(max, "builtins.max", id="builtin without signature"),
        pytest.param(5, "?.5", id="not callable"),
    ],
)
def test_annotations_that_cannot_be_resolved_are_refused(
    function: Callable[..., object], name: str
) -> None:
    with pytest.raises(CompositionError) as caught:
        parameter_classes(function, 0, "commands")
    message = str(caught.value)
    assert message.startswith(f"{name}: the annotation of parameter 1 cannot be resolved (")
    assert message.endswith(f"); {WAY_OUT}")
    assert caught.value.__cause__ is not None


def test_the_message_quotes_the_unknown_name() -> None:
    with pytest.raises(CompositionError, match="name 'Opne' is not defined"):
        parameter_classes(misspelt, 0, "commands")


def test_none_is_read_as_its_class() -> None:
    assert (Open, type(None)) == parameter_classes(optional, 0, "commands")


def test_parameter_annotation_returns_any_type() -> None:
    assert Open | list[int] == parameter_annotation(listed, 0, "state_type")
    assert parameter_annotation(bare, 0, "state_type") is None
