"""Encrypted connections: whose certificate is trusted, also behind a redirect to a judged address."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from eventflow.errors import SensorError
from eventflow.sensors.http.addresses import origin
from eventflow.sensors.http.endpoint import endpoint
from eventflow.sensors.http.fetch import Ask, Fetch
from eventflow.sensors.http.sensor import HTTPSensor
from eventflow.system import SystemClock
from tests.sensors.http.looking import look, trouble
from tests.sensors.http.server import Reply, sends_on, serving
from tests.sensors.outside import Book

MADE = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for secure.example that nobody has signed, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "secure.example")])
    names = x509.SubjectAlternativeName([x509.DNSName("secure.example")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(MADE).not_valid_after(MADE.replace(year=2090)).add_extension(names, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    text = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "certificate.pem"
    path.write_bytes(text + secret)
    return path


def servers(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def test_F67_a_certificate_that_nobody_signed_is_refused(certificate: Path) -> None:
    async with serving(servers(certificate)) as server:
        error = await trouble(HTTPSensor("source", server.at("/x", Reply(b"a"))))
    assert "its certificate isn't trusted: self-signed certificate" in str(error)
    assert server.asked == []


async def test_a_certificate_of_ones_own_may_be_trusted(certificate: Path) -> None:
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False  # it is for secure.example, and this is 127.0.0.1
    async with serving(servers(certificate)) as server:
        sensor = HTTPSensor("source", server.at("/x", Reply(b"a")), tls=context, existing="fire")
        assert [change.body for change in await look(sensor, Book())] == ["a"]


async def test_a_certificate_for_another_name_is_refused(certificate: Path) -> None:
    async with serving(servers(certificate)) as server:
        error = await trouble(HTTPSensor("source", server.at("/x", Reply(b"a")), tls=ssl.create_default_context(cafile=certificate)))
    assert "its certificate isn't trusted: IP address mismatch" in str(error)


async def test_F67_no_tls_where_tls_was_expected_is_told() -> None:
    async with serving() as server:
        error = await trouble(HTTPSensor("source", server.at("/x", Reply(b"a")).replace("http:", "https:")))
    assert "no TLS connection can be made" in str(error)


async def test_A69_behind_a_redirect_the_address_is_the_judged_one_and_the_certificate_is_checked_for_the_name(certificate: Path) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with serving() as first, serving(servers(certificate)) as second:
        second.at("/b", Reply(b"there"))
        port = origin(httpx.URL(second.url))[2]
        limits = {"headers": None, "query": None, "auth": None, "timeout": "5s", "largest": "1MiB"}
        for name, trusted in (("secure.example", True), ("other.example", False)):
            url = first.at("/a", sends_on(f"https://{name}:{port}/b"))
            where = endpoint(url, tls=ssl.create_default_context(cafile=certificate), **limits)
            async with Fetch(where, SystemClock(), resolve) as fetch:
                if trusted:
                    assert (await fetch.answer(Ask())).body == b"there"
                else:
                    with pytest.raises(SensorError, match="certificate isn't trusted: Hostname mismatch"):
                        await fetch.answer(Ask())
    assert [asked.headers["host"] for asked in second.asked] == [f"secure.example:{port}"]
