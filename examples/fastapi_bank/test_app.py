"""The bank over HTTP."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from eventhus import Application, Committed, StreamId
from eventhus.errors import CompositionError, TooManyConflicts
from eventhus.middleware import Envelope, Handler
from examples.bank.account import account
from examples.fastapi_bank.app import create, create_app


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A client of a bank without customers."""
    app = create_app(Application.open(bucket="bank", aggregates=[account]))
    with TestClient(app, headers={"X-User": "mishudark"}) as client:
        yield client


@pytest.fixture
def url(client: TestClient) -> str:
    """The URL of an account with a balance of 100, at version 2."""
    url = client.post("/accounts", json={"owner": "mishudark"}).headers["Location"]
    client.post(f"{url}/deposits", json={"amount": 100})
    return url


def balance(client: TestClient, url: str) -> object:
    """Return the balance of an account."""
    return client.get(url).json()["balance"]


def test_an_account_is_created_and_shown(client: TestClient) -> None:
    """The answer has the location, and both answers have the version."""
    created = client.post("/accounts", json={"owner": "mishudark"})
    account_id = created.json()["account_id"]
    assert (201, f"/accounts/{account_id}") == (created.status_code, created.headers["Location"])

    shown = client.get(created.headers["Location"])
    assert {"account_id": account_id, "owner": "mishudark", "balance": 0} == shown.json()
    assert ['"1"', '"1"'] == [created.headers["ETag"], shown.headers["ETag"]]


def test_commands_answer_with_the_new_version(client: TestClient, url: str) -> None:
    """Each answer carries the entity tag of the new version."""
    answers = [
        client.post(f"{url}/deposits", json={"amount": 200}),
        client.post(f"{url}/withdrawals", json={"amount": 249}),
        client.put(f"{url}/owner", json={"owner": "ada"}),
    ]
    assert [(204, '"3"'), (204, '"4"'), (204, '"5"')] == [
        (answer.status_code, answer.headers["ETag"]) for answer in answers
    ]
    shown = client.get(url)
    assert ("ada", 51, '"5"') == (
        shown.json()["owner"],
        shown.json()["balance"],
        shown.headers["ETag"],
    )


def test_a_command_that_changes_nothing_keeps_the_version(client: TestClient, url: str) -> None:
    """Naming the present owner is accepted."""
    answer = client.put(f"{url}/owner", json={"owner": "mishudark"})
    assert (204, '"2"') == (answer.status_code, answer.headers["ETag"])


def test_a_refused_command_is_a_problem(client: TestClient, url: str) -> None:
    """The reason is a type for programs and a sentence for people."""
    answer = client.post(f"{url}/withdrawals", json={"amount": 101})
    assert (409, "application/problem+json") == (
        answer.status_code,
        answer.headers["Content-Type"],
    )
    assert {
        "type": "/problems/insufficient-funds",
        "title": "Insufficient funds",
        "status": 409,
        "detail": "balance 100 does not cover 101",
    } == answer.json()
    assert 100 == balance(client, url)


