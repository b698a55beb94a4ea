"""The README tells the truth: its requests get the answers that it shows."""

import re
import shlex
from pathlib import Path

from httpx2 import AsyncClient, Response

from examples.shop.fulfilment import fulfilment
from examples.shop.test_web import client_of
from examples.shop.web.app import create

README = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
CURL = re.compile(
    r"^\$ curl (?P<arguments>.*?[^\\])\n(?P<answer>.*?)(?=^\$|^```)", re.MULTILINE | re.DOTALL
)


async def sent(client: AsyncClient, arguments: str) -> Response:
    """Send the request that curl would send."""
    words = iter(shlex.split(arguments.replace("\\\n", "")))
    method, url, headers, body = "GET", "", dict[str, str](), None
    for word in words:
        match word:
            case "-i":
                pass
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "--json":
                body = next(words)
                method = "POST" if method == "GET" else method
                headers["Content-Type"] = "application/json"
            case _:
                url = word.removeprefix("localhost:8000")
    return await client.request(method, url, headers=headers, content=body)


def as_curl_prints(response: Response) -> list[str]:
    """Return the lines of an answer."""
    status = f"HTTP/1.1 {response.status_code} {response.reason_phrase}"
    headers = [f"{name}: {value}" for name, value in response.headers.items()]
    return [status, *headers, "", response.text]


async def test_every_request_gets_the_answer_in_the_readme() -> None:
    app = create()
    async with app.router.lifespan_context(app), client_of(app) as client:
        requests = list(CURL.finditer(README))
        assert len(requests) > 5
        for each in requests:
            answer = as_curl_prints(await sent(client, each["arguments"]))
            assert set(each["answer"].splitlines()) <= set(answer)
            for _ in range(3):  # the process answers events with commands, which lead to events
                await app.state.shop.caught_up(fulfilment)
