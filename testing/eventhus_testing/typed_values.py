"""From a type to a strategy for its values."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, TypeAlias, Union
from uuid import UUID

import attrs
from hypothesis import reject
from hypothesis import strategies as st

from eventhus_testing.validators import Bounds, bounds_of

Refinements: TypeAlias = Mapping[
    Any, "st.SearchStrategy[Any] | Mapping[str, st.SearchStrategy[Any]]"
]
"""For a class a strategy of its values, or strategies of some of its fields, by name."""

MAX_SIZE = 4  # of collections

_ZONES = (UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=3, minutes=30)))
# Within it, every moment has a name in every zone. Hypothesis wants these without a zone.
_CENTURY = (datetime.min.replace(year=1970), datetime.min.replace(year=2070))  # noqa: DTZ901
_FEW_IDS = [UUID(int=number) for number in range(1, 4)]


class NoStrategy(TypeError):
    """It is not known how to make values of a type; the message names the field and the way out."""


class TypedValues:
    """Makes strategies, one for each type, by the wishes of one user."""

    def __init__(self, refine: Refinements) -> None:
        self._refine = refine
        self._made: dict[Any, st.SearchStrategy[Any]] = {}

    def of(self, as_type: Any, where: str, bounds: Bounds | None = None) -> st.SearchStrategy[Any]:
        """A strategy for the values of a type.

        Args:
            as_type: Anything that may stand in an annotation.
            where: Whose type it is, for the message.
            bounds: What validators say of the values besides.

        Raises:
            NoStrategy: None is known.
        """
        if bounds is not None:
            return bounds.applied(self._of(as_type, where, bounds))
        key = as_type if isinstance(as_type, typing.Hashable) else repr(as_type)
        if key not in self._made:
            # Deferred, because a type may contain itself.
            made: list[st.SearchStrategy[Any]] = []
            self._made[key] = st.deferred(lambda: made[0])
            made.append(self._of(as_type, where, Bounds()))
            self._made[key] = made[0]
        return self._made[key]

    def _of(self, as_type: Any, where: str, bounds: Bounds) -> st.SearchStrategy[Any]:
        refined = self._refine.get(as_type) if isinstance(as_type, typing.Hashable) else None
        if isinstance(refined, st.SearchStrategy):
            return refined
        if as_type is None or as_type is type(None):
            return st.none()
        if isinstance(as_type, type) and not typing.get_args(as_type):
            plain = _plain(as_type, bounds)
            if plain is not None:
                return plain
            if issubclass(as_type, Enum):
                return st.sampled_from(as_type)
            if attrs.has(as_type):
                return self._instances(as_type, {})
        return self._composed(as_type, where, bounds)

    def _composed(self, as_type: Any, where: str, bounds: Bounds) -> st.SearchStrategy[Any]:
        for attribute in ("__supertype__", "__value__"):  # NewType; "type X = …", Python 3.12
            if hasattr(as_type, attribute) and not typing.get_args(as_type):
                return self._of(getattr(as_type, attribute), where, bounds)
        origin, arguments = typing.get_origin(as_type), typing.get_args(as_type)
        if origin is typing.Annotated:
            return self._of(arguments[0], where, bounds)
        if origin in (Union, types.UnionType):
            return st.one_of([self.of(member, where) for member in arguments])
        if origin is Literal:
            return st.sampled_from(arguments)
        if origin is tuple:
            if arguments[1:] == (...,):
                return self._many(arguments[0], where, bounds).map(tuple)
            return st.tuples(*(self.of(each, where) for each in arguments))
        if isinstance(origin, type):
            if attrs.has(origin):
                parameters = getattr(origin, "__parameters__", ())
                return self._instances(origin, dict(zip(parameters, arguments, strict=False)))
            if issubclass(origin, Mapping):
                key, value = (self.of(each, where) for each in arguments)
                return st.dictionaries(key, value, **bounds.sizes(MAX_SIZE))
            if issubclass(origin, AbstractSet):
                members = self.of(arguments[0], where)
                many = st.sets(members, **bounds.sizes(MAX_SIZE))
                return many if origin is set else many.map(frozenset)
            if issubclass(origin, Sequence):
                return self._many(arguments[0], where, bounds)
        raise NoStrategy(
            f"{where}: no strategy for {as_type!r}; "
            f"pass one: refine={{{getattr(as_type, '__qualname__', '...')}: ...}}"
        )

    def _many(self, as_type: Any, where: str, bounds: Bounds) -> st.SearchStrategy[list[Any]]:
        return st.lists(self.of(as_type, where), **bounds.sizes(MAX_SIZE))

    def _instances(self, cls: type[Any], parameters: Mapping[Any, Any]) -> st.SearchStrategy[Any]:
        wishes: dict[str, st.SearchStrategy[Any]] = {}
        for base in reversed(cls.__mro__):
            wish = self._refine.get(base)
            if isinstance(wish, st.SearchStrategy):
                return wish.filter(lambda value: isinstance(value, cls))
            wishes.update(wish or {})
        arguments = {}
        for field in attrs.fields(attrs.resolve_types(cls)):
            if not field.init:
                continue
            where = f"{cls.__qualname__}.{field.name}"
            if field.name in wishes:
                arguments[field.alias] = wishes.pop(field.name)
                continue
            bounds = None if field.validator is None else bounds_of(field.validator)
            values = self.of(_bound(field.type, parameters), where, bounds)
            arguments[field.alias] = _default(field) | values
        _check_wishes(cls, wishes, self._refine)

        if not _may_refuse(cls):
            return st.builds(cls, **arguments)

        def made(values: Mapping[str, Any]) -> Any:
            try:
                return cls(**values)
            except (ValueError, TypeError):
                reject()

        return st.fixed_dictionaries(arguments).map(made)


def _default(field: attrs.Attribute[Any]) -> st.SearchStrategy[Any]:
    """A field's default, which is the simplest of its values: it need not be written down."""
    default: Any = field.default
    if default is attrs.NOTHING:
        return st.nothing()
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, at run time
        return st.nothing() if default.takes_self else st.builds(default.factory)
    return st.just(default)


