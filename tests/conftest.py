"""What every test runs under."""

import os

from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

# The same commit gives the same verdict in CI; elsewhere each run explores further. A failure
# prints the blob that replays it. How busy the machine is says nothing of the code, so neither
# deadlines nor slow drawing fail a test.
settings.register_profile(
    "eventhus",
    derandomize="CI" in os.environ,
    print_blob=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("eventhus")

if "CI" in os.environ:
    # Hypothesis draws constants from the sources of all local modules that are loaded. So which
    # tests ran before in the same worker would decide what a derandomized search finds.
    providers.__dict__["is_local_module_file"] = lambda _: False
