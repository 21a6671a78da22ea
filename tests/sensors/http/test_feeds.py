"""Feeds, good and hostile."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.sensors.http.failures import Unusable
from eventflow.sensors.http.feeds import items

RSS = b"""<?xml version="1.0"?>
<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>All</title>
<item><media:title>a picture</media:title><title>Two &amp; a half</title><link>http://h/2</link><guid>g2</guid><dc:creator>ada</dc:creator>
  <description><![CDATA[<b>x</b>]]></description><pubDate>Fri, 20 Nov 2026 10:00:00 GMT</pubDate></item>
<item><title>One</title><link>http://h/1</link></item>
<item><title>None</title></item>
</channel></rss>"""

ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>All</title><id>feed</id>
<entry><id>e1</id><title type="html">First <b>bold</b></title><link rel="self" href="http://h/self"/><link href="http://h/e1"/>
<updated>2026-11-20T10:00:00Z</updated><author><name>Grace</name></author></entry></feed>"""

RDF = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
<channel rdf:about="c"><title>c</title></channel><item rdf:about="http://h/i"><title>I</title></item></rdf:RDF>"""


def test_rss_items_have_the_names_of_atom() -> None:
    two, one, none = items(RSS)
    assert two == {
        "title": "Two & a half",
        "link": "http://h/2",
        "id": "g2",
        "creator": "ada",
        "summary": "<b>x</b>",
        "published": "Fri, 20 Nov 2026 10:00:00 GMT",
    }
    assert one["id"] == "http://h/1"
    assert len(none["id"]) == 64


def test_atom_entries() -> None:
    [entry] = items(ATOM)
    assert entry == {"id": "e1", "title": "First bold", "link": "http://h/e1", "updated": "2026-11-20T10:00:00Z", "author": "Grace"}


def test_rss_1() -> None:
    assert items(RDF) == [{"id": "http://h/i", "title": "I"}]


BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><rss><channel><item><guid>&b;</guid></item></channel></rss>"""
FILE = b"""<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><rss><channel><item><guid>&f;</guid></item></channel></rss>"""


@pytest.mark.parametrize("body", [BOMB, FILE, b"<!DOCTYPE rss SYSTEM 'http://127.0.0.1/x.dtd'><rss/>"])
def test_A48_a_feed_that_declares_entities_is_refused(body: bytes) -> None:
    with pytest.raises(Unusable, match="DOCTYPE"):
        items(body)


@pytest.mark.parametrize(
    "body",
    [b"", b"<rss>", b"<html></html>", b"{}", b"<rss><item>&x;</item></rss>", b"\x00", b"<?xml version='1.0' encoding='x-none'?><rss/>"],
)
def test_what_is_no_feed_is_refused(body: bytes) -> None:
    with pytest.raises(Unusable):
        items(body)


def test_nesting_and_numbers_have_limits() -> None:
    with pytest.raises(Unusable, match="deep"):
        items(b"<rss>" + b"<a>" * 200)
    with pytest.raises(Unusable, match="items"):
        items(b"<rss>" + b"<item/>" * 10_001 + b"</rss>")


@given(st.binary(max_size=200), st.sampled_from([RSS, ATOM, RDF]), st.integers(0, 400))
def test_no_bytes_raise_anything_else(noise: bytes, feed: bytes, place: int) -> None:
    with suppress(Unusable):
        assert all("id" in item for item in items(feed[:place] + noise + feed[place:]))
