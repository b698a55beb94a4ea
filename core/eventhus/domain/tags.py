"""Tags: names by which a query finds events of several streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from eventhus.domain.recorded import is_id
from eventhus.errors import CodecError, InvalidArgument

NO_TAGS: frozenset[str] = frozenset()

Tagger: TypeAlias = Callable[[Any], Iterable[str]]
"""A pure function from an event to its tags, such as ``{"course:c1", "student:s7"}``."""


def checked_tags(tags: Iterable[str]) -> frozenset[str]:
    """Return tags as a set.

    Raises:
        InvalidArgument: They are one ``str``, or a tag is not non-empty text.
    """
    if isinstance(tags, str):
        raise InvalidArgument("tags must be a set of str, found one str; write {'name:id'}")
    try:
        found = frozenset(tags)
    except TypeError:
        raise InvalidArgument(
            f"tags must be a set of str, found {type(tags).__name__}; write {{'name:id'}}"
        ) from None
    for tag in found:
        if not is_id(tag):
            raise InvalidArgument(
                f"a tag must be a non-empty str of whole Unicode characters, found "
                f"{'an empty one' if tag == '' else type(tag).__name__}"
            )
    return found


def tags_from(tagger: Tagger | None, event: object) -> frozenset[str]:
    """Return the tags of an event; none without a function.

    Raises:
        CodecError: The function raises, or returns something else than tags.
    """
    if tagger is None:
        return NO_TAGS
    try:
        return checked_tags(tagger(event))
    except InvalidArgument as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - the function may raise anything, which may quote data
        problem = f"the function for its tags raised {type(error).__name__}"
    raise CodecError(type(event).__qualname__, "", problem)
