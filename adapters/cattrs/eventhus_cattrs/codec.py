"""The codec port, on cattrs."""

from collections.abc import Callable
from typing import Any

from eventhus.errors import CodecError, CompositionError
from eventhus_cattrs.classes import careful_coder, coder_converter, fast_coder
from eventhus_cattrs.coder import Coder
from eventhus_cattrs.compiler import Compiler
from eventhus_cattrs.hook import Hook
from eventhus_cattrs.problems import Mismatch, Unsupported, type_text


class CattrsCodec:
    """Turns attrs values into plain data and back, exactly and without guessing.

    ==================================  ========================================================
    type                                plain data
    ==================================  ========================================================
    ``None``, ``bool``, ``str``         itself
    ``int``, ``float``                  itself: 64 bits; finite
    ``Decimal``, ``UUID``               its text
    ``datetime``                        ISO 8601, always with its UTC offset
    ``date``, ``timedelta``             ISO 8601: ``2025-12-24``, ``P1DT2H0M0.5S``
    ``bytes``                           base64
    ``Enum``, ``Literal``               its value, a ``str`` or an ``int``
    ``list``, ``tuple``                 a list
    ``set``, ``frozenset``              a sorted list
    ``dict``, ``Mapping``               a dict; the keys are types that are stored as text
    attrs classes, generic ones too     a dict, with a key for each argument of ``__init__``
    ``A | B`` of attrs classes          the same, and ``"_type"``: the name of the class
    other unions                        whatever the member is; no two stored as the same class
    ==================================  ========================================================

    Data of another form is not converted: neither ``"300"`` nor ``True`` is an ``int``,
    and a subclass of ``str`` is no ``str``. What could not be decoded again is not encoded. When
    decoding, fields that are missing take their defaults, and those that are unknown are refused.
    Of a ``datetime`` the moment and the offset come back, its zone's name does not; digits
    beyond microseconds, which others may write, are dropped.

    A class of your own that is no attrs class needs a ``Hook``:

    >>> from attrs import frozen
    >>> from ipaddress import IPv4Address
    >>> @frozen
    ... class LoggedIn:
    ...     user: str
    ...     address: IPv4Address
    >>> codec = CattrsCodec(Hook(IPv4Address, as_type=str, encode=str, decode=IPv4Address))
    >>> data = codec.encoder(LoggedIn)(LoggedIn(user="ada", address=IPv4Address("127.0.0.1")))
    >>> data
    {'user': 'ada', 'address': '127.0.0.1'}
    >>> codec.decoder(LoggedIn)(data)
    LoggedIn(user='ada', address=IPv4Address('127.0.0.1'))

    What does not fit is an error that says where, and never quotes the data:

    >>> codec.decoder(LoggedIn)({"user": "ada", "address": "localhost"})
    Traceback (most recent call last):
    eventhus.errors.CodecError: LoggedIn.address: the Hook of IPv4Address ...

    Args:
        hooks: For classes that are not in the table.
    """

    def __init__(self, *hooks: Hook[Any, Any]) -> None:
        converter = coder_converter()
        by_class = {hook.cls: hook for hook in hooks}
        self._fast = Compiler(by_class, lambda shape: fast_coder(shape, converter))
        self._careful = Compiler(by_class, careful_coder)

    def encoder(self, as_type: Any) -> Callable[[Any], Any]:
        """See ``Codec.encoder``."""
        fast, careful = self._coders(as_type)
        return _explained(type_text(as_type), fast.encode, careful.encode)

    def decoder(self, as_type: Any) -> Callable[[Any], Any]:
        """See ``Codec.decoder``."""
        fast, careful = self._coders(as_type)
        return _explained(type_text(as_type), fast.decode, careful.decode)

    def _coders(self, as_type: Any) -> tuple[Coder, Coder]:
        try:
            return self._fast.coder(as_type), self._careful.coder(as_type)
        except Unsupported as unsupported:
            raise CompositionError(f"{type_text(as_type)}: {unsupported}") from None
        except RecursionError:
            raise CompositionError(
                f"{type_text(as_type)} contains itself without end; let it do so in a list, a dict "
                f"or a class, and with the same arguments"
            ) from None


def _explained(
    name: str, fast: Callable[[Any], Any], careful: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """Return the fast function, with the careful one for saying what is wrong if it fails."""

    def convert(given: Any) -> Any:
        try:
            return fast(given)
        except Exception:  # noqa: BLE001, S110 - any: the careful one meets it again
            pass
        try:
            return careful(given)
        except Mismatch as mismatch:
            raise CodecError(name, mismatch.path, mismatch.problem) from None
        except Exception as error:  # noqa: BLE001 - RecursionError, say
            problem = f"could not be converted: {type(error).__name__}"
            raise CodecError(name, "", problem) from None

    return convert
