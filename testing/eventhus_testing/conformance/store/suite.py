"""The suite: all cases in one class."""

from eventhus_testing.conformance.store.appending import Appending
from eventhus_testing.conformance.store.cancelling import Cancelling
from eventhus_testing.conformance.store.conditions import Conditions
from eventhus_testing.conformance.store.deadlines import Deadlines
from eventhus_testing.conformance.store.diagnosing import Diagnosing
from eventhus_testing.conformance.store.envelopes import Envelopes
from eventhus_testing.conformance.store.following import Following
from eventhus_testing.conformance.store.groups import Groups, Letters
from eventhus_testing.conformance.store.idempotency import Idempotency
from eventhus_testing.conformance.store.inspecting import Inspecting
from eventhus_testing.conformance.store.leases import Leasing
from eventhus_testing.conformance.store.limits import Limits
from eventhus_testing.conformance.store.names import Names
from eventhus_testing.conformance.store.parked import ParkedDocuments
from eventhus_testing.conformance.store.plain_data import PlainData, Sharing
from eventhus_testing.conformance.store.queries import Queries
from eventhus_testing.conformance.store.racing import Racing
from eventhus_testing.conformance.store.racing_conditions import RacingConditions
from eventhus_testing.conformance.store.reading import Reading
from eventhus_testing.conformance.store.registrations import Registrations
from eventhus_testing.conformance.store.restoring import Restoring
from eventhus_testing.conformance.store.selecting import Selecting
from eventhus_testing.conformance.store.several_streams import SeveralStreams
from eventhus_testing.conformance.store.snapshots import Checkpoints, Snapshots
from eventhus_testing.conformance.store.stores import Stores
from eventhus_testing.conformance.store.tags import Tags
from eventhus_testing.conformance.store.versions import Versions
from eventhus_testing.conformance.store.views import Views
from eventhus_testing.conformance.store.whole_commits import WholeCommits


# pytest runs the cases of the last base first: the simple promises come before what needs them.
class StoreConformance(
    Stores,
    Diagnosing,
    Cancelling,
    Deadlines,
    Letters,
    Groups,
    ParkedDocuments,
    Registrations,
    Selecting,
    Views,
    Leasing,
    Checkpoints,
    Snapshots,
    Inspecting,
    Restoring,
    WholeCommits,
    RacingConditions,
    Conditions,
    Queries,
    Tags,
    SeveralStreams,
    Envelopes,
    Limits,
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
    """The suite for a store. Subclass it under a name that starts with Test, and write ``store``.

    Attributes:
        timeout_s: A case that has not ended after this many seconds fails.
    """
