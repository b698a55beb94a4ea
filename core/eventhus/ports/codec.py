"""The port between the domain's classes and plain data."""

from collections.abc import Callable
from typing import Any, Protocol


class Codec(Protocol):
    """Turns values into plain data and back, one compiled function per type.

    Plain data is what JSON can say: ``None``, ``bool``, ``int`` within 64 bits, finite ``float``,
    ``str``, and lists and ``str``-keyed dicts of these. Decoding what was encoded gives an equal
    value of the same class. Functions are asked for once per type, when an application is
    composed, and called often.
    """

    def encoder(self, as_type: Any) -> Callable[[Any], Any]:
        """A function from a value of ``as_type`` to new plain data.

        The function raises ``CodecError`` for a value that its type does not admit.

        Args:
            as_type: A class, or a type such as ``list[X]`` or ``X | Y``.

        Raises:
            CompositionError: The codec cannot handle the type. Names the class and field.
        """
        ...

    def decoder(self, as_type: Any) -> Callable[[Any], Any]:
        """A function from plain data to a value of ``as_type``. It never changes the data.

        The function raises ``CodecError`` that names the type and the first field that is
        missing, unknown or of the wrong type.

        Args:
            as_type: A class, or a type such as ``list[X]`` or ``X | Y``.

        Raises:
            CompositionError: The codec cannot handle the type. Names the class and field.
        """
        ...
