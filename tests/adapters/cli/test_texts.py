"""Shown text holds no credentials, and nothing that acts on a terminal."""

from __future__ import annotations

import pytest

from eventhus_cli.texts import compact, indented, one_line, without_secrets

SECRETS = [
    ("mongodb://ada:secret@db1,db2/?x=1", "mongodb://***@db1,db2/?x=1"),
    ("nats://token@host:4222", "nats://***@host:4222"),
    ("nats://a:p@ss/w@rd'@host and nats://b:c@d", "nats://***@host and nats://***@d"),
    (
        "mongodb://h/?tlsCertificateKeyFilePassword=x&authMechanismProperties=TOKEN:y&w=1",
        "mongodb://h/?tlsCertificateKeyFilePassword=***&authMechanismProperties=***&w=1",
    ),
    ("mail to ada@example.org", "mail to ada@example.org"),
]


@pytest.mark.parametrize(("text", "shown"), SECRETS)
def test_credentials_are_never_shown(text: str, shown: str) -> None:
    assert shown == without_secrets(text)


def test_a_message_is_one_line() -> None:
    assert r"a b\x1b[31m c" == one_line("a\nb\x1b[31m\t c\n")


def test_data_is_escaped_and_stays_readable() -> None:
    hostile = {"é": "\x1b[31m\u202e\x9b\ud800\n[red]<b>"}
    shown = r'"\u001b[31m\u202e\x9b\ud800\n[red]<b>"'
    assert f'{{"é": {shown}}}' == compact(hostile)
    assert f'{{\n  "é": {shown}\n}}' == indented(hostile)
