"""Makes strategies for the values of types."""

from __future__ import annotations

import types
from collections.abc import Callable, Hashable, Mapping
from enum import Enum
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    TypeAlias,
    get_args,
    get_origin,
)

import attrs
from attrs import Attribute, define
from hypothesis import reject
from hypothesis import strategies as st

from eventhus.domain.type_hints import UnresolvedAlias, aliased, field_types, is_alias, is_union
from eventhus_cattrs.frozen_clock import frozen_clock_advice
from eventhus_cattrs.generics import Bindings
from eventhus_cattrs.problems import type_text
from eventhus_testing.properties.scalars import SCALARS, sizes_of
from eventhus_testing.properties.validators import NO_LIMITS, Limits, limits_of

Refinements: TypeAlias = Mapping[
    Any, "st.SearchStrategy[Any] | Mapping[str, st.SearchStrategy[Any]]"
]
"""By type: a strategy for its values, or strategies for some of its fields by name."""

MAX_ITEMS = 3  # of a collection
TRIES = 10  # to create an instance of a class that refuses some values
MAX_REFUSALS = 100  # in a row, before that is an error


class NoStrategy(TypeError):
    """No strategy for a type is known. The message names the class, the field and the fix."""


class TypedValues:
    """A factory of strategies, one for each type.

    Args:
        refine: Strategies that take precedence.

    Raises:
        NoStrategy: A class in ``refine`` has no such field.
    """

    def __init__(self, refine: Refinements) -> None:
        self._refine = refine
        self._finished: dict[Any, st.SearchStrategy[Any]] = {}
        self._unfinished: set[Any] = set()
        self._recursions = 0
        for as_type, refinement in refine.items():
            if isinstance(refinement, Mapping):
                _check_fields(as_type, refinement)

    def of(self, as_type: Any, where: str, limits: Limits = NO_LIMITS) -> st.SearchStrategy[Any]:
        """Return a strategy for the values of a type.

        Args:
            as_type: A type that ``CattrsCodec`` handles, or one with a refinement.
            where: The class, or the class and field, that has it; for messages.
            limits: The bounds set by validators.

        Raises:
            NoStrategy: The type is unknown.
        """
        refinement = self._refine.get(as_type) if isinstance(as_type, Hashable) else None
        if isinstance(refinement, st.SearchStrategy):
            return refinement
        if limits.options is not None:
            return limits.admitted(st.sampled_from(limits.options))
        if get_origin(as_type) is Annotated:
            return self.of(get_args(as_type)[0], where, limits)
        if isinstance(as_type, Hashable) and as_type in SCALARS:
            return SCALARS[as_type](limits)
        if isinstance(as_type, NewType):
            return self.of(as_type.__supertype__, where, limits)
        if is_alias(as_type):
            value = _aliased(as_type, where)
            if limits is NO_LIMITS:
                return self._recursive(as_type, where, lambda: self.of(value, where))
            return self.of(value, where, limits)  # not shared: the limits are those of one field
        cls: Any = get_origin(as_type) or as_type
        if attrs.has(cls):
            return self._recursive(as_type, where, lambda: self._instances(as_type))
        if isinstance(as_type, type) and issubclass(as_type, Enum) and len(as_type):
            return st.sampled_from(as_type)
        return self._composed(as_type, where, limits)

    def _composed(self, as_type: Any, where: str, limits: Limits) -> st.SearchStrategy[Any]:
        if is_union(as_type):
            # None comes first, because Hypothesis shrinks towards the first strategy.
            ordered = sorted(get_args(as_type), key=lambda member: member is not types.NoneType)
            return st.one_of([self.of(member, where, limits) for member in ordered])
        match get_origin(as_type), get_args(as_type):
            case origin, values if origin is Literal:
                return st.sampled_from(values)
            case origin, (item,) if origin is list:
                return self._many(st.lists, item, where, limits)
            case origin, (item,) if origin is set:
                return self._many(st.sets, item, where, limits)
            case origin, (item,) if origin is frozenset:
                return self._many(st.frozensets, item, where, limits)
            case origin, (item, last) if origin is tuple and last is ...:
                return self._many(st.lists, item, where, limits).map(tuple)
            case origin, members if origin is tuple and members:
                return st.tuples(*(self.of(member, where) for member in members))
            case origin, (key, item) if origin in (dict, Mapping):
                before = self._recursions
                keys, items = self.of(key, where), self.of(item, where)
                return st.dictionaries(keys, items, **self._sizes(limits, before))
            case _:
                name = type_text(as_type)
                if isinstance(as_type, type) and (advice := frozen_clock_advice(as_type)):
                    raise NoStrategy(f"{where}: {name} {advice}")
                raise NoStrategy(
                    f"{where}: no strategy for {name} is known; pass one for the type or for the "
                    f"field: refine={{{name}: ...}} or {_example(where)}"
                )

    def _many(
        self, of_items: Callable[..., Any], item: Any, where: str, limits: Limits
    ) -> st.SearchStrategy[Any]:
        before = self._recursions
        items = self.of(item, where, limits.each or NO_LIMITS)
        return of_items(items, **self._sizes(limits, before))  # type: ignore[no-any-return]

    def _sizes(self, limits: Limits, recursions_before: int) -> dict[str, Any]:
        # A tree whose nodes have more than one branch on average would grow without end.
        most = MAX_ITEMS if self._recursions == recursions_before else 1
        return sizes_of(limits, most)

    def _recursive(
        self, as_type: Any, where: str, make: Callable[[], st.SearchStrategy[Any]]
    ) -> st.SearchStrategy[Any]:
        """Return the strategy for a type that may contain itself."""
        if as_type in self._unfinished:
            self._recursions += 1
            return st.deferred(lambda: self._finished[as_type])
        if as_type not in self._finished:
            self._unfinished.add(as_type)
            try:
                self._finished[as_type] = make()
            except RecursionError:
                raise NoStrategy(
                    f"{where}: its type contains itself without end; pass a strategy: "
                    f"{_example(where)}"
                ) from None
            finally:
                self._unfinished.remove(as_type)
        return self._finished[as_type]

    def _instances(self, as_type: Any) -> st.SearchStrategy[Any]:
        cls: type[Any] = get_origin(as_type) or as_type
        refined = self._refined_fields(cls)
        bindings = Bindings(as_type)
        hints = _Hints.of(cls)
        required: dict[str, st.SearchStrategy[Any]] = {}
        optional: dict[str, st.SearchStrategy[Any]] = {}
        for attribute in attrs.fields(cls):
            if not attribute.init:
                continue
            name = attribute.name
            where = f"{cls.__qualname__}.{name}"
            key = attribute.alias or name
            if name in refined:
                required[key] = refined[name]
                continue
            as_type = bindings.resolve(name, hints.hint(name, where))
            limits = limits_of(attribute)
            values = limits.admitted(self.of(as_type, where, limits))
            is_required = attribute.default is attrs.NOTHING
            (required if is_required else optional)[key] = values
        if not (optional or _may_refuse(cls)):
            return st.builds(cls, **required)
        arguments = st.fixed_dictionaries(required, optional=optional)
        return _made(_Maker(cls), arguments)

    def _refined_fields(self, cls: type) -> dict[str, st.SearchStrategy[Any]]:
        """Return the refinements of a class and its bases."""
        refined: dict[str, st.SearchStrategy[Any]] = {}
        for base in reversed(cls.__mro__):
            of_base = self._refine.get(base)
            if isinstance(of_base, Mapping):
                refined.update(of_base)
        return refined


