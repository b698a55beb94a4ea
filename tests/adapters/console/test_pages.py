"""Tests of the pages without a browser."""

import html
import re
from collections import Counter
from html.parser import HTMLParser
from random import Random
from urllib.parse import urlencode, urljoin

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.routing import Mount

from eventhus import Application
from eventhus.operations import Difference, Redactable
from eventhus_cattrs import CattrsCodec
from eventhus_console import Access, console
from eventhus_console.rendering import Renderer
from eventhus_memory import MemoryStore
from examples.shop.fulfilment import fulfilment
from examples.shop.views import orders
from tests.adapters.cli.sample import damaged
from tests.adapters.console.conftest import client_of
from tests.adapters.console.scene import CONVERSATION, ESCAPE, GROUP, HTML, REVERSED, Scene, place

PAGES = [
    "",
    "log",
    "log?type=OrderPlaced",
    "log?before=5",
    "event?at=3",
    "streams",
    "streams?type=Order&prefix=o-",
    "stream?type=Order&id=o-2",
    "stream?type=Order&id=o-2&version=0",
    "stream?type=Order&id=o-2&version=3",
    f"conversation?id={CONVERSATION}",
    "views",
    "view?name=orders",
    "view?name=orders&where.customer=ann&where.progress=placed",
    "view?name=purchases",
    "processes",
    "process?name=fulfilment",
    "document?kind=view&name=orders&key=o-1",
    "document?kind=process&name=fulfilment&key=o-2",
    "groups",
    f"group?name={GROUP}",
    "leases",
]


FORMS = {"retry", "skip", "replay", "discard", "move", "delete_group", "stream", "view"}
AFTER_THE_END = "event?at=37"


class Links(HTMLParser):
    """Collects what a page links to, and the elements that are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "link", "input"}:
            self.open.append(tag)
        for name, value in attrs:
            if name in {"href", "src", "action", "data-tail"} and value is not None:
                self.found.append(value)
            assert name not in {"style", "onclick", "onload", "onerror"}

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Elements of SVG close themselves."""

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop(), self.getpos()


async def test_every_page_is_whole_and_every_link_leads_somewhere(scene: Scene) -> None:
    seen: set[str] = set()
    ahead = [*PAGES]
    async with client_of(console(scene.app, authorize=lambda _: Access.ACT)) as client:
        while ahead:
            path = ahead.pop()
            if path in seen or path.startswith("tail"):
                continue
            seen.add(path)
            response = await client.get(path)
            if path in FORMS:
                continue
            assert response.status_code == 200 or path == AFTER_THE_END, (path, response.text)
            if "html" in response.headers["content-type"]:
                links = Links(response.text)
                assert links.open == []
                assert not [each for each in links.found if each.startswith(("/", "http"))]
                ahead += [each.partition("#")[0] for each in links.found]
    assert len(seen) > 60


async def test_a_damaged_lease_is_shown_beside_the_others() -> None:
    async with damaged().watching() as app, client_of(console(app)) as client:
        leases, overview = await client.get("leases"), await client.get("")
    assert (200, 200) == (leases.status_code, overview.status_code)
    assert "somebody" in leases.text
    assert "the lease 'view_rates' is damaged" in html.unescape(leases.text)
    assert "view rates cannot be read: the lease 'view_rates'" in html.unescape(overview.text)


