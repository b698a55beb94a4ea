"""Calls an observer, so that no error of it harms the work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from attrs import evolve

from eventhus.adapter_support.failure_log import summary, unexpected
from eventhus.adapter_support.limits import check_metadata
from eventhus.domain.recorded import Metadata
from eventhus.errors import ConflictError, Rejected
from eventhus.ports.observer import (
    Appending,
    Deciding,
    Dispatching,
    Ended,
    Fact,
    Observation,
    ObservedApplication,
    Observer,
    Operation,
)

T = TypeVar("T")

_ACCEPTED = Ended()

_logger = logging.getLogger(__name__)


class Observing:
    """An observer of one application, which can be called without care.

    Attributes:
        application: The application.
    """

    def __init__(self, observer: Observer, application: ObservedApplication) -> None:
        self.application = application
        self._begin = observer.begin
        self._note = observer.note
        self._logged: set[str] = set()

    @classmethod
    def of(cls, observer: Observer | None, *, bucket: str, store: object, bus: type) -> Self | None:
        """Return the observer of an application, if it has one."""
        if observer is None:
            return None
        application = ObservedApplication(
            bucket=bucket, store=type(store).__name__, bus=bus.__name__
        )
        return cls(observer, application)

    def begin(self, operation: Operation) -> Underway:
        """Tell the observer that an operation begins."""
        observation = self.guarded(operation, self._begin, operation)
        return Underway(self, operation, observation)

    def note(self, fact: Fact) -> None:
        """Tell the observer of a fact."""
        self.guarded(fact, self._note, fact)

    def guarded(self, about: Operation | Fact, call: Callable[..., T], *arguments: Any) -> T | None:
        """Call the observer; log its error and return ``None`` if it raises one.

        An observer awaits nothing, so a ``CancelledError`` is one of its own and not that of the
        task. Only ``GeneratorExit`` and exceptions that end the process are raised.
        """
        try:
            return call(*arguments)
        except (GeneratorExit, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - observers may raise anything
            self._log_once(type(about).__name__, error)
            return None

    def _log_once(self, about: str, error: BaseException) -> None:
        if about in self._logged:
            return
        self._logged.add(about)
        _logger.error(
            "bucket %s: the observer failed on %s: %s; the work goes on, and its further errors on "
            "%s are not logged",
            self.application.bucket,
            about,
            summary(error),
            about,
            exc_info=unexpected(error),
        )


class Underway:
    """An operation that is under way. As a context manager, it tells the observer of the end.

    Attributes:
        ended: How it has ended, unless an error says otherwise.
        error: The error to tell of, instead of one that only wraps it.
    """

    __slots__ = ("_observation", "_observing", "_operation", "ended", "error")

    def __init__(
        self, observing: Observing, operation: Operation, observation: Observation | None
    ) -> None:
        self.ended = _ACCEPTED
        self.error: BaseException | None = None
        self._observing = observing
        self._operation = operation
        self._observation = observation

    def added_to(self, metadata: Metadata) -> Metadata:
        """Return metadata with the values of the observation, unless they cannot be stored."""
        observation = self._observation
        if observation is None:
            return metadata
        together = self._observing.guarded(self._operation, _together, metadata, observation)
        return together or metadata

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        observation = self._observation
        if observation is None:
            return
        ended = self.ended
        if exc is not None:
            ended = _with_error(self._operation, exc if self.error is None else self.error)
        self._observing.guarded(self._operation, _finish, observation, ended)


def _together(metadata: Metadata, observation: Observation) -> Metadata:
    values = observation.values
    if not values:
        return metadata
    together = evolve(metadata, values={**metadata.values, **values})
    check_metadata(together)
    return together


def _finish(observation: Observation, ended: Ended) -> None:
    observation.finish(ended)  # looked up here, where an observation without it harms nobody


def _with_error(operation: Operation, error: BaseException) -> Ended:
    if isinstance(error, Rejected) and isinstance(operation, Dispatching | Deciding):
        return Ended(outcome="rejected", error=error)
    if isinstance(error, ConflictError) and isinstance(operation, Appending):
        return Ended(outcome="conflict", error=error)
    return Ended(outcome="failed", error=error)
