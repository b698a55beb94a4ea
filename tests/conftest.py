"""What every test runs under."""

import os

from hypothesis import settings

# The same commit gives the same verdict in CI; elsewhere each run explores further. A failure
# prints the blob that replays it. No deadlines: how busy the machine is says nothing of the code.
settings.register_profile(
    "eventhus", derandomize="CI" in os.environ, print_blob=True, deadline=None
)
settings.load_profile("eventhus")
