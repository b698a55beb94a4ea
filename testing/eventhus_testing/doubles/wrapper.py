"""What stands in front of a store or a bus, and is entered and left as it is."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

B = TypeVar("B", bound=AbstractAsyncContextManager[Any, None])


class InFront(Generic[B]):
    """Stands in front of something: entering and leaving it enters and leaves what is behind it.

    Args:
        behind: What it stands in front of.
    """

    def __init__(self, behind: B) -> None:
        self._behind = behind

    async def __aenter__(self) -> Self:
        await self._behind.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._behind.__aexit__(exc_type, exc, traceback)
