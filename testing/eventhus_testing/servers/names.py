"""Names of buckets that no other test uses."""

from __future__ import annotations

from uuid import uuid4

# Without vowels, digits and the letters of hexadecimal numbers. Errors name the bucket, so a test
# that looks for a text in them, or for its absence, must not find it in a random name.
_LETTERS = str.maketrans("0123456789abcdef", "ghjkmnpqrstvwxyz")


def unused_name() -> str:
    """Give a new name for a bucket: ``test_`` and 32 random letters, which form no word."""
    return f"test_{uuid4().hex.translate(_LETTERS)}"
