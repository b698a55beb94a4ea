"""Ids that sort by time."""

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_FROM_BYTE = _ALPHABET.encode() * 8  # 256 is a multiple of 32, so every character is as likely


_made_at: tuple[int, str] = (0, "")  # the latest millisecond, and its text


def new_id() -> str:
    """Make a ULID: 26 characters, 48 bits of Unix time in milliseconds and 80 random bits.

    Ids made in different milliseconds sort by time, as text. The random bits come from the
    operating system, so processes, forks and machines never need to agree on anything.

    Source: the ULID specification, https://github.com/ulid/spec.

    >>> len(new_id())
    26
    """
    global _made_at  # noqa: PLW0603 - a busy process makes many ids in each millisecond
    milliseconds, made_at = time.time_ns() // 1_000_000, _made_at
    if made_at[0] != milliseconds:
        text = "".join([_PAIRS[milliseconds >> shift & 1023] for shift in (40, 30, 20, 10, 0)])
        _made_at = made_at = (milliseconds, text)
    return made_at[1] + os.urandom(16).translate(_FROM_BYTE).decode("ascii")
