"""Tests of who may look and who may act, and of attacks from other sites."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from eventhus.errors import InvalidArgument
from eventhus_console import Access, console
from eventhus_console.actions import ACTIONS
from tests.adapters.console.conftest import client_of
from tests.adapters.console.scene import GROUP, Scene

PATHS = ["", "log", "tail", "event?at=1", "console.css", "console.js", "nowhere", "a/b"]
DISCARD = {"name": GROUP, "number": "1"}


def acting(_: Request) -> Access:
    return Access.ACT


async def letters(scene: Scene) -> int:
    """Return the number of dead letters."""
    return len(await scene.operations.dead_letters(GROUP))


@pytest.mark.parametrize("path", PATHS)
async def test_a_refused_request_reaches_nothing(scene: Scene, path: str) -> None:
    async with client_of(console(scene.app, authorize=lambda _: None)) as client:
        for method in ("GET", "HEAD", "POST", "PUT"):
            response = await client.request(method, path)
            assert response.status_code == 403
            assert response.text in {"", "You may not use this console.\n"}


async def test_authorize_may_be_a_coroutine_and_ask_who_it_is(scene: Scene) -> None:
    async def authorize(request: Request) -> Access | None:
        if "authorization" not in request.headers:
            raise HTTPException(401, headers={"WWW-Authenticate": "Basic"})
        return Access.READ if request.headers["authorization"] == "ann" else None

    async with client_of(console(scene.app, authorize=authorize)) as client:
        asked = await client.get("log")
        assert (asked.status_code, asked.headers["www-authenticate"]) == (401, "Basic")
        assert "default-src 'none'" in asked.headers["content-security-policy"]
        assert (await client.get("log", headers={"Authorization": "ann"})).status_code == 200
        assert (await client.get("log", headers={"Authorization": "eve"})).status_code == 403


async def test_authorize_must_answer_with_an_access(scene: Scene) -> None:
    wrong: Any = lambda _: True  # noqa: E731
    async with client_of(console(scene.app, authorize=wrong)) as client:
        with pytest.raises(InvalidArgument, match="returns an Access or None, found bool"):
            await client.get("log")


async def test_a_console_is_read_only_by_default(scene: Scene) -> None:
    async with client_of(console(scene.app)) as client:
        for path in [f"group?name={GROUP}", "view?name=purchases"]:
            page = await client.get(path)
            assert page.status_code == 200
            assert 'method="post"' not in page.text
            assert "Read-only." in page.text
        for action in ACTIONS:
            response = await client.post(action, data=DISCARD)
            assert response.status_code == 403
            assert "but not act" in response.text
    assert await letters(scene) == 3


async def test_buttons_are_there_for_those_who_may_act(scene: Scene) -> None:
    async with client_of(console(scene.app, authorize=acting)) as client:
        assert 'action="discard"' in (await client.get(f"group?name={GROUP}")).text
        assert 'action="skip"' in (await client.get("view?name=purchases")).text


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_link_never_acts(scene: Scene, action: str) -> None:
    """An image or a prefetched link of another site sends GET."""
    async with client_of(console(scene.app, authorize=acting)) as client:
        response = await client.get(action, params=DISCARD)
        assert response.status_code == 405
    assert await letters(scene) == 3


ATTACKS: dict[str, Callable[[], list[tuple[str, str]]]] = {
    "another site": lambda: [
        ("Origin", "http://evil"),
        ("Sec-Fetch-Site", "cross-site"),
    ],
    "a sibling of the same site": lambda: [
        ("Origin", "http://other.console"),
        ("Sec-Fetch-Site", "same-site"),
    ],
    "a header that claims another origin is ours": lambda: [
        ("Origin", "http://console"),
        ("Sec-Fetch-Site", "cross-site"),
    ],
    "an old browser on another site": lambda: [("Origin", "http://evil")],
    "an old browser on another port": lambda: [("Origin", "http://console:8080")],
    "a name that ends like ours": lambda: [("Origin", "http://evil-console")],
    "a name that begins like ours": lambda: [("Origin", "http://console.evil")],
    "ours as the user of another": lambda: [("Origin", "http://console@evil")],
    "a sandboxed frame or a file": lambda: [("Origin", "null")],
    "another scheme": lambda: [("Origin", "ftp://console")],
    "not a URL": lambda: [("Origin", "http://[")],
    "an empty origin": lambda: [("Origin", "")],
    "no header at all": list,
    "only a referrer of ours": lambda: [("Referer", "http://console/group")],
    "two origins": lambda: [("Origin", "http://console"), ("Origin", "http://evil")],
    "two sites": lambda: [
        ("Sec-Fetch-Site", "same-origin"),
        ("Sec-Fetch-Site", "cross-site"),
    ],
    "a bookmark": lambda: [("Sec-Fetch-Site", "none")],
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_action_of_another_site_is_refused(scene: Scene, attack: str) -> None:
    async with client_of(console(scene.app, authorize=acting)) as client:
        for name in ("Origin", "Sec-Fetch-Site"):
            del client.headers[name]
        response = await client.post("discard", data=DISCARD, headers=ATTACKS[attack]())
        assert response.status_code == 403, response.text
        assert "must come from a page of this console" in response.text
    assert await letters(scene) == 3


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://console"},
        {"Origin": "http://console"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://outside", "Host": "inside"},
    ],
    ids=["a browser", "an old browser", "behind a proxy that changes the host"],
)
async def test_an_action_of_our_own_page_is_done(scene: Scene, headers: dict[str, str]) -> None:
    async with client_of(console(scene.app, authorize=acting)) as client:
        for name in ("Origin", "Sec-Fetch-Site"):
            del client.headers[name]
        response = await client.post("discard", data=DISCARD, headers=headers)
        assert response.status_code == 303
        assert response.headers["location"] == "group?name=mailer&done=discarded"
    assert await letters(scene) == 2


@pytest.mark.parametrize("type_", ["text/plain", "multipart/form-data; boundary=x", ""])
async def test_a_form_of_another_encoding_is_refused(scene: Scene, type_: str) -> None:
    async with client_of(console(scene.app, authorize=acting)) as client:
        response = await client.post(
            "discard", content=b"name=mailer&number=1", headers={"Content-Type": type_}
        )
        assert response.status_code == 415
    assert await letters(scene) == 3


async def test_a_form_is_bounded(scene: Scene) -> None:
    async with client_of(console(scene.app, authorize=acting)) as client:
        response = await client.post("discard", data={"name": "x" * 70_000})
        assert response.status_code == 413
        response = await client.post("discard", data={str(each): "" for each in range(100)})
        assert response.status_code == 400


@pytest.mark.parametrize(
    "path",
    ["", "log", "console.css", "nowhere", "event?at=999", "event?at=x", "discard", "tail?after=x"],
)
async def test_every_response_has_the_headers_that_keep_other_sites_away(
    scene: Scene, path: str
) -> None:
    async with client_of(console(scene.app)) as client:
        response = await client.get(path)
        policy = {
            name: value
            for each in response.headers["content-security-policy"].split(";")
            for name, _, value in [each.strip().partition(" ")]
        }
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self'",
            "connect-src": "'self'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
        }
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "same-origin"
        assert response.headers["cache-control"] == "no-store"
        assert "set-cookie" not in response.headers
