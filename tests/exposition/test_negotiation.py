"""What real and broken `Accept` and `Accept-Encoding` headers lead to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.negotiation import accepts_gzip, choose_format
from exporter.exposition.text import Format

TEXT = Format.TEXT_0_0_4
OPENMETRICS = Format.OPENMETRICS_1_0

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3_5 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
# With native histograms switched on, and with `scrape_protocols: [PrometheusText0.0.4]`.
PROMETHEUS_3_5_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
PROMETHEUS_3_5_TEXT = "text/plain;version=0.0.4;q=0.6,*/*;q=0.5"
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

ACCEPT = [
    (PROMETHEUS_2_42, OPENMETRICS),
    (PROMETHEUS_3_5, OPENMETRICS),
    (PROMETHEUS_3_5_PROTOBUF, OPENMETRICS),
    (PROMETHEUS_3_5_TEXT, TEXT),
    (CHROME, TEXT),
    # Nothing said, or nothing that we have: text.
    (None, TEXT),
    ("", TEXT),
    (" , ,;,", TEXT),
    ("*/*", TEXT),
    ("text/html", TEXT),
    ("application/json", TEXT),
    ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", TEXT),
    # OpenMetrics by its name.
    ("application/openmetrics-text", OPENMETRICS),
    ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPENMETRICS),
    ("Application/OpenMetrics-Text ; VERSION = 1.0.0", OPENMETRICS),
    ("application/openmetrics-text;VERSION=0.0.1", TEXT),
    ("application/openmetrics-text;Q=0", TEXT),
    ('application/openmetrics-text;version="1.0.0"', OPENMETRICS),
    ('application/openmetrics-text;version="1.\\0.0"', OPENMETRICS),
    ("application/openmetrics-text;version=1.0.0;escaping=underscores", OPENMETRICS),
    ("text/html,application/openmetrics-text;q=0.5", OPENMETRICS),
    # In another version.
    ("application/openmetrics-text;version=0.0.1", TEXT),
    ("application/openmetrics-text;version=2.0.0", TEXT),
    ("application/openmetrics-text;version=9.9.9", TEXT),
    ("application/openmetrics-text;version=abc", TEXT),
    ("application/openmetrics-text;version=", TEXT),
    ("application/openmetrics-text;version=1.0.0.0", TEXT),
    ("application/openmetrics-text;version=2.0.0,application/openmetrics-text;version=1.0.0;q=0.1", OPENMETRICS),
    ("application/openmetrics-text;version=0.0.1,*/*;q=0.1", TEXT),
    # The higher q-value wins; OpenMetrics where they are equal.
    ("application/openmetrics-text,text/plain", OPENMETRICS),
    ("text/plain,application/openmetrics-text", OPENMETRICS),
    ("application/openmetrics-text;q=0.5,text/plain;q=0.9", TEXT),
    ("application/openmetrics-text;q=0.9,text/plain;q=0.5", OPENMETRICS),
    ("application/openmetrics-text;q=0.001,text/plain;q=0", OPENMETRICS),
    ("application/openmetrics-text;q=0.5,*/*", TEXT),
    ("application/openmetrics-text;q=0.5,*/*;q=0.5", OPENMETRICS),
    ("application/openmetrics-text,text/plain;version=1.0.0", OPENMETRICS),
    ("application/openmetrics-text;q=0.5,text/plain;version=1.0.0", OPENMETRICS),
    # q=0 is a refusal.
    ("application/openmetrics-text;q=0", TEXT),
    ("application/openmetrics-text;q=0.000,*/*", TEXT),
    ("application/openmetrics-text;version=1.0.0;q=0,application/openmetrics-text;q=0", TEXT),
    # The most exact range counts, not the highest or the first.
    ("application/openmetrics-text;version=1.0.0;q=0,application/openmetrics-text,text/plain;q=0.1", TEXT),
    ("application/openmetrics-text;q=0,application/openmetrics-text;version=1.0.0", OPENMETRICS),
    ("*/*,text/*;q=0.9,text/plain;q=0.1,application/openmetrics-text;q=0.2", OPENMETRICS),
    ("text/plain;q=0.1,text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.5", TEXT),
    # Wildcards: text, unless they leave only OpenMetrics.
    ("text/*", TEXT),
    ("text/*,application/*", TEXT),
    ("application/*", OPENMETRICS),
    ("text/plain;q=0,*/*", OPENMETRICS),
    ("application/*;q=0,*/*", TEXT),
    ("*/openmetrics-text", TEXT),
    ("*/*;q=0.9,text/*;q=0.1", OPENMETRICS),
    # q-values that are none: the range was not said.
    ("application/openmetrics-text;q=", TEXT),
    ("application/openmetrics-text;q=abc", TEXT),
    ("application/openmetrics-text;q=nan", TEXT),
    ("application/openmetrics-text;q=-1", TEXT),
    ("application/openmetrics-text;q=1.1", TEXT),
    ("application/openmetrics-text;q=1e0", TEXT),
    ("application/openmetrics-text;q=\u0661", TEXT),
    ("application/openmetrics-text;q=abc,application/openmetrics-text;q=0.1", OPENMETRICS),
    ("application/openmetrics-text;q=1.", OPENMETRICS),
    ("application/openmetrics-text;q=.5", OPENMETRICS),
    ("application/openmetrics-text;q=0.123456", OPENMETRICS),
    ('application/openmetrics-text;q="0.5"', OPENMETRICS),
    # Commas and semicolons in a quoted string separate nothing.
    ('text/html;x=",application/openmetrics-text,"', TEXT),
    ('application/openmetrics-text;x=";version=0.0.1"', OPENMETRICS),
    ('application/openmetrics-text;x="\\";version=0.0.1"', OPENMETRICS),
    ('application/openmetrics-text;x=";version=1.0.0', OPENMETRICS),
]


@pytest.mark.parametrize(("accept", "fmt"), ACCEPT)
def test_format(accept: str | None, fmt: Format) -> None:
    assert choose_format(accept) is fmt


ACCEPT_ENCODING = [
    ("gzip", True),
    ("GZIP", True),
    ("x-gzip", True),
    ("gzip, deflate, br, zstd", True),
    ("zstd , gzip", True),
    ("gzip;q=0.5", True),
    ("gzip, gzip;q=0", True),
    ("*", True),
    ("deflate, *;q=0.1", True),
    ("identity, gzip", True),
    ("identity;q=0, *", True),
    (None, False),
    ("", False),
    ("deflate, br", False),
    ("identity", False),
    ("gzip;q=0", False),
    ("gzip; q = 0.000", False),
    ("gzip;q=0, *", False),
    ("*;q=0", False),
    ("identity, gzip;q=0.5", False),
    ("gzip;q=junk", False),
    ("gzipped", False),
    ('"gzip', False),
    (",;=", False),
]


@pytest.mark.parametrize(("accept_encoding", "gzip"), ACCEPT_ENCODING)
def test_gzip(accept_encoding: str | None, gzip: bool) -> None:
    assert accepts_gzip(accept_encoding) is gzip


pieces = ["application/", "openmetrics-text", "text/", "plain", "*", "/", ";", ",", "=", "version", "1.0.0", "q", "0"]
pieces += ["0.5", '"', "\\", " ", "\t", "\x00", "gzip", "identity", "é", "-", "nan", "1e999"]
headers = st.one_of(st.text(), st.lists(st.sampled_from(pieces)).map("".join))


@given(headers)
def test_no_header_is_an_error(header: str) -> None:
    assert choose_format(header) in Format
    assert accepts_gzip(header) in (True, False)


@given(st.permutations(PROMETHEUS_3_5.split(",")))
def test_the_order_does_not_matter(ranges: list[str]) -> None:
    assert choose_format(",".join(ranges)) is OPENMETRICS


@pytest.mark.parametrize("filler", ["a", ",", ";", '"', "\\", '\\"', "a;b=c,", "text/plain;q=0.1,"])
def test_a_header_longer_than_any_sane_one_counts_as_absent(filler: str) -> None:
    header = "application/openmetrics-text,gzip;q=1," + filler * 1_000_000
    assert choose_format(header) is TEXT
    assert accepts_gzip(header) is False
