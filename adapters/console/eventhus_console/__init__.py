"""A web console to operate an application: an ASGI app to mount, or to serve by itself."""

from eventhus_console.access import Access, Authorize
from eventhus_console.application import console
from eventhus_console.serving import serve

__all__ = ["Access", "Authorize", "console", "serve"]
