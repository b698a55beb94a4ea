"""Access to the private parts of an application, for the other modules of this room."""
# ruff: noqa: SLF001 - an application has no public access to its parts, which its users do not need

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventhus.application import Application
from eventhus.domain.catalog import Catalog
from eventhus.domain.process import Process
from eventhus.domain.start import Start
from eventhus.domain.view import View
from eventhus.ports.bus import EventBus, GroupStatus, MessageSource
from eventhus.ports.clock import Clock
from eventhus.ports.codec import Codec
from eventhus.ports.diagnosis import Finding
from eventhus.ports.store import Storage
from eventhus.run import Run
from eventhus.runtime.diagnosis import diagnose
from eventhus.runtime.log_bus.bus import LogBus
from eventhus.runtime.log_bus.group_member import GroupMember
from eventhus.runtime.messaging.subscriber import Subscriber
from eventhus.runtime.readers.documents import Documents
from eventhus.runtime.readers.keyed_fold import KeyedFold
from eventhus.runtime.readers.leased_reader import LeasedReader
from eventhus.runtime.readers.reader_condition import ReaderCondition
from eventhus.runtime.readers.relay import Relay
from eventhus.runtime.serializer import EventSerializer


class AppParts:
    """The parts of one application."""

    def __init__(self, app: Application) -> None:
        self.app = app

    def running(self) -> Run:
        """Return the run of the application.

        Raises:
            NotRunning: It has not been entered, or has been left.
        """
        return self.app._running()

    @property
    def store(self) -> Storage:
        """The store.

        Raises:
            NotRunning: As for ``running``.
        """
        self.running()
        return self.app._store

    async def groups(self) -> Sequence[GroupStatus]:
        """Return the consumer groups of the bus, or of the log if there is no bus.

        Raises:
            BusUnavailable: The bus could not be reached, or did not answer in time.
            NotRunning: As for ``running``.
        """
        return await (await self.running().messages.entered()).groups()

    async def source_with(self, group: str) -> MessageSource:
        """Return the source of messages, after checking that it has a group.

        Raises:
            InvalidArgument: It has none of this name.
            NotRunning: As for ``running``.
        """
        return await self.app._source_with(group)

    @property
    def bus(self) -> EventBus | None:
        """The bus; ``None`` if there is none."""
        return self.app._bus

    @property
    def bucket(self) -> str:
        """The name of the application."""
        return self.app.bucket

    @property
    def catalog(self) -> Catalog:
        """The event types."""
        return self.app._catalog

    @property
    def serializer(self) -> EventSerializer:
        """Decodes events."""
        return self.app._serializer

    @property
    def codec(self) -> Codec:
        """Turns values into plain data."""
        return self.app._codec

    @property
    def clock(self) -> Clock:
        """The source of time."""
        return self.app._clock

    @property
    def relay(self) -> Relay | None:
        """The relay of this run; ``None`` without a bus."""
        return self.app._relay

    @property
    def views(self) -> Sequence[View[Any, Any]]:
        """The declared views."""
        return [each for each in self.app._readers.documents if isinstance(each, View)]

    @property
    def processes(self) -> Sequence[Process[Any, Any]]:
        """The declared processes."""
        return [each for each in self.app._readers.documents if isinstance(each, Process)]

    def documents_of(self, reader: View[Any, Any] | Process[Any, Any]) -> Documents[Any]:
        """Return the values of a declared view or process."""
        return self.app._readers.documents[reader]

    @property
    def conditions(self) -> Sequence[ReaderCondition]:
        """The conditions of the relay, the views and the processes in this process."""
        readers: list[LeasedReader] = [self.fold_of(each) for each in self.app._readers.documents]
        if self.relay is not None:
            readers.append(self.relay)
        return [each.condition for each in readers]

    def fold_of(self, reader: View[Any, Any] | Process[Any, Any]) -> KeyedFold[Any]:
        """Return the reader of the log for a declared view or process in this run."""
        return self.app._readers.fold_of(reader)

    @property
    def members(self) -> Sequence[GroupMember]:
        """The members of groups that read the log in this process. With a bus there are none."""
        source = self.app._source
        members = source.members if isinstance(source, LogBus) else []
        return [each for each in members if not each.is_stopped]

    @property
    def subscribers(self) -> Sequence[Subscriber]:
        """The subscribers of this process that are not closing."""
        return [each for each in self.app._subscribers if not each.is_closing]

    async def diagnosed(self) -> Sequence[Finding]:
        """Return the findings about the store, the source of messages and the readers."""
        app = self.app
        return await diagnose(app._store, app._source, app._readers)

    async def check_start(self, start: Start) -> None:
        """Check that the log reaches a start.

        Raises:
            InvalidArgument: It does not, or the start has another form.
        """
        await self.app._check_start(start)
