"""The browser of the tests of pages."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium_or_skip() -> str:
    """Return the path of Chromium. Without one, skip, or fail if servers are required."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        missing = f"no browser was found; put one of {', '.join(NAMES)} on the PATH"
        if os.environ.get("EVENTHUS_REQUIRE_SERVERS") == "1":
            pytest.fail(f"EVENTHUS_REQUIRE_SERVERS is 1, but {missing}", pytrace=False)
        pytest.skip(missing)
    return found
