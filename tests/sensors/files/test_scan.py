from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from eventflow.sensors.files.scan import Version, identity, version_of

versions = st.builds(
    Version,
    st.binary(min_size=1).map(os.fsdecode),
    st.none() | st.integers(min_value=0, max_value=2**64),
    st.integers(min_value=0, max_value=2**63),
    st.integers(min_value=-(2**63), max_value=2**63),
)


@given(versions)
def test_an_identity_tells_the_version_whatever_the_name(version: Version) -> None:
    assert identity(version).isascii()
    assert version_of(identity(version)) == version


def test_identities_are_written_as_journals_have_them() -> None:
    assert (
        identity(Version("data/in/a b#ü.csv", 12, 34, 1_700_000_000_000_000_000)) == "data/in/a%20b%23%C3%BC.csv#12.34.1700000000000000000"
    )
    assert identity(Version("\udcff", None, 0, -1)) == "%FF#-.0.-1"
