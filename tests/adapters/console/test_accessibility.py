"""Every page against axe-core, in light and dark, and on narrow screens."""

from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from eventhus_console import Access, console
from tests.adapters.console.conftest import serving
from tests.adapters.console.scene import CONVERSATION, GROUP, shop

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = [
    "",
    "log?type=OrderPlaced",
    "event?at=3",
    "event?at=34",
    "streams",
    "stream?type=Payment&id=o-1&version=1",
    f"conversation?id={CONVERSATION}",
    "views",
    "view?name=orders",
    "view?name=orders&where.progress=lost",
    "view?name=purchases&done=retried",
    "processes",
    "process?name=fulfilment",
    "document?kind=view&name=orders&key=o-1",
    "groups",
    f"group?name={GROUP}",
    "leases",
    "nowhere",
]
STICKING_OUT = """[...document.querySelectorAll("body *")].filter(each => {
  const { right, width } = each.getBoundingClientRect()
  const cut = ".row, .unseen, td.preview, .owner, svg"
  return width && right > innerWidth + 0.5 && !each.closest(cut)
}).map(each => each.outerHTML.slice(0, 100))"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def url() -> AsyncIterator[str]:
    """The URL of a console with everything in it."""
    async with shop() as scene, serving(console(scene.app, authorize=lambda _: Access.ACT)) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """An open tab."""
    context = await browser.new_context(reduced_motion="reduce")
    yield await context.new_page()
    await context.close()


async def open_all(page: Page, url: str) -> None:
    """Open a page, and everything on it that can be opened."""
    await page.goto(url)
    await page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")


async def violations(page: Page, options: dict[str, Any]) -> list[str]:
    """Return what axe-core finds."""
    found = await page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("path", PAGES)
async def test_axe_finds_nothing_in_light_and_dark(page: Page, url: str, path: str) -> None:
    await page.emulate_media(color_scheme="light")
    await open_all(page, url + path)
    await page.evaluate(AXE)  # not subject to the policy of the page, as a script element is
    assert await violations(page, {"runOnly": RULES}) == []
    await page.emulate_media(color_scheme="dark")
    assert await violations(page, {"runOnly": ["color-contrast"]}) == []


async def test_axe_would_find_a_violation(page: Page, url: str) -> None:
    await page.goto(url)
    await page.evaluate(AXE)
    await page.evaluate("document.querySelector('h1').innerHTML = '<img src=icon.svg>'")
    assert any("image-alt" in each for each in await violations(page, {"runOnly": RULES}))


async def test_pages_fit_the_screen(page: Page, url: str) -> None:
    for path in PAGES:
        await open_all(page, url + path)
        for width in (320, 390, 1280):
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert await page.evaluate(STICKING_OUT) == [], path
