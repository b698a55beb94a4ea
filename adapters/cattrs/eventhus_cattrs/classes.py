"""Coders for attrs classes: a dict with a key for each argument of ``__init__``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_origin

import attrs
from attrs import Attribute, frozen
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn_from_attrs, make_dict_unstructure_fn_from_attrs

from eventhus.domain.type_hints import field_types
from eventhus.errors import CompositionError
from eventhus_cattrs.coder import Coder
from eventhus_cattrs.generics import Bindings
from eventhus_cattrs.problems import Mismatch, Unsupported, expect_mapping, expected


@frozen(kw_only=True)
class Field:
    """A stored field.

    Attributes:
        attribute: The attribute of attrs.
        key: The key under which it is stored: the name of the argument of ``__init__``.
        coder: The coder for its type.
    """

    attribute: Attribute[Any]
    key: str
    coder: Coder


@frozen(kw_only=True)
class Shape:
    """An attrs class with resolved types.

    Attributes:
        cls: The class.
        bindings: The types that its type variables stand for.
        fields: The stored fields.
    """

    cls: type
    bindings: Bindings
    fields: tuple[Field, ...]


def read_shape(as_type: Any, coder_of: Callable[[Any], Coder]) -> Shape:
    """Read an attrs class.

    Args:
        as_type: The class, or a generic one with its arguments.
        coder_of: Finds the coder for the type of a field.

    Raises:
        CompositionError: A field cannot be stored. The message names it.
    """
    cls = get_origin(as_type) or as_type
    bindings = Bindings(as_type)
    hints = _hints(cls)
    fields = []
    for attribute in attrs.fields(cls):
        try:
            _check_storable(attribute, hints)
            if attribute.init:
                coder = coder_of(bindings.resolve(attribute.name, hints[attribute.name]))
                key = attribute.alias or attribute.name
                fields.append(Field(attribute=attribute, key=key, coder=coder))
        except Unsupported as unsupported:
            raise CompositionError(f"{cls.__qualname__}.{attribute.name}: {unsupported}") from None
    return Shape(cls=cls, bindings=bindings, fields=tuple(fields))


def _check_storable(attribute: Attribute[Any], hints: Mapping[str, Any]) -> None:
    if attribute.init and attribute.name not in hints:
        raise Unsupported("has no type; annotate it")
    if attribute.eq and not attribute.init:
        raise Unsupported(
            "is not an argument of __init__, so it could not be restored; make it one, "
            "or a property, or say eq=False if it follows from the other fields"
        )


def _hints(cls: type) -> dict[str, Any]:
    try:
        return field_types(cls)
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        name = getattr(error, "name", None)
        found = [f.name for f in attrs.fields(cls) if name is not None and name in str(f.type)]
        raise CompositionError(
            f"{'.'.join([cls.__qualname__, *found[:1]])}: the annotation cannot be resolved "
            f"({error}); define the name in the module of the class, not only for type checking"
        ) from error


def fast_coder(shape: Shape, converter: Converter) -> Coder:
    """Return a coder of code that cattrs generates. It does not say where a mismatch is.

    Args:
        shape: The class.
        converter: The converter that ``coder_converter`` made.
    """
    cls = shape.cls
    fields = [field.attribute.evolve(type=field.coder) for field in shape.fields]
    names = {variable.__name__: argument for variable, argument in shape.bindings.of_class.items()}
    unstructure: Callable[[Any], Any] = make_dict_unstructure_fn_from_attrs(
        fields, cls, converter, names, _cattrs_use_linecache=False
    )
    # cattrs writes the arguments of __init__ in this order, and positional ones must come first.
    fields.sort(key=lambda field: field.kw_only)
    structure: Callable[..., Any] = make_dict_structure_fn_from_attrs(
        fields, cls, converter, names, _cattrs_use_linecache=False
    )

    def encode(value: Any) -> Any:
        if type(value) is not cls:
            raise expected(cls.__name__, value)
        return unstructure(value)

    return _coder(cls, encode, structure)


def coder_converter() -> Converter:
    """Return a converter for fields whose "type" is their coder.

    cattrs compiles one function per class from the hooks of its fields, and asks a converter for
    the hook of each field's type. Its own hooks convert values silently, so none of them is used:
    each field brings its own.
    """
    converter = Converter(detailed_validation=False, forbid_extra_keys=True, use_alias=True)
    converter.register_structure_hook_factory(_is_coder, lambda coder: coder.decode)
    converter.register_unstructure_hook_factory(_is_coder, lambda coder: coder.encode)
    return converter


def _is_coder(field_type: Any) -> bool:
    return isinstance(field_type, Coder)


def careful_coder(shape: Shape) -> Coder:
    """Return a coder that works step by step, to say where a mismatch is."""
    cls = shape.cls
    known = [field.key for field in shape.fields]

    def encode(value: Any) -> dict[str, Any]:
        if type(value) is not cls:
            raise expected(cls.__name__, value)
        return {
            field.key: _at(field, field.coder.encode, getattr(value, field.attribute.name))
            for field in shape.fields
        }

    def decode(data: Any, _: Any = None) -> Any:
        expect_mapping(f"{cls.__name__} as dict", data)
        arguments = {}
        for field in shape.fields:
            if field.key in data:
                arguments[field.key] = _at(field, field.coder.decode, data[field.key])
            elif field.attribute.default is attrs.NOTHING:
                raise Mismatch("is missing", f".{field.key}")
        if any(key not in known for key in data):  # their names may be personal
            names = ", ".join(known) or "none"
            raise Mismatch(f"holds a field that {cls.__name__} does not have; it has {names}")
        try:
            return cls(**arguments)
        except Exception as error:
            # Not its message, which may quote the value.
            problem = f"{cls.__name__} refuses these fields: {type(error).__name__}"
            raise Mismatch(problem) from error

    return _coder(cls, encode, decode)


def _at(field: Field, convert: Callable[[Any], Any], given: Any) -> Any:
    try:
        return convert(given)
    except Mismatch as mismatch:
        mismatch.within(f".{field.key}")
        raise


def _coder(cls: type, encode: Callable[[Any], Any], decode: Callable[..., Any]) -> Coder:
    return Coder(
        encode=encode,
        decode=decode,
        values=frozenset({cls}),
        data=frozenset({dict}),
        tag=cls.__name__,
    )
