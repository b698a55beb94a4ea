"""A base class for stores and buses that wrap another."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

B = TypeVar("B", bound=AbstractAsyncContextManager[Any, None])


class Wrapper(Generic[B]):
    """A wrapper that enters and leaves the wrapped object when it is entered and left.

    Args:
        wrapped: The wrapped object.
    """

    def __init__(self, wrapped: B) -> None:
        self._wrapped = wrapped

    async def __aenter__(self) -> Self:
        await self._wrapped.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._wrapped.__aexit__(exc_type, exc, traceback)
