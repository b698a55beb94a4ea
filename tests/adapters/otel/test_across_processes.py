"""One trace from a request over two processes, a MongoDB and a NATS."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx2 import ASGITransport, AsyncClient
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from eventhus import Application
from eventhus_testing.servers.nats import delete_streams
from tests.adapters.otel.support import PlaceOrder, Telemetry, bill, order
from tests.adapters.otel.traces import Span, lines_of, plain

ROOT = Path(__file__).parents[3]


@pytest.fixture
def bucket(mongo_bucket: str, nats_url: str) -> Iterator[str]:
    """A bucket on both servers."""
    yield mongo_bucket
    delete_streams(nats_url, mongo_bucket)


def web(app: Application, telemetry: Telemetry) -> Starlette:
    """An endpoint with a server span, as the instrumentation of a web framework makes it."""
    tracer = telemetry.tracers.get_tracer("web")

    async def place_order(request: Request) -> Response:
        with tracer.start_as_current_span("POST /orders", kind=SpanKind.SERVER):
            await app.dispatch(PlaceOrder(aggregate_id="o1", price=5))
        return Response(status_code=201)

    return Starlette(routes=[Route("/orders", place_order, methods=["POST"])])


async def spans_of_a_worker(store: str, bus: str, bucket: str) -> list[Span]:
    """Run the other process to its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.adapters.otel.worker", store, bus, bucket),
        cwd=ROOT,
        stdout=PIPE,
    )
    told, _ = await process.communicate()
    assert 0 == process.returncode
    return [json.loads(line) for line in told.splitlines()]


async def test_one_trace_leads_from_a_request_to_a_handler_and_a_process_elsewhere(
    mongo_url: str, nats_url: str, bucket: str
) -> None:
    """The document shows it."""
    telemetry = Telemetry("web")
    async with asyncio.timeout(60):
        async with (
            Application.open(
                bucket=bucket,
                aggregates=[order, bill],
                store=mongo_url,
                bus=nats_url,
                work=False,
                observer=telemetry.observer,
            ) as app,
            AsyncClient(
                transport=ASGITransport(web(app, telemetry)), base_url="http://test"
            ) as client,
        ):
            assert 201 == (await client.post("/orders")).status_code
        spans = plain(telemetry.spans) + await spans_of_a_worker(mongo_url, nats_url, bucket)
    assert 1 == len({span["context"]["trace_id"] for span in spans})
    shown = json.loads(json.dumps(spans).replace(bucket, "shop"))
    trace = "".join(f"{line}\n" for line in lines_of(shown))
    document = (ROOT / "docs/telemetry.md").read_text(encoding="utf-8")
    assert f"```text\n{trace}```" in document, trace
