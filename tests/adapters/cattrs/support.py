"""A codec for every test, and what the tests ask of it."""

import json
from typing import Any

import pytest

from eventhus.errors import CodecError, CompositionError
from eventhus_cattrs import CattrsCodec

CODEC = CattrsCodec()


def through_json(as_type: Any, value: Any, codec: CattrsCodec = CODEC) -> Any:
    """Encode a value, write and read it as JSON, and decode that."""
    text = json.dumps(codec.encoder(as_type)(value), allow_nan=False)
    return codec.decoder(as_type)(json.loads(text))


def encode_error(as_type: Any, value: Any, codec: CattrsCodec = CODEC) -> str:
    """What the refusal to encode a value says: ``field: problem``."""
    return refusal(codec.encoder(as_type), value)


def decode_error(as_type: Any, data: Any, codec: CattrsCodec = CODEC) -> str:
    """What the refusal to decode data says: ``field: problem``."""
    return refusal(codec.decoder(as_type), data)


def refusal(convert: Any, given: Any) -> str:
    """The field and the problem of a ``CodecError``, which a log shows with nothing in tow."""
    with pytest.raises(CodecError) as caught:
        convert(given)
    error = caught.value
    assert error.__cause__ is None
    assert error.__suppress_context__
    return f"{error.field}: {error.problem}" if error.field else error.problem


def composition_error(as_type: Any, codec: CattrsCodec = CODEC) -> str:
    """What the refusal of a type says, in both directions alike."""
    said = set()
    for compiling in (codec.encoder, codec.decoder):
        with pytest.raises(CompositionError) as caught:
            compiling(as_type)
        said.add(str(caught.value))
    (message,) = said
    return message
