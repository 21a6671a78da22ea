"""Which addresses are accepted, and what is shown of them."""

from __future__ import annotations

import pytest

from eventflow.errors import DefinitionError
from eventflow.secret import Secret
from eventflow.sensors.http.addresses import accepted, shown, written
from eventflow.sensors.http.sensor import HTTPSensor

BAD = [
    "http://good@evil/",
    "http://user:pass@host/",
    "http://evil#good",
    "http://good\\@evil/",
    "http://ev\til/",
    "http://ev il/",
    "http://evil/\r\nX: y",
    "http://evil/\x00",
    "http://evil/\u202egood",
    "http://\u2100.example/",
    "file:///etc/passwd",
    "ftp://host/",
    "gopher://host/",
    "javascript:alert(1)",
    "//host/",
    "/path",
    "host",
    "",
    "http://",
    "http:///path",
    "http://host:0/",
    "http://host:99999/",
    "http://host:x/",
    "http://a..b/",
    "http://*/",
    "http://%00/",
    "http://" + "a" * 9000,
]


@pytest.mark.parametrize("url", BAD)
def test_A71_an_address_that_is_none_is_refused_where_it_is_written(url: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        HTTPSensor("source", url)
    assert caught.value.where is not None
    assert "test_addresses.py" in caught.value.where


@pytest.mark.parametrize(
    "url", ["http://localhost:8000/", "https://example.com/", "http://[::1]:81/x?y=z", "http://127.1/", "http://my_host./"]
)
def test_an_authors_own_address_may_be_anywhere(url: str) -> None:
    assert str(accepted(url)) == url


def test_A71_a_foreign_name_is_shown_as_it_is_asked_for() -> None:
    assert written("http://bücher.example/ä").shown == "http://xn--bcher-kva.example/%C3%A4"


def test_credentials_in_the_query_are_not_shown() -> None:
    assert written("https://host/x?token=canary&page=2").shown == "https://host/x?token=***&page=2"


def test_of_a_secret_address_only_the_host_is_shown() -> None:
    address = written(Secret("https://hooks.example:8443/T0/canary?x=canary"))
    assert address.shown == "https://hooks.example:8443/***"
    assert "canary" not in repr(address)


@pytest.mark.parametrize(
    "url", ["http://user:canary@host/", "ftp://user:canary@host/", "ftp://host/?token=canary", Secret("nothing canary")]
)
def test_A75_a_refused_address_does_not_tell_its_credentials(url: str | Secret) -> None:
    with pytest.raises(DefinitionError) as caught:
        HTTPSensor("source", url)
    assert "canary" not in str(caught.value)


def test_credentials_in_an_address_are_told_where_they_belong() -> None:
    with pytest.raises(DefinitionError, match=r"hand them to `auth`, as \('user', Secret.of_variable"):
        HTTPSensor("source", "http://user:password@host/")


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(DefinitionError, match="is no address"):
        HTTPSensor("source", 5)  # type: ignore[arg-type]


def test_a_long_address_is_shown_shortened() -> None:
    assert len(shown(accepted("http://host/" + "a" * 5000))) < 400