def _aliased(as_type: Any, where: str) -> Any:
    try:
        return aliased(as_type)
    except UnresolvedAlias as unresolved:
        raise NoStrategy(f"{where}: {unresolved}; pass a strategy: {_example(where)}") from None


@define
class _Hints:
    """The annotations of a class, or the reason why they are unknown."""

    hints: Mapping[str, Any]
    problem: str = "it has no type"

    @classmethod
    def of(cls, owner: type) -> _Hints:
        try:
            return cls(field_types(owner))
        except (NameError, AttributeError, SyntaxError, TypeError) as error:
            return cls({}, f"its type cannot be resolved ({error})")

    def hint(self, name: str, where: str) -> Any:
        if name not in self.hints:
            raise NoStrategy(f"{where}: {self.problem}; pass a strategy: {_example(where)}")
        return self.hints[name]


@define
class _Maker:
    """A factory of instances of a class that may refuse some values."""

    cls: type[Any]
    refused: int = 0  # values in a row

    def make(self, draw: st.DrawFn, arguments: st.SearchStrategy[dict[str, Any]]) -> Any:
        """Return an instance.

        Raises:
            NoStrategy: The class refused too many values in a row.
        """
        refusal: Exception | None = None
        for _ in range(TRIES):
            values = draw(arguments)
            try:
                made = self.cls(**values)
            except (ValueError, TypeError) as error:
                refusal = error
            else:
                self.refused = 0
                return made
        self.refused += TRIES
        # Raise only after many refusals in a row, because Hypothesis replays examples and takes
        # an error that depends on earlier ones for a flaky test.
        if self.refused < MAX_REFUSALS:
            reject()
        raise self._no_strategy(refusal) from refusal

    def _no_strategy(self, error: Exception | None) -> NoStrategy:
        assert error is not None
        name = self.cls.__qualname__
        # The validators of attrs pass the field to the error.
        fields = [each.name for each in error.args if isinstance(each, Attribute)]
        where = f"{name}.{fields[0]}" if fields else name
        message = error.args[0] if error.args else ""
        return NoStrategy(
            f"{where}: {MAX_REFUSALS} random values in a row were refused, the last with "
            f"{type(error).__name__}: {message}; pass a strategy: {_example(where)}"
        )


@st.composite
def _made(draw: st.DrawFn, maker: _Maker, arguments: st.SearchStrategy[dict[str, Any]]) -> Any:
    return maker.make(draw, arguments)


def _may_refuse(cls: type[Any]) -> bool:
    """Return whether a class may refuse values of the right types."""
    # If a class defines __init__, attrs calls its own one __attrs_init__.
    hooks = ("__attrs_init__", "__attrs_pre_init__", "__attrs_post_init__")
    return any(hasattr(cls, hook) for hook in hooks) or any(
        each.validator or each.converter for each in attrs.fields(cls)
    )


def _check_fields(as_type: Any, refinement: Mapping[str, Any]) -> None:
    if not attrs.has(as_type):
        raise NoStrategy(f"refine: {as_type!r} is not an attrs class; pass a strategy, not a dict")
    names = [attribute.name for attribute in attrs.fields(as_type)]
    for name in refinement:
        if name not in names:
            raise NoStrategy(
                f"refine: {as_type.__qualname__} has no field {name!r}; it has {', '.join(names)}"
            )


def _example(where: str) -> str:
    """Return an example of how to pass a strategy for a class or a field."""
    owner, _, field = where.rpartition(".")
    owner = owner.rpartition(".")[2]
    if not owner:
        return f"refine={{{field}: ...}}"
    return f'refine={{{owner}: {{"{field}": ...}}}}'
