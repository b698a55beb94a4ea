"""Codecs: between the domain's classes and plain data."""

from collections.abc import Callable
from typing import Any, Protocol


class Codec(Protocol):
    """Converts values to plain data and back, with one compiled function per type.

    Plain data is what JSON can express: ``None``, ``bool``, ``int`` within 64 bits, finite
    ``float``, ``str``, and lists and ``str``-keyed dicts of these. Decoding encoded data returns an
    equal value of the same class. The runtime asks for each function once, when an application is
    composed, and calls it often.
    """

    def encoder(self, as_type: Any) -> Callable[[Any], Any]:
        """Return a function from a value of ``as_type`` to new plain data.

        The function raises ``CodecError`` if the value does not fit the type.

        Args:
            as_type: A class, or a type such as ``list[X]`` or ``X | Y``.

        Raises:
            CompositionError: The codec cannot handle the type. Names class and field.
        """
        ...

    def decoder(self, as_type: Any) -> Callable[[Any], Any]:
        """Return a function from plain data, which it never changes, to a value of ``as_type``.

        The function raises ``CodecError`` if the data does not fit. The error names the type and
        the first field that is missing, unknown or of the wrong type.

        Args:
            as_type: A class, or a type such as ``list[X]`` or ``X | Y``.

        Raises:
            CompositionError: The codec cannot handle the type. Names class and field.
        """
        ...
