"""Attacks by other sites and by data, in a real Chromium."""

import html
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from attrs import frozen
from playwright.async_api import Browser, Page
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eventhus_console import Access, console
from tests.adapters.console.conftest import serving
from tests.adapters.console.scene import GROUP, Scene, shop, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Recorder:
    """Passes requests on, and remembers how those that act were answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.answered: list[int] = []
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def record(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["method"] == "POST":
                self.answered.append(message["status"])
            await send(message)

        await self._app(scope, receive, record)


@frozen
class Target:
    """A shop, and a console in which everybody may act."""

    scene: Scene
    answered: list[int]
    url: str


@pytest_asyncio.fixture(loop_scope="session")
async def target() -> AsyncIterator[Target]:
    """Serve the console that is attacked."""
    async with shop() as scene:
        recorder = Recorder(console(scene.app, authorize=lambda _: Access.ACT))
        async with serving(recorder) as url:
            yield Target(scene, recorder.answered, url)


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """An open tab."""
    context = await browser.new_context()
    yield await context.new_page()
    await context.close()


def other_site(body: str) -> Starlette:
    """Return a site that serves one page."""
    return Starlette(routes=[Route("/", lambda _: HTMLResponse(body))])


FORM = """<form method="post" action="{url}discard" enctype="{type}">
<input name="name" value="mailer"><input name="number" value="1"></form>
<script>document.forms[0].submit()</script>"""
SANDBOX = '<iframe sandbox="allow-scripts allow-forms" srcdoc="{form}"></iframe>'
FETCH = """<script>fetch("{url}discard", {{method: "POST", mode: "no-cors", credentials: "include",
body: new URLSearchParams("name=mailer&number=1")}}).finally(() => document.title = "sent")
</script>"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("kind", ["form", "text form", "sandboxed form", "fetch"])
async def test_another_site_cannot_act(page: Page, target: Target, kind: str, host: str) -> None:
    """Seen from 127.0.0.1, another port is the same site; localhost is another one."""
    url = target.url
    form = FORM.format(url=url, type="application/x-www-form-urlencoded")
    attack = {
        "form": form,
        "text form": FORM.format(url=url, type="text/plain"),
        "sandboxed form": SANDBOX.format(form=html.escape(form)),
        "fetch": FETCH.format(url=url),
    }[kind]
    async with serving(other_site(attack)) as evil:
        await page.goto(evil.replace("127.0.0.1", host), wait_until="commit")
        await until(lambda: target.answered)
    assert target.answered == [403]
    assert len(await target.scene.operations.dead_letters(GROUP)) == 3


async def test_another_site_cannot_frame_or_read_the_console(page: Page, target: Target) -> None:
    url = target.url
    body = f"""<iframe src="{url}"></iframe><img src="{url}icon.svg"><script src="{url}console.js">
    </script><script>fetch("{url}log").then(r => r.text()).catch(() => "refused")
    .then(text => document.title = text)</script>"""
    async with serving(other_site(body)) as evil:
        failed: list[str] = []
        page.on("requestfailed", lambda request: failed.append(request.url.removeprefix(url)))
        await page.goto(evil)
        await page.wait_for_function("document.title == 'refused'")
        framed = [each.url for each in page.frames[1:]]
        assert framed == ["chrome-error://chromewebdata/"]
        assert {"icon.svg", "console.js"} <= {*failed}


async def test_hostile_names_stay_text(page: Page, target: Target) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    for path in ("", "log", "streams", "event?at=3", "view?name=purchases", f"group?name={GROUP}"):
        await page.goto(target.url + path)
        assert await page.locator("img").count() == 0
        assert "owned" not in await page.title()
        text = await page.evaluate("document.documentElement.textContent")
        assert not {"\u202e", "\x1b", "\x00"} & {*text}
    await page.goto(target.url + "streams?type=Stock")
    await page.get_by_role("link", name="onerror").click()
    assert r"\u202egnp.exe\x1b[31m" in await page.locator("h1").inner_text()
    await page.wait_for_load_state("networkidle")
    assert complaints == []
