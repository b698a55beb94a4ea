"""Whatever a class with fields of every kind holds comes back through real JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, NewType
from uuid import UUID

from attrs import evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from eventhus.errors import CodecError
from tests.adapters.cattrs.support import CODEC, through_json

Email = NewType("Email", str)


class Category(Enum):
    """An enum."""

    STALLS = "stalls"
    CIRCLE = 2


class Day(Enum):
    """An enum of text."""

    TODAY = "today"
    TOMORROW = "tomorrow"


@frozen
class Seat:
    """A value inside a value."""

    row: str
    number: int


@frozen
class Standing:
    """The other kind of a place."""

    area: str | None = None


@frozen
class Tree:
    """A value that holds itself."""

    branches: tuple[Tree, ...] = ()


@frozen(kw_only=True)
class Everything:
    """One field of each kind."""

    nothing: None = None
    flag: bool
    count: int
    ratio: float
    text: str
    price: Decimal
    id: UUID
    at: datetime
    day: date
    length: timedelta
    picture: bytes
    category: Category
    payment: Literal["card", "cash", 0]
    email: Email
    seat: Seat
    guest: Seat | None
    place: Seat | Standing | None
    mixed: tuple[int | str | bool | list[float] | None, ...]
    tree: Tree
    numbers: list[int]
    pair: tuple[str, Decimal]
    seats: frozenset[Seat | Standing]
    lengths: frozenset[timedelta]
    prices: Mapping[Day, Decimal]
    nested: dict[str, dict[UUID, list[Seat | None]]]
    tags: tuple[str, ...] = field(default=("new",))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
integers = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
decimals = st.decimals(allow_nan=False, allow_infinity=False)
offsets = st.integers(-86399, 86399).map(lambda seconds: timedelta(seconds=seconds))
seats = st.builds(Seat, texts, integers)
places = seats | st.builds(Standing, st.none() | texts)

everything = st.builds(
    Everything,
    flag=st.booleans(),
    count=integers,
    ratio=floats,
    text=texts,
    price=decimals,
    id=st.uuids(),
    at=st.datetimes(timezones=st.builds(timezone, offsets)),
    day=st.dates(),
    length=st.timedeltas(),
    picture=st.binary(max_size=5),
    category=st.sampled_from(Category),
    payment=st.sampled_from(["card", "cash", 0]),
    email=texts,
    seat=seats,
    guest=st.none() | seats,
    place=st.none() | places,
    mixed=st.lists(
        st.none() | st.booleans() | integers | texts | st.lists(floats, max_size=2), max_size=3
    ).map(tuple),
    tree=st.recursive(
        st.just(Tree()), lambda inner: st.builds(Tree, st.lists(inner, max_size=3).map(tuple))
    ),
    numbers=st.lists(integers, max_size=3),
    pair=st.tuples(texts, decimals),
    seats=st.frozensets(places, max_size=3),
    lengths=st.frozensets(st.timedeltas(), max_size=3),
    prices=st.dictionaries(st.sampled_from(Day), decimals),
    nested=st.dictionaries(
        texts, st.dictionaries(st.uuids(), st.lists(st.none() | seats, max_size=2), max_size=2)
    ),
    tags=st.lists(texts, max_size=2).map(tuple),
)


def classes_in(value: Any) -> Any:
    """The classes of a value and of everything in it, to tell 1 from True and 1.0."""
    match value:
        case list() | tuple():
            return type(value), [classes_in(item) for item in value]
        case dict():
            return dict, [(type(key), classes_in(item)) for key, item in value.items()]
        case _:
            return type(value)


@given(everything)
def test_comes_back(value: Everything) -> None:
    """Equal, of the same classes, and encoded to the same text again."""
    back = through_json(Everything, value)
    assert value == back
    for name in ("ratio", "mixed", "numbers", "prices", "nested"):
        assert classes_in(getattr(value, name)) == classes_in(getattr(back, name))
    encode = CODEC.encoder(Everything)
    assert json.dumps(encode(value)) == json.dumps(encode(back))


json_values = st.recursive(
    st.none() | st.booleans() | integers | floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)


@given(value=everything, data=st.data())
def test_any_data_decodes_or_is_refused(value: Everything, data: st.DataObject) -> None:
    """Whatever a field is replaced by: the outcome is a value that holds, or a CodecError."""
    encoded = CODEC.encoder(Everything)(value)
    name = data.draw(st.sampled_from(sorted(encoded)))
    encoded[name] = data.draw(json_values)
    before = json.dumps(encoded)
    try:
        decoded = CODEC.decoder(Everything)(encoded)
    except CodecError as error:
        assert error.field.startswith(name)  # noqa: PT017 - either outcome is right
    else:
        assert decoded == through_json(Everything, decoded)
    assert before == json.dumps(encoded)


@given(value=everything, data=st.data())
def test_any_value_is_refused_or_comes_back(value: Everything, data: st.DataObject) -> None:
    """What a field should not hold is never written, so that all that is written can be read."""
    name = data.draw(st.sampled_from(sorted(CODEC.encoder(Everything)(value))))
    change: dict[str, Any] = {name: data.draw(json_values)}
    changed = evolve(value, **change)
    try:
        encoded = CODEC.encoder(Everything)(changed)
    except CodecError as error:
        assert error.field.startswith(name)  # noqa: PT017 - either outcome is right
    else:
        assert changed == CODEC.decoder(Everything)(json.loads(json.dumps(encoded)))
