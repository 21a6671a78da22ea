"""Each scheme: what it takes, what it refuses, and by what it tells one event from another."""

from __future__ import annotations

import base64

import pytest

from eventflow import Secret
from eventflow.sensors.webhooks.received import Received
from eventflow.sensors.webhooks.schemes import HMAC
from tests.sensors.webhooks.senders import (
    KEY,
    NOW,
    PLAIN,
    STANDARD,
    bearer,
    digest,
    github,
    gitlab,
    hook,
    mac,
    raw,
    refused,
    send,
    signed,
    slack,
    standard,
    stripe,
    taken,
)

OTHER = Secret("whsec_" + base64.b64encode(bytes(32)).decode())
OLD = Secret("an older secret than that")


def test_a_standard_delivery_is_an_event_with_the_signed_id_and_time() -> None:
    event = taken(hook(), standard(b'{"type":"order.paid","n":1}', at=NOW - 7), b'{"type":"order.paid","n":1}')
    assert (event.id, event.source, event.type, event.data) == ("msg_1", "hook", "order.paid", {"type": "order.paid", "n": 1})
    assert event.time == (NOW - 7) * 1_000_000


def test_the_published_example_of_standard_webhooks_is_taken() -> None:
    body = b'{"test": 2432232314}'
    headers = {
        "content-type": "application/json",
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    sensor = hook(secrets=Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    got = send(sensor, headers, body, now=1614265330)
    assert isinstance(got, Received)
    assert got.events[0].id == "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_a_standard_secret_may_be_written_without_its_prefix() -> None:
    sensor = hook(secrets=Secret(base64.b64encode(KEY).decode()))
    assert taken(sensor, standard(b"{}"), b"{}").id == "msg_1"


def test_of_several_signatures_one_must_fit() -> None:
    headers = standard(b"{}")
    wrong = base64.b64encode(bytes(32)).decode()
    headers["webhook-signature"] = f"v1a,{wrong} v1,{wrong} {headers['webhook-signature']}"
    assert taken(hook(), headers, b"{}").id == "msg_1"


def test_the_same_mac_under_another_version_is_no_proof() -> None:
    headers = standard(b"{}")
    headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", "v2,")
    assert refused(hook(), headers, b"{}").status == 401


@pytest.mark.parametrize("secrets", [(STANDARD, OTHER), (OTHER, STANDARD)])
def test_two_secrets_are_good_while_one_replaces_the_other(secrets: tuple[Secret, Secret]) -> None:
    sensor = hook(secrets=secrets)
    assert taken(sensor, standard(b"{}"), b"{}").id == "msg_1"
    assert taken(sensor, standard(b"{}", key=bytes(32), name="msg_2"), b"{}").id == "msg_2"
    assert refused(sensor, standard(b"{}", key=b"x" * 32), b"{}").status == 401


@pytest.mark.parametrize("at", [NOW - 300, NOW + 300])
def test_an_instant_at_the_edge_of_the_window_is_taken(at: int) -> None:
    assert taken(hook(), standard(b"{}", at=at), b"{}").time == at * 1_000_000
    assert taken(hook(scheme="stripe"), stripe(b'{"id":"e"}', at=at), b'{"id":"e"}').id == "e"
    assert taken(hook(scheme="slack"), slack(b"{}", at=at), b"{}")


def test_github_says_the_type_in_a_header_and_is_known_by_its_body() -> None:
    event = taken(hook(scheme="github"), github(b'{"ref":"main"}'), b'{"ref":"main"}')
    assert (event.type, event.id, event.time) == ("push", digest(b'{"ref":"main"}'), NOW * 1_000_000)


def test_the_published_example_of_github_is_taken() -> None:
    sensor = hook(scheme="github", secrets=Secret("It's a Secret to Everybody"), content="bytes")
    headers = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    assert taken(sensor, headers, b"Hello, World!").data == b"Hello, World!"


def test_P19_a_github_delivery_that_is_replayed_under_another_delivery_id_is_the_same_event() -> None:
    sensor = hook(scheme="github")
    first, again = (taken(sensor, github(b"{}", delivery=delivery), b"{}") for delivery in ("d-1", "d-2"))
    assert first == again


def test_githubs_ping_is_answered_and_is_no_event() -> None:
    got = send(
        hook(scheme="github", schema=dict[str, int]), github(b'{"zen":"Keep it simple."}', event="ping"), b'{"zen":"Keep it simple."}'
    )
    assert isinstance(got, Received)
    assert (got.events, got.reply is not None and got.reply.status) == ((), 200)
    assert refused(hook(scheme="github"), github(b"{}", event="ping", secret=OLD), b"{}").status == 401


def test_gitlab_is_known_by_its_token_and_an_event_by_its_key() -> None:
    event = taken(hook(scheme="gitlab"), gitlab(**{"idempotency-key": "k-1"}), b'{"object_kind":"push"}')
    assert (event.type, event.id) == ("Push Hook", "k-1")
    assert taken(hook(scheme="gitlab"), gitlab(), b"{}").id == digest(b"{}")
    assert refused(hook(scheme="gitlab"), gitlab(secret=OLD), b"{}").status == 401


def test_stripe_is_known_by_the_id_in_its_payload() -> None:
    body = b'{"id":"evt_1","type":"charge.succeeded","pending_webhooks":2}'
    event = taken(hook(scheme="stripe"), stripe(body), body)
    assert (event.id, event.type, event.time) == ("evt_1", "charge.succeeded", NOW * 1_000_000)


def test_what_stripe_counts_from_try_to_try_is_no_part_of_the_event() -> None:
    sensor = hook(scheme="stripe")
    bodies = [b'{"id":"evt_1","pending_webhooks":2}', b'{"id":"evt_1","pending_webhooks":1}']
    first, again = (taken(sensor, stripe(body, at=NOW + at), body) for at, body in enumerate(bodies))
    assert first.data == again.data == {"id": "evt_1"}


def test_stripe_with_two_times_or_none_is_refused() -> None:
    headers = stripe(b"{}")
    twice = {**headers, "stripe-signature": headers["stripe-signature"] + f",t={NOW - 1}"}
    never = {**headers, "stripe-signature": headers["stripe-signature"].partition(",")[2]}
    for wrong in (twice, never):
        assert refused(hook(scheme="stripe"), wrong, b"{}").status == 401


def test_the_published_example_of_slack_is_taken() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
        b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
        b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    sensor = hook(scheme="slack", secrets=Secret("8f742231b10e8888abcd99yyyzzz85a5"), content="bytes")
    assert isinstance(send(sensor, headers, body, now=1531420618), Received)


def test_slacks_challenge_is_answered_once_it_is_signed() -> None:
    body = b'{"type":"url_verification","challenge":"abc","token":"t"}'
    got = send(hook(scheme="slack"), slack(body), body)
    assert isinstance(got, Received)
    assert got.events == ()
    assert got.reply is not None
    assert got.reply.body == "abc"
    assert refused(hook(scheme="slack"), slack(body, secret=OLD), body).status == 401


def test_an_event_of_slack_that_says_challenge_is_an_event() -> None:
    body = b'{"type":"event_callback","event_id":"Ev2","challenge":"abc"}'
    assert taken(hook(scheme="slack"), slack(body), body).id == "Ev2"


def test_slack_repeats_itself_with_a_new_signature_and_the_same_event_id() -> None:
    body = b'{"type":"event_callback","event_id":"Ev1"}'
    events = [taken(hook(scheme="slack"), slack(body, at=NOW - late), body) for late in (0, 60)]
    assert [event.id for event in events] == ["Ev1", "Ev1"]


@pytest.mark.parametrize(
    ("scheme", "header"),
    [
        (HMAC(), {"X-Signature": mac(PLAIN.reveal().encode(), b"{}").hex()}),
        (HMAC(algorithm="sha512"), {"X-Signature": mac(PLAIN.reveal().encode(), b"{}", "sha512").hex()}),
        (HMAC("X-Sum", encoding="base64"), {"x-sum": base64.b64encode(mac(PLAIN.reveal().encode(), b"{}")).decode()}),
        (HMAC(prefix="sha256="), {"X-Signature": "sha256=" + mac(PLAIN.reveal().encode(), b"{}").hex()}),
    ],
)
def test_hmac_is_read_as_its_options_say(scheme: HMAC, header: dict[str, str]) -> None:
    assert taken(hook(scheme=scheme), {"content-type": "application/json", **header}, b"{}").id == digest(b"{}")
    cut = {name: value[:-1] for name, value in header.items()}
    assert refused(hook(scheme=scheme), {"content-type": "application/json", **cut}, b"{}").status == 401


def test_hmac_with_a_timestamp_signs_both_and_is_known_by_both() -> None:
    scheme = HMAC(timestamp="X-Time")
    made = mac(PLAIN.reveal().encode(), f"{NOW}.{{}}".encode()).hex()
    headers = {"content-type": "application/json", "x-signature": made, "x-time": str(NOW)}
    event = taken(hook(scheme=scheme), headers, b"{}")
    assert (event.id, event.time) == (digest(f"{NOW}.{{}}".encode()), NOW * 1_000_000)
    assert refused(hook(scheme=scheme), {**headers, "x-time": str(NOW + 1)}, b"{}").status == 401
    assert refused(hook(scheme=scheme), headers, b"{}", now=NOW + 301).status == 401
    assert refused(hook(scheme=scheme), signed(b"{}"), b"{}").status == 401


@pytest.mark.parametrize("written", ["Bearer {}", "bearer {}"])
def test_a_bearer_token_is_the_secret(written: str) -> None:
    headers = {"content-type": "application/json", "authorization": written.format(PLAIN.reveal())}
    assert taken(hook(scheme="bearer"), headers, b"{}").id == digest(b"{}")


@pytest.mark.parametrize("written", ["{}", "Basic {}", "Bearer  {}", "Bearer {} ", "Bearer {}x", "Bearer", "Bearer ", ""])
def test_anything_else_than_bearer_and_the_token_is_refused(written: str) -> None:
    headers = {"content-type": "application/json", "authorization": written.format(PLAIN.reveal())}
    assert refused(hook(scheme="bearer"), headers, b"{}").status == 401


def test_an_idempotency_key_tells_events_of_one_body_apart() -> None:
    ids = [taken(hook(scheme="bearer"), bearer(**{"Idempotency-Key": key}), b"{}").id for key in ("a", "b")]
    assert ids == ["a", "b"]


def test_an_unsigned_hook_takes_whatever_is_json() -> None:
    sensor = hook(secrets=(), unsigned=True)
    assert sensor.is_open
    assert not hook().is_open
    assert taken(sensor, {"content-type": "application/json"}, b"{}").id == digest(b"{}")


def test_a_header_that_is_given_twice_counts_as_missing() -> None:
    headers = raw(standard(b"{}"))
    for name, value in list(headers):
        assert refused(hook(), [*headers, (name.upper(), value)], b"{}").status == (415 if name == b"content-type" else 401)


def test_the_reason_of_a_401_is_for_the_operator_and_not_for_the_sender() -> None:
    late, wrong = refused(hook(), standard(b"{}", at=NOW - 400), b"{}"), refused(hook(), standard(b"{}", key=bytes(32)), b"{}")
    assert "400 seconds off" in late.reason
    assert "doesn't fit" in wrong.reason
    assert late.told == wrong.told
