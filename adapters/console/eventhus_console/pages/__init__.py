"""The pages of the console, by their paths."""

from collections.abc import Mapping

from eventhus_console.pages.conversations import conversation
from eventhus_console.pages.events import event, log
from eventhus_console.pages.groups import group, groups
from eventhus_console.pages.overview import leases, overview
from eventhus_console.pages.readers import document, process, processes, view, views
from eventhus_console.pages.streams import stream, streams
from eventhus_console.visit import Show

PAGES: Mapping[str, Show] = {
    "": overview,
    "log": log,
    "event": event,
    "streams": streams,
    "stream": stream,
    "conversation": conversation,
    "views": views,
    "view": view,
    "processes": processes,
    "process": process,
    "document": document,
    "groups": groups,
    "group": group,
    "leases": leases,
}
