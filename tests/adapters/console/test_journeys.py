"""Journeys of the person on call, in a real Chromium."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect
from starlette.requests import Request

from eventhus_console import Access, console
from tests.adapters.console.conftest import serving
from tests.adapters.console.scene import GROUP, Scene, place, shop

pytestmark = pytest.mark.asyncio(loop_scope="session")


FAILED = "Failed to load resource: "
EXPECTED = (f"{FAILED}the server responded with a status of 4", f"{FAILED}net::ERR_INTERNET")


def act_or_read(request: Request) -> Access | None:
    """Let everybody act but those who say that they only look."""
    return Access.READ if request.headers.get("x-only") == "read" else Access.ACT


@pytest_asyncio.fixture(loop_scope="session")
async def running() -> AsyncIterator[tuple[Scene, str]]:
    """A shop, and the URL of its console."""
    async with shop() as scene, serving(console(scene.app, authorize=act_or_read)) as url:
        yield scene, url


@pytest.fixture
def scene(running: tuple[Scene, str]) -> Scene:
    return running[0]


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser, running: tuple[Scene, str]) -> AsyncIterator[BrowserContext]:
    """A new profile. Whatever Chromium complains about fails the test, such as a breach of CSP."""
    complaints: list[str] = []
    context = await browser.new_context(base_url=running[1])
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    context.on("dialog", lambda dialog: complaints.append(dialog.message))
    context.on(
        "request",
        lambda request: (
            None if request.url.startswith(running[1]) else complaints.append(request.url)
        ),
    )
    yield context
    await context.close()
    assert [each for each in complaints if not each.startswith(EXPECTED)] == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> Page:
    """An open tab."""
    context.set_default_timeout(10_000)
    return await context.new_page()


async def test_from_the_overview_to_a_parked_key_and_back(page: Page, scene: Scene) -> None:
    await page.goto("")
    await expect(page.get_by_role("heading", level=1)).to_have_text("2 things need attention")
    await page.get_by_role("link", name="Look at view purchases has 1 parked key").click()
    await expect(page.get_by_text("ZeroDivisionError")).to_be_visible()
    await page.get_by_role("button", name="Retry pot").click()
    await expect(page.get_by_role("alert")).to_contain_text("is parked")
    scene.incident.view_fails = False
    await page.get_by_role("button", name="Retry pot").click()
    await expect(page.get_by_role("status")).to_have_text("The key was folded again.")
    await expect(page.get_by_role("heading", name="Parked keys")).to_have_count(0)
    await page.get_by_role("link", name="Overview").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("1 thing needs attention")


async def test_an_event_is_skipped_with_a_reason(page: Page) -> None:
    await page.goto("view?name=purchases")
    await page.get_by_text("Skip the event…").click()
    await page.get_by_role("button", name="Skip event").click()
    await expect(page.get_by_label("Reason")).to_be_focused()  # it is required
    await page.get_by_label("Reason").fill("known bug <b>")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("The event was skipped")


async def test_dead_letters_are_replayed_and_discarded(page: Page, scene: Scene) -> None:
    await page.goto("groups")
    await page.get_by_role("link", name=GROUP).click()
    letters = page.locator(".card")
    await expect(letters).to_have_count(3)
    await letters.first.get_by_role("button", name="Replay").click()
    await expect(page.get_by_role("status")).to_have_text("0 letters were handled, 1 failed again.")
    await letters.first.locator("summary", has_text="Discard letter").click()
    await letters.first.get_by_role("button", name="Discard letter").click()
    await expect(page.get_by_role("status")).to_have_text("The letter was discarded.")
    await expect(letters).to_have_count(2)
    scene.incident.mail_fails = False
    await page.get_by_text("Replay all…").click()
    await page.get_by_role("button", name="Replay all").click()
    await expect(page.get_by_role("status")).to_have_text("2 letters were handled, 0 failed again.")
    await expect(page.get_by_text("None.")).to_be_visible()
    assert len(scene.incident.sent) == 2


async def test_a_group_is_moved_once_nobody_works_for_it(page: Page, scene: Scene) -> None:
    await page.goto(f"group?name={GROUP}")
    facts = page.locator("dl.facts")
    await expect(facts).to_contain_text("36 of 36")
    for expected in ("alert", "status"):
        await page.get_by_text("Move the group…").click()
        await page.get_by_label("after position").check()
        await page.get_by_label("Position", exact=True).fill("12")
        await page.get_by_role("button", name="Move").click()
        await expect(page.get_by_role(expected)).to_be_visible()
        await scene.mailer.close()
    await expect(page.get_by_role("status")).to_have_text("The group was moved.")
    await expect(facts).to_contain_text("12 of 36")


async def test_a_group_that_nobody_uses_is_deleted(page: Page, scene: Scene) -> None:
    scene.incident.mail_fails = False
    await page.goto(f"group?name={GROUP}")
    await page.get_by_text("Replay all…").click()
    await page.get_by_role("button", name="Replay all").click()
    await expect(page.get_by_role("status")).to_contain_text("were handled")
    await page.get_by_text("Delete the group…").click()
    await page.get_by_role("button", name="Delete group").click()
    await expect(page.get_by_role("alert")).to_contain_text("working on group")
    await scene.mailer.close()
    await page.get_by_text("Delete the group…").click()
    await page.get_by_role("button", name="Delete group").click()
    await expect(page.get_by_role("status")).to_have_text("The group was deleted.")
    await expect(page.get_by_text("No group has subscribed.")).to_be_visible()


async def test_the_log_is_filtered_and_followed(page: Page, scene: Scene) -> None:
    await page.goto("log")
    rows = page.locator("#rows > li")
    await expect(rows).to_have_count(36)
    await page.get_by_label("Type").fill("OrderPlaced")
    await page.keyboard.press("Enter")
    await expect(rows).to_have_count(2)
    await place(scene.app, "live-1", "tea")
    await expect(rows).to_have_count(3)
    await expect(rows.first).to_contain_text("Order/live-1")
    live = page.get_by_role("button", name="Live")
    await live.click()
    await expect(live).to_have_attribute("aria-pressed", "false")
    await place(scene.app, "paused-1", "tea")
    await live.click()
    await expect(rows).to_have_count(4)  # what came meanwhile, once
    await page.reload()
    await expect(rows).to_have_count(4)


async def test_travelling_through_the_versions_of_a_stream(page: Page) -> None:
    await page.goto("streams")
    await page.get_by_label("Type").fill("Order")
    await page.get_by_label("Id begins with").fill("o-2")
    await page.get_by_role("button", name="Filter").click()
    await page.get_by_role("link", name="o-2").click()
    state = page.locator("#at")
    await expect(state).to_contain_text("State at version 25")
    await expect(state).to_contain_text("Main St 25")
    await page.get_by_label("Previous version").click()
    await expect(state.locator("mark")).to_contain_text("Main St 24")
    await expect(page.locator("html.scripted")).to_be_attached()
    slider = page.get_by_role("slider", name="Version")
    await slider.focus()
    for version in (23, 22, 21):
        await page.keyboard.press("ArrowLeft")
        await expect(state).to_contain_text(f"State at version {version}")
        await expect(slider).to_be_focused()
    await page.keyboard.press("Home")
    await expect(state).to_contain_text("Before the first event.")
    await page.keyboard.press("ArrowRight")
    await expect(state.locator("mark", has_text='"customer"')).to_have_count(1)
    assert page.url.endswith("version=1")
    await expect(page.locator("[aria-current=step]")).to_contain_text("OrderPlaced")
    await page.reload()
    await expect(state).to_contain_text("State at version 1")


async def test_from_an_event_to_its_causes_and_effects(page: Page) -> None:
    await page.goto("log?type=OrderShipped")
    await page.locator("#rows .position").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("OrderShipped")
    causes = page.locator("section", has=page.get_by_role("heading", name="Cause and effects"))
    await expect(causes).to_contain_text("GoodsHandedOver of Stock/tea")
    await causes.get_by_role("link", name="PaymentReceived").click()
    await expect(page.get_by_text("ann", exact=True)).to_be_visible()
    await page.get_by_role("link", name="talk-1").click()
    await expect(page.locator(".tree > ol > li")).to_have_count(2)
    shipped = page.locator(".tree ol ol > li", has_text="OrderShipped")
    await expect(shipped.locator("ol > li")).to_contain_text("GoodsHandedOver")


async def test_finding_a_document_of_a_view(page: Page) -> None:
    await page.goto("views")
    await page.get_by_role("link", name="orders").click()
    await page.get_by_label("customer", exact=True).fill("ann")
    await page.get_by_label("progress", exact=True).fill("shipped")
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.get_by_role("link", name="o-1").click()
    await expect(page.locator("pre")).to_contain_text('"progress": "shipped"')
    await page.goto("view?name=orders")
    await page.get_by_label("placed_at", exact=True).fill("yesterday")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_role("alert")).to_contain_text("does not stand for a value")
    await expect(page.get_by_label("placed_at", exact=True)).to_have_value("yesterday")


async def test_a_deadline_leads_to_the_state_that_armed_it(page: Page) -> None:
    await page.goto("processes")
    await page.get_by_role("link", name="fulfilment").click()
    await expect(page.get_by_role("row", name=re.compile("payment o-2"))).to_be_visible()
    await page.get_by_role("row", name=re.compile("payment")).get_by_role("link").click()
    await expect(page.get_by_text("payment, due")).to_be_visible()


async def test_the_overview_refreshes_itself_until_it_is_told_not_to(
    page: Page, scene: Scene
) -> None:
    await page.clock.install()
    await page.goto("")
    await expect(page.locator(".rows > li").first).to_contain_text("GoodsHandedOver")
    await place(scene.app, "fresh", "tea")
    await page.clock.run_for(6_000)
    await expect(page.locator(".rows")).to_contain_text("Order/fresh")
    await expect(page.get_by_role("img", name="Waiting events")).to_be_visible()
    await page.get_by_role("button", name="Live").click()
    await place(scene.app, "later", "tea")
    await page.clock.run_for(60_000)
    await expect(page.locator(".rows")).not_to_contain_text("Order/later")


async def test_an_overview_that_is_out_of_date_says_so(page: Page) -> None:
    await page.clock.install()
    await page.goto("")
    await page.context.set_offline(offline=True)
    await page.clock.run_for(6_000)
    await expect(page.get_by_role("button", name="No answer")).to_be_visible()
    await page.context.set_offline(offline=False)
    await page.clock.run_for(6_000)
    await expect(page.get_by_role("button", name="Live")).to_be_visible()


async def test_who_may_only_look_finds_nothing_to_press(page: Page) -> None:
    await page.set_extra_http_headers({"X-Only": "read"})
    for path in (f"group?name={GROUP}", "view?name=purchases"):
        await page.goto(path)
        await expect(page.locator("form[method=post]")).to_have_count(0)
        await expect(page.get_by_text("Read-only.")).to_be_visible()


async def test_everything_is_reached_with_the_keyboard(page: Page) -> None:
    await page.goto(f"group?name={GROUP}")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_text("Move the group…")).to_be_focused()
    await page.reload()
    reached = await page.evaluate(
        "[...document.querySelectorAll('a[href], button, summary, input:not([type=hidden]), pre')]"
        ".filter(each => each.checkVisibility() && each.tabIndex >= 0).length"
    )
    seen: set[str] = set()
    for _ in range(reached):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(
            "(() => { const each = document.activeElement;"
            " const { outlineStyle, outlineWidth } = getComputedStyle(each);"
            " return [[...document.querySelectorAll('*')].indexOf(each), outlineStyle,"
            " outlineWidth] })()"
        )
        assert focused[1:] == ["solid", "2px"]
        seen.add(str(focused[0]))
    assert len(seen) == reached


@pytest.mark.parametrize("path", ["log", "stream?type=Order&id=o-2"])
async def test_pages_work_without_a_script(
    browser: Browser, running: tuple[Scene, str], path: str
) -> None:
    scene, url = running
    context = await browser.new_context(base_url=url, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(path)
    if path == "log":
        await place(scene.app, "new", "tea")
        await page.get_by_role("link", name="Reload").click()
        await expect(page.locator("#rows > li", has_text="Order/new")).not_to_have_count(0)
    else:
        await page.get_by_role("slider").focus()
        await page.keyboard.press("Home")
        await page.get_by_role("button", name="Go").click()
        await expect(page.locator("#at")).to_contain_text("Before the first event.")
    await context.close()