def test_the_same_key_is_carried_out_once(client: TestClient, url: str) -> None:
    """A repeated request gets the first answer."""
    first, second = (
        client.post(f"{url}/deposits", json={"amount": 7}, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    )
    assert [(204, '"3"'), (204, '"3"')] == [
        (answer.status_code, answer.headers["ETag"]) for answer in (first, second)
    ]
    assert 107 == balance(client, url)


def test_the_same_key_creates_one_account(client: TestClient) -> None:
    """A repeated request names the account that the first one made."""
    first, second = (
        client.post("/accounts", json={"owner": "ada"}, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    )
    assert (201, 201) == (first.status_code, second.status_code)
    assert first.json() == second.json()


def test_a_key_belongs_to_one_account(client: TestClient, url: str) -> None:
    """A key that was used for another account is refused, without naming that account."""
    other = client.post("/accounts", json={"owner": "ada"}).headers["Location"]
    key = {"Idempotency-Key": "k"}
    client.post(f"{url}/deposits", json={"amount": 7}, headers=key)
    answer = client.post(f"{other}/deposits", json={"amount": 7}, headers=key)
    assert (422, "this Idempotency-Key was used for another account") == (
        answer.status_code,
        answer.json()["detail"],
    )
    assert 0 == balance(client, other)


def test_a_command_may_insist_on_a_version(client: TestClient, url: str) -> None:
    """It is carried out at that version, and not at a later one."""
    seen = {"If-Match": client.get(url).headers["ETag"]}
    first, second = (
        client.post(f"{url}/withdrawals", json={"amount": 10}, headers=seen) for _ in range(2)
    )
    assert (204, 412) == (first.status_code, second.status_code)
    assert "application/problem+json" == second.headers["Content-Type"]
    assert 90 == balance(client, url)


@pytest.mark.parametrize("tag", ["2", '"two"', 'W/"2"', "*", '"1", "2"', ""])
def test_a_version_is_one_tag_of_this_api(client: TestClient, url: str, tag: str) -> None:
    """Any other form of If-Match is refused."""
    answer = client.post(f"{url}/deposits", json={"amount": 1}, headers={"If-Match": tag})
    assert (400, "application/problem+json") == (
        answer.status_code,
        answer.headers["Content-Type"],
    )
    assert 100 == balance(client, url)


def test_an_empty_key_is_a_bad_request(client: TestClient, url: str) -> None:
    """It could not tell one request from the next."""
    answer = client.post(f"{url}/deposits", json={"amount": 1}, headers={"Idempotency-Key": ""})
    assert 400 == answer.status_code
    assert 100 == balance(client, url)


def test_an_account_that_does_not_exist_is_not_found(client: TestClient) -> None:
    """It cannot be shown, and commands for it are refused."""
    shown = client.get("/accounts/nobodys")
    assert {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is no account nobodys",
    } == shown.json()
    answer = client.post("/accounts/nobodys/deposits", json={"amount": 1})
    assert (409, "/problems/account-not-found") == (answer.status_code, answer.json()["type"])


def test_what_the_framework_refuses_is_a_problem_too(client: TestClient, url: str) -> None:
    """Clients read one kind of answer, and the framework's headers stay."""
    answer = client.delete(url)
    assert (405, "application/problem+json", "GET") == (
        answer.status_code,
        answer.headers["Content-Type"],
        answer.headers["Allow"],
    )


@pytest.mark.parametrize("amount", [2**63, 1.5, True, "1", None])
def test_an_amount_is_a_number_that_an_event_can_carry(
    client: TestClient, url: str, amount: object
) -> None:
    """Every other amount is refused before it reaches the domain."""
    answer = client.post(f"{url}/deposits", json={"amount": amount})
    assert 422 == answer.status_code
    assert 100 == balance(client, url)


def test_too_many_at_once_are_asked_to_come_again() -> None:
    """Losing every race is not a failed precondition."""

    def busy(_: Handler) -> Handler:
        async def handle(envelope: Envelope) -> Committed:
            raise TooManyConflicts(StreamId("Account", envelope.command.aggregate_id), 10)

        return handle

    bank = Application.open(bucket="bank", aggregates=[account], middleware=[busy])
    with TestClient(create_app(bank)) as client:
        assert 503 == client.post("/accounts", json={"owner": "ada"}).status_code


def test_the_server_takes_its_urls_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The factory runs on what the environment names, and by default in memory."""
    with TestClient(create()) as client:
        assert 201 == client.post("/accounts", json={"owner": "ada"}).status_code
    for name in ("EVENTHUS_STORE", "EVENTHUS_BUS"):
        with monkeypatch.context() as environment:
            environment.setenv(name, "abacus://")
            with pytest.raises(CompositionError, match="abacus"):
                create()


@pytest.mark.parametrize("body", [r'{"owner": "\ud800"}', '{"owner": "' + "x" * 201 + '"}'])
def test_an_owner_that_cannot_be_stored_is_unprocessable(client: TestClient, body: str) -> None:
    """The answer must not repeat the text, since half a surrogate pair is not valid UTF-8."""
    answer = client.post("/accounts", content=body, headers={"Content-Type": "application/json"})
    assert 422 == answer.status_code


def test_a_key_that_is_too_long_is_unprocessable(client: TestClient) -> None:
    """Without a limit a client decides how large the store's index grows."""
    headers = {"Idempotency-Key": "k" * 256}
    answer = client.post("/accounts", json={"owner": "ada"}, headers=headers)
    assert 422 == answer.status_code


def test_two_users_with_one_key_get_accounts_of_their_own(client: TestClient) -> None:
    """The same user who repeats the request gets the same account."""
    created = [
        client.post(
            "/accounts", json={"owner": user}, headers={"Idempotency-Key": "1", "X-User": user}
        ).json()["account_id"]
        for user in ("ada", "bob", "ada")
    ]
    assert created[0] == created[2]
    assert created[0] != created[1]


def test_a_key_without_a_user_is_refused(client: TestClient) -> None:
    """All requests without a user would share their keys."""
    answer = client.post(
        "/accounts", json={"owner": "ada"}, headers={"Idempotency-Key": "1", "X-User": ""}
    )
    assert 401 == answer.status_code
