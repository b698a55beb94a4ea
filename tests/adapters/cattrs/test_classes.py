"""attrs classes: their keys, defaults and generic forms, and those that hold themselves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Generic, TypeVar

import attrs
from attrs import Factory, define, field, frozen

from tests.adapters.cattrs.support import (
    CODEC,
    composition_error,
    decode_error,
    encode_error,
    through_json,
)

T = TypeVar("T")
U = TypeVar("U")


@frozen
class Nothing:
    """An event without fields."""


@frozen
class Opened:
    """An event that has got fields over the years, as text annotations."""

    owner: str
    currency: str = "EUR"
    tags: tuple[str, ...] = field(factory=tuple)
    limit: Decimal | None = field(default=None, kw_only=True)
    nickname: str = field(default=Factory(lambda self: self.owner.lower(), takes_self=True))


def test_no_fields() -> None:
    """A class without fields is an empty dict and nothing else."""
    assert {} == CODEC.encoder(Nothing)(Nothing())
    assert Nothing() == through_json(Nothing, Nothing())
    assert "expected Nothing as dict, found list" == decode_error(Nothing, [])
    assert "expected Nothing as dict, found str" == decode_error(Nothing, "")


def test_every_field_is_stored() -> None:
    """Defaults are written out, so that changing one does not change the past."""
    data = CODEC.encoder(Opened)(Opened("Ada"))
    assert data == {
        "owner": "Ada",
        "currency": "EUR",
        "tags": [],
        "limit": None,
        "nickname": "ada",
    }


def test_missing_fields_take_their_defaults() -> None:
    """So an event from before a field was added can still be read."""
    assert Opened("Ada") == CODEC.decoder(Opened)({"owner": "Ada"})
    opened = CODEC.decoder(Opened)({"owner": "Ada", "limit": "5", "nickname": "A."})
    assert Opened("Ada", limit=Decimal(5), nickname="A.") == opened


@frozen
class KeywordFirst:
    """A field that is given by name, before one that is not."""

    by_name: int = field(kw_only=True)
    by_place: int


def test_keyword_only_fields_may_come_first() -> None:
    """As they do where a base has them."""
    value = KeywordFirst(2, by_name=1)
    assert ["by_name", "by_place"] == list(CODEC.encoder(KeywordFirst)(value))
    assert value == through_json(KeywordFirst, value)


@frozen
class Private:
    """Fields that are not named as the arguments are."""

    _owner: str
    class_: str = field(alias="klass")


def test_keys_are_the_arguments() -> None:
    """What one writes to make the event is what is stored."""
    value = Private(owner="Ada", klass="first")  # pyright: ignore[reportCallIssue]
    assert {"owner": "Ada", "klass": "first"} == CODEC.encoder(Private)(value)
    assert value == through_json(Private, value)
    assert "holds a field that Private does not have; it has owner, klass" == decode_error(
        Private, {"owner": "x", "klass": "x", "_owner": "x"}
    )
    assert "owner: expected str, found None" == encode_error(
        Private,
        Private(owner=None, klass="x"),  # type: ignore[arg-type]
    )


@frozen
class Awkward:
    """Fields named as what generated code may use itself."""

    cl: int
    attrs: int
    converter: int
    typevar_map: int
    res: int
    instance: int
    o: int = 0
    errors: int = 0


def test_any_name_will_do_for_a_field() -> None:
    """How the code is made is none of the domain's business."""
    value = Awkward(cl=1, attrs=2, converter=3, typevar_map=4, res=6, instance=7)
    assert value == through_json(Awkward, value)


@frozen
class Order:
    """A field that follows from the others, and is not compared."""

    prices: tuple[int, ...]
    total: int = field(init=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "total", sum(self.prices))


def test_a_derived_field_is_not_stored() -> None:
    """It is computed again."""
    data = CODEC.encoder(Order)(Order((1, 2)))
    assert {"prices": [1, 2]} == data
    assert 3 == CODEC.decoder(Order)(data).total
    assert "holds a field that Order does not have; it has prices" == decode_error(
        Order, {"prices": [], "total": 0}
    )


@frozen
class Numbered:
    """A field that nobody could give back."""

    number: int = field(init=False, factory=int)


def test_a_field_that_cannot_be_given_back() -> None:
    """A value that would be lost is refused before anything is written."""
    assert (
        "Numbered.number: is not an argument of __init__, so it could not be restored; "
        "make it one, or a property, or say eq=False if it follows from the other fields"
    ) == composition_error(Numbered)


@define
class Counter:
    """A class that can be changed: not for events, but states may be so."""

    count: int = field(default=0, converter=int)


