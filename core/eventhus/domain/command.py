"""Commands."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Command:
    """A request to change something. Subclass it, frozen, with a field for each argument.

    Attributes:
        aggregate_id: The aggregate to change, or the main one of several. Any non-empty text.
    """

    aggregate_id: str
