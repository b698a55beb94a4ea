"""The promises of every store and every bus, as test suites to run against yours.

They need pytest and no plugin. Subclass a suite in a test module, and let pytest run it::

    from eventhus_testing.conformance import BusConformance, StoreConformance

    class TestMyStore(StoreConformance):
        def store(self, bucket: str) -> MyStore:
            return MyStore.open("mystore://localhost", bucket)

    class TestMyBus(BusConformance):
        def bus(self, bucket: str) -> MyBus:
            return MyBus.open("mybus://localhost", bucket)

The stores' suite ends with a race of conditional commits, which prints its seed. Set
``EVENTHUS_SEED`` to repeat it.

``store`` makes a store over ``bucket``, not entered. Called twice with one bucket, it makes two
stores on one log, and ``bus`` makes two buses on one channel. Each case has a bucket and an event
loop of its own, and ends after ``timeout_s`` at the latest. Fixtures work as in any test class. A
bucket stays when its case has ended: use a disposable server, or drop the buckets in a fixture.
"""

import pkgutil

import pytest

# What an assertion compared is shown only by modules that pytest has rewritten on import.
pytest.register_assert_rewrite(
    *(f"{__name__}.{each.name}" for each in pkgutil.iter_modules(__path__))
)

from eventhus_testing.conformance.bus.suite import BusConformance  # noqa: E402
from eventhus_testing.conformance.store.suite import StoreConformance  # noqa: E402

__all__ = ["BusConformance", "StoreConformance"]
