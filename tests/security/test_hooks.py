"""Attacks on hooks: A20 to A33 on the proof of who sends, A34 to A48 on bodies. Each must be refused, plainly and at little cost."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import zlib
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import pytest

from eventflow import DefinitionError, Secret, WebhookSensor
from eventflow.journal.sqlite import open_sqlite
from eventflow.projections import EventRow
from eventflow.server.app import create_app
from eventflow.system import SystemClock
from tests.sensors.webhooks.senders import KEY, NOW, PLAIN, github, hook, refused, slack, standard, stripe, taken
from tests.server.hooked import Served, hooked

BODY = b'{"n":1}'
SENDERS = {"standard": standard, "github": github, "stripe": stripe, "slack": slack}
PROOF = {
    "standard": "webhook-signature",
    "github": "x-hub-signature-256",
    "stripe": "stripe-signature",
    "slack": "x-slack-signature",
}

every_scheme = pytest.mark.parametrize("scheme", SENDERS)


async def attack(served: Served, headers: Mapping[str, str | bytes], body: bytes, status: int) -> str:
    """Send what should be refused with a status, and check that nothing has come of it."""
    raw = [(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in headers.items()]
    answer = await served.http.post("/hooks/hook", content=body, headers=raw)
    assert answer.status_code == status, answer.text
    assert await served.engine.ports.journal.select(EventRow) == []
    return answer.text


# The proof


@every_scheme
async def test_A20_no_signature_is_refused(scheme: str) -> None:
    headers = SENDERS[scheme](BODY)
    async with hooked(hook(scheme=scheme)) as served:
        for name in set(headers) - {"content-type", "x-github-event", "x-github-delivery"}:
            await attack(served, {key: value for key, value in headers.items() if key != name}, BODY, 401)
            await attack(served, {**headers, name: ""}, BODY, 401)


def test_A21_a_hook_whose_secret_is_missing_is_refused_where_it_is_written() -> None:
    for secrets in ((), [], [Secret.of_variable] * 0):
        with pytest.raises(DefinitionError, match="has no secret"):
            WebhookSensor("hook", secrets=secrets)
    with pytest.raises(ValueError, match="isn't empty"):
        Secret("")
    with pytest.raises(ValueError, match="isn't set"):
        Secret.of_variable("A_VARIABLE_THAT_NOBODY_SETS")


@every_scheme
async def test_A22_the_signature_of_the_empty_body_is_refused(scheme: str) -> None:
    async with hooked(hook(scheme=scheme)) as served:
        await attack(served, SENDERS[scheme](b""), BODY, 401)
        await attack(served, SENDERS[scheme](BODY), b"", 401)


@every_scheme
async def test_A23_a_body_that_was_written_anew_is_refused(scheme: str) -> None:
    async with hooked(hook(scheme=scheme)) as served:
        for body in (json.dumps(json.loads(BODY)).encode(), BODY + b"\n", BODY.replace(b"n", b"\\u006e")):
            await attack(served, SENDERS[scheme](BODY), body, 401)


async def test_A24_a_signature_of_a_weaker_kind_is_refused() -> None:
    weak = hmac.new(PLAIN.reveal().encode(), BODY, hashlib.sha1).hexdigest()
    headers = {name: value for name, value in github(BODY).items() if name != "x-hub-signature-256"}
    async with hooked(hook(scheme="github")) as served:
        await attack(served, {**headers, "x-hub-signature": f"sha1={weak}"}, BODY, 401)
        await attack(served, {**headers, "x-hub-signature-256": f"sha1={weak}"}, BODY, 401)
        await attack(served, {**headers, "x-hub-signature-256": f"sha256={weak}"}, BODY, 401)
        await attack(served, {**headers, "x-hub-signature-256": github(BODY)["x-hub-signature-256"].removeprefix("sha256=")}, BODY, 401)


WRITTEN = {
    "upper": lambda proof: proof.upper(),
    "space before": lambda proof: proof.replace("=", "= ", 1),
    "space inside": lambda proof: proof[:-2] + " " + proof[-2:],
    "NUL": lambda proof: proof + "\0",
    "short": lambda proof: proof[:-1],
    "long": lambda proof: proof + "0",
    "prefix twice": lambda proof: proof.partition("=")[0] + "=" + proof,
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("scheme", ["github", "slack"])
def test_A25_hex_that_is_written_another_way_is_refused(scheme: str, written: Any) -> None:
    headers = SENDERS[scheme](BODY)
    wrong = written(headers[PROOF[scheme]])
    assert refused(hook(scheme=scheme), {**headers, PROOF[scheme]: wrong}, BODY).status == 401


RIGHT = standard(BODY)["webhook-signature"]
SIGNATURES = {
    "no comma": RIGHT.replace(",", ""),
    "two commas": RIGHT.replace(",", ",,"),
    "bad base64": "v1,!!!!",
    "url-safe": RIGHT.replace("+", "-").replace("/", "_").rstrip("="),
    "no padding": RIGHT.rstrip("="),
    "many": " ".join(["v1,AAAA"] * 10_000),
    "many and the right one": " ".join(["v1,AAAA"] * 16 + [RIGHT]),
    "commas": "," * 5000,
    "spaces": " " * 5000,
}


@pytest.mark.parametrize("given", SIGNATURES.values(), ids=SIGNATURES)
def test_A26_signatures_that_are_none_and_too_many_are_refused(given: str) -> None:
    assert refused(hook(), {**standard(BODY), "webhook-signature": given}, BODY).status == 401


def test_A26_ten_thousand_signatures_are_not_looked_at_one_by_one() -> None:
    calls: list[int] = []

    class Counting(bytes):
        def split(self, *arguments: Any) -> Any:
            found = super().split(*arguments)
            calls.append(len(found))
            return found

    sensor, headers = hook(), {**standard(BODY)}
    headers.pop("webhook-signature")
    for many in (b"v1,AAAA " * 500, b"v1,AAAA " * 10_000):
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        got = sensor.receive([*raw, (b"webhook-signature", Counting(many))], BODY, NOW * 1_000_000)
        assert getattr(got, "status", None) == 401
    assert calls == [17]  # the first is cut after sixteen, the second is refused for its length


INSTANTS = [
    NOW - 301,
    NOW + 301,
    "nan",
    "1e400",
    "-0",
    "١٢٣",
    2**63,
    "",
    " ",
    f" {NOW}",
    f"+{NOW}",
    f"{NOW}.0",
    f"{NOW}\n",
    "0x6b49d200",
    "1_800_000_000",
    "inf",
    "0",
    "9" * 5000,
]


@pytest.mark.parametrize("at", INSTANTS, ids=lambda at: ascii(at)[:20])
@pytest.mark.parametrize("scheme", ["standard", "stripe", "slack"])
def test_A27_an_instant_out_of_the_window_or_written_oddly_is_refused(scheme: str, at: object) -> None:
    assert refused(hook(scheme=scheme), SENDERS[scheme](BODY, at=at), BODY).status == 401


@pytest.mark.parametrize("named", ["a.b", ".", f"msg_1.{NOW}", "", " a", "a b", "a\0b", "ä", "x" * 257])
def test_A28_an_id_with_a_dot_or_odd_letters_is_refused(named: str) -> None:
    assert refused(hook(), standard(BODY, name=named), BODY).status == 401


def test_A28_what_one_id_and_time_sign_cannot_be_read_as_another() -> None:
    # `a` + `1.x` and `a.1` + `x` are joined to the same bytes.
    inner = f"{NOW}.{{}}".encode()
    headers = standard(inner, name="msg")
    assert refused(hook(), {**headers, "webhook-id": f"msg.{NOW}"}, b"{}").status == 401


async def test_A29_the_same_id_with_another_body_is_a_conflict_and_is_told() -> None:
    async with hooked() as served:
        assert (await served.send(BODY)).status_code == 202
        assert (await served.send(b'{"n":2}')).status_code == 409
        assert [event.id for event in await served.events()] == ["msg_1"]
        assert len(await served.runs()) == 1
        assert "another content" in served.troubles.told[0]


async def test_A30_a_replay_after_a_restart_is_a_duplicate(tmp_path: Path) -> None:
    answers: list[dict[str, Any]] = []
    for _ in range(2):
        async with open_sqlite(tmp_path / "state", clock=SystemClock()) as journal, hooked(journal=journal) as served:
            answers.append((await served.send(BODY)).json())
            assert len(await served.runs()) == 1
    assert answers[1] == {**answers[0], "duplicate": True}


async def test_A31_a_signature_for_another_hook_is_refused() -> None:
    other = WebhookSensor("other", secrets=Secret("whsec_" + "A" * 32))
    async with hooked(others=[other]) as served:
        assert (await served.send(BODY, standard(BODY, key=bytes(24)), to="other")).status_code == 202
        assert (await served.send(BODY, standard(BODY, key=bytes(24)), to="hook")).status_code == 401
        assert (await served.send(BODY, standard(BODY, key=KEY), to="other")).status_code == 401


@pytest.mark.parametrize("body", [b"\xff", b'{"a":"\xff"}', b'{"a":"\xc0\xaf"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xf5\x80\x80\x80"}'])
def test_A32_a_body_that_is_no_utf8_is_refused(body: bytes) -> None:
    assert refused(hook(), standard(body), body).status == 400


@every_scheme
async def test_A33_letters_beyond_ascii_in_any_header_are_refused(scheme: str) -> None:
    headers = SENDERS[scheme](BODY)
    async with hooked(hook(scheme=scheme)) as served:
        for odd in ("é", "\u0661", "\x80".encode("latin-1"), b"\xff" * 32, "\u017f"):
            for name in set(headers) - {"content-type", "x-github-event", "x-github-delivery"}:
                await attack(served, {**headers, name: odd}, BODY, 401)


async def test_no_attack_on_the_proof_tells_a_sender_anything() -> None:
    answers: set[str] = set()
    async with hooked() as served:
        for more in ({"content-encoding": "gzip"}, {"content-type": "text/plain"}):
            answers.add(await attack(served, {**standard(BODY, at=0), **more}, BODY, 401))
        for headers in (
            {},
            standard(BODY, at=0),
            standard(BODY, name="a.b"),
            standard(BODY, key=bytes(32)),
            {**standard(BODY), "webhook-signature": "x"},
        ):
            answers.add(await attack(served, headers, BODY, 401))
        answers.add((await served.send(to="unknown")).text)
    assert len(answers) == 1


# Bodies: all of them signed well


def verdict(body: bytes, **more: str) -> int:
    return refused(hook(), {**standard(body), **more}, body).status


async def test_A34_one_byte_more_than_a_hook_takes_is_refused() -> None:
    most = b'"' + b"x" * ((1 << 20) - 4) + b'"'
    fits, over = b"[" + most + b"]", b"[ " + most + b"]"
    async with hooked() as served:
        await attack(served, standard(over), over, 413)
        assert (await served.send(fits)).status_code == 202
        assert refused(hook(), standard(over), over).status == 413


async def test_A35_a_body_without_an_end_is_cut() -> None:
    sent = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield bytes(1 << 16)

    async with hooked() as served:
        app = create_app(served.engine)
        chunks, told = endless(), dict[str, Any]()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": await anext(chunks), "more_body": True}

        async def send(message: dict[str, Any]) -> None:
            told.update(message)

        scope = {"type": "http", "method": "POST", "path": "/hooks/hook", "root_path": "", "query_string": b"", "headers": []}
        await app(scope, receive, send)
    assert (told["status"], sent) == (413, 17)


@pytest.mark.parametrize("packed", ["gzip", "deflate", "br", "zstd", "gzip, identity", "x", ""])
def test_A36_a_body_that_is_packed_is_refused_unopened(packed: str) -> None:
    for body in (gzip.compress(bytes(10_000_000)), zlib.compress(bytes(10_000_000)), BODY):
        assert verdict(body, **{"content-encoding": packed}) == 415


@pytest.mark.parametrize(
    "body", [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"[" * 1_000_000, b"[" * 65 + b"]" * 65]
)
def test_A37_a_body_that_is_too_deep_is_refused(body: bytes) -> None:
    assert verdict(body) == 400


@pytest.mark.parametrize("body", [b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b'[{"x":{"a":1,"b":2,"a":1}}]', b'{"":1,"":1}'])
def test_A38_a_key_that_stands_twice_is_refused(body: bytes) -> None:
    assert verdict(body) == 400


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "0x10", "01", "+1", ".5", "1.", "1e", "1_0"])
def test_A39_what_is_no_number_of_jsons_is_refused(number: str) -> None:
    assert verdict(f'{{"a":{number}}}'.encode()) == 400


@pytest.mark.parametrize("number", ["1" * 5000, "-" + "1" * 5000, "0." + "1" * 5000, "1e" + "0" * 5000])
def test_A40_a_number_of_five_thousand_digits_is_refused(number: str) -> None:
    assert verdict(f'{{"a":{number}}}'.encode()) == 400


@pytest.mark.parametrize("text", [r"\ud800", r"\udc00", r"\ud800\ud800", r"\udc00\ud800", r"a\ud83dz"])
def test_A41_half_a_surrogate_pair_is_refused(text: str) -> None:
    for body in (f'{{"a":"{text}"}}', f'{{"{text}":1}}'):
        assert verdict(body.encode()) == 400


@pytest.mark.parametrize("body", [rb'{"a":"\u0000"}', rb'{"\u0000":1}', rb'["x\\\u0000"]', b'{"a":"\x00"}', b'{"a":1}\x00'])
def test_A42_a_nul_is_refused(body: bytes) -> None:
    assert verdict(body) == 400


def test_A43_a_million_keys_are_refused() -> None:
    many = b"{" + b",".join(b'"%x":1' % n for n in range(10_001)) + b"}"
    assert verdict(many) == 400
    million = b"[" + b",".join([b'{"":1}'] * 149_000) + b"]"
    assert verdict(million) == 400
    fits = b"{" + b",".join(b'"%x":1' % n for n in range(10_000)) + b"}"
    assert len(taken(hook(), standard(fits), fits).data) == 10_000


@pytest.mark.parametrize("key", ["__proto__", "__class__", "constructor", "$ref", "$schema", "__init__", "toString"])
def test_A44_keys_that_mean_something_elsewhere_are_plain_keys(key: str) -> None:
    body = json.dumps({key: {"polluted": True}}).encode()
    assert taken(hook(), standard(body), body).data == {key: {"polluted": True}}


@pytest.mark.parametrize("body", [b'{"$path":"/etc/passwd"}', b'{"$path64":"L2V0Yw=="}'])
def test_A44_keys_that_mean_something_to_us_are_refused(body: bytes) -> None:
    assert verdict(body) == 422


ODD = [
    b"1",
    b'"x"',
    b"null",
    b"true",
    b"",
    b" ",
    b"\xef\xbb\xbf{}",
    "{}".encode("utf-16"),
    "{}".encode("utf-16-le"),
    "{}".encode("utf-32"),
    b"{}{}",
    b"{} x",
    b"{}//",
    b"/**/{}",
    b"{'a':1}",
    b"{a:1}",
    b"{,}",
    b"[1,]",
    b"\x0b{}",
    b"{}\x00",
    b"a=1&b=2",
    b"<a/>",
]


@pytest.mark.parametrize("body", ODD, ids=lambda body: ascii(body)[:20])
def test_A45_what_is_no_object_and_no_list_of_json_is_refused(body: bytes) -> None:
    assert verdict(body) == 400


TYPES = [
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "text/json",
    "application/json, text/plain",
    "application/json; charset=utf-16",
    "application/json; charset=utf-8; boundary=x",
    "application/json;x",
    "application/jsonp",
    "application/problem+json",
    "application/xml",
    "text/xml",
    "application/yaml",
    "application/octet-stream",
    "",
    "*/*",
]


@pytest.mark.parametrize("kind", TYPES)
async def test_A46_A47_A48_what_is_not_said_to_be_json_is_refused_whatever_it_holds(kind: str) -> None:
    parts = b"".join(b'--x\r\nContent-Disposition: form-data; name="f"; filename="../%d"\r\n\r\nx\r\n' % n for n in range(10_000))
    bodies = [
        b'{"files":[{"filepath":"/etc/passwd"}]}',
        b"files[0].filepath=/etc/passwd",
        parts + b"--x--\r\n",
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
        b"!!python/object/apply:os.system [id]",
    ]
    async with hooked() as served:
        for body in bodies:
            await attack(served, {**standard(body), "content-type": kind}, body, 415)


@pytest.mark.parametrize("kind", ["application/json", "application/json;charset=utf-8", 'Application/JSON; charset="UTF-8"'])
def test_A46_what_is_json_is_json_alone(kind: str) -> None:
    body = b'{"files":[{"filepath":"/etc/passwd"}]}'
    assert taken(hook(), {**standard(body), "content-type": kind}, body).data == {"files": [{"filepath": "/etc/passwd"}]}
    for other in (b"--x\r\n\r\n--x--", b"<a/>", b"a: !!python/object x"):
        assert verdict(other) == 400


async def test_no_attack_is_answered_as_if_something_had_gone_wrong_here() -> None:
    """Whatever an unsigned hook is sent, the answer is never a 5xx."""
    bodies = [*ODD, b"[" * 100_000, b'{"a":1,"a":2}', b'{"$path":"x"}', rb'{"a":"\ud800"}', b'{"a":' + b"1" * 5000 + b"}"]
    async with hooked(hook(secrets=(), unsigned=True)) as served:
        for body in bodies:
            answer = await served.send(body, {"content-type": "application/json"})
            assert 400 <= answer.status_code < 500, body[:20]
        assert await served.events() == []
