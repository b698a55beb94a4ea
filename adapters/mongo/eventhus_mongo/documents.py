"""The common parts of all documents: how they are read, and how plain data is kept in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeAlias

import bson
from bson import Int64
from bson.codec_options import CodecOptions, DatetimeConversion, TypeDecoder, TypeRegistry
from bson.errors import BSONError
from bson.raw_bson import DEFAULT_RAW_BSON_OPTIONS, RawBSONDocument
from pymongo.common import MAX_BSON_SIZE

from eventhus.adapter_support import check_plain_data

Document: TypeAlias = dict[str, Any]

FORMAT = 1
"""The version of the forms. A document of another version says so in its field ``format``."""

CHUNK_BYTES = 32_000  # of documents that are decoded at once; as Python objects they take 300 KB

LIMIT_BYTES = MAX_BSON_SIZE  # 16 MiB, of every MongoDB since 1.8


class _PlainInt(TypeDecoder):
    """Reads 64-bit integers as ``int`` instead of the driver's own class.

    The driver's decoder is written in C and calls ``int`` itself. With a function written in Python
    here, decoding would take half as long again.
    """

    bson_type: Any = Int64
    transform_bson: Any = int


OPTIONS: CodecOptions[Document] = CodecOptions(type_registry=TypeRegistry([_PlainInt()]))
"""The options for reading documents, whatever the client's options for other uses are."""

RAW = DEFAULT_RAW_BSON_OPTIONS
"""The options for documents that ``decode_reply`` decodes later, all at once."""

# They read what the strict options refuse: dates beyond Python's, and text that is not UTF-8.
_LENIENT = OPTIONS.with_options(
    datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler="replace"
)
_INVALID = "\0invalid"  # BSON has no NUL in keys, so no stored document has this one


_SIMPLE: frozenset[type] = frozenset((str, int, bool, type(None)))

# Whatever decoding a document of another form may raise.
MALFORMED = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError)


def bounds_of(reply: bytes) -> list[int]:
    """Return where the documents in a reply of the server begin, and where the last one ends."""
    bounds = [0]
    end = 0
    while end < len(reply):
        end += int.from_bytes(reply[end : end + 4], "little")  # each begins with its length
        bounds.append(end)
    return bounds


def chunks_of(reply: bytes, bounds: Sequence[int]) -> list[bytes]:
    """Split a reply into chunks of whole documents."""
    chunks: list[bytes] = []
    start = 0
    for end in bounds:
        if end - start >= CHUNK_BYTES or (end == len(reply) and end > start):
            chunks.append(reply[start:end])
            start = end
    return chunks


def decode_reply(reply: bytes) -> list[Document]:
    """Return the documents in a reply of the server.

    A document that is not valid BSON is marked, and ``check_format`` refuses it. So it fails only
    the caller that asked for it, not its neighbours in the same reply.
    """
    try:
        return bson.decode_all(reply, OPTIONS)
    except BSONError:
        return [_decode_leniently(document) for document in bson.decode_all(reply, RAW)]


def _decode_leniently(document: RawBSONDocument) -> Document:
    try:
        return bson.decode(document.raw, OPTIONS)
    except BSONError:
        return {**bson.decode(document.raw, _LENIENT), _INVALID: True}


class UnknownFormat(Exception):
    """A document is not of a form that this library knows. It never leaves this package."""


def is_valid(document: Document) -> bool:
    """Return whether a document is valid BSON."""
    return _INVALID not in document


def is_readable(document: Document) -> bool:
    """Return whether a document is valid, and was not written by a newer version."""
    return document.get("format", FORMAT) == FORMAT and is_valid(document)


def check_format(document: Document) -> None:
    """Refuse a document that is invalid or was written by a newer version of this library.

    Raises:
        UnknownFormat: It is.
    """
    if _INVALID in document:
        raise UnknownFormat(
            f"the document {document.get('_id')!r} holds invalid dates or text; repair it"
        )
    if "format" in document and document["format"] != FORMAT:
        raise UnknownFormat(
            f"the commit at position {document.get('_id')} was written by a newer version of "
            f"eventhus, in form {document['format']!r}, and this one knows form {FORMAT}; "
            f"upgrade eventhus"
        )


def not_ours(document: Document) -> UnknownFormat:
    """Return the error for a document of another form."""
    return UnknownFormat(
        f"the document {document.get('_id')!r} was not written by eventhus; use another bucket, "
        f"or move foreign documents out of this database"
    )


def exact_int(value: object) -> int:
    """Return a number that must be an integer, and no bool.

    Raises:
        TypeError: It is something else.
    """
    if type(value) is not int:
        raise TypeError
    return value


def exact_str(value: object) -> str:
    """Return a value that must be text.

    Raises:
        TypeError: It is something else.
    """
    if type(value) is not str:
        raise TypeError
    return value


def exact_time(value: object) -> datetime:
    """Return a date of the database, which has no time zone, as a time in UTC.

    Raises:
        TypeError: It is something else, or beyond the years that Python knows.
    """
    if type(value) is not datetime:
        raise TypeError
    return value.replace(tzinfo=UTC)


def as_json(data: Any) -> str:
    """Return plain data as JSON text."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def put_data(document: Document, name: str, data: Any) -> None:
    """Put plain data into a field of a document, as JSON text where its keys demand that.

    Raises:
        ValueError: The data is not plain. The message quotes none of it.
    """
    check_plain_data(data)
    if has_special_key(data):
        document[f"{name}_json"] = as_json(data)
    else:
        document[name] = data


def get_data(document: Document, name: str) -> Any:
    """Return the plain data that ``put_data`` put into a field. Raises one of ``MALFORMED``."""
    return document[name] if name in document else parse_json(document[f"{name}_json"])


def parse_json(text: object) -> Any:
    """Return the plain data in what ``as_json`` returned. Raises one of ``MALFORMED``."""
    return json.loads(as_text(text))


def as_text(value: object) -> str:
    """Return a stored text.

    Raises:
        TypeError: The value is of another type, such as the driver's ``Code``, a subclass of
            ``str`` that cannot be hashed.
    """
    if type(value) is not str:
        raise TypeError("an id, a name or another text is of another type")
    return value


def as_time(text: Any) -> datetime:
    """Return a time that is stored as text with its offset. Raises one of ``MALFORMED``."""
    time = datetime.fromisoformat(text)
    if time.utcoffset() is None:
        raise ValueError("a time without its offset")
    return time


def is_plain(data: Any) -> bool:
    """Return whether decoded data is plain. BSON has only Unicode text and integers of 64 bits."""
    if type(data) is dict:
        return _are_plain(data.values())
    if type(data) is list:
        return _are_plain(data)
    return type(data) in _SIMPLE or (type(data) is float and isfinite(data))


def _are_plain(values: Iterable[Any]) -> bool:
    # Most documents are flat, and this is a single call for these.
    return _SIMPLE.issuperset(map(type, values)) or all(map(is_plain, values))


def has_special_key(data: Any) -> bool:
    """Return whether a key in plain data has a meaning to MongoDB or its tools."""
    # BSON has no NUL in keys, `$` begins an operator, and the driver turns `$ref` into a DBRef.
    if isinstance(data, dict):
        return any(
            "\0" in key or key.startswith("$") or has_special_key(value)
            for key, value in data.items()
        )
    return isinstance(data, list) and any(map(has_special_key, data))
