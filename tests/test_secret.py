"""Secrets can be used, and seen nowhere."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from pathlib import Path

import msgspec
import pytest

from eventflow import Secret, ValueNotStorable, codec
from eventflow.engine.failures import failure
from eventflow.secret import revealed, without_secrets

CANARY = "c4n4ry"


def test_a_secret_is_only_seen_where_it_is_revealed() -> None:
    secret = Secret(CANARY)
    assert secret.reveal() == revealed(secret) == revealed(CANARY) == CANARY
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>40}", f"{secret!r}", repr([secret]), repr({"a": secret})]
    assert all(CANARY not in text and "***" in text for text in shown)


WRITERS = {"pickle": pickle.dumps, "copy": copy.deepcopy, "json": json.dumps, "msgspec": msgspec.json.encode, "plain": msgspec.to_builtins}


@pytest.mark.parametrize("write", [*WRITERS.values(), codec.canonical], ids=[*WRITERS, "canonical"])
def test_a_secret_is_written_nowhere(write) -> None:
    with pytest.raises((TypeError, ValueNotStorable)) as refused:
        write(Secret(CANARY))
    assert CANARY not in "".join(traceback.format_exception(refused.value))


def test_a_secret_has_no_attributes_to_look_through() -> None:
    assert not hasattr(Secret(CANARY), "__dict__")
    logging.getLogger("test").warning("secret %s", Secret(CANARY))


def test_equal_secrets_are_equal() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


@pytest.mark.parametrize("empty", ["", None, 5, b"bytes"])
def test_a_secret_is_a_text_that_is_not_empty(empty) -> None:
    with pytest.raises(ValueError, match="isn't empty"):
        Secret(empty)


def test_a_secret_comes_from_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", CANARY)
    assert Secret.of_variable("MY_SECRET") == Secret(CANARY)
    for missing in (lambda: monkeypatch.setenv("MY_SECRET", ""), lambda: monkeypatch.delenv("MY_SECRET")):
        missing()
        with pytest.raises(ValueError, match="variable MY_SECRET"):
            Secret.of_variable("MY_SECRET")


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{CANARY}\n")
    assert Secret.of_file(file) == Secret(CANARY)
    file.write_text(" \n")
    with pytest.raises(ValueError, match="is empty"):
        Secret.of_file(file)
    with pytest.raises(ValueError, match="can't be read: FileNotFoundError"):
        Secret.of_file(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no secrets here", "no secrets here"),
        ("postgres://ada:c4n4ry@db:5432/x", "postgres://***@db:5432/x"),
        ("postgres://ada:c4n@4ry@db:5432/x", "postgres://***@db:5432/x"),
        ("https://c4n4ry@host/?a=1&token=c4n4ry&b=2", "https://***@host/?a=1&token=***&b=2"),
        ("https://host/p?X-Amz-Signature=c4n4ry#end", "https://host/p?X-Amz-Signature=***#end"),
        ("https://host/p?api_key=c4n4ry", "https://host/p?api_key=***"),
        ("https://host/p?key=c4n4ry", "https://host/p?key=***"),
        ("host=db user=ada password=c4n4ry sslmode=off", "host=db user=ada password=*** sslmode=off"),
        ("two: a://x:c4n4ry@h and b://y:c4n4ry@h", "two: a://***@h and b://***@h"),
        ("see https://host/a@b and mail to a@b", "see https://host/a@b and mail to a@b"),
        ("monkey=1 keyword=2", "monkey=1 keyword=2"),
        ("postgresql://u:p'c4n4ry@h/db", "postgresql://***@h/db"),
        ("mysql+pymysql://u:p<c4n4ry@h", "mysql+pymysql://***@h"),
        ("oracle+oracledb://u:a/c4n4ry@h/db", "oracle+oracledb://***@h/db"),
        ("http://host:8080/path/x@y", "http://host:8080/path/x@y"),
        ("https://host/?password=a'c4n4ry", "https://host/?password=***"),
        ("https://host/?api_key=c4n4ry: nothing listens there", "https://host/?api_key=***: nothing listens there"),
        ("https://host/?sid=c4n4ry&a=1", "https://host/?sid=***&a=1"),
        ("'https://host/?token=c4n4ry' failed", "'https://host/?token=***' failed"),
        ("host=db password='c4n4ry b' x", "host=db password=*** x"),
        ("password = c4n4ry", "password = ***"),
        ("password: c4n4ryc4n4ry", "password: ***"),
        ("{'password': 'c4n4ry'}", "{'password': ***}"),
        ("Authorization: Bearer c4n4ryc4n4ry", "Authorization: Bearer ***"),
        # what we say ourselves
        ("name columns that are unique with `key=[...]` or claim", "name columns that are unique with `key=[...]` or claim"),
        ("say auth=('user', Secret(...)) or secrets=[...]", "say auth=('user', Secret(...)) or secrets=[...]"),
        ("key='id' isn't unique", "key='id' isn't unique"),
    ],
)
def test_what_looks_like_a_credential_is_hidden(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
    assert CANARY not in without_secrets(text)


def test_a_failure_keeps_no_credentials() -> None:
    told = failure(OSError("can't reach postgres://ada:c4n4ry@db/x"))
    assert CANARY not in told.message
    assert "OSError: can't reach postgres://***@db/x" in told.traceback


LONG = {
    "fields": "token: " * 30_000,
    "settings": "password = " * 20_000,
    "word": "a" * 200_000 + "://",
    "schemes": "a://" * 50_000,
    "names": "?" + "token" * 40_000,
    "ats": "a://" + "@" * 200_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_text_is_looked_through_once_and_not_back_and_forth(text: str) -> None:
    assert CANARY not in without_secrets(f"{text} a://b:{CANARY}@c")
