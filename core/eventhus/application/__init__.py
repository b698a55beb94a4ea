"""The application: the composition root, where a domain meets its adapters."""

from eventhus.application.application import Application

__all__ = ["Application"]
