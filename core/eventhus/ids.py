"""Identifiers that sort by the time they were made."""

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]  # 10 bits at a time


def new_id() -> str:
    """Make a ULID: 26 characters, 48 bits of Unix time in milliseconds and 80 random bits.

    Ids made in different milliseconds sort by time, as text. The random bits come from the
    operating system, so processes, forks and machines never need to agree on anything.

    Source: the ULID specification, https://github.com/ulid/spec.

    >>> len(new_id())
    26
    """
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | int.from_bytes(os.urandom(10))
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])
