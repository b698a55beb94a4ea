"""Finds the coder for a type, in a closed list: an unknown type could not be exact."""

from __future__ import annotations

import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
)
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    Self,
    TypeVar,
    get_args,
    get_origin,
    is_typeddict,
)

import attrs

from eventhus.domain.type_hints import (
    UnresolvedAlias,
    aliased,
    is_alias,
    is_union,
    union_members,
)
from eventhus_cattrs.choices import enum_coder, literal_coder
from eventhus_cattrs.classes import Shape, read_shape
from eventhus_cattrs.coder import Coder
from eventhus_cattrs.containers import (
    dict_coder,
    fixed_tuple_coder,
    list_coder,
    set_coder,
    tuple_coder,
)
from eventhus_cattrs.frozen_clock import frozen_clock_advice
from eventhus_cattrs.hook import Hook, hook_coder
from eventhus_cattrs.problems import Unsupported, type_text
from eventhus_cattrs.scalars import SCALARS
from eventhus_cattrs.unions import optional_coder, union_coder


class Compiler:
    """Compiles each type once.

    Args:
        hooks: The application's hooks, by class.
        class_coder: Makes the coder for an attrs class.
    """

    def __init__(
        self, hooks: Mapping[type, Hook[Any, Any]], class_coder: Callable[[Shape], Coder]
    ) -> None:
        self._hooks = hooks
        self._class_coder = class_coder
        self._coders: dict[Any, Coder] = {}
        self._unfinished: set[Any] = set()

    def coder(self, as_type: Any) -> Coder:
        """Return the coder for a type.

        Raises:
            Unsupported: The type cannot be stored faithfully.
            CompositionError: A field of a class cannot be stored faithfully.
        """
        if get_origin(as_type) is Annotated:  # first, because it may not be hashable
            return self.coder(get_args(as_type)[0])
        if as_type in self._coders:
            return self._coders[as_type]
        if as_type in self._unfinished:
            return self._later(as_type)
        finished = self._coders.copy()
        self._unfinished.add(as_type)
        try:
            self._coders[as_type] = self._compile(as_type)
        except UnresolvedAlias as unresolved:
            raise Unsupported(str(unresolved)) from None
        finally:
            self._unfinished.remove(as_type)
            if as_type not in self._coders:
                self._coders = finished  # a type that was finished since may wait for this one
        return self._coders[as_type]

    def _later(self, as_type: Any) -> Coder:
        """Return a coder for a type that contains itself. It finds the finished one when called."""
        if isinstance(as_type, NewType):
            return self._later(as_type.__supertype__)
        cls = get_origin(as_type) or as_type
        is_class = attrs.has(cls) and cls not in self._hooks
        classes = (cls, dict) if is_class else _CONTAINERS.get(cls)

        def encode(value: Any) -> Any:
            return self._coders[as_type].encode(value)

        def decode(data: Any, _: Any = None) -> Any:
            return self._coders[as_type].decode(data)

        return Coder(
            encode=encode,
            decode=decode,
            values=frozenset(classes[:1] if classes else ()),
            data=frozenset(classes[1:] if classes else ()),
            tag=cls.__name__ if is_class else None,
        )

    def _compile(self, as_type: Any) -> Coder:
        if as_type in self._hooks:
            hook = self._hooks[as_type]
            return hook_coder(hook, self.coder(hook.as_type))
        if as_type in SCALARS:
            return SCALARS[as_type]
        if isinstance(as_type, NewType):
            return self.coder(as_type.__supertype__)
        if is_alias(as_type):
            return self.coder(aliased(as_type))
        if attrs.has(as_type):
            return self._class_coder(read_shape(as_type, self.coder))
        if isinstance(as_type, type) and issubclass(as_type, Enum):
            return enum_coder(as_type)
        return self._compile_parts(as_type)

    def _compile_parts(self, as_type: Any) -> Coder:
        if is_union(as_type):
            return self._compile_union(as_type)
        match get_origin(as_type), get_args(as_type):
            case origin, values if origin is Literal:
                return literal_coder(values)
            case origin, (item,) if origin is list:
                return list_coder(self.coder(item))
            case origin, (item,) if origin in (frozenset, set):
                return set_coder(origin, self.coder(item))
            case origin, (key, item) if origin in (dict, Mapping):
                return dict_coder(self.coder(key), self.coder(item))
            case origin, (item, last) if origin is tuple and last is ...:
                return tuple_coder(self.coder(item))
            case origin, (_, *_) as items if origin is tuple:
                return fixed_tuple_coder([self.coder(item) for item in items])
            case _:
                raise Unsupported(_why_not(as_type))

    def _compile_union(self, as_type: Any) -> Coder:
        members = list(dict.fromkeys(union_members(as_type)))
        if len(members) == 2 and types.NoneType in members:  # noqa: PLR2004 - X and None
            (member,) = (member for member in members if member is not types.NoneType)
            return optional_coder(self.coder(member))
        return union_coder([self.coder(member) for member in members], type_text(as_type))


# The class of their values, and that of the plain data.
_CONTAINERS: Mapping[Any, tuple[type, type]] = {
    list: (list, list),
    tuple: (tuple, list),
    set: (set, list),
    frozenset: (frozenset, list),
    dict: (dict, dict),
    Mapping: (dict, dict),
}

# No Hook can be made for these: each is an annotation, or a class with many kinds of values.
_INSTEAD: Mapping[Any, str] = {
    Self: "Self is not supported; write the name of the class in quotes",
    Final: "Final is not supported; remove it, a frozen class needs none",
    OrderedDict: "OrderedDict is not supported; write dict[K, V], which keeps its order",
    **{
        cls: f"{cls.__name__} is not supported; write list[T] or tuple[T, ...]"
        for cls in (Sequence, MutableSequence, Collection, Iterable, deque)
    },
    **{
        cls: f"{cls.__name__} is not supported; write frozenset[T] or set[T]"
        for cls in (AbstractSet, MutableSet)
    },
    **{
        cls: f"{cls.__name__} is not supported; write dict[K, V]"
        for cls in (MutableMapping, defaultdict)
    },
}


def _why_not(as_type: Any) -> str:
    name = type_text(as_type)
    origin = get_origin(as_type)
    if as_type in (Any, object):
        return f"{name} does not say which type to decode; name one"
    if isinstance(as_type, TypeVar):
        return f"{name} is not bound to a type; name one, as in Box[int]"
    if (origin or as_type) in (list, tuple, set, frozenset, dict, Mapping):
        return f"{name} does not say what it contains; name a type, as in list[int]"
    if (origin or as_type) in _INSTEAD:
        return _INSTEAD[origin or as_type]
    if is_typeddict(as_type):
        return "a TypedDict is not supported; use an attrs class, or dict[str, T]"
    if not isinstance(as_type, type) or origin is not None:
        return f"{name} is not supported; use an attrs class or another type that the codec stores"
    if advice := frozen_clock_advice(as_type):
        return f"{name} {advice}"
    return f"{name} is not supported; use an attrs class, or give CattrsCodec a Hook for it"