def test_classes_that_can_be_changed() -> None:
    """Converters run when the value is made, behind the codec."""
    assert Counter(3) == through_json(Counter, Counter(3))
    counter = Counter()
    counter.count = "3"  # type: ignore[assignment]
    assert 3 == counter.count
    assert "count: expected int, found str" == decode_error(Counter, {"count": "3"})


@frozen
class Box(Generic[T]):
    """A generic class."""

    content: T
    others: list[T | None] = field(factory=list)


@frozen
class Crate(Box[U], Generic[U, T]):
    """A generic class from a generic class, where T stands for something else."""

    label: T = field(kw_only=True)


@frozen
class IntCrate(Crate[int, str]):
    """A class from a generic class."""

    extra: Box[Box[int]] | None = None


def test_generic_classes() -> None:
    """A type variable is what stands in its place."""
    assert Box(1, [2, None]) == through_json(Box[int], Box(1, [2, None]))
    assert Box((1, "x")) == through_json(Box[tuple[int, str]], Box((1, "x")))
    assert "content: expected int, found str" == encode_error(Box[int], Box("1"))
    assert "others[1]: expected int, found str" == decode_error(
        Box[int], {"content": 1, "others": [None, "2"]}
    )


@frozen(slots=False)
class Labelled(Generic[T]):
    """Another generic class."""

    tag: T = field(kw_only=True)


@frozen(slots=False)
class TextLabelled(Labelled[str]):
    """A class from it."""


@frozen
class Parcel(IntCrate, TextLabelled):
    """A class from classes from generic classes."""


def test_bases_that_are_generic() -> None:
    """A base is told what its variables stand for by the class."""
    parcel = Parcel(1, label="x", tag="y")
    assert parcel == through_json(Parcel, parcel)
    value = IntCrate(1, [None], label="x", extra=Box(Box(5)))
    assert value == through_json(IntCrate, value)
    assert "label: expected str, found int" == encode_error(IntCrate, IntCrate(1, [], label=2))  # type: ignore[arg-type]
    assert "content: expected int, found str" == encode_error(
        Crate[int, str], Crate("1", [], label="x")
    )


def test_a_generic_class_needs_its_arguments() -> None:
    """A type variable alone does not say what to decode."""
    assert ("Box.content: T is not bound to a type; name one, as in Box[int]") == composition_error(
        Box
    )


@frozen
class Tree:
    """A class that holds itself."""

    label: str
    children: tuple[Tree, ...] = ()
    parent: Tree | None = None


@frozen
class Leaf:
    """One half of a union of classes that hold the union."""

    value: int


@frozen
class Branch:
    """The other half."""

    left: Leaf | Branch
    right: Leaf | Branch


@frozen
class Chain(Generic[T]):
    """A generic class that holds itself."""

    value: T
    next: Chain[T] | None = None


def test_classes_that_hold_themselves() -> None:
    """In themselves, in a union and as a generic class."""
    tree = Tree("a", (Tree("b", parent=Tree("c")), Tree("d")))
    assert tree == through_json(Tree, tree)
    assert "children[1].children[0].label: is missing" == decode_error(
        Tree, {"label": "a", "children": [{"label": "b"}, {"label": "c", "children": [{}]}]}
    )
    branch = Branch(Leaf(1), Branch(Leaf(2), Leaf(3)))
    assert branch == through_json(Branch, branch)
    assert branch == through_json(Leaf | Branch, branch)
    assert Chain(1, Chain(2)) == through_json(Chain[int], Chain(1, Chain(2)))
    wrong: Any = Chain[Any](1, Chain("2"))
    assert "next.value: expected int, found str" == encode_error(Chain[int], wrong)


class NotAttrs:
    """Neither an attrs class nor hooked."""


@frozen
class Lost:
    """Names what does not exist."""

    seats: int
    hall: list[Hall]  # type: ignore[name-defined]  # noqa: F821 - the point


@frozen
class Garbled:
    """Is annotated with what is no type."""

    hall: int | 5  # type: ignore[valid-type]


def test_annotations_that_cannot_be_resolved() -> None:
    """The message names the field and the way out."""
    way_out = "define the name in the module of the class, not only for type checking"
    assert composition_error(Lost) == (
        f"Lost.hall: the annotation cannot be resolved (name 'Hall' is not defined); {way_out}"
    )
    assert composition_error(Garbled).startswith("Garbled: the annotation cannot be resolved (")


def test_a_field_without_a_type() -> None:
    """Without a type there is nothing to be strict about."""
    untyped = attrs.make_class("Untyped", ["x"])
    assert "Untyped.x: has no type; annotate it" == composition_error(untyped)
