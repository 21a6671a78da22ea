"""Where redirects may lead."""

from __future__ import annotations

import pytest

from eventflow.sensors.http.networks import Kind, kind, may_lead, resolved

NOT_PUBLIC = [
    ("127.0.0.1", "loopback"),
    ("127.8.9.10", "loopback"),
    ("::1", "loopback"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:10.0.0.1", "private"),
    ("64:ff9b::7f00:1", "loopback"),
    ("64:ff9b::a9fe:a9fe", "reserved"),
    ("2002:7f00:1::", "loopback"),
    ("10.1.2.3", "private"),
    ("172.31.0.1", "private"),
    ("192.168.0.1", "private"),
    ("fd00::1", "private"),
    ("0.0.0.0", "reserved"),
    ("::", "reserved"),
    ("169.254.169.254", "reserved"),
    ("fe80::1", "reserved"),
    ("fe80::1%eth0", "reserved"),
    ("100.64.0.1", "reserved"),
    ("224.0.0.1", "reserved"),
    ("ff02::1", "reserved"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("192.0.2.1", "reserved"),
    ("no address", "reserved"),
]


@pytest.mark.parametrize(("address", "expected"), NOT_PUBLIC)
def test_A68_addresses_that_are_not_for_everybody_are_known(address: str, expected: Kind) -> None:
    assert kind(address) == expected
    assert not may_lead("public", [address])
    assert not may_lead("public", ["93.184.216.34", address])


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "172.32.0.1"])
def test_public_addresses_are_reached_from_everywhere(address: str) -> None:
    assert kind(address) == "public"
    assert all(may_lead(start, [address]) for start in ("public", "private", "loopback", "reserved"))


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "127.1", "0177.0.0.1"])
async def test_A68_however_this_machine_is_written_it_is_known(name: str) -> None:
    assert {kind(address) for address in await resolved(name, 80)} == {"loopback"}
    assert not may_lead("public", await resolved(name, 80))


async def test_A68_nothing_is_the_address_of_no_host() -> None:
    assert {kind(address) for address in await resolved("0", 80)} == {"reserved"}


@pytest.mark.parametrize(("start", "there"), [("private", "10.9.9.9"), ("loopback", "127.0.0.1")])
def test_from_inside_a_redirect_may_stay_inside(start: Kind, there: str) -> None:
    assert may_lead(start, [there])


@pytest.mark.parametrize(
    ("start", "there"),
    [
        ("private", "127.0.0.1"),
        ("loopback", "10.0.0.1"),
        ("private", "169.254.169.254"),
        ("loopback", "169.254.169.254"),
        ("reserved", "0.0.0.0"),
    ],
)
def test_but_not_from_one_inside_into_another(start: Kind, there: str) -> None:
    assert not may_lead(start, [there])


def test_a_host_without_an_address_is_not_reached() -> None:
    assert not may_lead("public", [])
