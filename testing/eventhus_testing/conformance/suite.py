"""The suite: all cases in one class."""

from eventhus_testing.conformance.appending import Appending
from eventhus_testing.conformance.cancelling import Cancelling
from eventhus_testing.conformance.envelopes import Envelopes
from eventhus_testing.conformance.following import Following
from eventhus_testing.conformance.idempotency import Idempotency
from eventhus_testing.conformance.leases import Leasing
from eventhus_testing.conformance.names import Names
from eventhus_testing.conformance.plain_data import PlainData, Sharing
from eventhus_testing.conformance.racing import Racing
from eventhus_testing.conformance.reading import Reading
from eventhus_testing.conformance.snapshots import Checkpoints, Snapshots
from eventhus_testing.conformance.stores import Stores
from eventhus_testing.conformance.versions import Versions
from eventhus_testing.conformance.views import Views


# pytest runs the cases of the last base first: the simple promises come before what needs them.
class StoreConformance(
    Stores,
    Cancelling,
    Views,
    Leasing,
    Checkpoints,
    Snapshots,
    Envelopes,
    Names,
    Sharing,
    PlainData,
    Following,
    Reading,
    Racing,
    Idempotency,
    Versions,
    Appending,
):
    """What a store must pass. Subclass it and write ``store``; the class's name starts with Test.

    Attributes:
        timeout_s: A case that has not ended after this many seconds fails.
    """
