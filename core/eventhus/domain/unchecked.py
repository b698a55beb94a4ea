"""Fast constructors of frozen values whose parts were checked before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import new_class
from typing import Any, ParamSpec, TypeVar, cast

import attrs

P = ParamSpec("P")
T = TypeVar("T")


def unchecked(cls: Callable[P, T]) -> Callable[P, T]:
    """Return a constructor of a frozen class that checks and converts nothing.

    It takes the arguments of the class, except that those with a factory must be given, and makes
    the same values in about a third of the time. Use it only for the few classes of which every
    event or command needs an instance, and only with parts that were checked before.

    A frozen class fills its slots one call at a time. This fills an open twin, which has the same
    slots, with plain assignments, and then makes it an instance of the frozen class. Python allows
    that only for classes of one layout, which is why these classes have ``weakref_slot=False``. The
    function is compiled from its source, as attrs does with ``__init__``, because a generic one
    would lose the time again. See docs/decisions/0043-hot-values-are-made-unchecked.md.

    Args:
        cls: A frozen attrs class that inherits no fields.

    Raises:
        TypeError: The class and its twin differ in layout.
    """
    frozen_class = cast("type[Any]", cls)
    fields = attrs.fields(frozen_class)
    twin: type[Any] = new_class(
        f"Open{frozen_class.__name__}",
        vars(frozen_class).get("__orig_bases__", frozen_class.__bases__),
        exec_body=lambda body: body.update(__slots__=tuple(each.name for each in fields)),
    )
    object.__new__(twin).__class__ = frozen_class  # fails here rather than at every call
    defaults = {each.name: each.default for each in fields if _has_value(each)}
    arguments = [_argument(each.name, defaults) for each in fields if not each.kw_only]
    keywords = [_argument(each.name, defaults) for each in fields if each.kw_only]
    if keywords:
        arguments += ["*", *keywords]
    lines = [
        f"def make({', '.join(arguments)}):",
        "    _made = twin()",  # not the name of a field
        *[f"    _made.{each.name} = {each.name}" for each in fields],
        "    _made.__class__ = frozen_class",
        "    return _made",
    ]
    scope: dict[str, Any] = {"twin": twin, "frozen_class": frozen_class, "defaults": defaults}
    exec("\n".join(lines), scope)  # noqa: S102 - the names of fields only
    return cast("Callable[P, T]", scope["make"])


def _argument(name: str, defaults: Mapping[str, Any]) -> str:
    return f"{name}=defaults[{name!r}]" if name in defaults else name


def _has_value(attribute: attrs.Attribute[Any]) -> bool:
    default = attribute.default
    is_factory = isinstance(default, attrs.Factory)  # type: ignore[arg-type]  # a class at run time
    return default is not attrs.NOTHING and not is_factory
