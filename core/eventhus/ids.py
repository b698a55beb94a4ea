"""Identifiers that sort by the time they were made."""

import base64
import os
import time

_RFC4648 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CROCKFORD = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TO_CROCKFORD = bytes.maketrans(_RFC4648, _CROCKFORD)


def new_id() -> str:
    """Make a ULID: 26 characters, 48 bits of Unix time in milliseconds and 80 random bits.

    Ids made in different milliseconds sort by time, as text. The random bits come from the
    operating system, so processes, forks and machines never need to agree on anything.

    Source: the ULID specification, https://github.com/ulid/spec.

    >>> len(new_id())
    26
    """
    milliseconds = time.time_ns() // 1_000_000
    # b32encode turns 20 bytes into 32 characters of 5 bits; a ULID is the low 130 bits of those
    # 160, that is, the last 26 characters.
    padded = b"\0\0\0\0" + milliseconds.to_bytes(6) + os.urandom(10)
    return base64.b32encode(padded)[6:].translate(_TO_CROCKFORD).decode("ascii")
