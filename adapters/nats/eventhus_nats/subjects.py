"""The subjects of a bucket's messages."""

from __future__ import annotations

import re
from hashlib import sha256

from eventhus.domain.names import check_name
from eventhus.errors import CompositionError
from eventhus.ports import Message

DEFAULT = "{aggregate_type}"
DEAD = "dead"
MAX_TOKEN = 255  # characters of one encoded value
MAX_SUBJECT = 2048  # a server ends the connection at a protocol line of 4,096 bytes

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_TOKEN = re.compile(r"[A-Za-z0-9_-]+|\{(aggregate_type|aggregate_id|type)\}")


def token(text: str) -> str:
    """Encode text as a token of a subject: all but letters, digits, ``-`` and ``_`` as ``%XX``.

    A token of more than 255 characters is replaced by ``~`` and the SHA-256 of the text.
    """
    encoded = _UNSAFE.sub(lambda each: "".join(f"%{byte:02X}" for byte in each[0].encode()), text)
    if len(encoded) > MAX_TOKEN:
        return f"~{sha256(text.encode()).hexdigest()}"  # no encoded text holds a tilde
    return encoded


def check_bucket(bucket: str) -> None:
    """Check the name of a bucket.

    Raises:
        CompositionError: It has another form than all buckets, or its stream or subjects would be
            those of something else on the server.
    """
    check_name("bucket", bucket)
    for is_taken, owner in (
        (bucket.endswith("_dead"), f"the dead letters of bucket {bucket.removesuffix('_dead')!r}"),
        (bucket.startswith("KV_"), "a key-value bucket"),
        (bucket == "_INBOX", "the replies to clients"),
    ):
        if is_taken:
            raise CompositionError(
                f"bucket {bucket!r} would have a stream or the subjects of {owner}; "
                f"choose another name"
            )


class Subjects:
    """The subjects of a bucket: ``bucket.`` and the tokens of a template.

    Args:
        bucket: The first token.
        template: The other tokens, separated by dots: words, ``{aggregate_type}`` (in lower case),
            ``{aggregate_id}`` and ``{type}`` (of the event).

    Attributes:
        all: The pattern that matches the subject of every event.

    Raises:
        CompositionError: The template has another form, its subjects could be longer than 2,048
            bytes, or they could equal those of dead letters, ``bucket.dead.<group>``.
    """

    def __init__(self, bucket: str, template: str = DEFAULT) -> None:
        self._bucket = bucket
        tokens = template.split(".")
        if not all(_TOKEN.fullmatch(each) for each in tokens):
            raise CompositionError(
                f"the subject template {template!r} is not made of words and "
                f"{{aggregate_type}}, {{aggregate_id}} or {{type}}, separated by dots"
            )
        wildcards = ["*" if "{" in each else each for each in tokens]
        if len(tokens) == 2 and wildcards[0] in {"*", DEAD}:  # noqa: PLR2004 - as dead.<group>
            raise CompositionError(
                f"the subjects of template {template!r} could equal those of dead letters, "
                f"{bucket}.{DEAD}.<group>; put a word first, as events.{template}"
            )
        longest = len(bucket) + sum(
            1 + (MAX_TOKEN if "{" in each else len(each)) for each in tokens
        )
        if longest > MAX_SUBJECT:
            raise CompositionError(
                f"the subjects of template {template!r} could take up to {longest:,} bytes, and at "
                f"most {MAX_SUBJECT:,} are sure to be accepted; use fewer tokens"
            )
        self._format = f"{bucket}.{template}".format
        self._by_type: dict[str, str] | None = {} if template == DEFAULT else None
        self.all = f"{bucket}.{'.'.join(wildcards)}"

    def of(self, message: Message) -> str:
        """Return the subject of a message."""
        known = self._by_type
        aggregate_type = message.stream.aggregate_type
        if known is not None and (subject := known.get(aggregate_type)):
            return subject
        subject = self._format(
            aggregate_type=token(aggregate_type.lower()),
            aggregate_id=token(message.stream.aggregate_id),
            type=token(message.type) or "-",
        )
        if known is not None:
            known[aggregate_type] = subject
        return subject

    def dead(self, group: str) -> str:
        """Return the subject of a group's dead letters; ``*`` stands for all groups."""
        return f"{self._bucket}.{DEAD}.{group}"