@pytest.mark.parametrize("framework", [FastAPI, Starlette])
async def test_a_console_is_mounted_under_any_path(
    scene: Scene, framework: type[FastAPI | Starlette]
) -> None:
    outer = framework()
    outer.mount("/tools/console", console(scene.app))
    transport = ASGITransport(Starlette(routes=[Mount("/deep", outer)]), root_path="/proxy")
    base = "http://console/proxy/deep/tools/console/"
    async with AsyncClient(transport=transport, base_url=base) as client:
        for path in ["", "log", "nowhere", "not/there/at/all"]:
            page = await client.get(path)
            links = [each for each in Links(page.text).found if each[:4] not in {"tail", "#mai"}]
            assert len(links) > 8
            for each in links:
                found = await client.get(urljoin(urljoin(base, path), each))
                assert found.status_code == 200, (path, each)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nowhere", "There is no such page"),
        ("event?at=999", "the log holds no event 999"),
        ("event?id=nobody-1", "the log holds no event nobody-1"),
        ("event?at=0", "the log holds no event 0"),
        ("stream?type=Order&id=o", "the log holds no stream Order/o"),
        ("stream?type=Order&id=o-2&version=26", "is at version 25, so it has no version 26"),
        ("conversation?id=nobody", "the log holds no conversation nobody"),
        ("view?name=nobody", "there is no view nobody"),
        ("view?name=orders&version=9", "no version 9 of the view orders"),
        ("process?name=orders", "there is no process orders"),
        ("document?kind=view&name=orders&key=o-9", "has no document with the key o-9"),
        ("group?name=nobody", "there is no consumer group nobody"),
    ],
)
async def test_what_is_not_there_is_not_found(scene: Scene, path: str, text: str) -> None:
    async with client_of(console(scene.app)) as client:
        response = await client.get(path)
        assert (404, True) == (response.status_code, text in html.unescape(response.text))
        assert 'href="log"' in response.text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("event", "the parameter"),
        ("event?at=x", "must be a whole number"),
        ("event?at=1" + 20 * "0", "must be a whole number"),
        ("event?at=²", "must be a whole number"),
        ("log?before=0", "above 0"),
        ("stream?type=Order", "the parameter id is missing"),
        ("document?kind=x&name=orders&key=k", "must be view or process"),
        ("log?type=%ff", "not those of a link"),
        ("view?name=orders&where.progress=lost", "does not stand for a value of Progress"),
        ("view?name=orders&where.placed_at=2026-01-01", "index"),
        ("view?name=orders&order=-placed_at&after=xyz", "index"),
    ],
)
async def test_bad_parameters_are_told(scene: Scene, path: str, text: str) -> None:
    async with client_of(console(scene.app)) as client:
        response = await client.get(path)
        assert (400, True) == (response.status_code, text in html.unescape(response.text))


async def test_names_cannot_hide_or_reorder_or_run(scene: Scene) -> None:
    async with client_of(console(scene.app)) as client:
        for path in ["log", "streams", "event?at=3", "view?name=purchases", f"group?name={GROUP}"]:
            text = (await client.get(path)).text
            assert html.escape(HTML, quote=False).replace("'", "&#39;") in text, path
            assert r"\u202egnp.exe" in text
            assert r"\x1b[31m" in text
            assert not {*text} & {*HTML[:1], REVERSED[0], ESCAPE[0]} - {"<"}
            assert "<img" not in text


async def test_lone_surrogates_do_not_break_a_page(scene: Scene) -> None:
    async with client_of(console(scene.app)) as client:
        for path in ["event?id=%ED%A0%BD", "view?name=%ED%A0%BD", "log?type=%ED%A0%BD"]:
            response = await client.get(path)
            assert response.status_code in {200, 400, 404}
            assert "<title>" in response.text
    data = {"half \ud83d": ["\udc00", "\u2066", "\x00"]}
    found = Difference(path="\udfff", kind="added", after=data)
    step = "{% from 'macros.html' import data, differences %}{{ data(it) }}{{ differences([d]) }}"
    text = Renderer("\ud800").environment.from_string(step).render(it=data, d=found)
    assert text.encode().decode() == text
    for each in [r"half \ud83d", r"\udc00", r"\u2066", r"\u0000", r"\udfff"]:
        assert each in text


async def test_redacted_data_is_nowhere(scene: Scene) -> None:
    def redact(redactable: Redactable) -> object:
        return {"kind": redactable.kind}

    async with client_of(console(scene.app, redact=redact)) as client:
        for path in PAGES:
            assert "Main St" not in (await client.get(path)).text


