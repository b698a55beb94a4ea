"""What every test runs under."""

import os

from hypothesis import settings
from hypothesis.internal.conjecture import providers

# The same commit gives the same verdict in CI; elsewhere each run explores further. A failure
# prints the blob that replays it. No deadlines: how busy the machine is says nothing of the code.
settings.register_profile(
    "eventhus", derandomize="CI" in os.environ, print_blob=True, deadline=None
)
settings.load_profile("eventhus")

if "CI" in os.environ:
    # Hypothesis draws constants from the sources of all local modules that are loaded. So which
    # tests ran before in the same worker would decide what a derandomized search finds.
    providers.__dict__["is_local_module_file"] = lambda _: False
