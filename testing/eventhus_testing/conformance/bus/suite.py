"""The suite for buses: all cases in one class."""

from eventhus_testing.conformance.bus.closing import Closing
from eventhus_testing.conformance.bus.delivering import Delivering, SideBySide
from eventhus_testing.conformance.bus.redelivering import Burying, Redelivering


# pytest runs the cases of the last base first: the simple promises come before what needs them.
class BusConformance(Closing, Burying, Redelivering, SideBySide, Delivering):
    """What a bus must pass. Subclass it and write ``bus``; the class's name starts with Test.

    Attributes:
        timeout_s: A case that has not ended after this many seconds fails.
        keeps_groups: Set it where a group keeps its place while it has no members, and gets what
            came meanwhile.
    """