async def test_a_change_is_marked_in_the_state(scene: Scene) -> None:
    async with client_of(console(scene.app)) as client:
        page = (await client.get("stream?type=Order&id=o-2&version=3")).text
        (marked,) = re.findall("<mark>(.*?)</mark>", page)
        assert "street" in marked
        assert "Main St 3" in html.unescape(marked)
        assert re.search(r"Main St 2.*→.*Main St 3", html.unescape(page), re.DOTALL)
        first = (await client.get("stream?type=Order&id=o-2&version=0")).text
        assert "Before the first event." in first


async def test_pages_of_the_log_lead_to_each_other(scene: Scene) -> None:
    for number in range(60):
        await place(scene.app, f"more-{number}", "tea")
    async with client_of(console(scene.app)) as client:
        first = (await client.get("log")).text
        (older,) = re.findall('href="(log\\?before=[0-9]+)" rel="next"', first)
        second = (await client.get(older)).text
        shown = [
            re.findall('class="position" href="event\\?at=([0-9]+)"', each)
            for each in (first, second)
        ]
        positions = [int(each) for page in shown for each in page]
        assert positions == [*range(positions[0], positions[-1] - 1, -1)]
        assert "data-tail" in first
        assert "data-tail" not in second


@pytest.mark.parametrize(
    ("path", "row", "number"),
    [
        ("streams?type=Order", r'<th scope="row"><a href="stream', 62),
        ("view?name=orders", r'<th scope="row"><a href="document', 62),
        ("view?name=orders&where.customer=ann", r'<th scope="row"><a href="document', 62),
        ("view?name=orders&order=-customer -progress placed_at", r'"row"><a href="document', 62),
        ("process?name=fulfilment", r'"row"><a href="document[^"]*key=more', 60),
    ],
)
async def test_long_lists_come_in_pages(scene: Scene, path: str, row: str, number: int) -> None:
    for each in range(60):
        await place(scene.app, f"more-{each}", "tea")
    await scene.app.caught_up(orders)
    await scene.app.caught_up(fulfilment)
    rows: list[str] = []
    following: str | None = path
    async with client_of(console(scene.app)) as client:
        while following:
            page = (await client.get(following)).text
            documents = page[page.rindex("<table>") :]
            rows += re.findall(f"{row}[^>]*>", documents)
            found = re.findall('href="([^"]+)" rel="next"', page)
            following = html.unescape(found[0]) if found else None
    assert (number, number) == (len(rows), len({*rows}))


async def test_a_console_waits_for_its_application() -> None:
    app = Application(bucket="later", store=MemoryStore(), codec=CattrsCodec())
    async with client_of(console(app)) as client:
        response = await client.get("log")
        assert (503, True) == (response.status_code, "is not running" in response.text)
        async with app:
            assert (await client.get("log")).status_code == 200
            assert "All is well" in (await client.get("")).text


ODD = ["", "0", "1", "-1", "9" * 18, "9" * 30, "\x00", "\ud800", "\u202e", "a" * 5_000, "$where"]
NAMES = ["orders", "purchases", "fulfilment", GROUP, "view", "process", "o-1", "Order", "beginning"]
FIELDS = re.findall(
    r"\S+",
    """type tag stream before at id prefix after_type after_id version name kind key order after
    parked done handled failed where.customer where.progress position number why to""",
)


async def test_no_parameters_break_the_console(scene: Scene) -> None:
    chance = Random(14)
    actions = sorted(FORMS - {"stream", "view"})
    paths = sorted({each.partition("?")[0] for each in PAGES}) + actions
    statuses: Counter[int] = Counter()
    async with client_of(console(scene.app, authorize=lambda _: Access.ACT)) as client:
        for _ in range(500):
            given = {
                each: chance.choice([*ODD, *NAMES])
                for each in [*chance.sample(FIELDS, 3), "name", "kind", "key"]
            }
            path, encoded = chance.choice(paths), urlencode(given, errors="surrogatepass")
            if path in actions:
                type_ = {"Content-Type": "application/x-www-form-urlencoded"}
                response = await client.post(path, content=encoded.encode(), headers=type_)
            else:
                response = await client.get(f"{path}?{encoded}")
            assert response.status_code < 500, (path, given, response.text)
            response.content.decode()
            statuses[response.status_code] += 1
    assert statuses[200] > 50
    assert statuses[400] > 50
