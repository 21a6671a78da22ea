"""One S3 server for all tests of a process, and a bucket for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sensors.objects.stores import Store, made, served


@pytest.fixture(scope="package")
def endpoint() -> Iterator[str]:
    with served() as address:
        yield address


@pytest.fixture
def store(endpoint: str) -> Store:
    return made(endpoint)
