"""Ids that sort by time."""

import os
import socket
import time
from collections.abc import Callable

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_FROM_BYTE = _ALPHABET.encode() * 8  # 256 is a multiple of 32, so every character is as likely


_OWNER_BYTES = 240  # of the 255 that stores allow: some add the work that an owner does


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


def owner_name(new_id: Callable[[], str] = new_id) -> str:
    """Make the name of the owner of a lease, which tells the host and the process.

    Args:
        new_id: Makes the end of the name, which is unique for ever. The host is cut if both do not
            fit into a name.

    >>> owner_name(lambda: "7").endswith(f":{os.getpid()}/7")
    True
    """
    id_ = new_id()
    process = f":{os.getpid()}/{id_}"
    room = _OWNER_BYTES - len(process.encode(errors="replace"))
    host = socket.gethostname().encode("ascii", "replace").decode()
    return f"{host[:room]}{process}" if room > 0 else id_
