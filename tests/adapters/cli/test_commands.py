"""Each command, on a bank in memory: as text, and as JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eventhus.ports import Finding
from eventhus_cli.root import eventhus
from eventhus_memory import MemoryStore
from tests.adapters.cli.sample import HOSTILE

SAMPLE = "tests.adapters.cli.sample"
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z")
ULID = re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b")


def run(*args: str, app: str = "filled", **environment: str) -> Result:
    """Run a command on one of the samples."""
    runner = CliRunner(env={"COLUMNS": "", **environment})
    return runner.invoke(eventhus, ["--app", f"{SAMPLE}:{app}", *args])


def text(*args: str, code: int = 0, **options: str) -> list[str]:
    """The lines of an answer, with marks in place of times and ids."""
    result = run(*args, **options)
    assert (code, "") == (result.exit_code, result.stderr)
    shown = TIME.sub("TIME", ULID.sub("ID", result.stdout))
    return [re.sub(r"TIME +", "TIME  ", line).rstrip() for line in shown.splitlines()]


def answer(*args: str, code: int = 0, **options: str) -> Any:
    """The answer as JSON, with marks in place of times and ids."""
    result = run(*args, "--json", **options)
    assert (code, "") == (result.exit_code, result.stderr)
    return masked(json.loads(result.stdout))


def masked(value: Any) -> Any:
    match value:
        case dict():
            return {key: masked(each) for key, each in value.items()}
        case list():
            return [*map(masked, value)]
        case str():
            return TIME.sub("TIME", ULID.sub("ID", value))
        case _:
            return value


def failure(*args: str, code: int = 2, **options: str) -> str:
    """The one line about a failure."""
    result = run(*args, **options)
    assert (code, "") == (result.exit_code, result.stdout)
    (line,) = result.stderr.splitlines()
    return line.removeprefix("eventhus: ")


STREAM = {"aggregate_type": "Account", "aggregate_id": "a1"}
OPENED = {
    "stream": STREAM,
    "version": 1,
    "position": 1,
    "id": "ID-1",
    "type": "Opened",
    "schema": 1,
    "data": {"owner": "Ada"},
    "tags": [],
    "recorded_at": "TIME",
    "correlation_id": "visit-1",
    "causation_id": None,
    "metadata": {},
    "problem": None,
}


def test_status_names_what_somebody_has_to_look_at() -> None:
    lines = text("status", code=1)
    assert lines[0] == "bucket bank: NOT HEALTHY, ready, 6 events"
    assert "view rates             6        0       1" in lines
    assert any(line.startswith("!  ") and "rates" in line for line in lines)
    assert any(line.startswith("!  ") and "mail" in line for line in lines)


def test_status_of_a_healthy_bucket_ends_with_0() -> None:
    assert text("status", app="empty")[0] == "bucket bank: healthy, ready, 0 events"


def test_an_empty_bucket_is_a_problem_where_its_name_was_typed() -> None:
    args = ["status", "--store", "memory://", "--bucket", "bnak"]
    result = CliRunner().invoke(eventhus, args)
    assert (1, "") == (result.exit_code, result.stderr)
    assert "!  the bucket holds no events; check --store and --bucket\n" in result.stdout


def test_status_as_json() -> None:
    found = answer("status", code=1)
    assert {*found} == {
        "bucket",
        "is_healthy",
        "at",
        "is_live",
        "is_ready",
        "head",
        "readers",
        "problems",
    }
    assert ("bank", False, 6) == (found["bucket"], found["is_healthy"], found["head"])
    (rates,) = [each for each in found["readers"] if each["name"] == "rates"]
    assert {*rates} == {
        "kind",
        "name",
        "version",
        "is_declared",
        "position",
        "head",
        "waiting",
        "waiting_since",
        "moved_at",
        "owner",
        "owned_since",
        "parked",
        "dead_letters",
        "error",
        "problems",
    }
    assert ("view", 1, 6, 1) == (
        rates["kind"],
        rates["version"],
        rates["position"],
        rates["parked"],
    )


def test_tail_shows_the_last_events() -> None:
    assert text("tail", "-n", "2") == [
        '     5  TIME  Paid                  Account/b2 v3             {"amount": 7}',
        '     6  TIME  Paid                  Account/thanks v1         {"amount": 1}',
    ]


def test_tail_begins_after_a_position_and_filters() -> None:
    def positions(lines: list[str]) -> list[int]:
        return [int(line.split()[0]) for line in lines]

    assert [5, 6] == positions(text("tail", "--after", "4"))
    assert [1, 3] == positions(text("tail", "--type", "Opened"))
    assert [3] == positions(text("tail", "--type", "Opened", "-n", "1"))
    assert [] == text("tail", "--tag", "vip")
    assert [] == text("tail", "-n", "0")
    assert [] == text("tail", app="empty")


def test_tail_as_json_has_an_event_on_each_line() -> None:
    lines = run("tail", "--json").stdout.splitlines()
    assert 6 == len(lines)
    assert OPENED == masked(json.loads(lines[0]))


def test_an_event_is_shown_with_its_causes_and_effects() -> None:
    assert text("event", "2") == [
        "position     2",
        "id           ID-1",
        "type         Paid",
        "stream       Account/a1",
        "version      2",
        "recorded     TIME",
        "correlation  ID",
        "{",
        '  "amount": 1000',
        "}",
        "",
        "conversation ID",
        "Paid  2  Account/a1 v2  <-- this one",
        "└─ Paid  6  Account/thanks v1",
    ]


def test_an_event_as_json() -> None:
    assert answer("event", "1") == {
        "event": OPENED,
        "conversation": {
            "correlation_id": "visit-1",
            "size": 1,
            "is_cut": False,
            "events": [{"depth": 0, "event": OPENED}],
        },
    }


def test_streams_are_listed_page_by_page() -> None:
    assert text("streams", "--limit", "2") == [
        "STREAM      VERSION  POSITION",
        "Account/a1        2         2",
        "Account/b2        3         5",
        "more: --after Account/b2",
    ]
    assert text("streams", "--after", "Account/b2")[1:] == ["Account/thanks        1         6"]
    assert answer("streams", "--type", "Account", "--prefix", "a") == {
        "streams": [{"stream": STREAM, "version": 2, "position": 2}]
    }


def test_a_stream_shows_what_each_event_changed() -> None:
    lines = text("stream", "Account/a1", "--after", "1")
    assert lines[1:] == ["    ~ balance: 0 -> 1000"]
    assert lines == text("stream", "Account", "a1", "--after", "1")
    assert text("stream", "Account/a1", "--limit", "1")[-1] == "more: --after 1"
    found = answer("stream", "Account/a1", "--limit", "1")
    assert found["stream"] == STREAM
    assert found["steps"] == [
        {
            "event": OPENED,
            "differences": [{"path": "owner", "kind": "changed", "before": "", "after": "Ada"}],
            "is_cut": False,
            "problem": None,
        }
    ]


def test_a_state_is_shown_as_it_is_and_as_it_was() -> None:
    assert text("state", "Account/a1")[:2] == ["Account/a1 at version 2", "{"]
    assert answer("state", "Account/a1", "--version", "1") == {
        "stream": STREAM,
        "version": 1,
        "data": {"owner": "Ada", "balance": 0},
        "problem": None,
    }


def test_views_are_listed_shown_and_searched() -> None:
    assert text("views", "list") == [
        "READER         POSITION  WAITING  PARKED",
        "view balances         6        0",
        "view rates            6        0       1",
    ]
    assert answer("views", "show", "balances", "a1")["document"] == {
        "key": "a1",
        "position": 2,
        "data": {"owner": "Ada", "balance": 1000},
        "deadlines": [],
        "problem": None,
    }
    assert text("views", "find", "balances", "--where", "owner=Ada") == [
        "KEY  POSITION  VALUE",
        'a1          2  {"owner": "Ada", "balance": 1000}',
    ]
    page = answer("views", "find", "balances", "--limit", "1")
    assert ["a1"] == [each["key"] for each in page["documents"]]
    rest = answer("views", "find", "balances", "--after", page["cursor"])
    assert ["b2", "thanks"] == [each["key"] for each in rest["documents"]]


def test_views_are_built_reset_and_pruned() -> None:
    result = run("views", "build", "balances", "rates")
    assert (0, "") == (result.exit_code, result.stdout)
    shown = [line.partition(" (100 %)")[0] for line in result.stderr.splitlines()]
    assert shown == ["view balances: 6 of 6 events", "view rates: 6 of 6 events"]
    assert text("views", "reset", "balances", "--yes") == [
        "view balances was reset; a worker folds it again"
    ]
    assert answer("views", "prune", "--yes") == {"pruned": []}
    assert text("views", "prune") == ["deleted: nothing, no version is older"]


def test_old_versions_of_views_are_pruned() -> None:
    assert [line.split()[1:3] for line in text("views", "list", app="newer")[1:]] == [
        ["balances", "6"],
        ["rates", "v2"],
        ["rates", "(not"],
    ]
    assert failure("views", "prune", app="newer").startswith(
        "Delete 1 version of views: rates v1? Nobody can be asked here"
    )
    assert text("views", "prune", "--yes", app="newer") == ["deleted: rates v1"]
    assert answer("views", "prune", "rates", "balances", "--yes", app="bare")["pruned"] == [
        {"name": "balances", "version": 1},
        {"name": "rates", "version": 1},
    ]


def test_what_no_code_declares_is_shown_with_the_reason() -> None:
    lines = text("state", "Account/a1", code=1, app="bare")
    assert lines[0] == "Account/a1 at version 2"
    assert lines[1].startswith("!  ")
    assert answer("state", "Account/a1", code=1, app="bare")["data"] is None
    assert any(line.startswith("    !") for line in text("stream", "Account/a1", app="bare"))
    assert all("! " in line for line in text("tail", app="bare"))
    assert any(line.startswith("problem ") for line in text("event", "1", app="bare"))
    assert text("views", "show", "balances", "a1", app="bare") == text(
        "views", "show", "balances", "a1"
    )


def test_parked_keys_are_listed_retried_and_skipped() -> None:
    assert text("parked", "list") == text("parked", "list", "rates")
    assert text("parked", "list", "view:rates") == [
        "READER      KEY  POSITION  ERROR            SINCE",
        "view rates  b2          4  ArithmeticError  TIME",
    ]
    assert answer("parked", "list")["parked"] == [
        {
            "kind": "view",
            "name": "rates",
            "version": 1,
            "key": "b2",
            "position": 4,
            "error": "ArithmeticError",
            "at": "TIME",
        }
    ]
    assert text("parked", "list", app="empty") == ["no parked keys"]
    assert text("parked", "retry", "rates", "b2", code=1)[0].startswith("!  ")
    assert answer("parked", "retry", "rates", "b2", code=1)["released"] == []
    assert text("parked", "retry", "rates", "b2", app="mended") == ["b2 is no longer parked"]
    skip = ("parked", "skip", "rates", "b2", "4", "--why", "a test", "--yes")
    assert text(*skip) == ["b2 is no longer parked"]
    assert answer(*skip) == {"released": ["b2"], "skipped": 4}


def test_dead_letters_are_listed_and_shown() -> None:
    assert text("dead", "list", "mail") == [
        "NUMBER  EVENT   STREAM      ERROR         ATTEMPTS  SINCE",
        "     1  Opened  Account/a1  RuntimeError         1  TIME",
        "     2  Opened  Account/b2  RuntimeError         1  TIME",
    ]
    assert text("dead", "list", "mail", "--limit", "1")[-1] == "more: --after 1"
    assert text("dead", "list", "mail", "--after", "2") == ["no dead letters"]
    assert text("dead", "show", "mail", "1")[0] == "number    1"
    letter = answer("dead", "show", "mail", "1")["dead_letter"]
    assert [letter] == answer("dead", "list", "mail", "--limit", "1")["dead_letters"]
    assert letter == {
        "group": "mail",
        "number": 1,
        "event_id": "ID-1",
        "position": 1,
        "stream": STREAM,
        "type": "Opened",
        "error": "RuntimeError",
        "attempts": 1,
        "at": "TIME",
        "body": {
            "aggregate_id": "a1",
            "aggregate_type": "Account",
            "version": 1,
            "type": "Opened",
            "data": {"owner": "Ada"},
        },
        "problem": None,
    }


def test_dead_letters_are_replayed_and_discarded() -> None:
    replay = ("dead", "replay", "mail", "--yes", "--handler")
    assert text(*replay, f"{SAMPLE}:accept") == ["handled 2, failed again 0"]
    assert text(*replay, f"{SAMPLE}:refuse", code=1) == ["handled 0, failed again 2"]
    assert answer(*replay, f"{SAMPLE}:accept", "--number", "2") == {"handled": 1, "failed": 0}
    assert text("dead", "discard", "mail", "2", "1", "2", "--yes") == ["discarded 2"]
    assert answer("dead", "discard", "mail", "1", "--yes") == {"discarded": [1]}


def test_groups_are_listed_and_moved() -> None:
    assert text("groups", "list") == [
        "READER      POSITION  WAITING  DEAD",
        "group mail         6        0     2",
    ]
    (group,) = answer("groups", "list")["groups"]
    assert ("group", "mail", 2) == (group["kind"], group["name"], group["dead_letters"])
    assert text("groups", "list", app="empty") == ["no groups"]
    assert text("groups", "move", "mail", "--to", "beginning", "--yes") == [
        "group mail goes on after 0"
    ]
    assert answer("groups", "move", "mail", "--to", "3", "--yes") == {"moved": "mail", "to": 3}
    assert text("groups", "move", "mail", "--to", "now", "--yes") == ["group mail goes on after 6"]


def test_a_group_that_nobody_uses_is_deleted() -> None:
    delete = ("groups", "delete", "mail", "--yes")
    assert text(*delete, app="handled") == ["group mail was deleted"]
    assert answer(*delete, app="handled") == {"deleted": "mail"}


def test_a_group_with_dead_letters_is_not_deleted() -> None:
    assert "group 'mail' has dead letters; replay or discard them first" == failure(
        "groups", "delete", "mail", "--yes"
    )


def test_a_parked_key_is_told_with_commands_in_place_of_methods() -> None:
    step = "mend the code and call eventhus parked retry, or leave the event out with eventhus"
    assert step in " ".join(text("parked", "retry", "rates", "b2", code=1))
    assert "eventhus parked list lists the keys" in failure("parked", "retry", "balances", "a1")


def test_a_failure_names_the_options_and_paths_of_this_command() -> None:
    needed = "--prefix needs --type, the type of the streams"
    assert needed == failure("streams", "--prefix", "a")
    told = "'send' is not the path of a handler; write module:name, such as shop.mails:send_mail"
    assert told == failure("dead", "replay", "mail", "--handler", "send", "--yes")


def test_a_damaged_lease_is_a_problem_beside_the_others() -> None:
    _, lease, _, problem = text("leases", app="damaged", code=1)
    assert lease.startswith("view_balances")
    assert "!  the lease 'view_rates' is damaged" == problem
    held, broken = answer("leases", app="damaged", code=1)["leases"]
    assert "somebody" == held["owner"]
    assert {"name": "view_rates", "problem": "the lease 'view_rates' is damaged"} == broken
    status = "\n".join(text("status", app="damaged", code=1))
    assert "view rates cannot be read: the lease 'view_rates' is damaged" in status
    assert "did not answer" not in status


def test_leases_are_listed() -> None:
    header, lease = text("leases", app="busy")
    assert header.split() == ["NAME", "OWNER", "TOKEN", "SINCE", "UNTIL"]
    assert lease.split() == ["view_balances", "somebody", "1", "TIME", "TIME"]
    (found,) = answer("leases", app="busy")["leases"]
    assert {"name", "owner", "token", "since", "until"} == {*found}
    assert "somebody" in "".join(text("status", app="busy"))
    assert text("leases") == ["no leases are held"]
    assert answer("leases") == {"leases": []}


def test_the_domain_is_described() -> None:
    assert text("describe") == [
        "bucket bank",
        "",
        "COMMAND  HANDLED BY         FIELDS",
        "Open     aggregate Account  aggregate_id: str, owner: str",
        "Pay      aggregate Account  aggregate_id: str, amount: int",
        "",
        "EVENT   STREAM   SCHEMA  FIELDS",
        "Opened  Account  1       owner: str",
        "Paid    Account  1       amount: int",
        "",
        "READER          VERSION  READS         INDEXES",
        "view balances         1  Opened, Paid  owner",
        "view rates            1  Paid",
        "process thanks        1  Paid",
    ]
    found = answer("describe")
    assert {"bucket", "commands", "events", "readers"} == {*found}
    assert found["commands"][0] == {
        "name": "Open",
        "handled_by": "aggregate Account",
        "fields": [{"name": "aggregate_id", "type": "str"}, {"name": "owner", "type": "str"}],
        "doc": "Open an account.",
    }


def test_doctor_lists_findings() -> None:
    (header, *rows) = text("doctor")
    assert header.split() == ["CHECK", "STATUS", "DETAIL", "ADVICE"]
    findings = answer("doctor")["findings"]
    assert len(rows) == len(findings)
    assert {*findings[0]} >= {"name", "status", "detail", "advice"}


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_doctor_shows_no_credentials_that_an_adapter_lets_out(
    monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    async def diagnose(self: MemoryStore) -> list[Finding]:
        url = "mongodb://ada:s3cret@db1"
        return [Finding.error("store", f"cannot reach {url}", f"try {url}")]

    monkeypatch.setattr(MemoryStore, "diagnose", diagnose)
    result = run("doctor", *form)
    assert "cannot reach mongodb://" in result.stdout
    assert "s3cret" not in result.stdout


@pytest.mark.parametrize("args", [(), ("views",)])
def test_without_a_command_the_help_is_shown(args: tuple[str, ...]) -> None:
    result = CliRunner().invoke(eventhus, args)
    assert (2, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith("Usage: eventhus ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion(shell: str) -> None:
    assert "_EVENTHUS_COMPLETE" in run("completion", shell).stdout


WRONG = {
    ("event", "nope"): "the log has no event nope; give its id or position",
    ("event", "99"): "the log has no event 99; give its id or position",
    ("stream", "a1"): "a1 is not a stream; write its type and id, such as Account/a1",
    ("stream", "Account/"): "Account/ is not a stream; write its type and id, such as Account/a1",
    ("stream", "Account/zz"): (
        "the log has no stream Account/zz; eventhus streams lists those it has"
    ),
    ("state", "Account/zz"): (
        "the log has no stream Account/zz; eventhus streams lists those it has"
    ),
    ("views", "show", "nope", "a1"): "there is no view 'nope'; there are: balances, rates",
    ("views", "show", "balances", "zz"): (
        "view balances has nothing for that key; eventhus views find lists keys"
    ),
    ("views", "find", "balances", "-w", "owner"): (
        "--where takes FIELD=VALUE, such as customer=c1"
    ),
    ("views", "build", "nope"): "there is no view nope; there is: balances, rates",
    ("parked", "retry", "nope", "k"): (
        "there is no view or process nope; there is: balances, rates, thanks"
    ),
    ("dead", "show", "mail", "9"): (
        "group mail has no dead letter 9; eventhus dead list mail shows those that it has"
    ),
    ("dead", "replay", "mail", "--handler", "json:nope"): (
        "json has no nope; check the name after the colon"
    ),
    ("groups", "move", "nope", "--to", "now"): "there is no group nope; there is: mail",
    ("groups", "delete", "nope"): "there is no group nope; there is: mail",
    ("groups", "move", "mail", "--to", "9x"): (
        "--to takes beginning, now or a position of the log"
    ),
}


@pytest.mark.parametrize("args", WRONG, ids=" ".join)
def test_wrong_arguments_end_with_2_and_one_line(args: tuple[str, ...]) -> None:
    assert WRONG[args] == failure(*args)


@pytest.mark.parametrize(
    ("args", "begin", "end"),
    [
        (["tali"], "No such command 'tali'", "see eventhus --help"),
        (["tail", "--lin"], "No such option", "see eventhus tail --help"),
        (["views", "show"], "Missing argument 'VIEW'", "see eventhus views show --help"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_line(args: list[str], begin: str, end: str) -> None:
    """The rest of the line is that of click."""
    line = failure(*args)
    assert line.startswith(begin)
    assert line.endswith(end)


DANGEROUS = {
    ("views", "reset", "rates"): "Delete view rates and fold 6 events again?",
    ("parked", "skip", "rates", "b2", "4", "--why", "x"): (
        "Leave 1 event, at position 4, out of view rates for key b2?"
    ),
    ("dead", "replay", "mail", "--handler", f"{SAMPLE}:accept"): (
        f"Handle 2 dead letters of group mail again, with {SAMPLE}:accept?"
    ),
    ("dead", "replay", "mail", "--number", "2", "--handler", f"{SAMPLE}:accept"): (
        f"Handle 1 dead letter, number 2, of group mail again, with {SAMPLE}:accept?"
    ),
    ("dead", "discard", "mail", "1", "2"): (
        "Delete 2 dead letters of group mail for good: 1 (Opened), 2 (Opened)?"
    ),
    ("groups", "move", "mail", "--to", "2"): (
        "Move group mail from 6 to 2, handling up to 4 events again?"
    ),
    ("groups", "delete", "mail"): "Delete group mail?",
}


@pytest.mark.parametrize("args", DANGEROUS, ids=" ".join)
def test_what_is_dangerous_is_refused_where_nobody_can_be_asked(args: tuple[str, ...]) -> None:
    line = failure(*args)
    assert line == f"{DANGEROUS[args]} Nobody can be asked here; add --yes to do it"


SHOWING = [
    ("status",),
    ("tail",),
    ("event", "1"),
    ("streams",),
    ("stream", "Account", HOSTILE),
    ("state", "Account", HOSTILE),
    ("views", "find", "balances"),
    ("views", "show", "balances", HOSTILE),
    ("parked", "list"),
    ("parked", "retry", "rates", HOSTILE),
]


@pytest.mark.parametrize("columns", ["40", "120", ""])
@pytest.mark.parametrize("args", SHOWING, ids=lambda args: args[0])
def test_hostile_data_is_escaped(args: tuple[str, ...], columns: str) -> None:
    for form in ([], ["--json"]):
        result = run(*args, *form, app="hostile", COLUMNS=columns)
        assert result.exit_code in (0, 1), result.output
        assert all(line.isprintable() for line in result.stdout.splitlines())
        assert "" == result.stderr
        if args[0] != "status" and not (columns == "40" and not form):
            assert "[bold]b[/bold] <b>x</b>" in result.stdout


def test_an_event_name_may_hold_anything() -> None:
    """Not only data is somebody else's."""
    assert failure("stream", f"Account/{HOSTILE}").isprintable()
    assert failure("views", "show", HOSTILE, HOSTILE).isprintable()
    assert failure("event", HOSTILE).isprintable()
