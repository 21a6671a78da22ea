"""What is shown of a database's address, and of what a driver says of it."""

from __future__ import annotations

import pytest

from eventflow.sensors.rows.addresses import shown, without_credentials

ADDRESSES = [
    "postgresql://me:hunter2@server/shop",
    "postgresql://me:hunter2'x@server/shop",
    'postgresql://me:hunter2"x@server/shop',
    "postgresql://me:hunter2<>x@server/shop",
    "postgresql://me:hunter2 x@server/shop",
    "postgresql://me:hunter2/x@server/shop",
    "postgresql://me:hunter2?x@server/shop",
    "postgresql://me:hunter2#x@server/shop",
    "postgresql://me:hunter2@x@server/shop",
    "postgresql://me:%68unter2@server/shop",
    "postgresql://server/shop?user=me&password=hunter2'x",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx;UID=sa;PWD=hunter2",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BUID%3Dsa%3BPWD%3Dhunter2",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_A75_of_an_address_its_kind_and_its_host_are_shown(address: str) -> None:
    kind, _, host = shown(address).partition("://")
    assert kind == address.partition("://")[0]
    assert host in ("server", "***")


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "said",
    ["can't log in with {password!r}", "port {password} is no number", "no such address: {address}", "read {password}\nand {address!r}"],
)
def test_A75_what_a_driver_says_is_told_without_the_password(address: str, said: str) -> None:
    told = without_credentials(said.format(password="hunter2", address=address), address)
    assert "hunter2" not in told
    assert "%68unter2" not in told
    assert "\n" not in told
    assert told.startswith(said[:5])


def test_what_holds_no_password_is_told_as_it_is() -> None:
    assert without_credentials("connection refused by server, port 5432", "postgresql://me@server:5432/shop") == (
        "connection refused by server, port 5432"
    )


@pytest.mark.parametrize("text", ["", "nonsense", "://", "://me:hunter2@x", "a b://me:hunter2@x", "postgresql://[::1", "postgresql://"])
def test_what_is_no_address_is_not_shown(text: str) -> None:
    assert shown(text) in ("***://***", "postgresql://***")
