"""Tests of the page in a real browser."""

import html
import re
import subprocess
from pathlib import Path

import pytest

from tests.chromium import chromium_or_skip
from tests.testing.reports.conftest import Run

pytest_plugins = ["pytester"]

PATIENCE_S = 120  # far longer than a run takes
LONG = """
def test_a_very_long_name():
    name = "x" * 200
    other = BookAcquired(name, Shelf.READING_ROOM, Decimal(1))
    spec(book).given(other).when(lend(name)).then_rejected(NotForLending)

def test_a_very_long_failure():
    spec(book).when(lend("y" * 300)).then_nothing()
"""

# Browser windows have a minimum width, so the page is loaded into a frame as narrow as a phone.
# The title lists the elements that are wider than the frame and do not scroll.
MEASURE = """<!doctype html>
<iframe id="phone" style="width: {width}px; height: 800px; border: 0" srcdoc="{page}"></iframe>
<script>
const frame = document.getElementById("phone")
frame.onload = () => {{
  const page = frame.contentDocument
  const wide = [...page.querySelectorAll("body *")].filter(each =>
    !each.closest("pre") && each.getBoundingClientRect().right > {width} + 0.5)
  const paper = frame.contentWindow.getComputedStyle(page.body).backgroundColor
  document.title = JSON.stringify([
    page.documentElement.scrollWidth, wide.map(each => each.className || each.tagName), paper])
}}
</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    return chromium_or_skip()


def measured(browser: str, page: Path, width: int, *, dark: bool) -> str:
    """Return the width of a page in a frame, the elements that stick out, and the background."""
    measuring = page.with_name("measuring.html")
    measuring.write_text(MEASURE.format(width=width, page=html.escape(page.read_text())))
    dumped = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",  # as on a phone
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            f"--user-data-dir={page.with_name('profile')}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--dump-dom",
            measuring.as_uri(),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    ).stdout
    title: str = re.findall("<title>(.*)</title>", dumped)[0]
    return html.unescape(title)


@pytest.mark.parametrize(
    ("width", "dark", "paper"),
    [
        (320, False, "rgb(252, 251, 248)"),
        (390, True, "rgb(22, 24, 27)"),
        (1280, False, "rgb(252, 251, 248)"),
    ],
)
def test_the_page_fits_narrow_screens_in_light_and_dark(
    browser: str,
    run: Run,
    specs: str,
    pytester: pytest.Pytester,
    width: int,
    dark: bool,
    paper: str,
) -> None:
    run(specs + LONG, "--eventhus-report=out")
    page = pytester.path / "out/index.html"
    assert f'[{width},[],"{paper}"]' == measured(browser, page, width, dark=dark)
