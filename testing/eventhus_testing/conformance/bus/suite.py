"""The suite for buses: all cases in one class."""

from eventhus_testing.conformance.bus.closing import Closing
from eventhus_testing.conformance.bus.delivering import Delivering, SideBySide
from eventhus_testing.conformance.bus.diagnosing import Diagnosing
from eventhus_testing.conformance.bus.limits import Limits
from eventhus_testing.conformance.bus.operating import Operating
from eventhus_testing.conformance.bus.redelivering import Burying, Redelivering
from eventhus_testing.conformance.bus.starting import Starting


# pytest runs the cases of the last base first: the simple promises come before what needs them.
class BusConformance(
    Diagnosing,
    Closing,
    Limits,
    Operating,
    Burying,
    Starting,
    Redelivering,
    SideBySide,
    Delivering,
):
    """The suite for a bus. Subclass it under a name that starts with Test, and write ``bus``.

    Attributes:
        timeout_s: A case that has not ended after this many seconds fails.
        keeps_groups: Set it where a group keeps its place while it has no members, and gets what
            came meanwhile.
    """