def _may_refuse(cls: type[Any]) -> bool:
    return hasattr(cls, "__attrs_post_init__") or any(
        field.validator is not None or field.converter is not None for field in attrs.fields(cls)
    )


def _check_wishes(cls: type[Any], left: Mapping[str, Any], refine: Refinements) -> None:
    own = refine.get(cls)
    for name in left:
        if isinstance(own, Mapping) and name in own:
            raise NoStrategy(f"refine: {cls.__qualname__} has no field {name!r}")


def _bound(as_type: Any, parameters: Mapping[Any, Any]) -> Any:
    """A type with the parameters of its generic class put in."""
    if as_type in parameters:
        return parameters[as_type]
    free = getattr(as_type, "__parameters__", ())
    if not free or isinstance(as_type, type):
        return as_type
    return as_type[tuple(parameters.get(each, Any) for each in free)]


def _plain(cls: type, bounds: Bounds) -> st.SearchStrategy[Any] | None:
    """What is one value; few of them come often, so that they come twice."""
    if cls is bool:
        return st.booleans()
    if cls is int:
        # Half of what can be stored, so that sums can be, too.
        low, high = bounds.numbers(-(2**31), 2**31 - 1)
        near = max(low, min(0, high))
        return st.integers(max(low, near - 10), min(high, near + 10)) | st.integers(low, high)
    if cls is float:
        return st.floats(*bounds.numbers(None, None), allow_nan=False, allow_infinity=False)
    if cls is Decimal:
        low, high = bounds.numbers(Decimal(-(10**9)), Decimal(10**9))
        return st.decimals(low, high, places=2)
    if cls is str:
        sizes = bounds.sizes(20)
        if bounds.pattern is not None:
            return st.from_regex(bounds.pattern, fullmatch=True)
        few = [text for text in ("a", "b", "c") if sizes["min_size"] <= 1 <= sizes["max_size"]]
        texts = st.text(st.characters(codec="utf-8"), **sizes)
        return st.sampled_from(few) | texts if few else texts
    if cls is bytes:
        return st.binary(**bounds.sizes(20))
    if cls is UUID:
        return st.sampled_from(_FEW_IDS) | st.uuids()
    if cls is datetime:
        return st.datetimes(*_CENTURY, timezones=st.sampled_from(_ZONES))
    if cls is date:
        return st.dates()
    if cls is timedelta:
        return st.timedeltas()
    return None
