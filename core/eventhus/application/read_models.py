"""Views and processes of an application."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from eventhus.adapter_support.arguments import check_numbers, check_page
from eventhus.adapter_support.limits import check_reason
from eventhus.application.base import ApplicationBase
from eventhus.composition import (
    check_is,
)
from eventhus.domain.process import Process
from eventhus.domain.recorded import is_id
from eventhus.domain.view import View
from eventhus.errors import InvalidArgument
from eventhus.runtime.commands.envelope import (
    Committed,
)
from eventhus.runtime.readers.building import BuildProgress, OnBuildProgress
from eventhus.runtime.readers.finding import ViewPage, plan
from eventhus.runtime.readers.reader_group import ParkedKey, ViewVersion
from eventhus.runtime.readers.refold import Skip

V = TypeVar("V")


class ReadModels(ApplicationBase):
    """The methods of an application for its views and processes."""

    async def view(self, view: View[Any, V], key: str) -> V | None:
        """Return the current value of a view for a key; ``None`` if it has none.

        A view is eventually consistent. Use ``caught_up`` to read your own writes.

        Raises:
            InvalidArgument: The view is not part of this application, or the key is not text.
            KeyParked: An event of the key could not be handled, so the key has no value until
                ``retry`` or ``skip`` is called.
            DocumentDamaged: Another program has replaced the stored value by something that is not
                plain data.
            CodecError: The stored value does not fit the type of the view.
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        check_is(view, View)
        return await self._readers.view(view, key)

    async def find(
        self,
        view: View[Any, V],
        *,
        where: Mapping[str, object] | None = None,
        order_by: str | Sequence[str] = (),
        limit: int = 100,
        after: str | None = None,
    ) -> ViewPage[V]:
        """Return a page of the values of a view, found along one of its declared indexes.

        A declared index answers a question if its first fields have known values, and its other
        fields are those to order by, in this direction or in the other. Conditions on further
        indexed fields are checked on the way. Values with the same place are in the order of their
        keys. ``None`` comes before every other value.

        A page continues after the last value of the one before. So a value that does not change is
        on exactly one page of a walk, even if other values change meanwhile.

        Args:
            view: A view of this application.
            where: The condition for each indexed field: a value, ``one_of(...)`` or
                ``in_range(...)``.
            order_by: The indexed fields to order by; a hyphen stands for descending values. By
                default the order of the keys.
            limit: The maximum number of values, at least 1.
            after: The ``cursor`` of the page before, with the same ``where`` and ``order_by``.

        Raises:
            UndeclaredIndex: No declared index answers this. The message says what to declare.
            InvalidCursor: ``after`` does not belong to this question.
            InvalidArgument: The view is not part of this application, a value is of another type
                than its field, or ``limit`` is below 1.
            DocumentDamaged: As for ``view``, for a value of the page.
            CodecError: A stored value does not fit the type of the view.
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        check_is(view, View)
        check_page(limit)
        wanted = plan(view, {} if where is None else where, order_by, limit)
        return await self._readers.page(view, wanted, after)

    async def caught_up(
        self,
        reader: View[Any, Any] | Process[Any, Any],
        committed: Committed | int | None = None,
    ) -> None:
        """Wait until a view or a process has handled a commit, to read your own writes.

        A process has handled an event when the resulting commands are carried out or refused. An
        event of a parked key counts as handled. Any worker on the same store may do the work.

        Args:
            reader: A view or a process of this application.
            committed: The answer to a command, or a position of the log. ``None`` stands for
                everything that the log holds now.

        Raises:
            InvalidArgument: The view or process is not part of this application, or no log reaches
                the position.
            ReaderStopped: The reader cannot handle an event. Only the worker that holds its lease
                knows: in any other one this waits on, as it does while the store is unavailable.
                Limit the wait with ``asyncio.timeout`` if that matters.
            NotRunning: The application has not been entered, or was left while waiting.
        """
        self._running()
        check_is(reader, View, Process)
        if committed is None:
            committed = await self._store.head()
        elif isinstance(committed, Committed):
            committed = committed.position
        check_numbers(position=committed)
        await self._readers.caught_up(reader, committed)

    async def reset(self, view: View[Any, Any]) -> None:
        """Delete the values of a view, and build them again from the start of its version.

        Readers of the view find it incomplete until ``caught_up`` returns. Parked keys are folded
        again, too, and skipped events are not left out any more. Do this after the log was restored
        to an earlier point (``LogChanged``).

        Raises:
            InvalidArgument: The view is not part of this application.
            ReaderBusy: Another process works on the view; nothing was deleted.
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        check_is(view, View)
        await self._readers.reset(view)

    async def build(
        self, view: View[Any, Any], *, on_progress: OnBuildProgress | None = None
    ) -> None:
        """Build a version of a view up to the end of the log, as it is now.

        Do this ahead of a deployment, in an application that was composed from the new code with
        ``work=False``. Old code continues with its own version meanwhile. A build that was
        interrupted or killed continues from its checkpoint. If another process follows the same
        version, this waits for it.

        Args:
            view: A view of this application.
            on_progress: Called four times a second and at the end, such as that of
                ``eventhus_terminal.showing_progress``.

        Raises:
            InvalidArgument: The view is not part of this application.
            ReaderStopped: An event cannot be handled.
            LogChanged: The log was replaced, as by a restore; ``reset`` the view.
            VersionRetired: The version was pruned meanwhile.
            NotRunning: The application has not been entered, or was left while building.
        """
        self._running()
        check_is(view, View)
        await self._readers.build(view, on_progress or _ignore)

    async def prune(self, *names: str) -> Sequence[ViewVersion]:
        """Delete the versions of this application's views that are older than the declared ones.

        Do this once no process runs the older code any more: it could not read or follow its
        version any longer, and is refused when it starts.

        Args:
            names: The names of views that no code declares any more. All of their versions go.

        Returns:
            The versions that were deleted.

        Raises:
            InvalidArgument: One of the names belongs to a view of this application.
            ReaderBusy: A process still follows one of the versions, which stays. Those before it
                are deleted.
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        return await self._readers.prune(names)

    async def parked(
        self,
        reader: View[Any, Any] | Process[Any, Any],
        *,
        after: str | None = None,
        limit: int = 100,
    ) -> Sequence[ParkedKey]:
        """Return the next parked keys of a view or a process, in the order of the keys.

        Args:
            reader: A view or a process of this application.
            after: Start after this key, such as the last one of the page before; ``None`` starts
                at the first one.
            limit: The maximum number of keys, at least 1. Fewer means the end.

        Raises:
            InvalidArgument: The view or process is not part of this application, ``after`` is not
                text, or ``limit`` is below 1.
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        check_is(reader, View, Process)
        check_page(limit)
        return await self._readers.parked(reader, after, limit)

    async def retry(self, reader: View[Any, Any] | Process[Any, Any], key: str) -> None:
        """Fold a parked key from the log again with the code that runs here, and unpark it.

        Events that have come since are included, and skipped ones are left out. The log is read
        from its first event, while the view or process continues with the other keys. Any process
        may call this, not only the lease holder.

        A process sends the commands of the event that parked the key, and of the key's later
        events, under their ids: those that are in the log are not carried out again, and one of
        that event that was refused is sent again. The commands of earlier events are not sent.

        Args:
            reader: A view or a process of this application.
            key: A parked key.

        Raises:
            KeyParked: An event still cannot be handled. The key stays parked, and the error names
                that event.
            InvalidArgument: The view or process is not part of this application, or the key is not
                parked.
            ReaderStopped: An event of the log cannot be decoded. The key stays parked.
            ReaderBusy: Another retry of this view or process takes longer than a term of its lease.
            LogChanged: The log was replaced, as by a restore. The key stays parked.
            LeaseLost: Another retry has begun, because the store took too long. Look at ``parked``.
            EventhusError, OSError: The store did not answer, or a command of the process failed for
                a passing reason, such as ``StoreUnavailable``, ``TooManyConflicts`` or
                ``TimeoutError``. The key stays parked; try again.
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        check_is(reader, View, Process)
        await self._readers.retry(reader, key)

    async def skip(
        self, reader: View[Any, Any] | Process[Any, Any], key: str, position: int, *, why: str
    ) -> None:
        """Leave the event that parked a key out of its value, and do what ``retry`` does.

        The decision stays in the document of the key, with its time and reason, and is kept by
        later retries. ``reset`` forgets it.

        Args:
            reader: A view or a process of this application.
            key: A parked key.
            position: The position of the event that parked it, as ``parked`` returns it.
            why: The reason, which is stored in the document; at most 1,024 bytes.

        Raises:
            InvalidArgument: As for ``retry``, the key is parked at another position, or ``why`` is
                empty or too long.
            KeyParked: As for ``retry``: a later event cannot be handled either. The decision is
                kept.

        Raises the other errors of ``retry``, too.
        """
        self._running()
        check_is(reader, View, Process)
        if not is_id(why):
            raise InvalidArgument("why must be a non-empty str of whole Unicode characters")
        check_reason(why)
        await self._readers.retry(reader, key, Skip(position, why))


def _ignore(_: BuildProgress) -> None:
    """Do nothing."""
