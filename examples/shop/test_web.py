"""The shop over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response

from eventhus.errors import CompositionError
from eventhus_memory import MemoryStore
from eventhus_testing import FaultyStore, memory_application
from examples.shop.composition import compose
from examples.shop.order import order
from examples.shop.payment import payment
from examples.shop.stock import Stock, stock
from examples.shop.views import orders, shelf
from examples.shop.web.app import create_app

HOME = {
    "name": "Ann",
    "street": "Main St 1",
    "postcode": "10115",
    "city": "Berlin",
    "country": "DE",
}
BASKET = {
    "lines": [{"product": "tea", "quantity": 2}, {"product": "pot", "quantity": 1}],
    "ship_to": HOME,
}


def client_of(app: FastAPI) -> AsyncClient:
    """Return a client of the shop, on behalf of Ann."""
    return AsyncClient(
        transport=ASGITransport(app), base_url="http://shop", headers={"X-User": "ann"}
    )


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    """A client of a shop in memory with three teas and one pot."""
    async with compose() as shop, client_of(create_app(shop)) as client:
        for product, quantity, price in [("tea", 3, "4.50"), ("pot", 1, "21.00")]:
            delivered = await client.post(
                f"/products/{product}/deliveries", json={"quantity": quantity, "price": price}
            )
            client.headers["X-Position"] = delivered.headers["X-Position"]
        yield client


async def ordered(client: AsyncClient, key: str = "k1") -> Response:
    """Order two teas and a pot."""
    return await client.post("/orders", json=BASKET, headers={"Idempotency-Key": key})


async def test_an_order_has_the_prices_of_the_shelf(client: AsyncClient) -> None:
    placed = await ordered(client)
    assert (201, '"1"') == (placed.status_code, placed.headers["ETag"])
    shown = await client.get(placed.headers["Location"])
    assert '"1"' == shown.headers["ETag"]
    assert {
        "status": "placed",
        "lines": [
            {"product": "tea", "quantity": 2, "price": "4.50"},
            {"product": "pot", "quantity": 1, "price": "21.00"},
        ],
        "total": "30.00",
        "ship_to": HOME,
    } == shown.json()


async def test_a_repeated_request_places_one_order(client: AsyncClient) -> None:
    first, second = await ordered(client), await ordered(client)
    assert (201, first.json()) == (second.status_code, second.json())
    other = await ordered(client, key="k2")
    assert first.json() != other.json()


async def test_a_lost_answer_is_given_again_to_the_same_key() -> None:
    store = FaultyStore(MemoryStore())
    async with (
        memory_application(order, stock, payment, views=[orders, shelf], store=store) as shop,
        client_of(create_app(shop)) as client,
    ):
        store.loses_acknowledgement("append")
        delivery, key = {"quantity": 1, "price": "1.00"}, {"Idempotency-Key": "1"}
        lost, given = [
            await client.post("/products/tea/deliveries", json=delivery, headers=key)
            for _ in range(2)
        ]
        assert (503, 204) == (lost.status_code, given.status_code)
        assert Stock(available=1) == await shop.state(stock, "tea")


async def test_a_key_belongs_to_one_url(client: AsyncClient) -> None:
    url = (await ordered(client)).headers["Location"]
    await client.post(f"{url}/cancellation", headers={"Idempotency-Key": "k1"})
    assert "cancelled" == (await client.get(url)).json()["status"]


async def test_two_customers_with_one_key_place_two_orders(client: AsyncClient) -> None:
    first = await ordered(client)
    client.headers["X-User"] = "bob"
    assert first.json() != (await ordered(client)).json()


async def test_a_change_of_what_somebody_else_has_changed_is_refused(client: AsyncClient) -> None:
    placed = await ordered(client)
    url = f"{placed.headers['Location']}/address"
    seen = {"If-Match": placed.headers["ETag"]}
    first = await client.put(url, json=HOME | {"street": "Side St 2"}, headers=seen)
    second = await client.put(url, json=HOME | {"street": "Back St 3"}, headers=seen)
    assert [(204, '"2"'), (412, None)] == [
        (each.status_code, each.headers.get("ETag")) for each in (first, second)
    ]


async def test_a_refusal_is_a_problem_with_its_reason(client: AsyncClient) -> None:
    paid = await client.post("/orders/o1/payment", json={"amount": "30.00"})
    assert (409, "application/problem+json") == (paid.status_code, paid.headers["Content-Type"])
    assert ("/problems/no-payment-due", "order o1 has no open payment") == (
        paid.json()["type"],
        paid.json()["detail"],
    )


async def test_customers_see_their_own_orders_only(client: AsyncClient) -> None:
    url = (await ordered(client)).headers["Location"]
    client.headers["X-User"] = "bob"
    assert 404 == (await client.get(url)).status_code
    assert 404 == (await client.post(f"{url}/cancellation")).status_code


async def test_orders_are_listed_in_pages_the_newest_first(client: AsyncClient) -> None:
    placed = [await ordered(client, key) for key in "123"]
    client.headers["X-Position"] = placed[-1].headers["X-Position"]
    first = (await client.get("/orders?limit=2")).json()
    rest = (await client.get("/orders", params={"limit": 2, "after": first["next"]})).json()
    assert [each.json()["order_id"] for each in reversed(placed)] == [
        each["order_id"] for each in first["items"] + rest["items"]
    ]
    assert rest["next"] is None


async def test_customers_find_their_own_orders_by_progress(client: AsyncClient) -> None:
    client.headers["X-Position"] = (await ordered(client)).headers["X-Position"]
    for user, progress, found in [
        ("ann", "placed", 1),
        ("ann", "shipped", 0),
        ("bob", "placed", 0),
    ]:
        client.headers["X-User"] = user
        page = await client.get("/orders", params={"progress": [progress, "refunded"]})
        assert found == len(page.json()["items"])


async def test_products_are_listed_up_to_a_price_the_cheapest_first(client: AsyncClient) -> None:
    tea = {"product": "tea", "price": "4.50", "available": 3}
    pot = {"product": "pot", "price": "21.00", "available": 1}
    assert [tea, pot] == (await client.get("/products")).json()["items"]
    assert [tea] == (await client.get("/products?at_most=20.99")).json()["items"]


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/orders?after=made-up", 400),
        ("/orders?limit=0", 422),
        ("/orders?progress=lost", 422),
        ("/products?at_most=cheap", 422),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    client: AsyncClient, url: str, status: int
) -> None:
    assert status == (await client.get(url)).status_code


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"lines": []}, 422),
        ({"lines": [{"product": "tea", "quantity": 0}]}, 422),
        ({"lines": [{"product": "tea", "quantity": 1}] * 2}, 409),
        ({"lines": [{"product": "coffee", "quantity": 1}]}, 409),
        ({"ship_to": HOME | {"city": ""}}, 422),
    ],
)
async def test_a_basket_that_makes_no_sense_is_refused(
    client: AsyncClient, change: dict[str, Any], status: int
) -> None:
    refused = await client.post("/orders", json=BASKET | change)
    assert (status, "application/problem+json") == (
        refused.status_code,
        refused.headers["Content-Type"],
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-User": ""}, 401),
        ({"Idempotency-Key": ""}, 422),
        ({"If-Match": "1"}, 400),
        ({"X-Position": "first"}, 422),
    ],
)
async def test_a_header_that_makes_no_sense_is_refused(
    client: AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert status == (await client.post("/orders", json=BASKET, headers=headers)).status_code


async def test_an_error_of_the_framework_is_a_problem_too(client: AsyncClient) -> None:
    answer = await client.delete("/orders")
    assert (405, "application/problem+json", "POST") == (
        answer.status_code,
        answer.headers["Content-Type"],
        answer.headers["Allow"],
    )


async def test_text_that_is_not_unicode_is_refused(client: AsyncClient) -> None:
    half = r'{"lines": [{"product": "\ud800", "quantity": 1}], "ship_to": {}}'
    answer = await client.post(
        "/orders", content=half, headers={"Content-Type": "application/json"}
    )
    assert (422, "application/problem+json") == (answer.status_code, answer.headers["Content-Type"])


@pytest.mark.parametrize("name", ["SHOP_STORE", "SHOP_BUS"])
def test_the_environment_names_the_servers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "abacus://")
    with pytest.raises(CompositionError, match="abacus"):
        compose()


async def test_a_read_waits_for_its_view_but_not_for_ever(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("examples.shop.web.headers.PATIENCE_S", 0.05)
    answer = await client.post("/orders", json=BASKET, headers={"X-Position": "999"})
    assert (503, "application/problem+json") == (answer.status_code, answer.headers["Content-Type"])
