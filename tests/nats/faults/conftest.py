"""How a run is repeated, and how long it is."""

from tests.mongo.faults.conftest import dropped_sockets, soak

__all__ = ["dropped_sockets", "soak"]
